#!/usr/bin/env python3
"""npy.py OUT.npy SHAPE VALUE...: writes an f32 array; SHAPE is 1x4, one VALUE repeats to fill it."""
import struct
import sys

out, shape, *values = sys.argv[1:]
dims = [int(d) for d in shape.split("x")]
count = 1
for d in dims:
    count *= d
values = [float(v) for v in values]
if len(values) == 1:
    values *= count
assert len(values) == count, f"{shape} needs {count} values, got {len(values)}"
header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, dims))},), }}"
header += " " * (63 - (10 + len(header)) % 64) + "\n"
with open(out, "wb") as f:
    f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    f.write(struct.pack(f"<{count}f", *values))
