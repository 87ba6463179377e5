//===- CacheDir.h - where compiled kernels are kept by default ------------===//
#pragma once

#include <string>

namespace mtc::tool {

/// ${XDG_CACHE_HOME:-~/.cache}/mtc, or empty when there is no home.
std::string defaultCacheFolder();

/// "share/mtc/tuning" beside the folder of this program; empty if that cannot be found.
std::string shippedTuningFolder();

} // namespace mtc::tool
