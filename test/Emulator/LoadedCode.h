//===- LoadedCode.h - a shared object from memory -------------------------===//
#pragma once

#include "mtc/Runtime/KernelABI.h"
#include "mtc/Support/Status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace mtc::emulator {

/// Code of a linker, callable as long as the object lives.
class LoadedCode {
public:
  /// Fails if the bytes are no shared object that can be loaded.
  static StatusOr<std::unique_ptr<LoadedCode>> load(const std::vector<uint8_t> &code);
  ~LoadedCode();
  LoadedCode(const LoadedCode &) = delete;
  LoadedCode &operator=(const LoadedCode &) = delete;

  /// Null if there is none.
  MtcKernelFn function(const std::string &symbol) const;

private:
  LoadedCode() = default;
  void *handle = nullptr;
  int fd = -1; ///< open as long as the code: dlopen takes two objects of one path for the same
};

} // namespace mtc::emulator
