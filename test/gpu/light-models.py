#!/usr/bin/env python3
"""Models of a set with large weights replaced by seeded random ones that compress thirtyfold, for test/gpu/kit.sh.

  light-models.py MODELS OUT NAME...     reads MODELS/NAME.onnx, writes OUT/NAME.onnx

Every float or 8-bit tensor of at least 4,096 elements becomes mean +- deviation of its own values, the signs drawn from
a hash of its bytes: equal weights stay equal. Answers mean nothing but are as sensitive to a wrong kernel as the model's.
"""
import hashlib
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

SMALLEST = 4096
TYPES = (np.float32, np.float16, np.int8, np.uint8)


def lighten(tensor):
    if int(np.prod(tensor.dims)) < SMALLEST:
        return
    values = numpy_helper.to_array(tensor)
    if values.dtype not in TYPES:
        return
    seed = int.from_bytes(hashlib.blake2b(values.tobytes(), digest_size=8).digest(), "little")
    signs = np.random.default_rng(seed).integers(0, 2, values.shape, dtype=np.int8) * 2.0 - 1.0
    mean, deviation = float(values.astype(np.float64).mean()), float(values.astype(np.float64).std())
    light = mean + signs * deviation
    if values.dtype in (np.int8, np.uint8):
        limits = np.iinfo(values.dtype)
        light = np.clip(np.rint(light), limits.min, limits.max)
    replacement = numpy_helper.from_array(light.astype(values.dtype), tensor.name)
    tensor.CopyFrom(replacement)


def lighten_graph(graph):
    for tensor in graph.initializer:
        lighten(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                lighten(attribute.t)
            if attribute.HasField("g"):
                lighten_graph(attribute.g)


def main():
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[3:]:
        model = onnx.load(source / f"{name}.onnx")
        lighten_graph(model.graph)
        onnx.save(model, target / f"{name}.onnx")


main()
