"""A random graph under construction: values with what is known of them, and the nodes so far.

What is known of a value keeps the test honest. `lo` and `hi` bound it, so that no operator overflows, divides by zero or
gives NaN. `grid` k says that it holds multiples of 2^-k small enough that f32 represents sums and products of them without
rounding: such a value must come out bit for bit, in whatever order it is summed. `exact` says that its bits do not depend
on rounding: only such values are rounded, compared, sorted or cast to integers, where the smallest error would be a large
one.
"""

import dataclasses
import math

import numpy as np
from onnx import TensorProto, helper, numpy_helper

NUMPY = {"f32": np.float32, "i32": np.int32, "i64": np.int64, "bool": np.bool_}
ONNX = {"f32": TensorProto.FLOAT, "i32": TensorProto.INT32, "i64": TensorProto.INT64, "bool": TensorProto.BOOL}
OPSETS = (13, 15, 17, 18, 19, 20, 21, 22)
MAX_ELEMENTS = 1 << 14


@dataclasses.dataclass
class Value:
    name: str
    dtype: str
    shape: tuple
    lo: float = -4.0
    hi: float = 4.0
    exact: bool = False
    grid: int | None = None
    uses: int = 0

    @property
    def rank(self):
        return len(self.shape)

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def bound(self):
        return max(abs(self.lo), abs(self.hi))


def representable(bound, grid):
    """Whether all multiples of 2^-grid up to `bound` are f32 numbers, with their sums on the way there."""
    return grid is not None and bound * 2.0**grid < 2**24


