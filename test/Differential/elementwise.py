"""Random elementwise nodes: arithmetic, activations, comparisons, logic, casts."""

import math

import numpy as np

from graph import MAX_ELEMENTS, Value, representable


def result(shape, lo, hi, grid=None, dtype="f32"):
    """A result in [lo, hi]; exact if multiples of 2^-grid up to its bound are."""
    if dtype != "f32":
        return Value("", dtype, tuple(shape), lo, hi, True, 0)
    fits = representable(max(abs(lo), abs(hi)), grid)
    return Value("", dtype, tuple(shape), lo, hi, fits, grid if fits else None)


def broadcast(g, shape):
    """A shape that broadcasts with `shape`, and what both give."""
    other = list(shape)
    for i in range(len(other)):
        if g.chance(0.3):
            other[i] = 1
    other = other[g.integer(0, len(other)) if g.chance(0.3) else 0:]
    if g.chance(0.15) and len(other) < 5:
        other = [g.integer(1, 3)] + [1] * (len(shape) - len(other)) + other
    both = np.broadcast_shapes(shape, tuple(other))
    return (tuple(other), both) if math.prod(both) <= MAX_ELEMENTS else (tuple(shape), tuple(shape))


def partner(g, value, accept=lambda v: True, **limits):
    """Another value that broadcasts with `value`."""

    def fits(v):
        try:
            return math.prod(np.broadcast_shapes(v.shape, value.shape)) <= MAX_ELEMENTS and accept(v)
        except ValueError:
            return False

    found = g.pick(value.dtype, fits) if g.chance(0.6) else None
    return found if found else g.source(value.dtype, broadcast(g, value.shape)[0], **limits)


def both(a, b):
    return tuple(int(d) for d in np.broadcast_shapes(a.shape, b.shape))


def grids(a, b, combine):
    return None if a.grid is None or b.grid is None else combine(a.grid, b.grid)


def swapped(g, pair):
    return list(pair) if g.chance(0.5) else list(reversed(pair))


# Activations: (operator, attributes, image of an interval); monotone unless the image says otherwise.

SMOOTH = {
    "Sigmoid": ({}, lambda lo, hi: (0, 1)),
    "Tanh": ({}, lambda lo, hi: (-1, 1)),
    "Erf": ({}, lambda lo, hi: (-1, 1)),
    "Softsign": ({}, lambda lo, hi: (-1, 1)),
    "Softplus": ({}, lambda lo, hi: (0, max(hi, 0) + 1)),
    "Elu": ({"alpha": 0.75}, lambda lo, hi: (min(lo, 0), max(hi, 0))),
    "Selu": ({}, lambda lo, hi: (-2, 1.1 * max(hi, 0))),
    "Celu": ({"alpha": 2.0}, lambda lo, hi: (-2, max(hi, 0))),
    "LeakyRelu": ({"alpha": 0.125}, lambda lo, hi: (min(lo, 0), max(hi, 0))),
    "HardSigmoid": ({"alpha": 0.25, "beta": 0.5}, lambda lo, hi: (0, 1)),
    "HardSwish": ({}, lambda lo, hi: (-1, max(hi, 0))),
    "Mish": ({}, lambda lo, hi: (-1, max(hi, 0) + 1)),
    "Gelu": ({}, lambda lo, hi: (-1, max(hi, 0))),
    "Sin": ({}, lambda lo, hi: (-1, 1)),
    "Cos": ({}, lambda lo, hi: (-1, 1)),
    "Atan": ({}, lambda lo, hi: (-2, 2)),
    "Asinh": ({}, lambda lo, hi: (min(lo, 0), max(hi, 0))),
}
SINCE = {"Mish": 18, "Gelu": 20, "HardSwish": 14, "BitwiseAnd": 18, "BitwiseOr": 18, "BitwiseXor": 18, "BitwiseNot": 18}


def activation(g):
    x = g.tame(g.pick_or_make("f32"))
    op = g.choice([o for o in SMOOTH if SINCE.get(o, 0) <= g.opset])
    attributes, image = SMOOTH[op]
    if op == "Gelu" and g.chance(0.5):
        attributes = {"approximate": "tanh"}
    g.node(op, [x], [result(x.shape, *image(x.lo, x.hi))], **attributes)


def exact_unary(g):
    """No rounding: what was exact stays so."""
    x = g.pick_or_make("f32")
    op = g.choice(("Abs", "Neg", "Relu", "Identity", "Clip", "Dropout"))
    top = x.bound
    if op == "Abs":
        g.node(op, [x], [g.like(x, lo=0, hi=top)])
    elif op == "Neg":
        g.node(op, [x], [g.like(x, lo=-x.hi, hi=-x.lo)])
    elif op == "Relu":
        g.node(op, [x], [g.like(x, lo=max(x.lo, 0), hi=max(x.hi, 0))])
    elif op == "Clip":
        lo, hi = (float(g.integer(-3, 0)), float(g.integer(0, 3)))
        ends = [g.constant(np.float32(lo)) if g.chance(0.8) else None,
                g.constant(np.float32(hi)) if g.chance(0.8) else None]
        lo, hi = lo if ends[0] else min(x.lo, hi), hi if ends[1] else max(x.hi, lo)
        g.node(op, [x, *ends], [g.like(x, lo=lo, hi=hi)])
    else:
        g.node(op, [x], [g.like(x)])


