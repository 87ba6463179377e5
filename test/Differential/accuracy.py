#!/usr/bin/env python3
"""Each operator against float64, over the whole range of f32: subnormal, huge, -0, infinite, NaN.

    accuracy.py --bin build/bin --work DIR [-O0] [--table]

What is required, and of whom:
  exact     moves, integers (which wrap), what rounds to integers, minima and maxima: bit for bit, but for the sign of NaN
  rounded   + - x / sqrt: the f32 next to the true result
  ULPS      units of the last place of the true result; beyond 4 only where onnxruntime is at least half as far off
  sum       of K products: K / 2^24 times the sum of their magnitudes, element by element, and in norm at most twice
            onnxruntime's own error
"""

import math
import sys

import numpy as np
from onnx import helper

import cases
from graph import ONNX

f32, f64 = np.float32, np.float64
rng = np.random.default_rng(2024)
TYPES = {np.dtype(f32): "f32", np.dtype(np.int32): "i32", np.dtype(np.int64): "i64", np.dtype(bool): "bool"}


def everything():
    """Every exponent in both signs, dense where functions bend, and what is special; no multiple of a vector."""
    exponents = np.repeat(np.arange(-149, 128), 6)
    spread = np.ldexp(rng.uniform(1, 2, exponents.size), exponents)
    parts = [[0.0, -0.0, np.inf, -np.inf, np.nan, 3.4028235e38, -3.4028235e38, 1e-45, -1e-45, 1.1754944e-38, 1.0, -1.0, 0.5, 1.5, 2.5, -0.5,
              -1.5, 8388607.5, 8388608.0, 16777216.0],
             spread, -spread, rng.uniform(-12, 12, 6001), rng.uniform(-110, 110, 3000), rng.uniform(-1, 1, 3000)]
    return np.concatenate([np.asarray(p, f32) for p in parts])


def ulp(true):
    """The distance of f32 numbers at `true`."""
    magnitude = np.clip(np.abs(true), 2.0**-126, 2.0**127.99)
    return np.ldexp(1.0, np.floor(np.log2(magnitude)).astype(int) - 23)


def rounded(true):
    with np.errstate(all="ignore"):
        return np.asarray(true, f64).astype(f32)


class Check:
    """One node, its inputs, and what is required of its first output."""

    def __init__(self, name, op, inputs, true, limit, opset=20, constants=(), magnitude=None, terms=0, **attributes):
        names = [f"x{i}" for i in range(len(inputs))]
        given = {n: np.asarray(a) for n, a in zip(names, inputs)}
        fixed = {names[i] for i in constants}
        infos = [helper.make_tensor_value_info(n, ONNX[TYPES[a.dtype]], a.shape) for n, a in given.items() if n not in fixed]
        from onnx import numpy_helper
        node = helper.make_node(op, names, ["y"], name=name, **attributes)
        graph = helper.make_graph([node], name, infos, [helper.make_empty_tensor_value_info("y")],
                                  [numpy_helper.from_array(given[n], n) for n in fixed])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        self.case = cases.Case(name, model, {n: a for n, a in given.items() if n not in fixed})
        with np.errstate(all="ignore"):
            self.true = true(*[a.astype(f64) if a.dtype == f32 else a for a in given.values()])
            self.magnitude = magnitude(*[np.abs(a.astype(f64)) for a in given.values()]) if magnitude else None
        self.limit, self.terms = limit, terms

    def wrong(self, got, reference):
        """A text, or None; and a figure for the table."""
        with np.errstate(all="ignore"):
            if got is None or got.shape != np.shape(self.true):
                return f"shape {None if got is None else got.shape}, wanted {np.shape(self.true)}", ""
            if self.limit == "exact" or got.dtype != f32:
                want = rounded(self.true) if got.dtype == f32 else np.asarray(self.true, got.dtype)
                same = (got == want) | (np.isnan(got) & np.isnan(want)) if got.dtype == f32 else got == want
                return self.first(~same, got, want), "exact"
            want = rounded(self.true)
            special = ~np.isfinite(want)
            if self.magnitude is None:
                # Next to the largest number a unit decides between it and infinity.
                edge = np.abs(self.true) > 3.402e38
                bad = special & ~edge & ~((got == want) | (np.isnan(got) & np.isnan(want)))
                if bad.any():
                    return self.first(bad, got, want), ""
                bad = ~special & ~edge & ~np.isfinite(got)
                if bad.any():
                    return self.first(bad, got, want), ""
                fine = ~special & ~edge
                units = np.where(fine, np.abs(got - np.where(fine, self.true, 0)) / ulp(np.where(fine, self.true, 1)), 0)
                theirs = np.where(fine & np.isfinite(reference), np.abs(reference - self.true) / ulp(self.true), 0)
                worst, figure = units.max(), f"{units.max():.2f} ulp, onnxruntime {np.nanmax(theirs):.2f}"
                if self.limit == "rounded":
                    return self.first(units > 0.5, got, want), figure
                return (None if worst <= max(self.limit, 2 * np.nanmax(theirs) if self.limit > 4 else 0) else
                        self.first(units == worst, got, want) + f", {figure}"), figure
            u = 2.0**-24
            gamma = self.terms * u / (1 - self.terms * u)
            error, allowed = np.abs(got - self.true), gamma * self.magnitude + 2.0**-149 * self.terms
            share = (error / np.maximum(allowed, 1e-300)).max()
            ours, theirs = cases.norm(got - self.true), cases.norm(reference - self.true)
            figure = f"{share:.3f} of the bound, {ours / max(theirs, 1e-300):.2f} of onnxruntime's error"
            if not share <= 1:
                return f"error {share:.3g} times the bound at {np.unravel_index((error / allowed).argmax(), error.shape)}", figure
            scale = u / 4 * cases.norm(self.true)  # rounding the result is free
            return (None if ours <= 2 * theirs + scale else f"error {ours:.3g}, onnxruntime's is {theirs:.3g}"), figure

    def first(self, bad, got, want):
        if not np.any(bad):
            return None
        at = np.unravel_index(np.argmax(bad), bad.shape)
        inputs = [a[at] if a.shape == bad.shape else a.ravel()[0] for a in self.case.inputs.values()]
        return f"{np.count_nonzero(bad)} wrong, first {inputs} gives {got[at]!r}, wanted {want[at]!r}"


