//===- Code.cpp - memfd and dlopen ----------------------------------------===//
//
// dlopen wants a path: the bytes go to an anonymous file in memory, opened by its path in
// /proc/self/fd. The descriptor stays open as long as the code is loaded: the loader recognizes
// libraries by path, and a reused descriptor number would give it the wrong one.
//
//===----------------------------------------------------------------------===//
#include "Code.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>
#include <utility>

namespace mtc::host {

void LoadedCode::swap(LoadedCode &other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(handle_, other.handle_);
  std::swap(kernels_, other.kernels_);
}

LoadedCode::~LoadedCode() {
  if (handle_)
    dlclose(handle_);
  if (descriptor_ >= 0)
    close(descriptor_);
}

StatusOr<LoadedCode> LoadedCode::load(std::span<const uint8_t> code,
                                      const std::vector<std::vector<std::string>> &symbols) {
  const auto systemError = [](const char *action) {
    return internalError(fmt::format("cannot {} the kernels: {}", action, std::strerror(errno)));
  };
  LoadedCode loaded;
  loaded.descriptor_ = memfd_create("mtc-kernels", MFD_CLOEXEC);
  if (loaded.descriptor_ < 0)
    return systemError("allocate memory for");
  for (size_t done = 0; done < code.size();) {
    const ssize_t put = write(loaded.descriptor_, code.data() + done, code.size() - done);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return systemError("copy");
    done += static_cast<size_t>(put);
  }
  const std::string path = fmt::format("/proc/self/fd/{}", loaded.descriptor_);
  loaded.handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!loaded.handle_)
    return bundleRefused(fmt::format("cannot load the kernels: {}", dlerror()));
  for (const auto &variants : symbols) {
    auto &functions = loaded.kernels_.emplace_back();
    for (const std::string &symbol : variants) {
      // A region has no code.
      void *address = symbol.empty() ? nullptr : dlsym(loaded.handle_, symbol.c_str());
      if (!address && !symbol.empty())
        return bundleRefused(fmt::format("the bundle's code has no symbol '{}'", symbol));
      functions.push_back(reinterpret_cast<MtcKernelFn>(address));
    }
  }
  return loaded;
}

} // namespace mtc::host
