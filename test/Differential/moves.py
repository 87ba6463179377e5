"""Random nodes that move data: reshapes, transposes, slices, gathers, pads and the like."""

import math

import numpy as np

from graph import MAX_ELEMENTS, Value

DTYPES = ("f32", "f32", "f32", "i32", "i64", "bool")


def any_value(g, rank=None, accept=lambda v: True):
    return g.pick_or_make(g.choice(DTYPES), rank, accept)


def vector(g, numbers):
    """An i64 initializer of these numbers."""
    return g.constant(np.asarray(numbers, np.int64))


def negatable(g, axis, rank):
    """The axis, from the front or from the back."""
    return axis - rank if g.chance(0.3) else axis


def reshape(g):
    x = any_value(g)
    n, shape = x.size, []
    for _ in range(g.integer(0, 4)):
        divisors = [d for d in range(1, min(n, 64) + 1) if n % d == 0]
        shape.append(g.choice(divisors))
        n //= shape[-1]
    shape.insert(g.integer(0, len(shape)), n)
    if x.size == 1 and g.chance(0.2):
        shape = []
    wanted = list(shape)
    if shape and g.chance(0.4):
        wanted[g.integer(0, len(shape) - 1)] = -1
    for i in range(min(x.rank, len(shape))):
        if wanted[i] != -1 and wanted[i] == x.shape[i] and g.chance(0.2):
            wanted[i] = 0
    g.node("Reshape", [x, vector(g, wanted)], [g.like(x, shape)])


