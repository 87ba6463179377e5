# lit runs .mlir, .test and .textproto files. A .textproto is an ONNX model in text form; %onnx{FILE}
# is not needed: tests encode with `%protoc-onnx < %s > %t.onnx`.
import os
import shutil
import subprocess

import lit.formats

config.name = "mtc"
config.test_format = lit.formats.ShTest(execute_external=True)
config.suffixes = [".mlir", ".test", ".textproto"]
config.excludes = ["Inputs", "CMakeLists.txt"]
config.test_source_root = os.path.join(config.mtc_source_dir, "test")
config.test_exec_root = os.path.join(config.mtc_binary_dir, "test")
# Suites that run at the same time must not share lit's file of test times.
if "suite" in lit_config.params:
    config.test_exec_root = os.path.join(config.test_exec_root, "lit", lit_config.params["suite"])

bin_dir = os.path.join(config.mtc_binary_dir, "bin")
config.environment["PATH"] = os.pathsep.join([bin_dir, config.llvm_tools_dir, os.environ["PATH"]])
for name in ("HOME", "XDG_CACHE_HOME", "ASAN_OPTIONS", "PYTHONPATH"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

# Longest names first: lit replaces text, not words.
config.substitutions.append(
    ("%protoc-onnx", f"{config.protoc} --encode=onnx.ModelProto -I {config.onnx_proto_dir} {config.onnx_proto_dir}/onnx/onnx.proto"))
config.substitutions.append(("%FileCheck", config.filecheck))
config.substitutions.append(("%src", config.mtc_source_dir))
config.substitutions.append(("%bin", bin_dir))

# Tests of assembled CUDA kernels need ptxas; where it is not installed they are reported as unsupported.
if shutil.which("ptxas", path=os.pathsep.join([os.environ["PATH"], "/usr/local/cuda/bin", bin_dir])):
    config.available_features.add("ptxas")

# The fake CUDA driver is built where cuda.h is.
fake_cuda = os.path.join(config.mtc_binary_dir, "unittests", "libcuda-fake.so")
if os.path.exists(fake_cuda):
    config.available_features.add("fake-cuda")
config.substitutions.insert(0, ("%fake-cuda", fake_cuda))

# Reports are opened in a browser where there is one.
browser = shutil.which("chromium")
if browser and subprocess.run(["python3", "-c", "import playwright"], capture_output=True).returncode == 0:
    config.available_features.add("browser")
    config.substitutions.append(("%browser", browser))
