//===- LoadedCode.cpp - a shared object from memory -----------------------===//
#include "LoadedCode.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

namespace mtc::emulator {

StatusOr<std::unique_ptr<LoadedCode>> LoadedCode::load(const std::vector<uint8_t> &code) {
  std::unique_ptr<LoadedCode> loaded(new LoadedCode());
  loaded->fd = ::memfd_create("kernels", MFD_CLOEXEC);
  for (size_t done = 0; done < code.size();) {
    const ssize_t n = ::write(loaded->fd, code.data() + done, code.size() - done);
    if (n <= 0)
      return internalError("cannot write code into memory");
    done += static_cast<size_t>(n);
  }
  const std::string path = "/proc/self/fd/" + std::to_string(loaded->fd);
  loaded->handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!loaded->handle)
    return internalError(std::string("cannot load code: ") + ::dlerror());
  return loaded;
}

LoadedCode::~LoadedCode() {
  if (handle)
    ::dlclose(handle);
  if (fd >= 0)
    ::close(fd);
}

MtcKernelFn LoadedCode::function(const std::string &symbol) const {
  return reinterpret_cast<MtcKernelFn>(::dlsym(handle, symbol.c_str()));
}

} // namespace mtc::emulator
