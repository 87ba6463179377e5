//===- CacheDir.h - where compiled kernels are kept by default ------------===//
#pragma once

#include <string>

namespace mtc::tool {

/// ${XDG_CACHE_HOME:-~/.cache}/mtc, or empty when there is no home.
std::string defaultCacheFolder();

} // namespace mtc::tool
