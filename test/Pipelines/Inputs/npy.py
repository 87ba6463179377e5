#!/usr/bin/env python3
"""npy.py OUT.npy [TYPE:]SHAPE VALUE...: writes an array of f32, i64 or bool; SHAPE is 1x4 or nothing, one VALUE repeats to fill it."""
import struct
import sys

out, shape, *values = sys.argv[1:]
element, shape = shape.split(":") if ":" in shape else ("f32", shape)
name, code, parse = {"f32": ("<f4", "f", float), "i64": ("<i8", "q", int), "bool": ("|b1", "?", lambda v: bool(int(v)))}[element]
dims = [int(d) for d in shape.split("x") if d]
count = 1
for d in dims:
    count *= d
values = [parse(v) for v in values]
if len(values) == 1:
    values *= count
assert len(values) == count, f"{shape} needs {count} values, got {len(values)}"
header = f"{{'descr': '{name}', 'fortran_order': False, 'shape': ({''.join(f'{d},' for d in dims)}), }}"
header += " " * (63 - (10 + len(header)) % 64) + "\n"
with open(out, "wb") as f:
    f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
    f.write(struct.pack(f"<{count}{code}", *values))
