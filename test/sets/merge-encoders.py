"""Models of merge-encoders.sh: merge-encoders.py models FOLDER LAYERS HIDDEN ROWS

Four encoders of one form with weights of their own, e0.onnx to e3.onnx, and merged.onnx: all of them as one model, with a
leading dimension of 4 on weights and activations.
"""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

heads, copies = 4, 4


class Model:
    def __init__(self):
        self.nodes, self.weights, self.count = [], [], 0

    def add(self, operator, *inputs, **attributes):
        self.count += 1
        name = f"v{self.count}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def weight(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name


def weights(seed, layers, hidden):
    random = np.random.default_rng(seed)

    def matrix(rows, columns):
        return (random.standard_normal((rows, columns)) / np.sqrt(rows)).astype(np.float32)

    result = []
    for _ in range(layers):
        layer = {name: matrix(hidden, hidden) for name in "qkvo"}
        layer["up"], layer["down"] = matrix(hidden, 4 * hidden), matrix(4 * hidden, hidden)
        layer["scale0"], layer["scale1"] = np.ones((1, hidden), np.float32), np.ones((1, hidden), np.float32)
        result.append(layer)
    return result


def encoder(path, parts, rows):
    """An encoder of len(parts) sets of weights side by side."""
    n, layers, hidden, model = len(parts), len(parts[0]), parts[0][0]["q"].shape[0], Model()
    size = hidden // heads
    one = model.weight(np.ones(hidden, np.float32))
    split = model.weight(np.array([n, rows, heads, size], np.int64))
    back = model.weight(np.array([n, rows, hidden], np.int64))

    def own(layer, name):
        return model.weight(np.stack([part[layer][name] for part in parts]))

    def normalize(x, scale):
        return model.add("Mul", model.add("LayerNormalization", x, one, axis=-1), scale)

    x = "x"
    for layer in range(layers):
        q, k, v = (model.add("Reshape", model.add("MatMul", x, own(layer, name)), split) for name in "qkv")
        q = model.add("Transpose", q, perm=[0, 2, 1, 3])
        k = model.add("Transpose", k, perm=[0, 2, 3, 1])
        v = model.add("Transpose", v, perm=[0, 2, 1, 3])
        scores = model.add("Mul", model.add("MatMul", q, k), model.weight(np.array(size**-0.5, np.float32)))
        mixed = model.add("MatMul", model.add("Softmax", scores, axis=-1), v)
        mixed = model.add("Reshape", model.add("Transpose", mixed, perm=[0, 2, 1, 3]), back)
        x = normalize(model.add("Add", x, model.add("MatMul", mixed, own(layer, "o"))), own(layer, "scale0"))
        up = model.add("Relu", model.add("MatMul", x, own(layer, "up")))
        x = normalize(model.add("Add", x, model.add("MatMul", up, own(layer, "down"))), own(layer, "scale1"))
    model.nodes.append(helper.make_node("Identity", [x], ["y"], name="y"))
    shape = [n, rows, hidden]
    graph = helper.make_graph(
        model.nodes, "encoder", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)], model.weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


folder = pathlib.Path(sys.argv[2])
layers, hidden, rows = (int(argument) for argument in sys.argv[3:6])
parts = [weights(seed, layers, hidden) for seed in range(copies)]
for i, part in enumerate(parts):
    encoder(folder / f"e{i}.onnx", [part], rows)
encoder(folder / "merged.onnx", parts, rows)
