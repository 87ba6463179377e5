//===- CacheDir.cpp - where compiled kernels are kept by default ----------===//
//
// The only place that reads the environment. Source:
// https://specifications.freedesktop.org/basedir-spec
//
//===----------------------------------------------------------------------===//
#include "CacheDir.h"

#include <cstdlib>
#include <filesystem>

namespace mtc::tool {

std::string defaultCacheFolder() {
  const char *cache = std::getenv("XDG_CACHE_HOME");
  if (cache && *cache)
    return std::string(cache) + "/mtc";
  const char *home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/.cache/mtc" : "";
}

std::string shippedTuningFolder() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "" : (self.parent_path().parent_path() / "share/mtc/tuning").string();
}

} // namespace mtc::tool
