//===- ShellText.cpp - completion scripts and the man page ----------------===//
#include "CommandLine.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>

namespace mtc::tool {

static std::vector<const CLI::App *> commandsOf(const CLI::App &app) {
  return app.get_subcommands([](const CLI::App *) { return true; });
}

/// "--output", "-o", ... of a command, in the order of help.
static std::vector<std::string> optionNames(const CLI::App &command) {
  std::vector<std::string> names;
  for (const CLI::Option *option : command.get_options()) {
    for (const std::string &name : option->get_lnames())
      names.push_back("--" + name);
    for (const std::string &name : option->get_snames())
      names.push_back("-" + name);
  }
  return names;
}

std::string bashCompletion(const Program &program, const CLI::App &app) {
  std::string options, names, values;
  for (const CLI::App *command : commandsOf(app)) {
    names += (names.empty() ? "" : " ") + command->get_name();
    options += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(),
                           fmt::join(optionNames(*command), " "));
  }
  for (const auto &[option, words] : program.values)
    values += fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return ;;\n",
                          option, fmt::join(words, " "));
  return fmt::format(R"(_{name}() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} words
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{names} {global}" -- "$current"))
    return
  fi
  case "${{COMP_WORDS[COMP_CWORD-1]}}" in
{values}  esac
  case "${{COMP_WORDS[1]}}" in
{options}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  fi
}}
complete -o default -F _{name} {name}
)",
                     fmt::arg("name", program.name), fmt::arg("names", names),
                     fmt::arg("global", fmt::join(optionNames(app), " ")),
                     fmt::arg("values", values), fmt::arg("options", options));
}

std::string zshCompletion(const Program &program, const CLI::App &app) {
  std::string names, options, values;
  for (const CLI::App *command : commandsOf(app)) {
    names += fmt::format("    '{}:{}'\n", command->get_name(), command->get_description());
    options += fmt::format("    {}) compadd -- {} ;;\n", command->get_name(),
                           fmt::join(optionNames(*command), " "));
  }
  for (const auto &[option, words] : program.values)
    values += fmt::format("    {}) compadd -- {}; return ;;\n", option, fmt::join(words, " "));
  return fmt::format(R"(#compdef {name}
_{name}() {{
  local -a commands=(
{names}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[CURRENT-1] in
{values}  esac
  [[ $PREFIX == -* ]] && case $words[2] in
{options}  esac
  _files
}}
compdef _{name} {name}
)",
                     fmt::arg("name", program.name), fmt::arg("names", names),
                     fmt::arg("values", values), fmt::arg("options", options));
}

std::string fishCompletion(const Program &program, const CLI::App &app) {
  std::string text;
  for (const CLI::App *command : commandsOf(app)) {
    text += fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d '{}'\n", program.name,
                        command->get_name(), command->get_description());
    for (const CLI::Option *option : command->get_options()) {
      std::string names;
      for (const std::string &name : option->get_lnames())
        names += " -l " + name;
      for (const std::string &name : option->get_snames())
        names += (name.size() == 1 ? " -s " : " -o ") + name;
      if (names.empty())
        continue;
      auto words = program.values.find(option->get_name());
      std::string values = words == program.values.end()
                               ? ""
                               : fmt::format(" -x -a '{}'", fmt::join(words->second, " "));
      text += fmt::format("complete -c {} -n '__fish_seen_subcommand_from {}'{}{}\n", program.name,
                          command->get_name(), names, values);
    }
  }
  return text;
}

/// Text for roff: a backslash, a leading dot and a dash mean something there.
static std::string roff(const std::string &text) {
  std::string result;
  for (char c : text)
    result += c == '\\' ? "\\e" : c == '-' ? "\\-" : std::string(1, c);
  return !result.empty() && (result[0] == '.' || result[0] == '\'') ? "\\&" + result : result;
}

std::string manPage(const Program &program, const CLI::App &app) {
  std::string title = program.name;
  for (char &c : title)
    c = char(std::toupper(static_cast<unsigned char>(c)));
  std::string text =
      fmt::format(".TH {0} 1 \"\" \"{1} {2}\" \"User Commands\"\n.SH NAME\n{1} \\- {3}\n"
                  ".SH SYNOPSIS\n.B {1}\n.I command\n[options]\n.SH COMMANDS\n",
                  title, program.name, program.version, program.description);
  for (const CLI::App *command : commandsOf(app)) {
    text +=
        fmt::format(".SS {}\n{}\n", roff(command->get_name()), roff(command->get_description()));
    for (const CLI::Option *option : command->get_options())
      text += fmt::format(".TP\n.B {} {}\n{}\n", roff(option->get_name(true, true)),
                          roff(option->get_type_name()), roff(option->get_description()));
  }
  return text + fmt::format(".SH EXIT STATUS\n{}\n", roff(exitCodes));
}

} // namespace mtc::tool