def computed_reshape(g):
    """As exporters write it: Shape, Gather, Concat, Reshape."""
    x = any_value(g, accept=lambda v: v.rank >= 2)
    if x.rank < 2:
        return
    axis = g.integer(0, x.rank - 1)
    s = g.node("Shape", [x], [Value("", "i64", (x.rank,), 1, MAX_ELEMENTS, True, 0)])[0]
    d = g.node("Gather", [s, vector(g, [axis])], [Value("", "i64", (1,), 1, MAX_ELEMENTS, True, 0)])[0]
    parts = [d, vector(g, [-1])]
    shape = [x.shape[axis], x.size // x.shape[axis]]
    if g.chance(0.5):
        parts.reverse()
        shape.reverse()
    c = g.node("Concat", parts, [Value("", "i64", (2,), -1, MAX_ELEMENTS, True, 0)], axis=0)[0]
    g.node("Reshape", [x, c], [g.like(x, shape)])


def flatten(g):
    x = any_value(g)
    axis = g.integer(0, x.rank)
    shape = (math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
    g.node("Flatten", [x], [g.like(x, shape)], axis=axis)


def squeeze(g):
    x = any_value(g)
    if g.chance(0.5) and x.rank < 5:
        axis = g.integer(0, x.rank)
        shape = x.shape[:axis] + (1,) + x.shape[axis:]
        g.node("Unsqueeze", [x, vector(g, [negatable(g, axis, x.rank + 1)])], [g.like(x, shape)])
        return
    ones = [i for i, d in enumerate(x.shape) if d == 1]
    if not ones:
        return
    if g.chance(0.5):
        ones = [g.choice(ones)]
    shape = [d for i, d in enumerate(x.shape) if i not in ones]
    g.node("Squeeze", [x, vector(g, [negatable(g, a, x.rank) for a in ones])], [g.like(x, shape)])


def transpose(g):
    x = any_value(g)
    order = [int(i) for i in g.random.permutation(x.rank)]
    if x.rank == 0:
        return
    if g.chance(0.1):
        g.node("Transpose", [x], [g.like(x, x.shape[::-1])])
        return
    g.node("Transpose", [x], [g.like(x, [x.shape[i] for i in order])], perm=order)


def concat(g):
    x = any_value(g, accept=lambda v: v.rank > 0)
    if x.rank == 0:
        return
    axis = g.integer(0, x.rank - 1)
    parts = [x]
    for _ in range(g.integer(1, 2)):
        other = g.pick(x.dtype, lambda v: v.rank == x.rank and v.shape[:axis] == x.shape[:axis] and
                       v.shape[axis + 1:] == x.shape[axis + 1:])
        if other is None or g.chance(0.3):
            other = g.source(x.dtype, x.shape[:axis] + (g.dim(),) + x.shape[axis + 1:])
        parts.append(other)
    if g.chance(0.5):
        parts.reverse()
    extent = sum(p.shape[axis] for p in parts)
    if math.prod(x.shape) // max(x.shape[axis], 1) * extent > MAX_ELEMENTS:
        return
    grids = [p.grid for p in parts]
    result = Value("", x.dtype, x.shape[:axis] + (extent,) + x.shape[axis + 1:], min(p.lo for p in parts),
                   max(p.hi for p in parts), all(p.exact for p in parts), None if None in grids else max(grids))
    g.node("Concat", parts, [result], axis=negatable(g, axis, x.rank))


def split(g):
    x = any_value(g, accept=lambda v: any(d > 1 for d in v.shape))
    axes = [i for i, d in enumerate(x.shape) if d > 1]
    if not axes:
        return
    axis = g.choice(axes)
    first = g.integer(1, x.shape[axis] - 1)
    parts = [first, x.shape[axis] - first]
    results = [g.like(x, x.shape[:axis] + (p,) + x.shape[axis + 1:]) for p in parts]
    if parts[0] == parts[1] and g.chance(0.5):
        g.node("Split", [x], results, axis=axis, **({"num_outputs": 2} if g.opset >= 18 else {}))
    else:
        g.node("Split", [x, vector(g, parts)], results, axis=negatable(g, axis, x.rank))


def slice_(g):
    x = any_value(g, accept=lambda v: v.rank > 0)
    if x.rank == 0:
        return
    axes = sorted(g.random.permutation(x.rank)[:g.integer(1, x.rank)].tolist())
    starts, ends, steps, shape = [], [], [], list(x.shape)
    for a in axes:
        n, step = x.shape[a], g.choice((1, 1, 1, 2, 3, -1, -2))
        lo = g.integer(0, n - 1)
        hi = g.integer(lo, n - 1)
        first, last = (lo, hi) if step > 0 else (hi, lo)
        shape[a] = (hi - lo) // abs(step) + 1
        end = last + (1 if step > 0 else -1)
        if step > 0 and last == n - 1:
            end = g.choice((n, n + 5, 2**31 - 1, 2**63 - 1))
        elif step < 0 and last == 0:
            end = g.choice((-n - 1, -(2**31), -(2**62)))
        elif g.chance(0.3):
            end -= n
        starts.append(first - n if g.chance(0.3) else first)
        ends.append(end)
        steps.append(step)
    inputs = [x, vector(g, starts), vector(g, ends), vector(g, [negatable(g, a, x.rank) for a in axes]), vector(g, steps)]
    if all(s == 1 for s in steps) and g.chance(0.5):
        inputs.pop()
    g.node("Slice", inputs, [g.like(x, shape)])


def indices(g, shape, extent, distinct=False):
    """Indices into `extent` things, some from the back."""
    values = g.random.permutation(extent)[:math.prod(shape)].reshape(shape) if distinct else g.random.integers(0, extent, shape)
    values = np.asarray(values, np.int64)
    if g.chance(0.4):
        values = np.asarray(values - extent * (g.random.random(shape) < 0.5))
    values = values.astype(np.int64 if g.chance(0.7) else np.int32)
    if g.chance(0.5):
        return g.constant(values)
    dtype = "i64" if values.dtype == np.int64 else "i32"
    value = g.input(dtype, shape, -extent, extent - 1)
    g.input_arrays[value.name] = values
    return value


def gather(g):
    x = any_value(g, accept=lambda v: v.rank > 0)
    if x.rank == 0:
        return
    axis = g.integer(0, x.rank - 1)
    kind = g.choice(("Gather", "GatherElements", "GatherND"))
    if kind == "Gather":
        shape = g.choice(((), (1,), (3,), (5,), (2, 3)))
        out = x.shape[:axis] + shape + x.shape[axis + 1:]
        if math.prod(out) > MAX_ELEMENTS or len(out) > 6:
            return
        g.node(kind, [x, indices(g, shape, x.shape[axis])], [g.like(x, out)], axis=negatable(g, axis, x.rank))
    elif kind == "GatherElements":
        shape = list(x.shape)
        shape[axis] = g.integer(1, 6)
        g.node(kind, [x, indices(g, tuple(shape), x.shape[axis])], [g.like(x, shape)], axis=axis)
    else:
        depth = g.integer(1, min(2, x.rank))
        index = np.stack([g.random.integers(0, d, (3,)) for d in x.shape[:depth]], -1).astype(np.int64)
        g.node(kind, [x, g.constant(index)], [g.like(x, (3,) + x.shape[depth:])])


def scatter(g):
    """Without repeated indices, whose order is not defined."""
    x = any_value(g, accept=lambda v: v.rank > 0 and v.dtype != "bool")
    if x.rank == 0 or x.dtype == "bool":
        return
    axis = g.integer(0, x.rank - 1)
    kind = g.choice(("ScatterElements", "ScatterND"))
    add = x.dtype == "f32" and g.chance(0.3) and g.opset >= 16
    if kind == "ScatterElements":
        count = g.integer(1, x.shape[axis])
        shape = x.shape[:axis] + (count,) + x.shape[axis + 1:]
        order = np.argsort(g.random.random(x.shape), axis=axis).take(range(count), axis=axis)
        index, attributes = g.constant(order.astype(np.int64)), {"axis": axis}
    else:
        count = g.integer(1, x.shape[0])
        shape = (count,) + x.shape[1:]
        index, attributes = indices(g, (count, 1), x.shape[0], distinct=True), {}
        if index.dtype != "i64":
            return
    updates = g.source(x.dtype, shape)
    grids = None if x.grid is None or updates.grid is None else max(x.grid, updates.grid)
    bound = x.bound + updates.bound
    if add:
        attributes["reduction"] = "add"
    exact = x.exact and updates.exact and (not add or grids is not None)
    g.node(kind, [x, index, updates], [Value("", x.dtype, x.shape, -bound, bound, exact, grids if exact else None)],
           **attributes)


def pad(g):
    x = any_value(g, accept=lambda v: v.rank > 0 and v.dtype != "bool")
    if x.rank == 0 or x.dtype == "bool":
        return
    mode = g.choice(("constant", "constant", "reflect", "edge") + (("wrap",) if g.opset >= 19 else ()))
    most = [min(3, d - 1) if mode in ("reflect", "wrap") else 3 for d in x.shape]
    before = [g.integer(0, m) if g.chance(0.5) else 0 for m in most]
    after = [g.integer(0, m) if g.chance(0.5) else 0 for m in most]
    if mode == "constant" and g.chance(0.3):
        before = [-g.integer(0, 1) if d > 2 else b for b, d in zip(before, x.shape)]
    shape = [b + d + a for b, d, a in zip(before, x.shape, after)]
    if math.prod(shape) > MAX_ELEMENTS:
        return
    inputs, value = [x, vector(g, before + after)], 0.0
    if mode == "constant" and g.chance(0.5):
        value = float(g.integer(-2, 2))
        inputs.append(g.constant(np.asarray(value, {"f32": np.float32, "i32": np.int32, "i64": np.int64}[x.dtype])))
    g.node("Pad", inputs, [g.like(x, shape, lo=min(x.lo, value), hi=max(x.hi, value))], mode=mode)


def tile(g):
    x = any_value(g, accept=lambda v: v.rank > 0)
    repeats = [g.choice((1, 1, 2, 3)) for _ in x.shape]
    shape = [r * d for r, d in zip(repeats, x.shape)]
    if x.rank == 0 or math.prod(shape) > MAX_ELEMENTS:
        return
    g.node("Tile", [x, vector(g, repeats)], [g.like(x, shape)])


def expand(g):
    x = any_value(g)
    shape = [g.integer(2, 6) if d == 1 and g.chance(0.6) else d for d in x.shape]
    if len(shape) < 4 and g.chance(0.4):
        shape.insert(0, g.integer(1, 4))
    if math.prod(shape) > MAX_ELEMENTS:
        return
    wanted = [1 if d == s and len(shape) == x.rank and g.chance(0.3) else s for s, d in zip(shape, x.shape)] if len(
        shape) == x.rank else shape
    g.node("Expand", [x, vector(g, wanted)], [g.like(x, shape)])


def depth_space(g):
    block = 2
    x = g.pick("f32", lambda v: v.rank == 4)
    if x is None:
        return
    n, c, h, w = x.shape
    if c % 4 == 0 and g.chance(0.6):
        g.node("DepthToSpace", [x], [g.like(x, (n, c // 4, h * 2, w * 2))], blocksize=block, mode=g.choice(("DCR", "CRD")))
    elif h % 2 == 0 and w % 2 == 0:
        g.node("SpaceToDepth", [x], [g.like(x, (n, c * 4, h // 2, w // 2))], blocksize=block)


def trilu(g):
    if g.opset < 14:
        return
    x = any_value(g, accept=lambda v: v.rank >= 2)
    if x.rank < 2:
        return
    k = g.constant(np.asarray(g.integer(-2, 2), np.int64))
    g.node("Trilu", [x, k][:g.integer(1, 2)], [g.like(x, lo=min(x.lo, 0), hi=max(x.hi, 0))], upper=g.integer(0, 1))


def one_hot(g):
    x = g.pick_or_make(g.choice(("i32", "i64")), accept=lambda v: 1 <= v.rank <= 3 and v.size <= 512)
    if not 1 <= x.rank <= 3 or x.size > 512:
        return
    depth = g.integer(2, 9)
    ends = g.array("f32", (2,), grid=1)
    values = g.constant(ends)
    axis = g.integer(0, x.rank)
    shape = x.shape[:axis] + (depth,) + x.shape[axis:]
    depth_type = np.int32 if x.dtype == "i32" else np.int64
    g.node("OneHot", [x, g.constant(np.asarray(depth, depth_type)), values],
           [Value("", "f32", shape, float(ends.min()), float(ends.max()), True, 1)], axis=negatable(g, axis, x.rank + 1))


def reverse_sequence(g):
    x = any_value(g, accept=lambda v: v.rank >= 2)
    if x.rank < 2:
        return
    time = g.integer(0, 1)
    lengths = g.random.integers(1, x.shape[time] + 1, (x.shape[1 - time],)).astype(np.int64)
    g.node("ReverseSequence", [x, g.constant(lengths)], [g.like(x)], time_axis=time, batch_axis=1 - time)


def top_k(g):
    x = g.pick_or_make(g.choice(("f32", "i32", "i64")), accept=lambda v: v.exact and v.rank > 0)
    if x.rank == 0:
        return
    axis = g.integer(0, x.rank - 1)
    k = g.integer(1, x.shape[axis])
    shape = x.shape[:axis] + (k,) + x.shape[axis + 1:]
    g.node("TopK", [x, vector(g, [k])], [g.like(x, shape), Value("", "i64", shape, 0, x.shape[axis], True, 0)],
           axis=negatable(g, axis, x.rank), largest=g.integer(0, 1))


def resize(g):
    x = g.pick("f32", lambda v: v.rank == 4)
    if x is None:
        return
    mode = g.choice(("nearest", "linear"))
    n, c, h, w = x.shape
    factors = g.choice(((2, 2), (1, 2), (3, 2)))
    shape = (n, c, h * factors[0], w * factors[1])
    if math.prod(shape) > MAX_ELEMENTS:
        return
    scales = g.constant(np.asarray([1, 1, *factors], np.float32))
    coordinates = g.choice(("asymmetric", "half_pixel", "align_corners") if mode == "linear" else ("asymmetric",))
    exact = x.exact and mode == "nearest"
    extra = {"nearest_mode": "floor"} if mode == "nearest" else {}
    g.node("Resize", [x, None, scales], [g.like(x, shape, exact=exact, grid=x.grid if exact else None)], mode=mode,
           coordinate_transformation_mode=coordinates, **extra)


TABLE = [(reshape, 4), (computed_reshape, 1), (flatten, 1), (squeeze, 2), (transpose, 4), (concat, 3), (split, 2),
         (slice_, 4), (gather, 3), (scatter, 2), (pad, 2), (tile, 1), (expand, 2), (depth_space, 1), (trilu, 1),
         (one_hot, 1), (reverse_sequence, 1), (top_k, 1), (resize, 1)]