def guarded_unary(g):
    """Operators with a domain: their operand is brought into it first."""
    x = g.tame(g.pick_or_make("f32"), 16)
    op = g.choice(("Log", "Sqrt", "Reciprocal", "Exp", "Acosh", "Asin", "Acos", "Atanh", "Sinh", "Cosh", "Tan"))
    if op in ("Log", "Sqrt", "Reciprocal", "Acosh"):
        a = g.node("Abs", [x], [g.like(x, lo=0, hi=x.bound)])[0]
        shift = {"Acosh": 1.5}.get(op, 0.5)
        a = g.node("Add", [a, g.constant(np.float32(shift))], [result(x.shape, shift, a.hi + shift)])[0]
        top = {"Log": 4, "Sqrt": math.sqrt(a.hi), "Reciprocal": 2, "Acosh": 5}[op]
        g.node(op, [a], [result(x.shape, -1 if op == "Log" else 0, top)])
        return
    limit = {"Asin": 0.9, "Acos": 0.9, "Atanh": 0.9, "Tan": 1.25}.get(op, 4.0)
    ends = [g.constant(np.float32(-limit)), g.constant(np.float32(limit))]
    a = g.node("Clip", [x, *ends], [g.like(x, lo=-limit, hi=limit, grid=None)])[0]
    top = {"Exp": 55, "Sinh": 28, "Cosh": 28}.get(op, 4)
    g.node(op, [a], [result(x.shape, -top, top)])


def rounding(g):
    x = g.pick_or_make("f32", accept=lambda v: v.exact)
    op = g.choice(("Floor", "Ceil", "Round", "Sign", "ThresholdedRelu", "Shrink"))
    if op == "Sign":
        g.node(op, [x], [result(x.shape, -1, 1, 0)])
    elif op == "ThresholdedRelu":
        g.node(op, [x], [g.like(x, lo=0, hi=max(x.hi, 0))], alpha=0.5)
    elif op == "Shrink":
        g.node(op, [x], [g.like(x)], lambd=1.0, bias=0.0)
    else:
        g.node(op, [x], [result(x.shape, math.floor(x.lo), math.ceil(x.hi), 0 if x.bound < 2**23 else None)])


def arithmetic(g):
    a = g.tame(g.pick_or_make("f32"))
    b = g.tame(partner(g, a))
    op = g.choice(("Add", "Sub", "Mul", "Mul", "Add", "Min", "Max", "Sum", "Mean", "PRelu"))
    shape = both(a, b)
    if op == "PRelu":
        slope = g.source("f32", broadcast(g, a.shape)[0][-max(1, a.rank):] if a.rank else ())
        if np.broadcast_shapes(slope.shape, a.shape) != a.shape:
            return
        g.node(op, [a, slope], [result(a.shape, -4 * a.bound, 4 * a.bound)])
    elif op in ("Add", "Sub", "Sum"):
        bound = a.bound + b.bound
        g.node(op, swapped(g, (a, b)), [result(shape, -bound, bound, grids(a, b, max))])
    elif op == "Mul":
        bound = a.bound * b.bound
        g.node(op, swapped(g, (a, b)), [result(shape, -bound, bound, grids(a, b, lambda m, n: m + n))])
    elif op == "Mean":
        g.node(op, [a, b], [result(shape, -max(a.bound, b.bound), max(a.bound, b.bound), grids(a, b, lambda m, n: max(m, n) + 1))])
    else:
        inputs = swapped(g, (a, b))
        least, most = (min(a.lo, b.lo), max(a.hi, b.hi))
        value = Value("", "f32", shape, least, most, a.exact and b.exact, grids(a, b, max))
        g.node(op, inputs, [value])


def division(g):
    """By something of at least 1/2."""
    a = g.tame(g.pick_or_make("f32"))
    b = g.tame(partner(g, a))
    b = g.node("Abs", [b], [g.like(b, lo=0, hi=b.bound)])[0]
    b = g.node("Add", [b, g.constant(np.float32(0.5))], [result(b.shape, 0.5, b.hi + 0.5)])[0]
    if g.chance(0.2):
        exponent = g.constant(np.float32(g.choice((0.5, 2.0, 3.0, -1.0, 1.5))))
        b = g.tame(b, 4)
        g.node("Pow", [b, exponent], [result(b.shape, 0, max(64.0, 2**14 if b.lo < 0.5 else 64))])
        return
    g.node("Div", [a, b], [result(both(a, b), -2 * a.bound, 2 * a.bound)])


