#!/usr/bin/env python3
"""Every operator of ai.onnx.ml and of onnxruntime's own domains that is compiled, in its forms, against onnxruntime.

    operators.py --bin build/bin --work DIR
"""

import sys

import numpy as np
from onnx import helper

import cases
import contriboperators
import mloperators


def case(name, node, inputs):
    """A model of one node."""
    values = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in inputs.items()]
    outputs = [helper.make_empty_tensor_value_info(n) for n in node.output if n]
    domains = [("", 17), ("ai.onnx.ml", 3), ("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([node], name, values, outputs), ir_version=9,
                              opset_imports=[helper.make_opsetid(*d) for d in domains])
    return cases.Case(name, model, inputs)


def main():
    compiler = cases.compiler_of_arguments(__doc__)
    random = np.random.default_rng(1)
    batch = [case(*m) for family in (mloperators, contriboperators) for m in family.models(random)]
    return cases.report(compiler, batch)


if __name__ == "__main__":
    sys.exit(main())
