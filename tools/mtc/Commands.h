//===- Commands.h - the commands of mtc -----------------------------------===//
#pragma once

#include "CommandLine.h"

namespace mtc::tool {

// One .cpp each.
std::function<Status()> declareCompile(CLI::App &app);
std::function<Status()> declareExplain(CLI::App &app);
std::function<Status()> declareSimulate(CLI::App &app);
std::function<Status()> declareTune(CLI::App &app);

} // namespace mtc::tool
