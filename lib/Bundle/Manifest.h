//===- Manifest.h - Contents to FlatBuffers and back ----------------------===//
#pragma once

#include "Bundle_generated.h"
#include "mtc/Bundle/Contents.h"
#include "mtc/Bundle/Online.h"
#include "mtc/Support/Hash.h"

#include <span>

namespace mtc::bundle {

/// Where the large byte ranges went.
struct WeightPlace {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

struct Layout {
  uint32_t weightsSection = 0;
  std::vector<WeightPlace> weights; ///< as Contents::weights
  std::vector<Hash> chunkHashes;
  std::vector<uint32_t> codeSections; ///< as Contents::targets
  std::vector<uint32_t> textSections; ///< as Contents::texts
};

/// The manifest's bytes; equal contents and layout give equal bytes.
std::vector<uint8_t> encodeManifest(const Contents &contents, const Layout &layout);

/// The structs of a part of a manifest that the FlatBuffers verifier has accepted. Fields that are
/// missing read as empty or zero; enumerators out of range are errors, indices are left to check()
/// and verify().
Status decodeProblem(const fb::Problem *from, Problem &to);
std::vector<std::vector<std::string>> decodeSymbols(const fb::Problem *from);
Schedule decodeSchedule(const fb::Schedule *from);
Status decodePlan(const fb::Plan *from, Plan &to);
OnlineTables decodeOnline(const fb::OnlineTables *from);

} // namespace mtc::bundle
