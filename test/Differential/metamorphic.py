#!/usr/bin/env python3
"""What must not change an answer, on random graphs and without another program to compare with.

    metamorphic.py --bin build/bin --work DIR [--first SEED] [--count N]

Bit for bit: the order of a set's tenants, a tenant compiled alone, run alone, or beside others; a branch that nobody reads.
But for rounding: pairs of transposes and splits that are concatenated again, on edges at random; -O0.
"""

import copy
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

import cases


def edges(case):
    """(node, input number, array) of the floats that nodes read and nodes or callers write."""
    arrays = {**case.inputs, **cases.all_values(case.model, case.inputs)}
    return [(n, i, arrays[name]) for n, node in enumerate(case.model.graph.node) for i, name in enumerate(node.input)
            if name in arrays and arrays[name].dtype == np.float32 and arrays[name].ndim]


def variant(case, suffix):
    changed = copy.copy(case)
    changed.name = case.name + suffix
    changed.model = onnx.ModelProto()
    changed.model.CopyFrom(case.model)
    return changed


def rewire(case, suffix, random, insert):
    """A variant with `insert(name, array)` = (nodes, new name, constants) on up to three edges."""
    changed = variant(case, suffix)
    graph = changed.model.graph
    found = edges(case)
    before = {}
    for k in random.permutation(len(found))[:3]:
        n, i, array = found[k]
        made = insert(graph.node[n].input[i], array, f"{suffix}{k}")
        if made is None:
            continue
        nodes, name, constants = made
        graph.node[n].input[i] = name
        before.setdefault(n, []).extend(nodes)
        graph.initializer.extend(constants)
    nodes = [x for n, node in enumerate(graph.node) for x in [*before.get(n, []), node]]
    nodes = [copy.deepcopy(n) for n in nodes]
    del graph.node[:]
    graph.node.extend(nodes)
    return changed


def turned(case, random):
    def insert(name, array, key):
        order = random.permutation(array.ndim)
        return [helper.make_node("Transpose", [name], ["t" + key], name="turn" + key, perm=order.tolist()),
                helper.make_node("Transpose", ["t" + key], ["b" + key], name="back" + key, perm=np.argsort(order).tolist())
                ], "b" + key, []

    return rewire(case, "_turned", random, insert)


def cut(case, random):
    def insert(name, array, key):
        axes = [a for a, d in enumerate(array.shape) if d > 1]
        if not axes:
            return None
        axis = int(random.choice(axes))
        first = int(random.integers(1, array.shape[axis]))
        sizes = numpy_helper.from_array(np.asarray([first, array.shape[axis] - first]), "s" + key)
        return [helper.make_node("Split", [name, "s" + key], ["l" + key, "r" + key], name="cut" + key, axis=axis),
                helper.make_node("Concat", ["l" + key, "r" + key], ["j" + key], name="join" + key, axis=axis)
                ], "j" + key, [sizes]

    return rewire(case, "_cut", random, insert)


def dead(case, random):
    changed = variant(case, "_dead")
    graph = changed.model.graph
    name = graph.input[0].name
    nodes = [helper.make_node("Relu", [name], ["dead1"], name="dead1"),
             helper.make_node("Add", ["dead1", name], ["dead2"], name="dead2"),
             helper.make_node("Softmax", ["dead2"], ["dead3"], name="dead3", axis=0)]
    at = int(random.integers(0, len(graph.node)))
    nodes = [copy.deepcopy(n) for n in [*graph.node[:at], *nodes, *graph.node[at:]]]
    del graph.node[:]
    graph.node.extend(nodes)
    return changed


def main():
    parser = cases.argument_parser(__doc__)
    parser.add_argument("--first", type=int, default=100000)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--alone", type=int, default=8, help="how many of them are compiled and run alone, too")
    arguments = parser.parse_args()
    compiler = cases.Compiler(arguments.bin, arguments.work)
    failures, comparisons = [], 0

    batch = [cases.random_case(seed) for seed in range(arguments.first, arguments.first + arguments.count)]
    batch = [c for c in batch if cases.refer(c) and c.model.graph.input and c.inputs[c.model.graph.input[0].name].ndim
             and c.inputs[c.model.graph.input[0].name].dtype == np.float32]
    assert len(batch) > arguments.count // 2, "hardly any case can be changed"

    def require(condition, text):
        nonlocal comparisons
        comparisons += 1
        if not condition:
            failures.append(text)
            print("FAILED:", text, flush=True)

    def answers(some, bundle, flags=()):
        error = compiler.compile(some, bundle, flags)
        error, outputs = ("", {}) if error else compiler.run(some, bundle)
        return error, outputs

    error, base = answers(batch, "forward.mtb")
    assert not error, error
    error, backward = answers(batch[::-1], "backward.mtb")
    assert not error, error
    for case in batch:
        require(cases.same_bytes(base[case.name], backward[case.name]), f"{case.name}: the order of tenants changes its bits")
    for case in batch[:arguments.alone]:
        error, got = compiler.run([case], "forward.mtb", alone=True)
        require(not error and cases.same_bytes(base[case.name], got[case.name]), f"{case.name}: run alone it differs {error}")
        error, got = answers([case], f"{case.name}.mtb")
        require(not error and cases.same_bytes(base[case.name], got[case.name]), f"{case.name}: compiled alone it differs {error}")

    for case in batch:  # what mtc answers is now what is wanted
        case.wanted = base[case.name]
    for change in (dead, turned, cut):
        changed = [change(case, np.random.default_rng(i)) for i, case in enumerate(batch)]
        for name, (error, got) in compiler.answers(changed, f"{change.__name__}.mtb").items():
            case = next(c for c in batch if name.rsplit("_", 1)[0] == c.name)
            if change is dead:
                require(not error and cases.same_bytes(case.wanted, got), f"{name}: a dead branch changes bits {error}")
            else:
                wrong = [error] if error else cases.judge(case, got)
                require(not wrong, f"{name}: {wrong}")
    for name, (error, got) in compiler.answers(batch, "plain.mtb", ["-O0"]).items():
        wrong = [error] if error else cases.judge(next(c for c in batch if c.name == name), got)
        require(not wrong, f"{name} -O0: {wrong}")
    print(f"{len(batch)} graphs, {comparisons} comparisons, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
