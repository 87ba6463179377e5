//===- main.cpp - mtrt, the runtime's command line ------------------------===//
#include "Commands.h"

#include <cstdio>

using namespace mtc;
using namespace mtc::tool;

static int report(const Status &status) {
  if (!status.ok())
    std::fprintf(stderr, "mtrt: error: %s\n", status.message().c_str());
  return status.exitCode();
}

int main(int argc, char **argv) {
  CLI::App app("mtrt runs bundles that mtc has compiled.", "mtrt");
  std::function<Status()> run;
  declareCommands(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &asked) { // --help, --version
    return app.exit(asked);
  } catch (const CLI::ParseError &e) {
    return report(invalidInput(std::string(e.what()) + "; see mtrt --help"));
  }
  try {
    return report(run());
  } catch (const std::exception &e) { // no memory
    return report(internalError(e.what()));
  }
}
