"""Hostile models, continued: attributes and parameters at the ends of their types, and control flow."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from models import F, HUGE, I64, const, model, node, value

IMAGE = [("x", [1, 4, 8, 8])]
EXTREMES = (0, -1, 2**31 - 1, 2**62, -2**63)


def weights(*shapes):
    return [const(name, np.zeros(shape), np.float32) for name, shape in zip("wrbcdef", shapes)]


def windows(n):
    """n as each number of a convolution's or pool's window; some values are right."""
    filters = weights([4, 4, 3, 3])
    for attribute in ("strides", "dilations", "kernel_shape"):
        ending = "any" if attribute == "strides" and n == 2**31 - 1 else "error"  # one window is a result
        yield f"conv_{attribute}", model([node("Conv", "x w", **{attribute: [n, n]})], inputs=IMAGE, initializers=filters), ending
        yield f"pool_{attribute}", model([node("MaxPool", "x", **{"kernel_shape": [2, 2], attribute: [n, n]})], inputs=IMAGE), ending
    yield "conv_pads", model([node("Conv", "x w", pads=[n] * 4)], inputs=IMAGE, initializers=filters), "any" if n == 0 else "error"
    yield "conv_group", model([node("Conv", "x w", group=n)], inputs=IMAGE, initializers=filters), "error"
    yield "averagepool_pads", model([node("AveragePool", "x", kernel_shape=[2, 2], pads=[n] * 4)], inputs=IMAGE), "any" if n == 0 else "error"
    for attribute in ("output_shape", "output_padding"):
        yield f"convtranspose_{attribute}", model([node("ConvTranspose", "x w", **{attribute: [n, n]})], inputs=IMAGE, initializers=filters), \
            "any" if n == 0 else "error"
    yield "col2im", model([node("Col2Im", "x i k")], inputs=[("x", [1, 4, 9])], initializers=[const("i", [n, n]), const("k", [2, 2])]), "any" if n == 0 else "error"
    yield "maxunpool", model([node("MaxUnpool", "x i s", kernel_shape=[2, 2])], inputs=[*IMAGE, value("i", [1, 4, 8, 8], I64)],
                             initializers=[const("s", [1, 4, n, n])]), "any" if n == 0 else "error"
    yield "roialign", model([node("RoiAlign", "x r b", output_height=n, output_width=n, sampling_ratio=n)],
                            inputs=[*IMAGE, ("r", [2, 4]), value("b", [2], I64)]), "any" if n == 0 else "error"
    yield "lrn", model([node("LRN", "x", size=n)], inputs=IMAGE), "error"


def axes(n):
    """n as an axis, a list of axes or a size along one."""
    for op in ("Softmax", "Flatten", "Concat", "ArgMax", "Hardmax", "LpNormalization"):
        yield f"{op.lower()}_axis", model([node(op, "x", axis=n)], inputs=IMAGE), "any" if -4 <= n < 4 else "error"
    yield "gather_axis", model([node("Gather", "x i", axis=n)], inputs=IMAGE, initializers=[const("i", [0])]), "any" if n in (0, -1) else "error"
    yield "gathernd_batch", model([node("GatherND", "x i", batch_dims=n)], inputs=IMAGE, initializers=[const("i", [[0]])]), "any" if n == 0 else "error"
    yield "scatter_index", model([node("ScatterND", "x i u")], inputs=[*IMAGE, ("u", [1, 4, 8, 8])], initializers=[const("i", [[n]])]), "any"
    yield "gather_index", model([node("Gather", "x i")], inputs=IMAGE, initializers=[const("i", [n])]), "any"
    yield "depthtospace", model([node("DepthToSpace", "x", blocksize=n)], inputs=IMAGE), "error"
    yield "spacetodepth", model([node("SpaceToDepth", "x", blocksize=n)], inputs=IMAGE), "error"
    yield "split", model([node("Split", "x", "y z", num_outputs=n)], inputs=IMAGE, outputs=("y", "z")), "error"
    yield "split_sizes", model([node("Split", "x s", "y z")], inputs=IMAGE, outputs=("y", "z"),
                               initializers=[const("s", [n, 1 - n if n != -2**63 else 0])]), "any" if n == 0 else "error"
    yield "topk", model([node("TopK", "x k", "y i")], inputs=IMAGE, outputs=("y", "i"), initializers=[const("k", [n])]), "any" if n == 0 else "error"
    yield "slice_step", model([node("Slice", "x a b c d")], inputs=IMAGE, initializers=[
        const("a", [0]), const("b", [2**63 - 1]), const("c", [3]), const("d", [n])]), "error" if n == 0 else "any"
    yield "slice_ends", model([node("Slice", "x a b c")], inputs=IMAGE, initializers=[const("a", [n]), const("b", [n]), const("c", [0])]), "any"
    yield "reducesum", model([node("ReduceSum", "x a")], inputs=IMAGE, initializers=[const("a", [n])]), "any" if n in (0, -1) else "error"
    yield "squeeze", model([node("Squeeze", "x a")], inputs=IMAGE, initializers=[const("a", [n])]), "any" if n == 0 else "error"
    yield "unsqueeze", model([node("Unsqueeze", "x a")], inputs=IMAGE, initializers=[const("a", [n])]), "any" if n in (0, -1) else "error"
    yield "trilu", model([node("Trilu", "x k")], inputs=IMAGE, initializers=[const("k", n)]), "any"
    yield "cumsum", model([node("CumSum", "x a")], inputs=IMAGE, initializers=[const("a", n)]), "any" if n in (0, -1) else "error"
    yield "eyelike", model([node("EyeLike", "x", k=n)], inputs=[("x", [4, 4])]), "any"
    yield "centercroppad", model([node("CenterCropPad", "x s", axes=[3])], inputs=IMAGE, initializers=[const("s", [n])]), "error" if n == 2**62 else "any"
    yield "reversesequence", model([node("ReverseSequence", "x l", batch_axis=n, time_axis=1)], inputs=IMAGE, initializers=[const("l", [4])]), \
        "any" if n == 0 else "error"


def parameters(n):
    yield "cast", model([node("Cast", "x", to=n)], inputs=IMAGE), "error"
    yield "lstm_hidden", model([node("LSTM", "x w r", hidden_size=n)], inputs=[("x", [3, 1, 4])], initializers=weights([1, 8, 4], [1, 8, 2])), "error"
    yield "groupnorm", model([node("GroupNormalization", "x w r", num_groups=n)], inputs=IMAGE, initializers=weights([4], [4]), opset=21), "error"
    yield "attention", model([node("Attention", "x x x", q_num_heads=n, kv_num_heads=n)], inputs=[("x", [1, 4, 8])], opset=23), "error"
    yield "rotary", model([node("RotaryEmbedding", "x w r", num_heads=n)], inputs=[("x", [1, 4, 8])], initializers=weights([1, 4, 2], [1, 4, 2]), opset=23), "error"
    yield "blocks", model([node("DequantizeLinear", "x s", block_size=n, axis=0)], inputs=[value("x", [8], TensorProto.INT8)],
                          initializers=[const("s", np.ones(4), np.float32)], opset=21), "error"
    yield "randomnormal", model([node("RandomNormal", "", shape=[n, n])], inputs=()), "any" if n == 0 else "error"
    yield "multinomial", model([node("Multinomial", "x", sample_size=n)], inputs=[("x", [1, 4])]), "any" if n in (0, 2**31 - 1) else "error"
    yield "window", model([node("HannWindow", "n")], inputs=(), initializers=[const("n", n)]), "error" if n == 2**62 else "any"
    yield "dft", model([node("DFT", "x n a")], inputs=[("x", [1, 8, 1])], initializers=[const("n", n), const("a", 1)]), "any" if n == 0 else "error"
    yield "stft", model([node("STFT", ["x", "s", "", "n"])], inputs=[("x", [1, 64, 1])], initializers=[const("s", n), const("n", 8)]), "any" if n > 0 else "error"
    yield "mel", model([node("MelWeightMatrix", "a b c d e")], inputs=(), initializers=[
        const("a", n), const("b", n), const("c", 8000), const("d", 0, np.float32), const("e", 4000, np.float32)]), "any" if n == 0 else "error"
    yield "affinegrid", model([node("AffineGrid", "x s")], inputs=[("x", [1, 2, 3])], initializers=[const("s", [1, 1, n, n])]), "any" if n == 0 else "error"
    yield "opset", model([node("Relu", "x")], opset=n), "error"
    if abs(n) < 2**62:
        yield "ir", model([node("Relu", "x")], ir_version=n), "any"


def attributes():
    for n in EXTREMES:
        for family in (windows, axes, parameters):
            for name, made, ending in family(n):
                yield f"{name}_{n}", made, ending
    for name, order in (("double", [0, 0, 1, 2]), ("outside", [0, 1, 2, 9]), ("negative", [0, 1, 2, -1]), ("short", [1, 0]), ("long", list(range(100000)))):
        yield f"transpose_{name}", model([node("Transpose", "x", perm=order)], inputs=IMAGE), "error"
    for i, equation in enumerate(("", "->", "ij", "ijkl->", "abcd,", "...", "ijkl->ijklm", "iiii->i", "a" * 100000, "\0\xff", "ijkl->ii", "......", "-1",
                                  "ij...kl...->ij", "ijkl->ij->k", "i.jkl", "ijkl->....", "i j kl -> l k j i")):
        yield f"einsum_{i}", model([node("Einsum", "x", equation=equation)], inputs=IMAGE), "any"
    yield "split_of_thousands", model([node("Split", "x", [f"y{i}" for i in range(20000)], num_outputs=20000)], outputs=["y0"]), "error"
    yield "conv_group_of_3", model([node("Conv", "x w", group=3)], inputs=IMAGE, initializers=weights([4, 4, 3, 3])), "error"
    yield "attribute_missing", model([node("Cast", "x")]), "error"
    yield "attribute_of_other_type", model([node("Softmax", "x", axis="one")]), "error"
    yield "attribute_of_a_million", model([node("Transpose", "x", perm=[0] * 1000000)]), "error"
    yield "lstm_long", model([node("LSTM", "x w r", hidden_size=2)], inputs=[("x", [10**9, 1, 4])], initializers=weights([1, 8, 4], [1, 8, 2])), "any"  # a loop
    yield "stft_long", model([node("STFT", ["x", "s", "", "n"])], inputs=[("x", [1, 2**39, 1])], initializers=[const("s", 1), const("n", 8)]), "any"
    yield "dft_long", model([node("DFT", ["x", "", "a"])], inputs=[("x", [1, 2**20, 1])], initializers=[const("a", 1)]), "error"


def graph(nodes, inputs=(), outputs=()):
    return helper.make_graph(list(nodes), "body", list(inputs), [onnx.ValueInfoProto(name=o) for o in outputs])


def loop_body(*nodes, outputs=("go", "b")):
    return graph(nodes, [value("i", [], I64), value("go", [], TensorProto.BOOL), value("a", [4])], outputs)


def control():
    """What cannot be unrolled may as well be left to run time."""
    true = const("true", True, np.bool_)
    step = node("Add", "a a", "b")
    for name, trips in (("2^63", 2**63 - 1), ("negative", -1), ("min", -2**63)):
        looped = node("Loop", "n true x", body=loop_body(step))
        yield f"loop_{name}", model([looped], initializers=[const("n", trips), true]), "any"
    yield "loop_without_end", model([node("Loop", ["", "true", "x"], body=loop_body(step))], initializers=[true]), "any"
    yield "loop_empty_body", model([node("Loop", ["", "true", "x"], body=loop_body(outputs=("go", "a")))], initializers=[true]), "any"
    yield "loop_collects", model([node("Loop", "n true x", "z y", body=loop_body(step, outputs=("go", "b", "b")))],
                                 initializers=[const("n", HUGE), true]), "error"
    body = loop_body(step)
    for _ in range(8):
        body = loop_body(node("Loop", "n true a", "b", body=body))
    yield "loops_nested", model([node("Loop", "n true x", body=body)], initializers=[const("n", 1000), true]), "any"
    yield "loop_counts_itself", model([node("Loop", "n true n", "y", body=graph(
        [node("Mul", "a a", "b")], [value("i", [], I64), value("go", [], TensorProto.BOOL), value("a", [], I64)], ("go", "b")))],
        inputs=(), initializers=[const("n", 2**62 + 1), true]), "error"
    yield "loop_body_has_no_outputs", model([node("Loop", "n true x", body=loop_body(step, outputs=()))], initializers=[const("n", 3), true]), "error"
    yield "loop_output_unknown", model([node("Loop", "n true x", body=loop_body(step, outputs=("go", "q")))], initializers=[const("n", 3), true]), "error"

    inner = graph([node("Neg", "x", "z")], outputs=["z"])
    for depth in range(12):
        inner = graph([node("If", "c", f"z{depth}", then_branch=inner, else_branch=graph([node("Neg", "x", "e")], outputs=["e"]))], outputs=[f"z{depth}"])
    yield "ifs_nested", model(inner.node, inputs=[("x", [4]), value("c", [], TensorProto.BOOL)], outputs=["z11"]), "any"
    one = graph([node("Neg", "x", "z")], outputs=["z"])
    yield "ifs_beside", model([node("If", "c", f"y{i}", then_branch=one, else_branch=one) for i in range(6000)],
                              inputs=[("x", [4]), value("c", [], TensorProto.BOOL)], outputs=["y0"]), "any"
    yield "if_without_branch", model([node("If", "c", then_branch=one)], initializers=[const("c", False, np.bool_)]), "error"
    yield "if_shadows", model([node("If", "c", then_branch=graph([node("Neg", "x", "x")], outputs=["x"]), else_branch=one)],
                              initializers=[const("c", True, np.bool_)]), "any"
    yield "if_reads_itself", model([node("If", "y", then_branch=one, else_branch=one)]), "error"

    scanned = graph([node("Add", "s e", "t"), node("Identity", "t", "u")], [value("s", [4]), value("e", [4])], ("t", "u"))
    for n in EXTREMES:
        yield f"scan_inputs_{n}", model([node("Scan", "s x", "t y", num_scan_inputs=n, body=scanned)], inputs=[("s", [4]), ("x", [3, 4])]), "error"
        yield f"scan_axes_{n}", model([node("Scan", "s x", "t y", num_scan_inputs=1, scan_input_axes=[n], body=scanned)], inputs=[("s", [4]), ("x", [4, 4])]), \
            "any" if n in (0, -1) else "error"
    yield "scan_long", model([node("Scan", "s x", "t y", num_scan_inputs=1, body=scanned)], inputs=[("s", [4]), ("x", [2**38, 4])]), "error"

    empty, put = node("SequenceEmpty", [], "q", dtype=F), node("SequenceInsert", "q x", "r")
    for n in EXTREMES:
        yield f"sequenceat_{n}", model([empty, put, node("SequenceAt", "r n")], initializers=[const("n", n)]), "any" if n in (0, -1) else "error"
        yield f"sequenceinsert_{n}", model([empty, node("SequenceInsert", "q x n", "r"), node("SequenceAt", "r zero")],
                                           initializers=[const("n", n), const("zero", 0)]), "any" if n == 0 else "error"
        yield f"concatsequence_{n}", model([empty, put, node("ConcatFromSequence", "r", axis=n)]), "any" if n in (0, -1) else "error"
        yield f"splitsequence_{n}", model([node("SplitToSequence", "x n", "r"), node("SequenceLength", "r")], initializers=[const("n", n)]), \
            "any" if n == 2**31 - 1 or n == 2**62 else "error"
    doubled = graph([node("ConcatFromSequence", "a", "c", axis=0), node("SequenceInsert", "a c", "b")],
                    [value("i", [], I64), value("go", [], TensorProto.BOOL), helper.make_tensor_sequence_value_info("a", F, None)], ("go", "b"))
    yield "sequence_doubles", model([empty, put, node("Loop", "n true r", "p", body=doubled), node("ConcatFromSequence", "p", axis=0)],
                                    initializers=[const("n", 100), true]), "error"
