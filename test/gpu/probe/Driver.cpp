//===- Driver.cpp - dlopen and cuGetProcAddress ---------------------------===//
#include "Driver.h"

#include <dlfcn.h>

std::string probe::open(Driver &driver, const std::string &path) {
  void *library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return "no CUDA driver: " + std::string(::dlerror());
  const auto ask =
      reinterpret_cast<decltype(&::cuGetProcAddress)>(::dlsym(library, "cuGetProcAddress_v2"));
  if (!ask)
    return "the CUDA driver is older than 12.0";
  const auto find = [&](const char *name) {
    void *function = nullptr;
    return ask(name, &function, CUDA_VERSION, CU_GET_PROC_ADDRESS_DEFAULT, nullptr) == CUDA_SUCCESS
               ? function
               : nullptr;
  };
#define MTC_PROBE_LOAD(name) driver.name = reinterpret_cast<decltype(driver.name)>(find(#name));
#define MTC_PROBE_REQUIRE(name)                                                                    \
  if (!driver.name)                                                                                \
    return "the CUDA driver lacks " #name;
  MTC_PROBE_FUNCTIONS(MTC_PROBE_LOAD)
  MTC_PROBE_MORE_FUNCTIONS(MTC_PROBE_LOAD)
  MTC_PROBE_FUNCTIONS(MTC_PROBE_REQUIRE)
#undef MTC_PROBE_REQUIRE
#undef MTC_PROBE_LOAD
  return "";
}