def erf(x):
    return np.vectorize(math.erf)(x)


def sigmoid(x):
    return np.where(x > 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def moves():
    x = everything()[:15300].reshape(12, 25, 51)
    yield Check("transpose", "Transpose", [x], lambda x: x.transpose(2, 0, 1), "exact", perm=[2, 0, 1])
    yield Check("slice", "Slice", [x, np.asarray([20, 3]), np.asarray([-27, 40]), np.asarray([1, 2]), np.asarray([-3, 5])],
                lambda x, *_: x[:, 20::-3, 3:40:5], "exact", constants=(1, 2, 3, 4))
    yield Check("concat", "Concat", [x, x[:, :3], x], lambda a, b, c: np.concatenate([a, b, c], 1), "exact", axis=1)
    yield Check("gather", "Gather", [x, np.asarray([3, -1, 0])], lambda x, i: x[:, i], "exact", axis=1)
    yield Check("where", "Where", [rng.random(x.shape) < 0.5, x, np.flip(x).copy()], lambda c, a, b: np.where(c, a, b), "exact")
    for op, f in (("Neg", np.negative), ("Abs", np.abs), ("Floor", np.floor), ("Ceil", np.ceil), ("Round", np.rint), ("Sign", np.sign),
                  ("Relu", lambda x: np.where(np.isnan(x), x, np.maximum(x, 0)))):
        yield Check(op.lower(), op, [x], f, "exact")
    a, b = everything(), rng.permutation(everything())
    yield Check("max", "Max", [a, b], np.maximum, "exact")
    yield Check("min", "Min", [a, b], np.minimum, "exact")


def integers():
    for dtype in (np.int32, np.int64):
        info = np.iinfo(dtype)
        edge = np.asarray([info.min, info.min + 1, -2, -1, 0, 1, 2, 3, info.max - 1, info.max], dtype)
        a = np.concatenate([np.repeat(edge, edge.size), rng.integers(info.min, info.max, 1000, dtype)])
        b = np.concatenate([np.tile(edge, edge.size), rng.integers(info.min, info.max, 1000, dtype)])
        t = TYPES[np.dtype(dtype)]

        def quotient(a, b):  # toward zero; by 0 gives 0, min / -1 wraps
            q = [0 if y == 0 else abs(int(x)) // abs(int(y)) * (1 if (x < 0) == (y < 0) else -1) for x, y in zip(a, b)]
            return np.asarray([(v - info.min) % 2**info.bits + info.min for v in q], dtype)

        for op, f in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Min", np.minimum), ("Max", np.maximum), ("Div", quotient)):
            yield Check(f"{op.lower()}_{t}", op, [a, b], f, "exact")
        for op, f in (("Neg", np.negative), ("Abs", np.abs), ("Sign", np.sign)):
            yield Check(f"{op.lower()}_{t}", op, [a], f, "exact")
        yield Check(f"sum_{t}", "ReduceSum", [a[:1000].reshape(10, 100), np.asarray([1])],
                    lambda x, _: x.sum(1, dtype=dtype), "exact", constants=(1,), keepdims=0)
        m = rng.integers(info.min, info.max, (9, 33), dtype)
        yield Check(f"matmul_{t}", "MatMul", [m, m.T.copy()], lambda a, b: a @ b, "exact")


def arithmetic():
    a, b = everything(), rng.permutation(everything())
    for op, f in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide)):
        yield Check(op.lower(), op, [a, b], f, "rounded")
    yield Check("sqrt", "Sqrt", [a], np.sqrt, "rounded")
    yield Check("reciprocal", "Reciprocal", [a], np.reciprocal, "rounded")