class Graph:
    """Operators append nodes to it; finish() makes the model."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.opset = int(self.choice(OPSETS))
        self.values, self.inputs, self.nodes, self.initializers = [], [], [], []
        self.input_arrays = {}
        self.symbolic = self.chance(0.3)
        self.count = 0

    # Random choices.

    def chance(self, p):
        return self.random.random() < p

    def choice(self, items):
        return items[int(self.random.integers(len(items)))]

    def integer(self, lo, hi):
        """Of [lo, hi]."""
        return int(self.random.integers(lo, hi + 1))

    def dim(self):
        return self.choice((1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 20, 31, 33))

    def shape(self, rank=None):
        rank = self.choice((0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5)) if rank is None else rank
        while True:
            shape = tuple(self.dim() for _ in range(rank))
            if math.prod(shape) <= MAX_ELEMENTS // 4:
                return shape

    # Values.

    def fresh(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    def array(self, dtype, shape, lo=None, hi=None, grid=None):
        """Values of [lo, hi]: uniform, or multiples of 2^-grid."""
        if dtype == "bool":
            return np.asarray(self.random.random(shape) < 0.5)
        if dtype == "f32":
            lo, hi = (-4.0 if lo is None else lo), (4.0 if hi is None else hi)
            if grid is not None:
                steps = self.random.integers(math.ceil(lo * 2**grid), math.floor(hi * 2**grid) + 1, shape)
                return np.asarray(steps / 2.0**grid, np.float32)
            array = np.asarray(self.random.uniform(lo, hi, shape), np.float32)
            return np.asarray(np.clip(array, np.float32(lo), np.float32(hi)))
        lo, hi = (-20 if lo is None else lo), (20 if hi is None else hi)
        return np.asarray(self.random.integers(lo, hi + 1, shape)).astype(NUMPY[dtype])

    def facts(self, dtype, array, grid):
        lo, hi = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
        return dict(lo=lo, hi=hi, exact=True, grid=grid if dtype == "f32" else 0)

    def constant(self, array):
        """An initializer of these values, or a Constant node."""
        array = np.asarray(array)
        dtype = next(d for d, t in NUMPY.items() if t == array.dtype)
        name = self.fresh("c")
        tensor = numpy_helper.from_array(array, name)
        if array.size <= 16 and self.chance(0.2):
            self.nodes.append(helper.make_node("Constant", [], [name], name=self.fresh("constant"), value=tensor))
        else:
            self.initializers.append(tensor)
        return Value(name, dtype, array.shape, **self.facts(dtype, array, None))

    def input(self, dtype, shape, lo=None, hi=None, grid=None):
        name = self.fresh("x")
        array = self.array(dtype, shape, lo, hi, grid)
        facts = self.facts(dtype, array, grid)
        value = Value(name, dtype, tuple(shape), **facts)
        self.input_arrays[name] = array
        self.inputs.append(value)
        self.values.append(value)
        return value

    def source(self, dtype, shape, lo=None, hi=None, grid=None):
        """A new input, or a constant: weights are often one and sometimes the other."""
        if dtype == "f32" and grid is None and lo is None and self.chance(0.5):
            grid = self.integer(0, 2)
        if self.chance(0.3):
            return self.input(dtype, shape, lo, hi, grid)
        value = self.constant(self.array(dtype, shape, lo, hi, grid))
        value.grid = grid if dtype == "f32" else 0
        return value

    def pick(self, dtype, accept=lambda v: True):
        """A value that exists, new ones preferred, or None."""
        found = [v for v in self.values if v.dtype == dtype and accept(v)]
        if not found:
            return None
        weights = np.array([(1 + i) * (3.0 if v.uses == 0 else 1.0) for i, v in enumerate(found)])
        return found[int(self.random.choice(len(found), p=weights / weights.sum()))]

    def pick_or_make(self, dtype, rank=None, accept=lambda v: True):
        value = self.pick(dtype, lambda v: (rank is None or v.rank == rank) and accept(v))
        return value if value else self.input(dtype, self.shape(rank), grid=2 if self.chance(0.5) else None)

    # Nodes.

    def node(self, op, inputs, results, **attributes):
        """Appends a node. `results`: Values without a name. An input may be None: left out."""
        for value in inputs:
            if value is not None:
                value.uses += 1
        for value in results:
            value.name = self.fresh("v")
        names = [v.name if v is not None else "" for v in inputs]
        attributes = {k: v for k, v in attributes.items() if v is not None}
        self.nodes.append(
            helper.make_node(op, names, [v.name for v in results], name=self.fresh(op.lower() + "_"), **attributes))
        self.values.extend(results)
        return results

    def tame(self, value, bound=64.0):
        """`value`, scaled down if it may be larger than `bound`."""
        if value.dtype != "f32" or value.bound <= bound:
            return value
        factor = 2.0 ** math.floor(math.log2(bound / value.bound))
        scale = self.constant(np.float32(factor))
        exact = value.exact  # by a power of two, far from the smallest numbers
        grid = None if value.grid is None else value.grid - int(math.log2(factor))
        result = Value("", "f32", value.shape, value.lo * factor, value.hi * factor, exact, grid)
        return self.node("Mul", [value, scale], [result])[0]

    def like(self, value, shape=None, **changes):
        """A result with what is known of `value`: for what only moves data."""
        return dataclasses.replace(value, name="", uses=0, shape=tuple(value.shape if shape is None else shape), **changes)

    # The end.

    def finish(self):
        """The model: what nobody reads is an output, and some other values."""
        made = {name for n in self.nodes for name in n.output}
        outputs = [v for v in self.values if v.name in made and (v.uses == 0 or self.chance(0.1))]
        used = {name for n in self.nodes for name in n.input}
        inputs = [v for v in self.inputs if v.name in used]
        self.input_arrays = {v.name: self.input_arrays[v.name] for v in inputs}
        self.initializers = [t for t in self.initializers if t.name in used]
        symbol = None
        infos = []
        for v in inputs:
            shape = list(v.shape)
            if self.symbolic and shape and symbol in (None, shape[0]):
                symbol = shape[0]
                shape[0] = "N"
            infos.append(helper.make_tensor_value_info(v.name, ONNX[v.dtype], shape))
        graph = helper.make_graph(self.nodes, "random", infos,
                                  [helper.make_tensor_value_info(v.name, ONNX[v.dtype], None) for v in outputs],
                                  self.initializers)
        # make_tensor_value_info without a shape: ranks and extents are for the compiler to find out.
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)
        return model, outputs, {} if symbol is None else {"N": symbol}
