//===- Commands.h - the command table of mtc ------------------------------===//
//
// One table: parsing, help, shell completion and the man page all read it.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <vector>

namespace mtc::tool {

struct Command {
  const char *name;
  const char *summary;
  /// Adds the options to `app` and returns what runs once they are parsed. Null: a command of mtrt,
  /// which is started with the same arguments.
  std::function<Status()> (*declare)(CLI::App &app);
};

/// All commands, in the order in which help lists them.
const std::vector<Command> &commands();

/// The command called `name`, or null.
const Command *findCommand(const std::string &name);

/// "unknown command 'compyle'; known: compile, ..."
std::string unknownCommand(const std::string &name);

/// The text under every help page: what the exit codes mean.
extern const char *const exitCodes;

/// Fills `app` from the table; `run` gets what the chosen command does.
void declareCommands(CLI::App &app, std::function<Status()> &run);

/// Replaces this process by the mtrt beside it, with the arguments from argv[1] on.
/// Returns only if that fails.
Status startRuntime(char **argv);

// The commands, one .cpp each.
std::function<Status()> declareCompile(CLI::App &app);
std::function<Status()> declareExplain(CLI::App &app);
std::function<Status()> declareCompletion(CLI::App &app);
std::function<Status()> declareMan(CLI::App &app);

/// A file's content from `--json FILE`, `-` being stdout.
Status writeJson(const std::string &file, const std::string &text);

} // namespace mtc::tool