def functions():
    x = everything()
    near_one = 1 + rng.uniform(-1e-3, 1e-3, 500).astype(f32)
    positive = np.abs(x)
    inside = np.concatenate([np.clip(x, -1, 1), np.asarray([1, -1], f32), 1 - np.ldexp(rng.uniform(1, 2, 100), -20).astype(f32)])
    for op, f, values, limit in (
            ("Exp", np.exp, x, 4), ("Tanh", np.tanh, x, 4), ("Erf", erf, x, 4),
            ("Log", np.log, np.concatenate([positive, near_one, [f32(-1)]]), 4),
            ("Sigmoid", sigmoid, x, 4), ("Softplus", softplus, x, 4.5), ("Softsign", lambda x: np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))), x[np.isfinite(x)], 4),
            ("Sin", np.sin, np.clip(x, -1e4, 1e4), 4), ("Cos", np.cos, np.clip(x, -1e4, 1e4), 4), ("Tan", np.tan, np.clip(x, -1e3, 1e3), 4),
            ("Asin", np.arcsin, inside, 4), ("Acos", np.arccos, inside, 4), ("Atan", np.arctan, x, 4),
            ("Sinh", np.sinh, x, 4), ("Cosh", np.cosh, x, 4), ("Asinh", np.arcsinh, x, 4),
            ("Acosh", np.arccosh, 1 + positive, 4), ("Atanh", np.arctanh, inside, 4),
            ("Elu", lambda x: np.where(x > 0, x, np.expm1(x)), x, 4.5),
            ("Celu", lambda x: np.where(x > 0, x, np.expm1(x)), x, 4.5),
            ("LeakyRelu", lambda x: np.where(x < 0, x * f64(f32(0.01)), x), x, 1)):
        yield Check(op.lower(), op, [values], f, limit)
    base = np.concatenate([positive[:4000], rng.uniform(0, 4, 3000).astype(f32)])
    power = np.concatenate([rng.uniform(-3, 3, 4000), rng.uniform(-40, 40, 3000)]).astype(f32)
    yield Check("pow", "Pow", [base, power], np.power, 4.5)
    for n in (2, 3, -1, 0.5):
        yield Check(f"pow_{str(n).translate(str.maketrans('-.', 'mp'))}", "Pow", [np.clip(x, -1e12, 1e12) if n != 0.5 else positive, np.asarray(n, f32)],
                    np.power, 4, constants=(1,))
    s = rng.normal(0, 4, (40, 77)).astype(f32)
    yield Check("softmax", "Softmax", [s], lambda x: np.exp(x - x.max(-1, keepdims=True)) / np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True), 12, axis=-1)


def spread(shape):
    """Magnitudes over six decades, in both signs."""
    return (rng.normal(0, 1, shape) * 10.0**rng.uniform(-3, 3, shape)).astype(f32)


