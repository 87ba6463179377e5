//===- Weights.h - where the kernels of a session find weights ------------===//
#pragma once

#include "Memory.h"

#include "mtc/Bundle/Reader.h"

#include <set>

namespace mtc::host {

/// The weights of a bundle in memory with huge pages: copied at their first use, each once. Few
/// weights, and those of a session that shares them, stay in the bundle's mapping, whose pages
/// belong to all processes that map the file.
///
/// One thread at a time uses it; addresses stay as long as it does.
class WeightMemory {
public:
  /// Up to `fewBytes` of weights stay in the mapping: they have few pages. The reader outlives
  /// this.
  WeightMemory(const BundleReader &bundle, bool share, uint64_t fewBytes = 4 << 20);

  /// The bytes of a weight, 64-byte aligned. Fails if its hash differs (BundleRefused) or there is
  /// no memory (Internal). Complexity: the first time that of hashing and copying it.
  StatusOr<uint8_t *> find(size_t weight);

private:
  const BundleReader &bundle;
  uint64_t bytes = 0; ///< of all weights; 0: they stay where they are
  Mapping copies;     ///< at the weights' offsets in the bundle
  std::set<uint64_t> copied;
};

} // namespace mtc::host
