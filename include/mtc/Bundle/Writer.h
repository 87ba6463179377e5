//===- Writer.h - writes a bundle file ------------------------------------===//
#pragma once

#include "mtc/Bundle/Contents.h"

namespace mtc {

/// Writes `contents` to `path`: a temporary file in the same folder, fsync, rename, fsync of the
/// folder. Equal contents give equal bytes (rule R4). At most one weight is held in memory at a
/// time.
///
/// Fails if a callback fails, or the file system does (no space: InvalidInput with the path and the
/// system's words); the old file then still stands and no temporary file is left.
Status writeBundle(const std::string &path, const Contents &contents);

} // namespace mtc
