#!/usr/bin/env python3
"""Values in requests that other runtimes die of: INT_MIN / -1, division by 0, shifts beyond the width, casts of NaN and of what
is out of range, indices out of range. Each has a defined result (docs/operators.md), fused and at -O0, alone and beside others.

    hostile_requests.py --bin build/bin --work DIR
"""

import argparse
import pathlib
import sys

import numpy as np
from onnx import helper, numpy_helper

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Differential"))
import cases  # noqa: E402

F32 = np.float32
INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
rng = np.random.default_rng(5)


def kind(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def edges(dtype):
    info = np.iinfo(dtype)
    wanted = [info.min, info.min + 1, -2, -1, 0, 1, 2, 3, 7, 100, info.max - 1, info.max]
    return np.asarray([v for v in wanted if info.min <= v <= info.max], dtype)


def pairs(dtype):
    e = edges(dtype)
    return np.repeat(e, e.size), np.tile(e, e.size)


def wrap(values, dtype):
    info = np.iinfo(dtype)
    return np.asarray([(v - info.min) % 2**info.bits + info.min for v in values], dtype)


def quotient(a, b):
    return 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def floats(dtype):
    numbers = [np.nan, np.inf, -np.inf, 0.0, -0.0, 0.9, -0.9, 1.5, -1.5, 127.9, 128.0, -128.9, -129.0, 255.9, 256.0, 3e9, -3e9, 2.0**31,
               2.0**63, -2.0**63, 1e19, -1e19, 2.0**64, 1e30, -1e30]
    with np.errstate(over="ignore"):
        return np.asarray(numbers, np.float64).astype(dtype)


def saturate(x, dtype):
    info = np.iinfo(dtype)
    return np.asarray([0 if np.isnan(v) else info.max if v >= info.max else info.min if v <= info.min else int(v) for v in x.astype(np.float64)],
                      dtype)


INDICES = np.asarray([0, 1, -1, 4, 5, -5, -6, 100, -100, 2**31 - 1, -2**31, 2**62, -2**62, 2**63 - 1, -2**63])


class Request:
    """A node whose inputs are the caller's but for those at `constants`. `want`: the first output, or None: anything but a crash."""

    def __init__(self, name, op, inputs, want=None, outputs=1, opset=21, constants=(), **attributes):
        names = [f"x{i}" for i in range(len(inputs))]
        inputs = {n: np.asarray(a) for n, a in zip(names, inputs)}
        made = [f"y{i}" for i in range(outputs)]
        known = {n: inputs.pop(n) for n in [f"x{i}" for i in constants]}
        graph = helper.make_graph([helper.make_node(op, names, made, name=name, **attributes)], name,
                                  [helper.make_tensor_value_info(n, kind(a.dtype), a.shape) for n, a in inputs.items()],
                                  [helper.make_empty_tensor_value_info(n) for n in made], [numpy_helper.from_array(a, n) for n, a in known.items()])
        self.case = cases.Case(name, helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10), inputs)
        self.want = want


def integers():
    for dtype in INTEGERS:
        t = np.dtype(dtype).name
        a, b = pairs(dtype)
        zipped = list(zip(a.tolist(), b.tolist()))
        yield Request(f"div_{t}", "Div", [a, b], wrap([quotient(x, y) for x, y in zipped], dtype))
        yield Request(f"mod_{t}", "Mod", [a, b], wrap([x % y if y else 0 for x, y in zipped], dtype))
        yield Request(f"fmod_{t}", "Mod", [a, b], wrap([x - quotient(x, y) * y if y else 0 for x, y in zipped], dtype), fmod=1)
        if np.dtype(dtype).kind == "u":
            bits = np.iinfo(dtype).bits
            amounts = np.asarray([min(int(y), np.iinfo(dtype).max) for y in b], dtype)
            for direction, f in (("LEFT", lambda x, s: x << s), ("RIGHT", lambda x, s: x >> s)):
                want = wrap([f(x, s) if s < bits else 0 for x, s in zip(a.tolist(), amounts.tolist())], dtype)
                yield Request(f"shift_{direction.lower()}_{t}", "BitShift", [a, amounts], want, direction=direction)
        for source in (np.float32, np.float64, np.float16):
            x = floats(source)
            yield Request(f"cast_{np.dtype(source).name}_{t}", "Cast", [x], saturate(x, dtype), to=kind(dtype))
        yield Request(f"add_{t}", "Add", [a, b], wrap([x + y for x, y in zipped], dtype))
        if dtype in (np.int32, np.int64):
            yield Request(f"pow_{t}", "Pow", [a, b])
    x = floats(np.float32)
    yield Request("cast_bool", "Cast", [x], x != 0, to=kind(np.bool_))


