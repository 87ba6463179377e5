//===- CommandLine.h - what mtc and mtrt share: a table of commands -------===//
//
// A program is a table. Parsing, help, errors, shell completion and the man page all read it, so
// none of them can name an option that is not there. Every program has the commands `completion`
// and `man` besides its own.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mtc::tool {

struct CommandRow {
  const char *name;
  const char *summary;
  /// Adds the options to `app` and returns what runs once they are parsed. Null: the command of
  /// another program, which `Program::forward` starts with the same arguments.
  std::function<Status()> (*declare)(CLI::App &app);
};

struct Program {
  const char *name;        ///< "mtc"
  const char *summary;     ///< "mtc compiles a set of ..."
  const char *description; ///< of the man page's NAME: "compile a set of ..."
  std::string version;
  std::vector<CommandRow> commands; ///< in the order in which help lists them
  /// Words that complete the value of an option: {"--emit", {"model", ...}}.
  std::map<std::string, std::vector<std::string>> values = {};
  /// Replaces this process for a command without `declare`; returns only if that fails.
  Status (*forward)(char **argv) = nullptr;
};

/// Parses and runs; returns the exit code. Errors are one line on stderr: `NAME: error: ...`.
int runProgram(const Program &program, int argc, char **argv);

/// Fills `app` with the program's commands; `run` gets what the chosen one does.
void declareCommands(const Program &program, CLI::App &app, std::function<Status()> &run);

/// The text under every help page: what the exit codes mean.
extern const char *const exitCodes;

/// Writes to stdout. Fails if that does.
Status print(const std::string &text);

/// Writes the text of a report where `--json FILE` says; `-` is stdout, empty is nowhere.
Status writeReport(const std::string &file, const std::string &text);

// Scripts and pages from the declared command line (ShellText.cpp).
std::string bashCompletion(const Program &program, const CLI::App &app);
std::string zshCompletion(const Program &program, const CLI::App &app);
std::string fishCompletion(const Program &program, const CLI::App &app);
std::string manPage(const Program &program, const CLI::App &app);

} // namespace mtc::tool
