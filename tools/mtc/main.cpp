//===- main.cpp - mtc, the compiler of model sets -------------------------===//
//
// The runtime's commands are listed here too and start the mtrt beside mtc: one program to
// remember, two to deploy.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "StartRuntime.h"
#include "mtc/Pipelines/Compile.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

using namespace mtc;
using namespace mtc::tool;

/// Replaces this process by the mtrt beside it, with the same arguments.
static Status startRuntime(char **argv) {
  MTC_ASSIGN_OR_RETURN(std::string runtime, runtimePath());
  argv[0] = runtime.data();
  execv(runtime.c_str(), argv);
  return internalError(fmt::format("cannot start '{}': {}", runtime, std::strerror(errno)));
}

int main(int argc, char **argv) {
  const Program program = {
      .name = "mtc",
      .summary = "mtc compiles a set of ONNX models that share one device into one bundle.",
      .description = "compile a set of ONNX models that share one device",
      .version = compilerVersion(),
      .commands =
          {
              {"compile", "compile models into a bundle, or print an earlier phase",
               declareCompile},
              {"explain", "shapes, FLOPs, bytes, largest tasks and every unsupported node",
               declareExplain},
              {"simulate", "latencies of a round and under open load; do the SLOs hold?",
               declareSimulate},
              {"tune", "measure the configs of a set's kernels, for 'mtc compile --tuning-db'",
               declareTune},
              {"run", "run a bundle on inputs (starts mtrt)", nullptr},
              {"bench", "measure a bundle (starts mtrt)", nullptr},
              {"inspect", "show what a bundle holds (starts mtrt)", nullptr},
              {"verify", "check every byte of a bundle (starts mtrt)", nullptr},
              {"doctor", "show what this machine offers (starts mtrt)", nullptr},
              {"tune-run", "measure the variants of a bundle's kernels (starts mtrt)", nullptr},
              {"compare", "find the first value that differs between two folders (starts mtrt)",
               nullptr},
          },
      .values = {{"--emit", phaseNames()}, {"--layout", {"joint", "gpulet", "streams"}}},
      .forward = startRuntime,
  };
  return runProgram(program, argc, argv);
}