def indices():
    x = rng.uniform(-1, 1, (5, 3)).astype(F32)
    for dtype in (np.int32, np.int64):
        t = np.dtype(dtype).name
        i = INDICES[(INDICES >= np.iinfo(dtype).min) & (INDICES <= np.iinfo(dtype).max)].astype(dtype)
        at = np.asarray([min(max(v + 5 if v < 0 else v, 0), 4) for v in i.tolist()])
        yield Request(f"gather_{t}", "Gather", [x, i], x[at])
        yield Request(f"gatherelements_{t}", "GatherElements", [x, np.stack([i] * 3, 1)], np.take_along_axis(x, np.stack([at] * 3, 1), 0))
        if dtype == np.int64:
            yield Request("gathernd", "GatherND", [x, i[:, None]], x[at])
            some = np.asarray([3, -1, 5, -6, 2**62, -2**63])
            updates = rng.uniform(-1, 1, (some.size, 3)).astype(F32)
            want = x.copy()
            for k, v in enumerate(some):
                if -5 <= v < 5:
                    want[v] = updates[k]
            yield Request("scatternd", "ScatterND", [x, some[:, None], updates], want)
        rows = np.asarray([3, -1, 100, np.iinfo(dtype).min, np.iinfo(dtype).max], dtype)
        updates = rng.uniform(-1, 1, (rows.size, 3)).astype(F32)
        want = x.copy()
        for k, v in enumerate(rows):
            if -5 <= v < 5:
                want[v] = updates[k]
        yield Request(f"scatterelements_{t}", "ScatterElements", [x, np.stack([rows] * 3, 1), updates], want)
    hot = [[float(-5 <= v < 5 and v % 5 == d) for d in range(5)] for v in INDICES.tolist()]
    yield Request("onehot", "OneHot", [INDICES, np.asarray(5), np.asarray([0, 1], F32)], np.asarray(hot, F32), constants=[1])
    lengths = np.asarray([0, -1, 2**62, -2**63, 3])
    yield Request("reversesequence", "ReverseSequence", [x, lengths], batch_axis=0, time_axis=1)


def numbers():
    wild = np.asarray([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 0.0, -0.0, 1e30, -1e30, 0.5, 2.0], F32)
    yield Request("topk", "TopK", [wild, np.asarray([3])], outputs=2, constants=[1])
    for op in ("ArgMax", "ArgMin"):
        yield Request(op.lower(), op, [wild], np.asarray([0]), axis=0)  # the NaN
    yield Request("softmax", "Softmax", [np.stack([wild] * 2)], np.full((2, wild.size), np.nan, F32))
    yield Request("softmax_inf", "Softmax", [np.asarray([[-np.inf, 0, 0, -3e38]], F32)], np.asarray([[0, 0.5, 0.5, 0]], F32))
    for op in ("Sqrt", "Log", "Exp", "Sin", "Tanh", "Erf", "Reciprocal", "Floor", "Round"):
        yield Request(op.lower(), op, [wild])
    yield Request("pow", "Pow", [np.repeat(wild, wild.size), np.tile(wild, wild.size)])
    grid = np.stack([np.tile(wild, wild.size), np.repeat(wild, wild.size)], -1).reshape(1, wild.size, wild.size, 2)
    for mode in ("linear", "nearest", "cubic"):
        for padding in ("zeros", "border", "reflection"):
            yield Request(f"gridsample_{mode}_{padding}", "GridSample", [rng.uniform(-1, 1, (1, 2, 4, 5)).astype(F32), grid], mode=mode, padding_mode=padding)
    scale = np.asarray(1e-30, F32)
    yield Request("quantize", "QuantizeLinear", [wild, scale, np.asarray(3, np.uint8)])
    yield Request("quantize_by_0", "QuantizeLinear", [wild, np.asarray(0, F32), np.asarray(3, np.int8)])
    yield Request("dynamicquantize", "DynamicQuantizeLinear", [wild], outputs=3)
    boxes = np.asarray([[0, 0, 1e30, np.nan], [-np.inf, 0, np.inf, 1], [3, 3, 1, 1], [0, 0, 3, 3]], F32)
    yield Request("roialign", "RoiAlign", [rng.uniform(-1, 1, (1, 2, 6, 6)).astype(F32), boxes, np.asarray([0, 5, -1, 2**62])], output_height=2, output_width=2,
                  sampling_ratio=2)
    yield Request("mean", "ReduceMean", [wild])
    yield Request("cumsum", "CumSum", [wild, np.asarray(0)], constants=[1])
    yield Request("where", "Where", [wild > 0, wild, -wild], np.where(wild > 0, wild, -wild))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", required=True)
    arguments = parser.parse_args()
    requests = [r for family in (integers, indices, numbers) for r in family()]
    compiler = cases.Compiler(arguments.bin, arguments.work)
    failures = 0
    for flags in ([], ["-O0"]):
        for name, (error, got) in compiler.answers([r.case for r in requests], flags=flags).items():
            want = next(r.want for r in requests if r.case.name == name)
            have = got.get("y0")
            if not error and want is not None and not np.array_equal(have, want, equal_nan=have is not None and have.dtype.kind == "f"):
                where = np.flatnonzero(np.ravel(have != want))[:3] if have is not None and have.shape == want.shape else []
                error = f"got {np.ravel(have)[where] if len(where) else have}, wanted {np.ravel(want)[where] if len(where) else want} at {where}"
            failures += bool(error)
            if error:
                print(f"FAILED: {name} {' '.join(flags)}: {error}", flush=True)
    print(f"{len(requests)} requests, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
