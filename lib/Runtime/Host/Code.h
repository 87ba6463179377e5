//===- Code.h - the kernels of a bundle in this process -------------------===//
#pragma once

#include "mtc/Runtime/KernelABI.h"
#include "mtc/Support/Status.h"

#include <span>
#include <string>
#include <vector>

namespace mtc::host {

/// A shared object loaded from memory, with its kernels resolved.
///
/// Ownership: unloads with the object; no kernel may run then.
class LoadedCode {
public:
  LoadedCode() = default;
  LoadedCode(LoadedCode &&other) noexcept { swap(other); }
  LoadedCode &operator=(LoadedCode &&other) noexcept {
    swap(other);
    return *this;
  }
  ~LoadedCode();

  /// Loads `code` and resolves symbols[kernel][variant].
  /// Fails if the system cannot load it or a symbol is missing (BundleRefused).
  static StatusOr<LoadedCode> load(std::span<const uint8_t> code,
                                   const std::vector<std::vector<std::string>> &symbols);

  /// The function of a variant of a kernel.
  /// Null if the bundle names no such variant.
  MtcKernelFn kernel(size_t kernel, size_t variant) const {
    return kernel < kernels_.size() && variant < kernels_[kernel].size() ? kernels_[kernel][variant]
                                                                         : nullptr;
  }

private:
  void swap(LoadedCode &other) noexcept;
  int descriptor_ = -1;
  void *handle_ = nullptr;
  std::vector<std::vector<MtcKernelFn>> kernels_;
};

} // namespace mtc::host
