//===- main.cpp - mtc, the compiler of model sets -------------------------===//
#include "Commands.h"
#include "mtc/Pipelines/Compile.h"

#include <cstdio>

using namespace mtc;
using namespace mtc::tool;

static int report(const Status &status) {
  if (!status.ok())
    std::fprintf(stderr, "mtc: error: %s\n", status.message().c_str());
  return status.exitCode();
}

int main(int argc, char **argv) {
  // The runtime's commands have their own options: nothing of them is parsed here.
  const Command *command = argc > 1 ? findCommand(argv[1]) : nullptr;
  if (command && !command->declare)
    return report(startRuntime(argv));
  if (argc > 1 && argv[1][0] != '-' && !command)
    return report(invalidInput(unknownCommand(argv[1])));
  CLI::App app("mtc compiles a set of ONNX models that share one device into one bundle.", "mtc");
  std::function<Status()> run;
  declareCommands(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &asked) { // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError &e) {
    return report(invalidInput(std::string(e.what()) + "; see mtc --help"));
  }
  return report(run());
}
