//===- main.cpp - mtrt, the runtime's command line ------------------------===//
#include "Commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

using namespace mtc;
using namespace mtc::tool;

static int report(const Status &status) {
  if (!status.ok())
    std::fprintf(stderr, "mtrt: error: %s\n", status.message().c_str());
  return status.exitCode();
}

/// CLI11 would say that a command is missing, not that this one is unknown.
static Status checkCommand(const std::string &name) {
  std::vector<std::string> known;
  for (const CommandRow &command : commands()) {
    if (name == command.name || name.starts_with("-"))
      return okStatus();
    known.push_back(command.name);
  }
  return invalidInput(fmt::format("unknown command '{}'; known: {}", name, fmt::join(known, ", ")));
}

int main(int argc, char **argv) {
  if (argc > 1)
    if (const Status status = checkCommand(argv[1]); !status.ok())
      return report(status);
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
