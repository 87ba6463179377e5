//===- Assemble.cpp - PTX to machine code by ptxas ------------------------===//
#include "Assemble.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

using llvm::StringRef;

namespace mtc::cuda {
namespace {

/// A file that goes with the object.
struct TemporaryFile {
  llvm::SmallString<128> path;
  explicit TemporaryFile(StringRef suffix) {
    if (llvm::sys::fs::createTemporaryFile("mtc-kernel", suffix, path))
      path.clear();
  }
  ~TemporaryFile() {
    if (!path.empty())
      ::unlink(path.c_str());
  }
};

/// Runs a program, which ends with this process, and returns its exit status and all it said.
StatusOr<std::pair<int, std::string>> runProgram(const std::vector<std::string> &words) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return internalError(std::string("cannot make a pipe: ") + std::strerror(errno));
  std::vector<char *> arguments;
  for (const std::string &word : words)
    arguments.push_back(const_cast<char *>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  std::string said;
  char chunk[4096];
  for (ssize_t n; pid > 0 && ((n = ::read(ends[0], chunk, sizeof chunk)) > 0 || errno == EINTR);)
    said.append(chunk, n > 0 ? n : 0);
  ::close(ends[0]);
  int status = 0;
  if (pid < 0)
    return internalError(std::string("cannot fork: ") + std::strerror(errno));
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status))
    return internalError("'" + words[0] + "' was killed by signal " +
                         std::to_string(WTERMSIG(status)));
  return std::pair(WEXITSTATUS(status), said);
}

/// The number before `unit` in "..., 512 bytes smem, ...", or 0.
int32_t numberBefore(StringRef line, StringRef unit) {
  size_t at = line.find(unit);
  if (at == StringRef::npos)
    return 0;
  StringRef before = line.take_front(at).rtrim();
  StringRef digits = before.substr(before.find_last_not_of("0123456789") + 1);
  int32_t number = 0;
  digits.getAsInteger(10, number);
  return number;
}

/// ptxas -v writes for each function a line with its name, one on its stack and one on the rest.
std::vector<Resources> parseReport(StringRef report) {
  std::vector<Resources> functions;
  llvm::SmallVector<StringRef> lines;
  report.split(lines, '\n');
  for (StringRef line : lines) {
    if (line.contains("Compiling entry function")) {
      functions.emplace_back().function = line.split('\'').second.split('\'').first.str();
    } else if (!functions.empty() && line.contains("bytes stack frame")) {
      functions.back().stackBytes = numberBefore(line, "bytes stack frame");
      functions.back().spillBytes =
          numberBefore(line, "bytes spill stores") + numberBefore(line, "bytes spill loads");
    } else if (!functions.empty() && line.contains("registers")) {
      functions.back().registers = numberBefore(line, "registers");
      functions.back().sharedBytes = numberBefore(line, "bytes smem");
    }
  }
  return functions;
}

} // namespace

std::string findPtxas(const std::string &given) {
  if (!given.empty())
    return given;
  if (auto found = llvm::sys::findProgramByName("ptxas"))
    return *found;
  // Beside the program: where cmake/setup.sh puts the one of the wheel.
  const std::string self = llvm::sys::fs::getMainExecutable(nullptr, nullptr);
  if (auto found = llvm::sys::findProgramByName(
          "ptxas", {"/usr/local/cuda/bin", llvm::sys::path::parent_path(self)}))
    return *found;
  return "";
}

StatusOr<std::string> ptxasVersion(const std::string &ptxas) {
  MTC_ASSIGN_OR_RETURN(auto result, runProgram({ptxas, "--version"}));
  StringRef text = result.second;
  size_t at = text.find("release");
  if (result.first != 0 || at == StringRef::npos)
    return invalidInput("'" + ptxas + "' is no ptxas: it says '" + text.split('\n').first.str() +
                        "'");
  return text.substr(at).split('\n').first.str();
}

StatusOr<Assembled> assemble(const std::string &ptxas, const std::string &ptx,
                             const std::string &architecture) {
  TemporaryFile source("ptx"), object("cubin");
  std::error_code error;
  {
    llvm::raw_fd_ostream stream(source.path, error);
    stream << ptx;
  }
  if (source.path.empty() || object.path.empty() || error)
    return internalError("cannot write temporary files for ptxas");
  MTC_ASSIGN_OR_RETURN(auto result, runProgram({ptxas, "-arch=" + architecture, "-v", "-o",
                                                object.path.str().str(), source.path.str().str()}));
  if (result.first != 0) {
    StringRef said = result.second;
    llvm::SmallVector<StringRef> lines;
    said.split(lines, '\n');
    for (StringRef line : lines)
      if (line.contains("error") || line.contains("fatal")) {
        said = line;
        break;
      }
    return internalError("ptxas says '" + said.split('\n').first.trim().str() + "'");
  }
  auto cubin = llvm::MemoryBuffer::getFile(object.path);
  if (!cubin)
    return internalError("ptxas wrote no code");
  return Assembled{(*cubin)->getBuffer().str(), parseReport(result.second)};
}

} // namespace mtc::cuda
