//===- Driver.cpp - dlopen and cuGetProcAddress ---------------------------===//
#include "Driver.h"

#include <fmt/format.h>

#include <dlfcn.h>

namespace mtc::gpu {

static Status unavailable(std::string message) {
  return {ErrorCode::DeviceUnavailable, std::move(message)};
}

Driver::~Driver() {
  if (library)
    ::dlclose(library);
}

StatusOr<std::shared_ptr<const Driver>> Driver::open(const std::string &path) {
  auto driver = std::make_shared<Driver>();
  const std::string file = path.empty() ? "libcuda.so.1" : path;
  driver->library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!driver->library)
    return unavailable(fmt::format("no CUDA driver: {}", ::dlerror()));
  const auto getProcAddress = reinterpret_cast<decltype(&::cuGetProcAddress)>(
      ::dlsym(driver->library, "cuGetProcAddress_v2"));
  if (!getProcAddress)
    return unavailable(fmt::format("the CUDA driver '{}' is older than 12.0", file));
#define MTC_CUDA_LOAD(name)                                                                        \
  if (void *function = nullptr;                                                                    \
      getProcAddress(#name, &function, CUDA_VERSION, CU_GET_PROC_ADDRESS_DEFAULT, nullptr) !=      \
          CUDA_SUCCESS ||                                                                          \
      !function)                                                                                   \
    return unavailable(fmt::format("the CUDA driver '{}' lacks {}", file, #name));                 \
  else                                                                                             \
    driver->name = reinterpret_cast<decltype(driver->name)>(function);
  MTC_CUDA_FUNCTIONS(MTC_CUDA_LOAD)
#undef MTC_CUDA_LOAD
  return std::shared_ptr<const Driver>(std::move(driver));
}

bool isLost(CUresult result) {
  switch (result) {
  case CUDA_ERROR_ILLEGAL_ADDRESS:
  case CUDA_ERROR_LAUNCH_TIMEOUT:
  case CUDA_ERROR_ASSERT:
  case CUDA_ERROR_HARDWARE_STACK_ERROR:
  case CUDA_ERROR_ILLEGAL_INSTRUCTION:
  case CUDA_ERROR_MISALIGNED_ADDRESS:
  case CUDA_ERROR_INVALID_ADDRESS_SPACE:
  case CUDA_ERROR_INVALID_PC:
  case CUDA_ERROR_LAUNCH_FAILED:
  case CUDA_ERROR_ECC_UNCORRECTABLE:
  case CUDA_ERROR_NVLINK_UNCORRECTABLE:
  case CUDA_ERROR_CONTEXT_IS_DESTROYED:
  case CUDA_ERROR_CONTAINED:
  case CUDA_ERROR_TENSOR_MEMORY_LEAK:
  case CUDA_ERROR_EXTERNAL_DEVICE:
  case CUDA_ERROR_DEINITIALIZED:
  case CUDA_ERROR_UNKNOWN:
    return true;
  default:
    return false;
  }
}

Status Driver::check(CUresult result, const char *function) const {
  if (result == CUDA_SUCCESS)
    return okStatus();
  const char *name = nullptr, *text = nullptr;
  cuGetErrorName(result, &name);
  cuGetErrorString(result, &text);
  const bool isGone =
      isLost(result) || result == CUDA_ERROR_NO_DEVICE || result == CUDA_ERROR_DEVICE_UNAVAILABLE ||
      result == CUDA_ERROR_DEVICE_NOT_LICENSED || result == CUDA_ERROR_SYSTEM_NOT_READY ||
      result == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH || result == CUDA_ERROR_INVALID_DEVICE;
  return {isGone ? ErrorCode::DeviceUnavailable : ErrorCode::Internal,
          fmt::format("{}: {} ({})", function, name ? name : std::to_string(result),
                      text ? text : "no description")};
}

} // namespace mtc::gpu
