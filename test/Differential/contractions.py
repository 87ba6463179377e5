"""Random nodes that sum: matrix products, convolutions, pooling, reductions, normalizations, softmax."""

import math

import numpy as np

from elementwise import result
from graph import MAX_ELEMENTS, Value
from moves import negatable, vector


def product(shape, a, b, terms, *more):
    """A sum of `terms` products of a and b, and of what `more` adds."""
    bound = terms * a.bound * b.bound + sum(m.bound for m in more)
    grid = None if a.grid is None or b.grid is None else a.grid + b.grid
    if grid is not None and any(m.grid is None or m.grid > grid for m in more):
        grid = None
    return result(shape, -bound, bound, grid)


def weights(g, shape, terms):
    """A factor that keeps sums of `terms` products moderate: a constant most of the time, as weights are."""
    grid = g.integer(0, 2) if g.chance(0.4) else None
    limit = 2.0 if grid is not None else max(0.25, 2.0 / math.sqrt(terms))
    if g.chance(0.25):
        return g.input("f32", shape, -limit, limit, grid)
    value = g.constant(g.array("f32", shape, -limit, limit, grid))
    value.grid = grid
    return value


def matmul(g):
    x = g.tame(g.pick_or_make("f32", accept=lambda v: v.rank >= 1), 16)
    if x.rank == 0:
        return
    k, n = x.shape[-1], g.dim()
    batch = x.shape[:-2] if x.rank > 2 and g.chance(0.3) else ()
    batch = tuple(1 if g.chance(0.3) else d for d in batch)
    vector_ = g.chance(0.1)
    w = g.pick("f32", lambda v: v.rank == 2 and v.shape[0] == k and v.bound <= 16) if g.chance(0.4) else None
    if w is None:
        w = weights(g, (k,) if vector_ else batch + (k, n), k)
    shape = np.matmul(np.empty(x.shape, np.int8), np.empty(w.shape, np.int8)).shape
    if math.prod(shape) <= MAX_ELEMENTS:
        g.node("MatMul", [x, w], [product(shape, x, w, k)])
    if x.rank >= 2 and g.chance(0.2):  # the other way round: left operand constant
        m, inner = g.dim(), x.shape[-2]
        w = weights(g, (m, inner), inner)
        if math.prod(x.shape[:-2]) * m * x.shape[-1] <= MAX_ELEMENTS:
            g.node("MatMul", [w, x], [product(x.shape[:-2] + (m, x.shape[-1]), w, x, inner)])


