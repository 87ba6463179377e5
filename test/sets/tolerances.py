#!/usr/bin/env python3
"""How far the outputs of a set's models may be from onnxruntime's.

  tolerances.py REFERENCES NAME...     writes REFERENCES/NAME/tolerance.tsv: output, largest relative error (norm)

Float models: 1e-4. Quantized models round at thresholds, so that the last bit of an input may move an output by far
more: the larger of 1e-4 and twice the change of onnxruntime's own outputs when its float inputs, or else the first
float value that is computed from tokens and reaches an output, are scaled by 1 + 2e-7; the largest over five seeded
inputs.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peers"))
from peers import sample, span  # noqa: E402

FLOAT = 1e-4
SCALE = np.float32(1 + 2e-7)
QUANTIZED = ("MatMulInteger", "ConvInteger", "QLinear", "QuantizeLinear", "DynamicQuantize", "DequantizeLinear")


def session(model):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options)


def live(graph):
    """The names of values that reach an output, not just by their shape; nodes come after those they read."""
    names = {o.name for o in graph.output}
    for node in reversed(graph.node):
        if names.intersection(node.output) and node.op_type not in ("Shape", "Size"):
            names.update(node.input)
    return names


def scaled(model):
    """The model with one float value of its input side scaled."""
    reaching = live(model.graph)
    floats = {v.name for v in onnx.shape_inference.infer_shapes(model).graph.value_info
              if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    constants = {i.name for i in model.graph.initializer}
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for position, node in enumerate(copy.graph.node):
        # The first float value of a token: a row of an embedding.
        if node.op_type in ("Gather", "DequantizeLinear") and node.output[0] in floats & reaching and \
                not all(i in constants for i in node.input):
            name = node.output[0]
            node.output[0] = name + "/exact"
            copy.graph.initializer.append(numpy_helper.from_array(np.array(SCALE), name + "/scale"))
            copy.graph.node.insert(position + 1, helper.make_node(
                "Mul", [name + "/exact", name + "/scale"], [name]))
            return copy
    raise SystemExit("no float value to scale")


def tolerances(path):
    model = onnx.load(path)
    names = [o.name for o in model.graph.output]
    if not any(n.op_type.startswith(QUANTIZED) for n in model.graph.node):
        return dict.fromkeys(names, FLOAT)
    constants = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constants]
    floats = [i.name for i in inputs if i.type.tensor_type.elem_type == TensorProto.FLOAT]
    exact = session(model)
    moved = exact if floats else session(scaled(model))
    worst = dict.fromkeys(names, 0.0)
    for seed in range(7, 12):
        rng = np.random.default_rng(seed)
        feed = {i.name: sample(i.name, i.type.tensor_type.elem_type,
                               [d.dim_value for d in i.type.tensor_type.shape.dim], rng,
                               span(path.stem, i.name)) for i in inputs}
        other = dict(feed)
        for name in floats:
            other[name] = feed[name] * SCALE
        for name, a, b in zip(names, exact.run(None, feed), moved.run(None, other)):
            a, b = a.astype(np.float64), b.astype(np.float64)
            if np.linalg.norm(a) > 0:
                worst[name] = max(worst[name], np.linalg.norm(a - b) / np.linalg.norm(a))
    return {name: max(FLOAT, 2 * change) for name, change in worst.items()}


def main():
    references = Path(sys.argv[1])
    for name in sys.argv[2:]:
        rows = tolerances(references / f"{name}.onnx")
        (references / name / "tolerance.tsv").write_text("".join(f"{o}\t{t:.3g}\n" for o, t in rows.items()))


main()
