"""Models of one operator of ai.onnx.ml each: random trees, coefficients, support vectors and tables."""

import numpy as np
from onnx import helper

DOMAIN = "ai.onnx.ml"
ROWS, FEATURES = 7, 5
COMPARISONS = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE", "BRANCH_EQ", "BRANCH_NEQ")
KERNELS = {"LINEAR": [0.0, 0.0, 0.0], "POLY": [0.3, 1.0, 2.0], "RBF": [0.4, 0.0, 0.0], "SIGMOID": [0.3, 0.1, 0.0]}


def forest(random, prefix, trees, depth, targets, comparisons=COMPARISONS[:1], only=None, positive=False):
    """nodes_* and PREFIX_* of random trees. `only` is the one target that leaves have weights of."""
    nodes, weights = [], []

    def grow(tree, number, left):
        place = len(nodes)
        nodes.append(None)
        if left == 0 or (left < depth and random.random() < 0.2):
            nodes[place] = (tree, number, 0, "LEAF", 0.0, 0, 0, 0)
            some = [only] if only is not None else sorted(random.choice(targets, random.integers(1, targets + 1), replace=False))
            for target in some:
                weight = random.standard_normal()
                weights.append((tree, number, int(target), float(abs(weight) * 0.2 if positive else weight)))
            return number + 1
        on_false = grow(tree, number + 1, left - 1)
        after = grow(tree, on_false, left - 1)
        nodes[place] = (tree, number, int(random.integers(FEATURES)), str(random.choice(comparisons)),
                        float(np.round(random.standard_normal(), 1)), number + 1, on_false, int(random.integers(2)))
        return after

    for tree in range(trees):
        grow(tree, 0, depth)
    names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids", "missing_value_tracks_true")
    lists = {f"nodes_{n}": list(column) for n, column in zip(names, zip(*nodes))}
    lists |= {f"{prefix}_{n}": list(column) for n, column in zip(("treeids", "nodeids", "ids", "weights"), zip(*weights))}
    return lists


