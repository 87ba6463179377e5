"""Models that nobody means well with: each a name, its bytes, and how it may end. Here: functions, sizes, tensors and graphs;
nodes.py has attributes and control flow.

"error": mtc must refuse it, with one line or a line per node. "any": it may as well be compiled. Byte fuzzing finds none of
these: they are valid protobuf, and small.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F = TensorProto.FLOAT
I64 = TensorProto.INT64
HUGE = 2**62


def value(name, shape, kind=F):
    return helper.make_tensor_value_info(name, kind, shape)


def const(name, array, dtype=np.int64):
    return numpy_helper.from_array(np.asarray(array, dtype), name)


def model(nodes, inputs=(("x", [4]),), outputs=("y",), initializers=(), functions=(), opset=20, **fields):
    inputs = [value(*i) if isinstance(i, tuple) else i for i in inputs]
    graph = helper.make_graph(list(nodes), "g", inputs, [helper.make_empty_tensor_value_info(o) for o in outputs], list(initializers))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("f", 1)],
                             functions=list(functions), ir_version=fields.pop("ir_version", 10))
    for name, field in fields.items():
        setattr(made, name, field)
    return made


def node(op, inputs, outputs="y", **attributes):
    domain = attributes.pop("domain", "")
    split = lambda names: names.split() if isinstance(names, str) else list(names)
    return helper.make_node(op, split(inputs), split(outputs), domain=domain, **attributes)


def function(name, nodes):
    return helper.make_function("f", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)])


def call(callee, a, b):
    return node(callee, [a], [b], domain="f")


def functions():
    depth = 40
    doubling = [function(f"f{i}", [call(f"f{i + 1}", "a", "t"), call(f"f{i + 1}", "t", "b")]) for i in range(depth)]
    doubling.append(function(f"f{depth}", [node("Relu", "a", "b")]))
    yield "functions_double", model([call("f0", "x", "y")], functions=doubling), "error"
    tenfold = [function(f"f{i}", [call(f"f{i + 1}", "a" if j == 0 else f"t{j}", "b" if j == 9 else f"t{j + 1}") for j in range(10)])
               for i in range(9)]
    tenfold.append(function("f9", [node("Relu", "a", "b")]))
    yield "functions_tenfold", model([call("f0", "x", "y")], functions=tenfold), "error"
    yield "function_calls_itself", model([call("f0", "x", "y")], functions=[function("f0", [call("f0", "a", "b")])]), "error"
    yield "functions_call_each_other", model([call("f0", "x", "y")], functions=[
        function("f0", [call("f1", "a", "b")]), function("f1", [call("f0", "a", "b")])]), "error"
    long = [function(f"f{i}", [call(f"f{i + 1}", "a", "b")]) for i in range(3000)] + [function("f3000", [node("Relu", "a", "b")])]
    yield "functions_deep", model([call("f0", "x", "y")], functions=long), "error"
    yield "function_unknown", model([call("g", "x", "y")]), "error"
    yield "function_reads_nothing", model([call("f0", "x", "y")], functions=[function("f0", [node("Relu", "zzz", "b")])]), "error"
    yield "function_twice", model([call("f0", "x", "y")], functions=[function("f0", [node("Relu", "a", "b")])] * 2), "any"


def growth():
    """Tensors that double, or are huge at once; constant and not."""
    def chain(first, step, n, **more):
        names = [first] + [f"t{i}" for i in range(n - 1)] + ["y"]
        return model([step(a, b) for a, b in zip(names, names[1:])], **more)

    doubled = lambda a, b: node("Concat", [a, a], b, axis=0)
    yield "concat_doubles", chain("x", doubled, 60), "error"
    yield "concat_doubles_constants", chain("c", doubled, 60, initializers=[const("c", np.zeros(1024), np.float32)], inputs=()), "error"
    yield "concat_doubles_integers", chain("c", doubled, 60, initializers=[const("c", np.zeros(16))], inputs=()), "error"
    added = lambda a, b: node("Add", [a, a], b)
    yield "add_doubles_integers", chain("c", added, 200, initializers=[const("c", [1, 2])], inputs=()), "any"
    squared = lambda a, b: node("Mul", [a, a], b)
    yield "shape_squares", model([node("Shape", "x", "s"), *[squared(f"s{i}" if i else "s", f"s{i + 1}") for i in range(80)],
                                  node("ConstantOfShape", "s80", "y")]), "any"
    for name, shape in (("2^40", [2**40 + 1]), ("2^62", [HUGE]), ("overflow", [2**32, 2**32]), ("wraps_to_4", [2**62, 4, 4]),
                        ("negative", [-5]), ("zero_times_huge", [0, HUGE, HUGE])):
        yield f"constantofshape_{name}", model([node("ConstantOfShape", "s")], initializers=[const("s", shape)]), "error"
        yield f"expand_{name}", model([node("Expand", "x s")], inputs=[("x", [1])], initializers=[const("s", shape)]), "error"
        yield f"reshape_{name}", model([node("Reshape", "x s")], initializers=[const("s", shape)]), "error"
        yield f"input_{name}", model([node("Relu", "x")], inputs=[("x", shape)]), "error"
    yield "range_huge", model([node("Range", "a b c")], inputs=(), initializers=[const("a", 0), const("b", HUGE), const("c", 1)]), "error"
    yield "range_step_0", model([node("Range", "a b c")], inputs=(), initializers=[const("a", 0), const("b", 5), const("c", 0)]), "error"
    yield "range_overflows", model([node("Range", "a b c")], inputs=(), initializers=[const("a", -2**63), const("b", 2**63 - 1), const("c", 1)]), "error"
    yield "range_step_min", model([node("Range", "a b c")], inputs=(), initializers=[const("a", 0), const("b", -2**63), const("c", -2**63)]), "any"
    yield "range_inf", model([node("Range", "a b c")], inputs=(), initializers=[const(n, v, np.float32) for n, v in zip("abc", (0, np.inf, 1))]), "error"
    yield "range_nan", model([node("Range", "a b c")], inputs=(), initializers=[const(n, v, np.float32) for n, v in zip("abc", (0, 5, np.nan))]), "error"
    yield "tile_huge", model([node("Tile", "x r")], initializers=[const("r", [2**50])]), "error"
    yield "tile_wraps", model([node("Tile", "x r")], initializers=[const("r", [HUGE])]), "error"
    yield "tile_negative", model([node("Tile", "x r")], initializers=[const("r", [-1])]), "error"
    yield "pad_huge", model([node("Pad", "x p")], initializers=[const("p", [2**50, 2**50])]), "error"
    yield "pad_wraps", model([node("Pad", "x p")], initializers=[const("p", [2**63 - 1, 2**63 - 1])]), "error"
    yield "pad_negative", model([node("Pad", "x p")], initializers=[const("p", [-2**63, 0])]), "error"
    yield "onehot_huge", model([node("OneHot", "i d v")], inputs=[value("i", [4], I64)], initializers=[const("d", HUGE), const("v", [0, 1], np.float32)]), "error"
    yield "onehot_negative", model([node("OneHot", "i d v")], inputs=[value("i", [4], I64)], initializers=[const("d", -3), const("v", [0, 1], np.float32)]), "error"
    yield "resize_huge", model([node("Resize", ["x", "", "s"])], inputs=[("x", [1, 1, 4, 4])], initializers=[const("s", [1, 1, 1e30, 1e30], np.float32)]), "error"
    yield "resize_nan", model([node("Resize", ["x", "", "s"])], inputs=[("x", [1, 1, 4, 4])], initializers=[const("s", [1, 1, np.nan, np.inf], np.float32)]), "error"
    yield "resize_negative", model([node("Resize", ["x", "", "s"])], inputs=[("x", [1, 1, 4, 4])], initializers=[const("s", [1, 1, -1, 1], np.float32)]), "error"
    yield "resize_sizes", model([node("Resize", ["x", "", "", "s"])], inputs=[("x", [1, 1, 4, 4])], initializers=[const("s", [1, 1, HUGE, HUGE])]), "error"
    # What is read along a long axis is not written down position by position.
    sampled = [("x", [1, 1, 4, 4])]
    for mode in ("nearest", "linear"):
        yield f"resize_long_{mode}", model([node("Resize", ["x", "", "", "s"], mode=mode)], inputs=sampled,
                                           initializers=[const("s", [1, 1, 4, 2**37 + 1])]), "error"
    for mode in ("edge", "reflect", "wrap"):
        yield f"pad_long_{mode}", model([node("Pad", "x p", mode=mode)], initializers=[const("p", [2**37, 3])]), "error"
    yield "averagepool_long", model([node("AveragePool", "x", kernel_shape=[2**20], pads=[5, 5])], inputs=[("x", [1, 1, 2**37])]), "error"
    yield "dequantize_long", model([node("DequantizeLinear", "x s", block_size=2, axis=0)], inputs=[value("x", [2**38], TensorProto.INT8)],
                                   initializers=[const("s", np.ones(4), np.float32)], opset=21), "error"
    yield "folded_large", model([node("Range", "a b c", "r"), *[node("Add", f"r{i} r" if i else "r r", f"r{i + 1}") for i in range(60)],
                                 node("Cast", "r60", "f", to=F), node("Add", "x f")], inputs=[("x", [1])],
                                initializers=[const("a", 0), const("b", 2**22), const("c", 1)]), "any"
    yield "conv_output_huge", model([node("ConvTranspose", "x w", strides=[HUGE, HUGE])], inputs=[("x", [1, 1, 3, 3])],
                                    initializers=[const("w", np.zeros([1, 1, 1, 1]), np.float32)]), "error"
    yield "rank_1000", model([node("Relu", "x")], inputs=[("x", [1] * 1000)]), "error"
    yield "unsqueeze_1000", model([node("Unsqueeze", "x a")], initializers=[const("a", list(range(1000)))]), "error"


def tensors():
    def with_tensor(change, opset=20):
        made = model([node("Add", "x w")], initializers=[const("w", [1, 2, 3, 4], np.float32)], opset=opset)
        change(made.graph.initializer[0])
        return made

    def external(**entries):
        def change(tensor):
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
            for key, text in entries.items():
                entry = tensor.external_data.add()
                entry.key, entry.value = key, str(text)
        return with_tensor(change)

    yield "external_2^40", external(location="data.bin", offset=0, length=2**40), "error"
    yield "external_offset_2^62", external(location="data.bin", offset=HUGE, length=16), "error"
    yield "external_wraps", external(location="data.bin", offset=2**64 - 8, length=16), "error"
    yield "external_negative", external(location="data.bin", offset=-16, length=16), "error"
    yield "external_no_number", external(location="data.bin", offset="zero", length="many"), "error"
    yield "external_nowhere", external(offset=0, length=16), "error"
    yield "external_self", external(location="external_self.onnx", offset=0, length=16), "any"
    yield "external_device", external(location="/dev/zero", offset=0, length=16), "error"
    yield "external_parent", external(location="../data.bin", offset=0, length=16), "error"

    def dims(*numbers):
        def change(tensor):
            tensor.ClearField("dims")
            tensor.dims.extend(numbers)
        return with_tensor(change)

    for name, numbers in (("2^40", [2**40]), ("negative", [-4]), ("wrap", [2**32, 2**32]), ("wraps_to_4", [2**62, 2**62, 4]), ("many", [1] * 100000),
                          ("zero", [0, 2**62])):
        yield f"dims_{name}", dims(*numbers), "error"

    def set_type(number):
        def change(tensor):
            tensor.data_type = number
        return with_tensor(change)

    for number in (0, 8, 999, -1, 2**31 - 1):
        yield f"type_{number}", set_type(number), "error"
    sparse = model([node("Add", "x w")])
    s = sparse.graph.sparse_initializer.add()
    s.values.CopyFrom(const("w", [1, 2], np.float32))
    s.indices.CopyFrom(const("", [3, 2**62]))
    s.dims.extend([4])
    yield "sparse_index", sparse, "error"
    s.indices.CopyFrom(const("", [0, 1]))
    del s.dims[:]
    s.dims.extend([2**40, 2**40])
    yield "sparse_huge", sparse, "error"


def graphs():
    yield "cycle", model([node("Relu", "b", "a"), node("Relu", "a", "b"), node("Add", "a x")]), "error"
    yield "cycle_of_itself", model([node("Add", "x y")]), "error"
    yield "cycle_long", model([node("Add", [f"v{(i + 1) % 5000}", "x"], [f"v{i}"]) for i in range(5000)], outputs=["v0"]), "error"
    yield "value_twice", model([node("Relu", "x", "y"), node("Neg", "x", "y")]), "error"
    yield "value_is_input", model([node("Relu", "x", "x")], outputs=["x"]), "error"
    yield "value_is_initializer", model([node("Relu", "x", "y")], initializers=[const("y", [1, 2, 3, 4], np.float32)]), "any"
    yield "input_twice", model([node("Relu", "x")], inputs=[("x", [4]), ("x", [5])]), "error"
    yield "initializer_twice", model([node("Add", "x w")], initializers=[const("w", [1] * 4, np.float32), const("w", [2] * 4, np.float32)]), "error"
    yield "output_unknown", model([node("Relu", "x")], outputs=["z"]), "error"
    yield "output_twice", model([node("Relu", "x")], outputs=["y", "y"]), "any"
    yield "no_nodes", model([], outputs=["x"]), "any"
    yield "nothing", model([], inputs=(), outputs=()), "any"
    yield "unnamed", model([node("Relu", [""], "y")]), "error"
    yield "backwards", model([node("Relu", "a", "y"), node("Relu", "x", "a")]), "error"
    yield "too_many_inputs", model([node("Relu", ["x"] * 1000)]), "error"
    yield "strange_names", model([node("Relu", ["x\n\0\x1b[31m"], ["../../y"])], inputs=[("x\n\0\x1b[31m", [4])], outputs=["../../y"]), "any"
    yield "long_name", model([node("Relu", "x", "y" * 10**6)], outputs=["y" * 10**6]), "any"
    yield "chain_backwards", model([node("Relu", f"v{i + 1}" if i < 20000 else "x", f"v{i}") for i in range(20001)], outputs=["v0"]), "error"
    yield "many_unsupported", model([node("Nope", "x", f"v{i}") for i in range(5000)], outputs=["v0"]), "error"
    yield "concat_of_thousands", model([node("Concat", ["x"] * 20000, axis=0)]), "any"
    nested = onnx.TypeProto()
    at = nested
    for _ in range(90):
        at = at.sequence_type.elem_type
    at.tensor_type.elem_type = F
    deep = model([node("Relu", "x")])
    deep.graph.input[0].type.CopyFrom(nested)
    yield "nested_types", deep, "error"


def field(number, payload):
    """A field of bytes in the wire format: protobuf itself refuses to make what is nested deeply."""
    size, out = len(payload), bytes([number << 3 | 2])
    while True:
        out += bytes([size & 127 | (128 if size > 127 else 0)])
        size >>= 7
        if not size:
            return out + payload


def model_bytes(graph):
    return b"\x08\x0a" + field(8, b"\x10\x14") + field(7, graph)


def nested_graphs(levels):
    inner = b""
    for _ in range(levels):
        inner = field(1, field(5, field(6, inner)))  # graph.node.attribute.g
    return inner


def files():
    """Bytes that are not, or hardly, protobuf."""
    for levels in (40, 1000, 30000):
        yield f"deep_protobuf_{levels}", model_bytes(nested_graphs(levels)), "error"
    # 11 MB of If beside and below each other, and more nodes than any model has.
    leaf = field(1, field(1, b"a") + field(2, b"b") + field(4, b"Relu") + field(3, b"n" * 500))
    branch = lambda inner: field(5, field(1, b"then_branch") + field(6, inner))
    tree = leaf
    for _ in range(13):
        tree = field(1, field(4, b"If") + branch(tree)) * 2
    yield "if_of_11_MB", model_bytes(tree), "error"
    yield "a_million_nodes", model_bytes(field(1, field(1, b"a") + field(2, b"b") + field(4, b"Relu")) * 1_100_000), "error"
    # Objects of two bytes each: in memory they are a hundred times as large.
    for name, tag in (("nodes", 1), ("initializers", 5), ("inputs", 11), ("values", 13)):
        yield f"empty_{name}", model_bytes(field(tag, b"") * 2_000_000), "error"
    yield "empty_attributes", model_bytes(field(1, field(5, b"") * 2_000_000)), "error"
    yield "empty_names", model_bytes(field(1, field(1, b"") * 2_000_000)), "error"
    yield "empty_dims", model_bytes(field(11, field(2, field(1, field(2, field(1, b"") * 2_000_000))))), "error"
    yield "numbers_unpacked", model_bytes(field(5, b"\x10\x07" + b"\x38\x00" * 2_000_000)), "error"
    yield "dims_packed", model_bytes(field(5, field(1, b"\x01" * 4_000_000))), "error"
    deep = b""
    for _ in range(30000):
        deep = field(4, field(1, deep))
    yield "types_deep", model_bytes(field(11, field(2, deep))), "error"
    yield "empty_functions", model_bytes(b"") + b"\xca\x01\x00" * 2_000_000, "error"
    yield "group_tags", b"\x0b" * 100000, "error"
    yield "endless_varint", b"\xff" * 100000, "error"
    yield "length_2^63", b"\x3a" + b"\xff" * 8 + b"\x7f", "error"
    yield "empty", b"", "error"
    yield "zeros", bytes(100000), "error"
