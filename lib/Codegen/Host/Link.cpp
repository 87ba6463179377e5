//===- Link.cpp - objects to one shared object ----------------------------===//
//
// LLD keeps state between runs and can exit the process, so it runs in a fork of its own. It reads
// and writes files in a temporary folder: it cannot write to a memory file (renames over its
// output).
//
//===----------------------------------------------------------------------===//
#include "Link.h"

#include "Workers.h"

#include "mtc/Support/File.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

LLD_HAS_DRIVER(elf)

namespace mtc::host {

StatusOr<std::vector<uint8_t>> linkObjects(const std::vector<std::string> &objects) {
  llvm::SmallString<128> folder;
  if (std::error_code error = llvm::sys::fs::createUniqueDirectory("mtc-link", folder))
    return internalError("cannot create a temporary folder: " + error.message());
  auto inFolder = [&](const llvm::Twine &name) {
    llvm::SmallString<128> path = folder;
    llvm::sys::path::append(path, name);
    return std::string(path.str());
  };

  std::string output = inFolder("kernels.so");
  std::vector<std::string> arguments = {
      "ld.lld",      "-shared",       "--no-undefined", "--build-id=none", "--hash-style=gnu",
      "--strip-all", "--gc-sections", "-znoexecstack",  "-zrelro",         "--threads=1",
      "-o",          output};
  Status written;
  for (size_t i = 0; i < objects.size() && written.ok(); ++i) {
    std::string path = inFolder(llvm::Twine(i) + ".o");
    std::error_code error;
    llvm::raw_fd_ostream file(path, error);
    if (!error) {
      file << objects[i];
      file.close();
      error = file.error();
      file.clear_error();
    }
    if (error)
      written = internalError("cannot write " + path + ": " + error.message());
    arguments.push_back(path);
  }

  StatusOr<std::vector<uint8_t>> result = internalError("not linked");
  if (written.ok()) {
    KernelLimits limits{/*memoryMiB=*/4096, /*seconds=*/60};
    auto outcomes = runContained(
        1, 1, limits,
        [&](size_t) {
          std::vector<const char *> argv;
          for (const std::string &a : arguments)
            argv.push_back(a.c_str());
          std::string errors;
          llvm::raw_string_ostream stream(errors);
          lld::Result r = lld::lldMain(argv, llvm::nulls(), stream, {{lld::Gnu, &lld::elf::link}});
          return Outcome{r.retCode == 0, errors};
        },
        nullptr);
    if (!outcomes.ok())
      result = outcomes.status();
    else if (!outcomes->front().ok)
      result = internalError("linking kernels failed: " +
                             llvm::StringRef(outcomes->front().bytes).trim().str());
    else
      result = readFile(output);
  } else {
    result = written;
  }
  llvm::sys::fs::remove_directories(folder);
  return result;
}

} // namespace mtc::host