def models(random):
    """(name, node, {input: array}) of every model."""
    x = np.round(random.standard_normal((ROWS, FEATURES)), 1).astype(np.float32)
    holes = x.copy()
    holes[0, 1] = holes[3] = np.nan
    whole = (x * 2).astype(np.int64)

    def node(op, outputs, inputs=("x",), **attributes):
        return helper.make_node(op, inputs, outputs, domain=DOMAIN, **attributes)

    def numbers(count):
        return random.standard_normal(count).tolist()

    for data, suffix in ((x, ""), (holes, "_missing")):
        yield f"trees{suffix}", node("TreeEnsembleRegressor", ["y"], n_targets=1, **forest(random, "target", 10, 4, 1)), {"x": data}
        yield f"trees_compare{suffix}", node("TreeEnsembleRegressor", ["y"], n_targets=3,
                                             **forest(random, "target", 8, 4, 3, COMPARISONS)), {"x": data}
    for aggregate in ("AVERAGE", "MIN", "MAX"):
        yield f"trees_{aggregate.lower()}", node("TreeEnsembleRegressor", ["y"], n_targets=1, aggregate_function=aggregate,
                                                 base_values=[0.25], **forest(random, "target", 6, 3, 1)), {"x": x}
    for transform in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"):
        name = transform.lower()
        yield f"trees_{name}", node("TreeEnsembleRegressor", ["y"], n_targets=3, post_transform=transform,
                                    **forest(random, "target", 6, 3, 3)), {"x": x}
        yield f"classes_{name}", node("TreeEnsembleClassifier", ["l", "y"], classlabels_int64s=[10, 11, 12],
                                      post_transform=transform, **forest(random, "class", 9, 4, 3)), {"x": x}
        yield f"linear_{name}", node("LinearClassifier", ["l", "y"], classlabels_ints=[4, 5, 6], post_transform=transform,
                                     coefficients=numbers(3 * FEATURES), intercepts=numbers(3)), {"x": x}
    yield "linear_probit", node("LinearClassifier", ["l", "y"], classlabels_ints=[4, 5, 6], post_transform="PROBIT",
                                coefficients=[v / 50 for v in numbers(3 * FEATURES)], intercepts=[0.3, 0.5, 0.7]), {"x": x}
    for transform in ("NONE", "SOFTMAX", "LOGISTIC"):
        name = transform.lower()
        yield f"linear_one_{name}", node("LinearClassifier", ["l", "y"], classlabels_ints=[4, 9], post_transform=transform,
                                         coefficients=numbers(FEATURES), intercepts=numbers(1)), {"x": x}
        for only in (0, 1):
            for positive in (False, True):
                yield f"two_{only}{'p' if positive else 'm'}_{name}", node(
                    "TreeEnsembleClassifier", ["l", "y"], classlabels_int64s=[3, 8], post_transform=transform,
                    **forest(random, "class", 6, 3, 1, only=only, positive=positive)), {"x": x}
    yield "linear_regressor", node("LinearRegressor", ["y"], coefficients=numbers(2 * FEATURES), intercepts=[1.0, 2.0],
                                   targets=2), {"x": x}
    yield "svr_plain", node("SVMRegressor", ["y"], kernel_type="LINEAR", kernel_params=KERNELS["LINEAR"], n_supports=0,
                            coefficients=numbers(FEATURES), rho=[0.3]), {"x": x}
    for kernel, parameters in KERNELS.items():
        yield f"svr_{kernel.lower()}", node("SVMRegressor", ["y"], kernel_type=kernel, kernel_params=parameters, n_supports=6,
                                            support_vectors=numbers(6 * FEATURES), coefficients=numbers(6), rho=[0.3]), {"x": x}
        for vectors in ([3, 2], [2, 3, 2]):
            classes, supports = len(vectors), sum(vectors)
            yield f"svc_{kernel.lower()}_{classes}", node(
                "SVMClassifier", ["l", "y"], kernel_type=kernel, kernel_params=parameters, vectors_per_class=vectors,
                support_vectors=numbers(supports * FEATURES), coefficients=numbers((classes - 1) * supports),
                rho=numbers(classes * (classes - 1) // 2), classlabels_ints=list(range(classes))), {"x": x}
    yield "scaler_one", node("Scaler", ["y"], offset=[1.0], scale=[2.0]), {"x": whole}
    yield "scaler", node("Scaler", ["y"], offset=numbers(FEATURES), scale=numbers(FEATURES)), {"x": x}
    some = x.copy()
    some[2] = 0
    for norm in ("MAX", "L1", "L2"):
        yield f"normalizer_{norm.lower()}", node("Normalizer", ["y"], norm=norm), {"x": some}
    yield "extractor", node("ArrayFeatureExtractor", ["y"], ("x", "i")), {"x": x, "i": np.array([4, 0, 2])}
    yield "imputer", node("Imputer", ["y"], imputed_value_floats=[1.0, 2.0, 3.0, 4.0, 5.0],
                          replaced_value_float=float("nan")), {"x": holes}
    yield "imputer_whole", node("Imputer", ["y"], imputed_value_int64s=[7], replaced_value_int64=0), {"x": whole}
    yield "one_hot", node("OneHotEncoder", ["y"], cats_int64s=[0, 1, 2, -1], zeros=1), {"x": whole}
    yield "vectorizer", node("FeatureVectorizer", ["y"], ("x", "z"), inputdimensions=[FEATURES, 2]), {"x": x, "z": x[:, :2].copy()}
    yield "labels_to_floats", node("LabelEncoder", ["y"], keys_int64s=[0, 1, 2], values_floats=[0.5, 1.5, 2.5],
                                   default_float=-9.0), {"x": whole}
    yield "floats_to_labels", node("LabelEncoder", ["y"], keys_floats=[0.0, 0.5, -1.0], values_int64s=[5, 6, 7]), {"x": x}
    yield "binarizer", node("Binarizer", ["y"], threshold=0.3), {"x": x}
