//===- main.cpp - mtrt, the runtime's command line ------------------------===//
#include "Commands.h"

using namespace mtc::tool;

int main(int argc, char **argv) {
  const Program program = {
      .name = "mtrt",
      .summary = "mtrt runs bundles that mtc has compiled.",
      .description = "run bundles that mtc has compiled",
      .version = MTC_VERSION,
      .commands =
          {
              {"run", "run a tenant, or a round of all, on inputs; check and write outputs",
               declareRun},
              {"bench", "measure rounds, tenants alone, or their tasks", declareBench},
              {"inspect", "show what a bundle holds", declareInspect},
              {"verify", "check every byte of a bundle", declareVerify},
              {"doctor", "show what this machine offers", declareDoctor},
              {"tune-run", "measure the variants of a bundle's kernels, for 'mtc tune --import'",
               declareTuneRun},
              {"compare", "find the first value that differs between two folders", declareCompare},
          },
  };
  return runProgram(program, argc, argv);
}