def self_product(g):
    """Of a value with its own transpose, as attention does."""
    x = g.pick("f32", lambda v: v.rank in (2, 3, 4) and v.size * v.shape[-2] // max(v.shape[-1], 1) <= MAX_ELEMENTS)
    if x is None:
        return
    x = g.tame(x, 8)
    order = list(range(x.rank - 2)) + [x.rank - 1, x.rank - 2]
    t = g.node("Transpose", [x], [g.like(x, [x.shape[i] for i in order])], perm=order)[0]
    y = g.node("MatMul", [x, t], [product(x.shape[:-1] + (x.shape[-2],), x, t, x.shape[-1])])[0]
    if g.chance(0.5):
        y = g.node("Softmax", [g.tame(y, 32)], [result(y.shape, 0, 1)], axis=-1)[0]
        g.node("MatMul", [y, x], [product(x.shape, y, x, y.shape[-1])])


def gemm(g):
    x = g.tame(g.pick_or_make("f32", 2), 16)
    turned_x, turned_w = g.integer(0, 1), g.integer(0, 1)
    m, k = x.shape[::-1] if turned_x else x.shape
    n = g.dim()
    if m * n > MAX_ELEMENTS:
        return
    w = weights(g, (n, k) if turned_w else (k, n), k)
    inputs, more = [x, w], []
    if g.chance(0.7):
        more = [g.source("f32", g.choice(((n,), (1, n), (m, 1), (m, n), (1,), ())))]
    alpha, beta = (1.0, 1.0) if g.chance(0.6) else (0.5, 2.0)
    r = product((m, n), x, w, k, *more, *more)
    if alpha != 1.0:
        r.exact, r.grid = False, None
    g.node("Gemm", inputs + more, [r], alpha=alpha, beta=beta, transA=turned_x, transB=turned_w)


def einsum(g):
    equation = g.choice(("bij,bjk->bik", "bij,bkj->bik", "ij,jk->ki", "bhid,bhjd->bhij", "i,j->ij", "ij->ji"))
    if "," not in equation:
        x = g.pick_or_make("f32", 2)
        g.node("Einsum", [x], [g.like(x, x.shape[::-1])], equation=equation)
        return
    left, rest = equation.split(",")
    right, out = rest.split("->")
    x = g.tame(g.pick_or_make("f32", len(left)), 8)
    sizes = dict(zip(left, x.shape))
    for label in right:
        sizes.setdefault(label, g.integer(1, 9))
    terms = math.prod(sizes[c] for c in sizes if c not in out)
    shape = tuple(sizes[c] for c in out)
    if math.prod(shape) > MAX_ELEMENTS:
        return
    w = weights(g, tuple(sizes[c] for c in right), max(terms, 1))
    g.node("Einsum", [x, w], [product(shape, x, w, terms)], equation=equation)


def window(g, extents, largest=3):
    """kernel_shape, strides, dilations and pads for these extents, and what comes out; None if nothing would."""
    kernel = [g.integer(1, largest) for _ in extents]
    strides = [g.choice((1, 1, 1, 2, 3)) for _ in extents] if g.chance(0.5) else [1] * len(extents)
    dilations = [g.choice((1, 2)) for _ in extents] if g.chance(0.25) else [1] * len(extents)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    pads = [g.integer(0, k - 1) if g.chance(0.6) else 0 for k in kernel * 2]
    n = len(extents)
    out = [(e + pads[i] + pads[i + n] - reach[i]) // strides[i] + 1 for i, e in enumerate(extents)]
    if any(e + pads[i] + pads[i + n] < reach[i] for i, e in enumerate(extents)):
        return None
    return kernel, strides, dilations, pads, out


def conv_input(g):
    rank = g.choice((3, 4, 4, 4, 5))
    x = g.pick("f32", lambda v: v.rank == rank)
    if x is None or g.chance(0.2):
        spatial = [g.integer(3, 12 if rank < 5 else 5) for _ in range(rank - 2)]
        x = g.input("f32", (g.integer(1, 2), g.choice((1, 3, 4, 8, 16, 20)), *spatial), grid=g.choice((None, 1)))
    return g.tame(x, 16)


def conv(g):
    x = conv_input(g)
    channels = x.shape[1]
    groups = g.choice([d for d in (1, 1, 2, 4, channels, channels) if channels % d == 0])
    found = window(g, x.shape[2:])
    if found is None:
        return
    kernel, strides, dilations, pads, out = found
    filters = groups * (g.choice((1, 1, 2)) if groups == channels else g.choice((1, 2, 4, 5, 8, 16, 17)))
    shape = (x.shape[0], filters, *out)
    if math.prod(shape) > MAX_ELEMENTS:
        return
    terms = channels // groups * math.prod(kernel)
    w = weights(g, (filters, channels // groups, *kernel), terms)
    more = [g.source("f32", (filters,))] if g.chance(0.6) else []
    y = g.node("Conv", [x, w, *more], [product(shape, x, w, terms, *more)], kernel_shape=kernel if g.chance(0.7) else None,
               strides=strides, dilations=dilations, pads=pads, group=groups)[0]
    if g.chance(0.4):
        batch_norm(g, y)
    if g.chance(0.3):
        y = g.values[-1]
        g.node("Relu", [y], [g.like(y, lo=0, hi=max(y.hi, 0))])


def conv_transpose(g):
    x = conv_input(g)
    channels = x.shape[1]
    groups = g.choice([d for d in (1, 1, 2) if channels % d == 0])
    n = x.rank - 2
    kernel = [g.integer(1, 3) for _ in range(n)]
    strides = [g.choice((1, 2)) for _ in range(n)]
    pads = [g.integer(0, (k - 1) // 2) for k in kernel * 2]
    out = [(e - 1) * s + k - pads[i] - pads[i + n] for i, (e, s, k) in enumerate(zip(x.shape[2:], strides, kernel))]
    filters = g.choice((1, 2, 4, 5))
    shape = (x.shape[0], filters * groups, *out)
    if min(out) < 1 or math.prod(shape) > MAX_ELEMENTS:
        return
    terms = channels // groups * math.prod(kernel)
    w = weights(g, (channels, filters, *kernel), terms)
    more = [g.source("f32", (filters * groups,))] if g.chance(0.5) else []
    g.node("ConvTranspose", [x, w, *more], [product(shape, x, w, terms, *more)], strides=strides, pads=pads, group=groups)


def pool(g):
    x = conv_input(g)
    if g.chance(0.15):
        op = g.choice(("GlobalAveragePool", "GlobalMaxPool"))
        keeps = op == "GlobalMaxPool"
        g.node(op, [x], [g.like(x, x.shape[:2] + (1,) * (x.rank - 2), exact=x.exact and keeps, grid=x.grid if keeps else None)])
        return
    found = window(g, x.shape[2:])
    if found is None:
        return
    kernel, strides, dilations, pads, out = found
    shape = x.shape[:2] + tuple(out)
    if g.chance(0.5):
        g.node("MaxPool", [x], [g.like(x, shape)], kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations)
    else:
        if dilations != [1] * len(dilations):
            return
        g.node("AveragePool", [x], [g.like(x, shape, lo=-x.bound, hi=x.bound, exact=False, grid=None)], kernel_shape=kernel,
               strides=strides, pads=pads, count_include_pad=g.integer(0, 1))


def batch_norm(g, x=None):
    x = x or g.tame(g.pick_or_make("f32", accept=lambda v: v.rank >= 2))
    if x.rank < 2:
        return
    c = (x.shape[1],)
    scale, bias, mean = (g.constant(g.array("f32", c, -1, 1)) for _ in range(3))
    variance = g.constant(g.array("f32", c, 0.5, 2))
    bound = 2 * (x.bound + 1) + 1
    g.node("BatchNormalization", [x, scale, bias, mean, variance], [result(x.shape, -bound, bound)])


def normalization(g):
    op = g.choice(("LayerNormalization", "InstanceNormalization", "GroupNormalization", "LpNormalization",
                   "MeanVarianceNormalization"))
    if op in ("LayerNormalization", "LpNormalization"):
        x = g.tame(g.pick_or_make("f32", accept=lambda v: v.rank >= 1 and v.shape[-1] > 1))
        if x.rank == 0:
            return
        if op == "LpNormalization":
            g.node(op, [x], [result(x.shape, -1, 1)], axis=-1, p=g.integer(1, 2))
            return
        if g.opset < 17:
            return
        axis = g.integer(0, x.rank - 1)
        scale = [g.source("f32", x.shape[axis:], -1, 1) for _ in range(g.integer(1, 2))]
        g.node(op, [x, *scale], [result(x.shape, -64, 64)], axis=negatable(g, axis, x.rank))
        return
    x = conv_input(g)
    c = x.shape[1]
    if math.prod(x.shape[2:]) == 1:  # nothing but the bias is right; onnxruntime leaves rounding errors, blown up
        return
    if op == "InstanceNormalization":
        g.node(op, [x, g.source("f32", (c,), -1, 1), g.source("f32", (c,), -1, 1)], [result(x.shape, -64, 64)])
    elif op == "GroupNormalization" and g.opset >= 21:
        groups = g.choice([d for d in (1, 2, 4) if c % d == 0])
        g.node(op, [x, g.source("f32", (c,), -1, 1), g.source("f32", (c,), -1, 1)], [result(x.shape, -64, 64)],
               num_groups=groups)
    elif op == "MeanVarianceNormalization" and x.rank == 4:
        g.node(op, [x], [result(x.shape, -64, 64)])


def softmax(g):
    x = g.tame(g.pick_or_make("f32", accept=lambda v: v.rank >= 1), 32)
    if x.rank == 0:
        return
    axis = negatable(g, g.integer(0, x.rank - 1), x.rank)
    if g.chance(0.7):
        g.node("Softmax", [x], [result(x.shape, 0, 1)], axis=axis)
    else:
        g.node("LogSoftmax", [x], [result(x.shape, -80, 0)], axis=axis)


def reduce(g):
    dtype = "f32" if g.chance(0.8) else g.choice(("i32", "i64"))
    x = g.tame(g.pick_or_make(dtype, accept=lambda v: v.rank >= 1), 16)
    if x.rank == 0:
        return
    ops = ["Sum", "Max", "Min"] + (["Mean", "L1", "L2", "SumSquare", "LogSumExp", "Prod"] if dtype == "f32" else [])
    op = g.choice(ops)
    axes = sorted(g.random.permutation(x.rank)[:g.integer(1, x.rank)].tolist())
    keep = g.integer(0, 1)
    shape = [1 if i in axes else d for i, d in enumerate(x.shape) if keep or i not in axes]
    n = math.prod(x.shape[a] for a in axes)
    if op == "Prod" and (x.bound > 2 or n > 9):
        op = "Sum"
    bound = {"Sum": n * x.bound, "L1": n * x.bound, "SumSquare": n * x.bound**2, "L2": math.sqrt(n) * x.bound + 1,
             "LogSumExp": x.bound + math.log(n) + 1, "Prod": 2.0**9}.get(op, x.bound)
    if dtype != "f32":
        if bound >= 2**24:
            return
        r = result(shape, -bound, bound, dtype=dtype)
    elif op in ("Max", "Min"):
        r = g.like(x, shape)
    else:
        r = result(shape, -bound, bound, {"Sum": x.grid, "L1": x.grid, "SumSquare": None if x.grid is None else 2 * x.grid}.get(op))
    name, keepdims = "Reduce" + op, {"keepdims": keep}
    if len(axes) == x.rank and g.chance(0.3):
        g.node(name, [x], [r], **keepdims)
    elif op == "Sum" or g.opset >= 18:
        g.node(name, [x, vector(g, [negatable(g, a, x.rank) for a in axes])], [r], **keepdims)
    else:
        g.node(name, [x], [r], axes=[negatable(g, a, x.rank) for a in axes], **keepdims)


def arg(g):
    x = g.pick_or_make(g.choice(("f32", "i32")), accept=lambda v: v.rank >= 1 and v.exact)
    if x.rank == 0 or not x.exact:
        return
    axis, keep = g.integer(0, x.rank - 1), g.integer(0, 1)
    shape = x.shape[:axis] + ((1,) if keep else ()) + x.shape[axis + 1:]
    g.node(g.choice(("ArgMax", "ArgMin")), [x], [Value("", "i64", shape, 0, x.shape[axis], True, 0)], axis=axis, keepdims=keep,
           select_last_index=g.integer(0, 1))


def cumsum(g):
    x = g.tame(g.pick_or_make(g.choice(("f32", "f32", "i32", "i64")), accept=lambda v: v.rank >= 1), 16)
    if x.rank == 0:
        return
    axis = g.integer(0, x.rank - 1)
    bound = x.shape[axis] * x.bound
    if x.dtype != "f32" and bound >= 2**24:
        return
    g.node("CumSum", [x, g.constant(np.asarray(negatable(g, axis, x.rank), g.choice((np.int32, np.int64))))],
           [result(x.shape, -bound, bound, x.grid, x.dtype)], exclusive=g.integer(0, 1), reverse=g.integer(0, 1))


TABLE = [(matmul, 6), (self_product, 1), (gemm, 3), (einsum, 1), (conv, 6), (conv_transpose, 1), (pool, 3),
         (batch_norm, 1), (normalization, 3), (softmax, 3), (reduce, 5), (arg, 1), (cumsum, 1)]
