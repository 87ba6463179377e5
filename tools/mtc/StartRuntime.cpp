//===- StartRuntime.cpp - the mtrt beside mtc -----------------------------===//
#include "StartRuntime.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace mtc::tool {

StatusOr<std::string> runtimePath() {
  std::error_code error;
  std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error)
    return internalError("cannot find the folder of mtc: " + error.message());
  return (self.parent_path() / "mtrt").string();
}

StatusOr<std::string> runRuntime(const std::vector<std::string> &arguments) {
  MTC_ASSIGN_OR_RETURN(std::string program, runtimePath());
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char *> argv;
  for (std::string &word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return internalError(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t child = 0;
  const int failed = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  char buffer[65536];
  while (!failed) {
    const ssize_t got = read(ends[0], buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    text.append(buffer, size_t(got));
  }
  close(ends[0]);
  if (failed)
    return internalError(fmt::format("cannot start '{}': {}", program, std::strerror(failed)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return text;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
  return Status(code <= int(ErrorCode::BundleRefused) ? ErrorCode(code) : ErrorCode::Internal,
                fmt::format("'{} {}' ended with {}", program, arguments.at(0),
                            WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                                : fmt::format("code {}", code)));
}

} // namespace mtc::tool
