#!/usr/bin/env python3
"""big.py: prints a model with 2 MiB of weights, more than a test's limit on file sizes allows."""
values = ",".join(str(i) for i in range(512 * 1024))
print(f"""ir_version: 8
opset_import {{ version: 17 }}
graph {{
  name: "big"
  input {{ name: "x" type {{ tensor_type {{ elem_type: 1 shape {{ dim {{ dim_value: 1 }} dim {{ dim_value: 512 }} }} }} }} }}
  output {{ name: "y" type {{ tensor_type {{ elem_type: 1 }} }} }}
  initializer {{ name: "w" data_type: 1 dims: 512 dims: 1024 float_data: [{values}] }}
  node {{ op_type: "MatMul" name: "m" input: ["x", "w"] output: "y" }}
}}""")
