//===- ObjectCache.h - compiled kernels on disk ---------------------------===//
//
// One file an object, named by the hash of everything that decides its bytes, ended by the hash of
// its content. Files appear by rename, so concurrent users are safe; a damaged file is a miss.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/IR/MT.h"

#include <optional>
#include <string>

namespace mtc::host {

/// The kernel without what does not decide its code: name, locations, variants. A part of its
/// objects' names, on hosts and on GPUs.
std::string canonicalText(mt::KernelOp kernel);

class ObjectCache {
public:
  /// An empty folder name makes a cache that never hits. The folder is created when first written
  /// to.
  explicit ObjectCache(std::string folder) : folder(std::move(folder)) {}

  std::optional<std::string> find(const std::string &key) const;
  /// Best effort: a cache that cannot be written is only slow.
  void store(const std::string &key, const std::string &object) const;

private:
  std::string pathOf(const std::string &key) const;
  std::string folder;
};

} // namespace mtc::host
