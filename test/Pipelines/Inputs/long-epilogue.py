# long-epilogue.py N: a convolution with N activations behind it, as text. With 80 it is one kernel that is large to
# compile at vector level and small as plain loops.
import random
import sys

n = int(sys.argv[1])

random.seed(0)
print('ir_version: 10 opset_import { version: 20 } graph { name: "g"')
print('node { name: "conv" op_type: "Conv" input: "x" input: "w" output: "v0" attribute { name: "pads" ints: [2, 2, 2, 2] type: INTS } }')
for i in range(n):
    print(f'node {{ name: "t{i}" op_type: "Tanh" input: "v{i}" output: "v{i + 1}" }}')
values = ", ".join(f"{random.uniform(-0.1, 0.1):.4f}" for _ in range(64 * 32 * 25))
print(f'initializer {{ name: "w" data_type: 1 dims: [64, 32, 5, 5] float_data: [{values}] }}')
for kind, name, channels in (("input", "x", 32), ("output", f"v{n}", 64)):
    dims = " ".join(f"dim {{ dim_value: {d} }}" for d in (1, channels, 29, 31))
    print(f'{kind} {{ name: "{name}" type {{ tensor_type {{ elem_type: 1 shape {{ {dims} }} }} }} }}')
print("}")
