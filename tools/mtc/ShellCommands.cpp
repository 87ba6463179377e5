//===- ShellCommands.cpp - completion scripts and the man page ------------===//
//
// Both walk the command line that the table declares, so neither can name an option that is not
// there.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "mtc/Pipelines/Compile.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

namespace mtc::tool {
namespace {

/// The command line of all commands, declared a second time to be read.
struct Declared {
  Declared() { declareCommands(app, run); }
  CLI::App app{"", "mtc"};
  std::function<Status()> run;
};

/// "--output", "-o", ... of a command, in the order of help.
std::vector<std::string> optionNames(const CLI::App &command) {
  std::vector<std::string> names;
  for (const CLI::Option *option : command.get_options()) {
    for (const std::string &name : option->get_lnames())
      names.push_back("--" + name);
    for (const std::string &name : option->get_snames())
      names.push_back("-" + name);
  }
  return names;
}

std::string bashCompletion(const CLI::App &app) {
  std::string cases, names;
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
    names += (names.empty() ? "" : " ") + command->get_name();
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(),
                         fmt::join(optionNames(*command), " "));
  }
  return fmt::format(R"(_mtc() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{} {}" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[1]}}" in
{}  esac
  if [ "$previous" = --emit ]; then
    COMPREPLY=($(compgen -W "{}" -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -o default -F _mtc mtc
)",
                     names, fmt::join(optionNames(app), " "), cases, fmt::join(phaseNames(), " "));
}

std::string zshCompletion(const CLI::App &app) {
  std::string names, cases;
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
    names += fmt::format("    '{}:{}'\n", command->get_name(), command->get_description());
    cases += fmt::format("    {}) compadd -- {} ;;\n", command->get_name(),
                         fmt::join(optionNames(*command), " "));
  }
  return fmt::format(R"(#compdef mtc
_mtc() {{
  local -a commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  if [[ $words[CURRENT-1] == --emit ]]; then
    compadd -- {}
    return
  fi
  [[ $PREFIX == -* ]] && case $words[2] in
{}  esac
  _files
}}
compdef _mtc mtc
)",
                     names, fmt::join(phaseNames(), " "), cases);
}

std::string fishCompletion(const CLI::App &app) {
  std::string text;
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
    text += fmt::format("complete -c mtc -n __fish_use_subcommand -a {} -d '{}'\n",
                        command->get_name(), command->get_description());
    for (const CLI::Option *option : command->get_options()) {
      std::string names;
      for (const std::string &name : option->get_lnames())
        names += " -l " + name;
      for (const std::string &name : option->get_snames())
        names += (name.size() == 1 ? " -s " : " -o ") + name;
      if (!names.empty())
        text += fmt::format("complete -c mtc -n '__fish_seen_subcommand_from {}'{}\n",
                            command->get_name(), names);
    }
  }
  return text + fmt::format(
                    "complete -c mtc -n '__fish_seen_subcommand_from compile' -l emit -x -a '{}'\n",
                    fmt::join(phaseNames(), " "));
}

/// Text for roff: a backslash, a leading dot and a dash mean something there.
std::string roff(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  return !result.empty() && (result[0] == '.' || result[0] == '\'') ? "\\&" + result : result;
}

std::string manPage(const CLI::App &app) {
  std::string text = fmt::format(".TH MTC 1 \"\" \"mtc {}\" \"User Commands\"\n.SH NAME\n"
                                 "mtc \\- compile a set of ONNX models that share one device\n"
                                 ".SH SYNOPSIS\n.B mtc\n.I command\n[options]\n.SH COMMANDS\n",
                                 compilerVersion());
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; })) {
    text +=
        fmt::format(".SS {}\n{}\n", roff(command->get_name()), roff(command->get_description()));
    for (const CLI::Option *option : command->get_options())
      text += fmt::format(".TP\n.B {} {}\n{}\n", roff(option->get_name(true, true)),
                          roff(option->get_type_name()), roff(option->get_description()));
  }
  return text + fmt::format(".SH EXIT STATUS\n{}\n", roff(exitCodes));
}

Status print(const std::string &text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return std::fflush(stdout) ? invalidInput("cannot write to stdout") : okStatus();
}

} // namespace

std::function<Status()> declareCompletion(CLI::App &app) {
  auto shell = std::make_shared<std::string>();
  app.add_option("shell", *shell, "bash, zsh or fish")
      ->type_name("")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return [shell] {
    Declared declared;
    return print(*shell == "bash"  ? bashCompletion(declared.app)
                 : *shell == "zsh" ? zshCompletion(declared.app)
                                   : fishCompletion(declared.app));
  };
}

std::function<Status()> declareMan(CLI::App &) {
  return [] { return print(manPage(Declared().app)); };
}

} // namespace mtc::tool
