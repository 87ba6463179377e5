"""Cuts a graph that fails down to the few nodes that do: the rest is replaced by what onnxruntime computes for it."""

import numpy as np
import onnx
from onnx import helper

from cases import Case, all_values, refer


def rebuild(model, nodes, inputs, outputs):
    used = {name for n in nodes for name in n.input}
    types = {v.name: v for v in [*model.graph.output, *model.graph.value_info, *model.graph.input]}
    graph = helper.make_graph(nodes, "reduced", inputs, [types.get(n) or helper.make_empty_tensor_value_info(n) for n in outputs],
                              [t for t in model.graph.initializer if t.name in used])
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)


def minimize(case, fails):
    """The smallest case found for which `fails(case)` holds, starting from one for which it does."""
    model = onnx.shape_inference.infer_shapes(case.model)
    everything = all_values(model, case.inputs)
    types = {str(np.dtype(t)): c for t, c in
             ((np.float32, 1), (np.int32, 6), (np.int64, 7), (np.bool_, 9))}

    def cut(nodes, outputs):
        """A case of these nodes: what they read from elsewhere becomes an input."""
        made = {name for n in nodes for name in n.output}
        stored = {t.name for t in model.graph.initializer}
        read = [name for n in nodes for name in n.input if name and name not in made and name not in stored]
        read = list(dict.fromkeys(read))
        arrays = {name: case.inputs.get(name, everything.get(name)) for name in read}
        inputs = [helper.make_tensor_value_info(name, types[str(a.dtype)], a.shape) for name, a in arrays.items()]
        smaller = Case(case.name, rebuild(model, nodes, inputs, outputs), arrays, {}, set(case.exact),
                       dict(case.bounds), set(case.discrete))
        return smaller if refer(smaller) and fails(smaller) else None

    nodes = list(model.graph.node)
    best = None
    # The first node in order whose result is wrong, with ever fewer of those before it.
    for end in range(1, len(nodes) + 1):
        outputs = [name for name in nodes[end - 1].output if name]
        found = cut(nodes[:end], outputs)
        if found is None:
            continue
        best, kept = found, nodes[:end]
        for node in nodes[end - 2::-1] if end > 1 else []:
            fewer = [n for n in kept if n is not node]
            found = cut(fewer, outputs)
            if found is not None:
                best, kept = found, fewer
        break
    if best is None:  # only visible at the outputs as they are
        best = case
    return best


def describe(case):
    graph = case.model.graph
    lines = [f"opset {case.model.opset_import[0].version}"]
    for v in graph.input:
        lines.append(f"  input {v.name} {case.inputs[v.name].dtype}{list(case.inputs[v.name].shape)}")
    for t in graph.initializer:
        lines.append(f"  constant {t.name} {list(t.dims)}")
    for n in graph.node:
        attributes = ", ".join(f"{a.name}={helper.get_attribute_value(a)}" for a in n.attribute if a.type != a.TENSOR)
        lines.append(f"  {', '.join(n.output)} = {n.op_type}({', '.join(n.input)}) {attributes}")
    return "\n".join(lines)
