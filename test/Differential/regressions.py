#!/usr/bin/env python3
"""The models of regressions/*.textproto, each the few nodes of a graph that once failed, against onnxruntime.

    regressions.py --bin build/bin --work DIR

Inputs are multiples of 1/4 in [-8, 8] unless a line `# input NAME: uniform` says that they are not: those are reals of
[-4, 4]. `# exact: NAME ...` lists outputs that must agree bit for bit, `# dims: N=2` binds dimensions.
"""

import pathlib
import re
import sys

import numpy as np
import onnx
from google.protobuf import text_format

import cases

NUMPY = {1: np.float32, 6: np.int32, 7: np.int64, 9: np.bool_}


def load(path):
    text = path.read_text()
    model = text_format.Parse(text, onnx.ModelProto())
    dims = {k: int(v) for line in re.findall(r"^# dims: (.*)$", text, re.M) for k, v in (d.split("=") for d in line.split())}
    random = np.random.default_rng(1)
    inputs = {}
    for v in model.graph.input:
        shape = [dims[d.dim_param] if d.dim_param else d.dim_value for d in v.type.tensor_type.shape.dim]
        dtype = NUMPY[v.type.tensor_type.elem_type]
        if dtype == np.float32 and re.search(rf"^# input {re.escape(v.name)}: uniform$", text, re.M):
            inputs[v.name] = np.asarray(random.uniform(-4, 4, shape), dtype)
        elif dtype == np.float32:
            inputs[v.name] = np.asarray(random.integers(-32, 33, shape) / 4, dtype)
        else:
            inputs[v.name] = np.asarray(random.integers(0, 2 if dtype == np.bool_ else 20, shape), dtype)
    exact = {name for line in re.findall(r"^# exact: (.*)$", text, re.M) for name in line.split()}
    name = re.sub("[^a-z0-9]", "_", path.stem.lower())
    return cases.Case(name, model, inputs, dims, exact)


def main():
    compiler = cases.compiler_of_arguments(__doc__)
    paths = sorted((pathlib.Path(__file__).parent / "regressions").glob("*.textproto"))
    batch = [load(p) for p in paths]
    return cases.report(compiler, batch)


if __name__ == "__main__":
    sys.exit(main())
