//===- Commands.cpp - the command table of mtc ----------------------------===//
#include "Commands.h"
#include "mtc/Pipelines/Compile.h"
#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace mtc::tool {

const char *const exitCodes =
    "Exit codes: 0 ok, 1 internal, 2 usage or bad input, 3 unsupported operator, 4 SLOs cannot be "
    "met,\n"
    "5 numeric mismatch, 6 unstable measurement, 7 device missing or lost, 8 bundle refused.";

const std::vector<Command> &commands() {
  static const std::vector<Command> table = {
      {"compile", "compile models into a bundle, or print an earlier phase", declareCompile},
      {"explain", "shapes, FLOPs, bytes, largest tasks and every unsupported node", declareExplain},
      {"run", "run a bundle on inputs (starts mtrt)", nullptr},
      {"bench", "measure a bundle (starts mtrt)", nullptr},
      {"inspect", "show what a bundle holds (starts mtrt)", nullptr},
      {"verify", "check every byte of a bundle (starts mtrt)", nullptr},
      {"doctor", "show what this machine offers (starts mtrt)", nullptr},
      {"compare", "find the first value that differs between two folders (starts mtrt)", nullptr},
      {"completion", "print a completion script for a shell", declareCompletion},
      {"man", "print this manual as a man page", declareMan},
  };
  return table;
}

const Command *findCommand(const std::string &name) {
  for (const Command &command : commands())
    if (name == command.name)
      return &command;
  return nullptr;
}

std::string unknownCommand(const std::string &name) {
  std::string known;
  for (const Command &command : commands())
    known += fmt::format("{}{}", known.empty() ? "" : ", ", command.name);
  return fmt::format("unknown command '{}'; known: {}", name, known);
}

void declareCommands(CLI::App &app, std::function<Status()> &run) {
  app.set_version_flag("--version", "mtc " + compilerVersion(), "print the version");
  app.set_help_flag("-h,--help", "print this help");
  app.footer(exitCodes);
  app.require_subcommand(1);
  for (const Command &command : commands()) {
    CLI::App *sub = app.add_subcommand(command.name, command.summary);
    sub->footer(exitCodes);
    if (!command.declare)
      continue;
    std::function<Status()> action = command.declare(*sub);
    sub->callback([&run, action] { run = action; });
  }
}

Status startRuntime(char **argv) {
  std::error_code error;
  std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error)
    return internalError("cannot find the folder of mtc: " + error.message());
  std::string runtime = (self.parent_path() / "mtrt").string();
  argv[0] = runtime.data();
  execv(runtime.c_str(), argv);
  return internalError(fmt::format("cannot start '{}': {}", runtime, std::strerror(errno)));
}

Status writeJson(const std::string &file, const std::string &text) {
  if (file != "-")
    return writeFile(file, text);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) ? invalidInput("cannot write to stdout") : okStatus();
}

} // namespace mtc::tool