def sums():
    for k in (1, 7, 64, 300, 1000, 4096):
        a, b = spread((17, k)), spread((k, 40))
        for kind, constants in (("", ()), ("_packed", (1,))):
            yield Check(f"matmul_{k}{kind}", "MatMul", [a, b], np.matmul, "sum", constants=constants, magnitude=np.matmul, terms=k)
    a, b = spread((1, 2048)), spread((2048, 100))
    yield Check("gemv", "MatMul", [a, b], np.matmul, "sum", constants=(1,), magnitude=np.matmul, terms=2048)
    a, b = spread((3, 20, 50)), spread((3, 50, 9))
    yield Check("matmul_batch", "MatMul", [a, b], np.matmul, "sum", magnitude=np.matmul, terms=50)
    for name, shape, axes in (("last", (20, 3000), (1,)), ("first", (3000, 20), (0,)), ("all", (30, 70, 20), (0, 1, 2)), ("middle", (5, 700, 9), (1,))):
        x = spread(shape)
        n = math.prod(shape[i] for i in axes)
        yield Check(f"reducesum_{name}", "ReduceSum", [x, np.asarray(axes)], lambda x, _, axes=axes: x.sum(axes), "sum", constants=(1,),
                    magnitude=lambda x, _, axes=axes: x.sum(axes), terms=n, keepdims=0)
        yield Check(f"reducemean_{name}", "ReduceMean", [x, np.asarray(axes)], lambda x, _, axes=axes: x.mean(axes), "sum", constants=(1,),
                    magnitude=lambda x, _, axes=axes: x.mean(axes), terms=n + 1, keepdims=0)
        yield Check(f"reducesumsquare_{name}", "ReduceSumSquare", [x, np.asarray(axes)], lambda x, _, axes=axes: (x * x).sum(axes), "sum", constants=(1,),
                    magnitude=lambda x, _, axes=axes: (x * x).sum(axes), terms=n + 1, keepdims=0)
    for c, f, size, kernel, groups in ((3, 16, 20, 3, 1), (64, 64, 14, 3, 1), (128, 32, 9, 1, 1), (32, 32, 14, 3, 32), (24, 16, 10, 5, 2)):
        x, w = spread((1, c, size, size)), spread((f, c // groups, kernel, kernel))

        def conv(x, w, groups=groups):
            patches = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], (2, 3))
            parts = [np.einsum("nchwij,fcij->nfhw", p, v) for p, v in zip(np.split(patches, groups, 1), np.split(w, groups, 0))]
            return np.concatenate(parts, 1)

        yield Check(f"conv_{c}_{f}_{kernel}_{groups}", "Conv", [x, w], conv, "sum", constants=(1,), magnitude=conv,
                    terms=c // groups * kernel * kernel, group=groups)
    x = spread((1, 8, 30, 30))
    yield Check("globalaveragepool", "GlobalAveragePool", [x], lambda x: x.mean((2, 3), keepdims=True), "sum",
                magnitude=lambda x: x.mean((2, 3), keepdims=True), terms=901)
    x = spread((6, 2000))
    yield Check("cumsum", "CumSum", [x, np.asarray(1)], lambda x, _: x.cumsum(1), "sum", constants=(1,),
                magnitude=lambda x, _: x.cumsum(1), terms=2000)


def main():
    parser = cases.argument_parser(__doc__)
    parser.add_argument("--table", action="store_true", help="print a line for each check")
    parser.add_argument("-O0", dest="flags", action="append_const", const="-O0", default=[])
    arguments = parser.parse_args()
    checks = [c for family in (moves, integers, arithmetic, functions, sums) for c in family()]
    assert len({c.case.name for c in checks}) == len(checks)
    answers = cases.Compiler(arguments.bin, arguments.work).answers([c.case for c in checks], flags=arguments.flags)
    failures = 0
    for check in checks:
        error, got = answers[check.case.name]
        # Integer division kills onnxruntime on what is tested here, and nothing is asked of it.
        reference = cases.answer(check.case.model, check.case.inputs)["y"] if check.limit != "exact" else None
        text, figure = (error, "") if error else check.wrong(got.get("y"), reference)
        failures += bool(text)
        if text:
            print(f"FAILED: {check.case.name}: {text}")
        elif arguments.table:
            print(f"{check.case.name:28} {figure}")
    print(f"{len(checks)} checks, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
