//===- CacheDir.cpp - where compiled kernels are kept by default ----------===//
//
// The only place that reads the environment. Source:
// https://specifications.freedesktop.org/basedir-spec
//
//===----------------------------------------------------------------------===//
#include "CacheDir.h"

#include <cstdlib>

namespace mtc::tool {

std::string defaultCacheFolder() {
  const char *cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache)
    return std::string(cache) + "/mtc";
  const char *home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/.cache/mtc" : "";
}

} // namespace mtc::tool
