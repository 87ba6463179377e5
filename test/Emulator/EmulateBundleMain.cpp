//===- EmulateBundleMain.cpp - mtc-emulate-bundle -------------------------===//
//
// mtc-emulate-bundle BUNDLE PREFIX [--no-checks]: see EmulateBundle.h. --no-checks leaves out the
// checks of every access to memory, which cost 48 bytes a byte and most of the time.
//
//===----------------------------------------------------------------------===//
#include "EmulateBundle.h"

#include "llvm/Support/raw_ostream.h"

using namespace mtc;

static Status run(const std::string &path, const std::string &prefix, bool checks) {
  MTC_ASSIGN_OR_RETURN(const auto bundle, BundleReader::open(path));
  return emulator::emulateBundle(*bundle, prefix, checks);
}

int main(int argc, char **argv) {
  if (argc < 3) {
    llvm::errs() << "usage: mtc-emulate-bundle BUNDLE PREFIX [--no-checks]\n";
    return 2;
  }
  const bool checks = argc < 4 || llvm::StringRef(argv[3]) != "--no-checks";
  const Status status = run(argv[1], argv[2], checks);
  if (!status.ok())
    llvm::errs() << "error: " << status.message() << "\n";
  return status.exitCode();
}