def square(g):
    x = g.tame(g.pick_or_make("f32"), 16)
    exponent = g.constant(np.float32(2.0)) if g.chance(0.7) else g.constant(np.asarray([3.0], np.float32))
    power = 2 if exponent.shape == () else 3
    shape = x.shape if exponent.shape == () or x.rank else (1,)
    g.node("Pow", [x, exponent], [result(shape, -x.bound**power, x.bound**power)])


def integers(g):
    dtype = g.choice(("i32", "i64"))
    a = g.pick_or_make(dtype)
    b = partner(g, a)
    op = g.choice(("Add", "Sub", "Mul", "Div", "Mod", "Min", "Max", "Neg", "Abs", "Sign", "Bitwise"))
    shape = both(a, b)
    if op in ("Div", "Mod"):
        divisor = g.constant(np.asarray(g.choice((2, 3, -3, 7, -1)), {"i32": np.int32, "i64": np.int64}[dtype]))
        g.node(op, [a, divisor], [result(a.shape, -max(a.bound, 7), max(a.bound, 7), dtype=dtype)])
    elif op in ("Neg", "Abs", "Sign"):
        g.node(op, [a], [result(a.shape, -a.bound, a.bound, dtype=dtype)])
    elif op == "Bitwise":
        if g.opset < 18:
            return
        bound = 2.0 ** math.ceil(math.log2(max(a.bound, b.bound, 1) + 1))
        op = g.choice(("BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot"))
        if op == "BitwiseNot":
            g.node(op, [a], [result(a.shape, -bound - 1, bound, dtype=dtype)])
        else:
            g.node(op, [a, b], [result(shape, -bound, bound, dtype=dtype)])
    else:
        bound = {"Add": a.bound + b.bound, "Sub": a.bound + b.bound, "Mul": a.bound * b.bound}.get(op, max(a.bound, b.bound))
        if bound < 2**24:
            g.node(op, swapped(g, (a, b)), [result(shape, -bound, bound, dtype=dtype)])


def comparison(g):
    dtype = g.choice(("f32", "f32", "i32", "i64"))
    a = g.pick_or_make(dtype, accept=lambda v: v.exact)
    b = partner(g, a, lambda v: v.exact, **({"grid": a.grid} if dtype == "f32" else {}))
    ops = ["Equal", "Less", "Greater"] + (["LessOrEqual", "GreaterOrEqual"] if g.opset >= 16 else [])
    g.node(g.choice(ops), [a, b], [result(both(a, b), 0, 1, dtype="bool")])


def logic(g):
    a = g.pick_or_make("bool")
    op = g.choice(("And", "Or", "Xor", "Not"))
    if op == "Not":
        g.node(op, [a], [g.like(a)])
        return
    b = partner(g, a)
    g.node(op, [a, b], [result(both(a, b), 0, 1, dtype="bool")])


def where(g):
    condition = g.pick_or_make("bool")
    dtype = g.choice(("f32", "f32", "f32", "i64"))  # onnxruntime has no others in all versions
    a = g.source(dtype, broadcast(g, condition.shape)[0]) if g.chance(0.5) else g.pick_or_make(
        dtype, accept=lambda v: compatible(v.shape, condition.shape))
    if not compatible(a.shape, condition.shape):
        return
    shape = both(condition, a)
    b = partner(g, g.like(a, shape=shape))
    shape = np.broadcast_shapes(shape, b.shape)
    if math.prod(shape) > MAX_ELEMENTS:
        return
    g.node("Where", [condition, *swapped(g, (a, b))],
           [Value("", dtype, tuple(int(d) for d in shape), min(a.lo, b.lo), max(a.hi, b.hi), a.exact and b.exact,
                  grids(a, b, max))])


def compatible(a, b):
    try:
        return math.prod(np.broadcast_shapes(a, b)) <= MAX_ELEMENTS
    except ValueError:
        return False


def cast(g):
    source = g.choice(("f32", "f32", "i32", "i64", "bool"))
    target = g.choice(("f32", "i32", "i64", "bool"))
    x = g.pick_or_make(source, accept=lambda v: v.exact or target == "f32")
    from graph import ONNX
    lo, hi = math.floor(x.lo), math.ceil(x.hi)
    if target == "bool":
        lo, hi = 0, 1
    if target == source:
        g.node("Cast", [x], [g.like(x)], to=ONNX[target])
    elif target == "f32":
        g.node("Cast", [x], [result(x.shape, lo, hi, 0)], to=ONNX[target])
    else:
        g.node("Cast", [x], [result(x.shape, lo, hi, dtype=target)], to=ONNX[target])


TABLE = [(activation, 6), (exact_unary, 3), (guarded_unary, 3), (rounding, 2), (arithmetic, 8), (division, 2),
         (square, 1), (integers, 3), (comparison, 2), (logic, 1), (where, 2), (cast, 2)]
