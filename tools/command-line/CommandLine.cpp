//===- CommandLine.cpp - parses and runs a table of commands --------------===//
#include "CommandLine.h"

#include "mtc/Support/File.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <memory>

namespace mtc::tool {

const char *const exitCodes =
    "Exit codes: 0 ok, 1 internal, 2 usage or bad input, 3 unsupported operator, 4 SLOs cannot be "
    "met,\n"
    "5 numeric mismatch, 6 unstable measurement, 7 device missing or lost, 8 bundle refused.";

static std::function<Status()> declareCompletion(const Program &program, CLI::App &app,
                                                 CLI::App &sub) {
  auto shell = std::make_shared<std::string>();
  sub.add_option("shell", *shell, "bash, zsh or fish")
      ->type_name("")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return [&program, &app, shell] {
    return print(*shell == "bash"  ? bashCompletion(program, app)
                 : *shell == "zsh" ? zshCompletion(program, app)
                                   : fishCompletion(program, app));
  };
}

void declareCommands(const Program &program, CLI::App &app, std::function<Status()> &run) {
  app.set_version_flag("--version", fmt::format("{} {}", program.name, program.version),
                       "print the version");
  app.set_help_flag("-h,--help", "print this help");
  app.footer(exitCodes);
  app.require_subcommand(1);
  auto add = [&](const char *name, const char *summary) {
    CLI::App *sub = app.add_subcommand(name, summary);
    sub->footer(exitCodes);
    return sub;
  };
  auto runs = [&run](CLI::App *sub, std::function<Status()> action) {
    sub->callback([&run, action] { run = action; });
  };
  for (const CommandRow &command : program.commands) {
    CLI::App *sub = add(command.name, command.summary);
    if (command.declare)
      runs(sub, command.declare(*sub));
  }
  CLI::App *completion = add("completion", "print a completion script for a shell");
  runs(completion, declareCompletion(program, app, *completion));
  runs(add("man", "print this manual as a man page"),
       [&program, &app] { return print(manPage(program, app)); });
}

/// CLI11 would say that a command is missing, not that this one is unknown.
static Status checkCommand(const CLI::App &app, const std::string &name) {
  std::vector<std::string> known;
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
    if (name == command->get_name() || name.starts_with("-"))
      return okStatus();
    known.push_back(command->get_name());
  }
  return invalidInput(fmt::format("unknown command '{}'; known: {}", name, fmt::join(known, ", ")));
}

static Status parseAndRun(const Program &program, int argc, char **argv, int &exitCode) {
  // Another program's commands have their own options: nothing of them is parsed here.
  for (const CommandRow &command : program.commands)
    if (argc > 1 && !command.declare && std::string(argv[1]) == command.name)
      return program.forward(argv);
  CLI::App app(program.summary, program.name);
  std::function<Status()> run;
  declareCommands(program, app, run);
  if (argc > 1)
    MTC_RETURN_IF_ERROR(checkCommand(app, argv[1]));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &asked) { // --help, --version
    exitCode = app.exit(asked);
    return okStatus();
  } catch (const CLI::ParseError &e) {
    return invalidInput(fmt::format("{}; see {} --help", e.what(), program.name));
  }
  try {
    return run();
  } catch (const std::exception &e) { // no memory
    return internalError(e.what());
  }
}

int runProgram(const Program &program, int argc, char **argv) {
  int exitCode = 0;
  Status status = parseAndRun(program, argc, argv, exitCode);
  if (status.ok())
    return exitCode;
  std::fprintf(stderr, "%s: error: %s\n", program.name, status.message().c_str());
  return status.exitCode();
}

Status print(const std::string &text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) ? invalidInput("cannot write to stdout") : okStatus();
}

Status writeReport(const std::string &file, const std::string &text) {
  if (file.empty())
    return okStatus();
  return file == "-" ? print(text) : writeFile(file, text);
}

} // namespace mtc::tool
