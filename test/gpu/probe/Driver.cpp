//===- Driver.cpp - the functions of the CUDA driver that the probe calls ===//
#include "Driver.h"

#include <dlfcn.h>

// cuda.h renames functions to their current version (cuMemAlloc is cuMemAlloc_v2); the name after
// that renaming is the symbol.
#define MTC_PROBE_TEXT(name) #name
#define MTC_PROBE_SYMBOL(name) MTC_PROBE_TEXT(name)

std::string probe::open(Driver &driver) {
  void *library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library)
    return "no CUDA driver: libcuda.so.1 cannot be opened";
#define MTC_PROBE_LOAD(name)                                                                       \
  driver.name = reinterpret_cast<decltype(driver.name)>(::dlsym(library, MTC_PROBE_SYMBOL(name))); \
  if (!driver.name)                                                                                \
    return "the driver lacks " MTC_PROBE_SYMBOL(name);
  MTC_PROBE_FUNCTIONS(MTC_PROBE_LOAD)
#undef MTC_PROBE_LOAD
  return "";
}
