//===- HostTarget.cpp - which CPU kernels are generated for ---------------===//
//
// Levels are those of the x86-64 psABI, since a bundle then says in one word which machines it
// runs on; v3 is the least, since everything rests on fused multiply-add. Features beyond a level
// come from one short table: what kernels may profit from. All names are LLVM's.
//
// Source: https://gitlab.com/x86-psABIs/x86-64-ABI, section "Micro-architecture levels".
//
//===----------------------------------------------------------------------===//
#include "mtc/Codegen/Host/HostTarget.h"

#include "mtc/Support/Cores.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/TargetParser/Host.h"

#include <algorithm>

using llvm::StringRef;

namespace mtc::host {
namespace {

struct Level {
  const char *name;
  int vectorBytes;
  int vectorRegisters;
  std::vector<StringRef> adds; ///< features beyond the previous level
};

const std::vector<Level> &levels() {
  static const std::vector<Level> table = {
      {"x86-64-v3",
       32,
       16,
       {"avx", "avx2", "bmi", "bmi2", "cx16", "f16c", "fma", "lzcnt", "movbe", "popcnt", "sahf",
        "sse3", "sse4.1", "sse4.2", "ssse3", "xsave"}},
      {"x86-64-v4", 64, 32, {"avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"}},
  };
  return table;
}

/// Granules of a place are the bits of one word.
constexpr int maxCores = 64;

/// Features beyond a level that may be named; `host` takes those the CPU has.
constexpr StringRef extraFeatures[] = {"amx-bf16",   "amx-int8",   "amx-tile", "avx512bf16",
                                       "avx512fp16", "avx512vnni", "avxvnni"};

std::string knownLevels() {
  std::string text;
  for (const Level &level : levels())
    text += (text.empty() ? "" : ", ") + std::string(level.name);
  return text;
}

std::vector<std::string> featuresUpTo(size_t level) {
  std::vector<std::string> all;
  for (size_t i = 0; i <= level; ++i)
    for (StringRef f : levels()[i].adds)
      all.push_back(f.str());
  return all;
}

HostTarget make(size_t level, std::vector<std::string> extras, int cores) {
  HostTarget target;
  llvm::sort(extras);
  extras.erase(std::unique(extras.begin(), extras.end()), extras.end());
  target.cpu = levels()[level].name;
  target.features = extras;
  target.required = featuresUpTo(level);
  target.required.insert(target.required.end(), extras.begin(), extras.end());
  llvm::sort(target.required);
  target.cores = cores;
  target.vectorBytes = levels()[level].vectorBytes;
  target.vectorRegisters = levels()[level].vectorRegisters;
  target.fetchesAhead = llvm::is_contained(extras, "avx512fp16");
  target.farByte = target.fetchesAhead ? 16 : 0; // 216 GFLOP/s, 13 GB/s (measured, 2026-11-23)
  auto hasAll = [&](std::initializer_list<StringRef> features) {
    return llvm::all_of(features, [&](StringRef f) { return llvm::is_contained(extras, f); });
  };
  target.multipliesTiles = hasAll({"amx-bf16", "amx-tile", "avx512bf16"});
  target.multipliesByteTiles = hasAll({"amx-int8", "amx-tile"});
  target.name = "host:" + target.cpu;
  for (const std::string &f : extras)
    target.name += "+" + f;
  target.name += ",cores=" + std::to_string(cores);
  return target;
}

StatusOr<HostTarget> resolveThisMachine(int cores) {
  llvm::StringMap<bool> present = llvm::sys::getHostCPUFeatures();
  auto has = [&](StringRef f) { return present.lookup(f); };
  int best = -1;
  for (size_t i = 0; i < levels().size(); ++i) {
    if (!llvm::all_of(levels()[i].adds, has))
      break;
    best = static_cast<int>(i);
  }
  if (best < 0)
    return Status(ErrorCode::DeviceUnavailable,
                  "this CPU is below x86-64-v3; name a level: " + knownLevels());
  std::vector<std::string> extras;
  const bool hasTiles = has("amx-tile") && mayUseMatrixTiles();
  for (StringRef f : extraFeatures)
    if (has(f) && (levels()[best].vectorBytes == 64 || f == "avxvnni") &&
        (hasTiles || !f.starts_with("amx")))
      extras.push_back(f.str());
  return make(best, extras, cores);
}

} // namespace

StatusOr<HostTarget> resolve(const std::string &text) {
  auto bad = [&](const std::string &why) { return invalidInput("target '" + text + "': " + why); };
  StringRef rest = text;
  if (!rest.consume_front("host") || !(rest.empty() || rest.consume_front(":")))
    return bad("must be 'host' or 'host:LEVEL[+feature...][,cores=N]'");

  int cores = std::min(cpuBudget().cores(), maxCores);
  llvm::SmallVector<StringRef> parts;
  rest.split(parts, ',');
  StringRef isa = parts[0];
  for (StringRef part : llvm::ArrayRef(parts).drop_front()) {
    int64_t n = 0;
    if (!part.consume_front("cores=") || part.getAsInteger(10, n))
      return bad("got '" + part.str() + "', wanted cores=N");
    if (n < 1 || n > maxCores)
      return bad("cores must be 1 to 64, got " + std::to_string(n));
    cores = static_cast<int>(n);
  }
  if (isa.consume_front("cores=")) { // "host:cores=2": this CPU with another number of cores
    int64_t n = 0;
    if (parts.size() != 1 || isa.getAsInteger(10, n) || n < 1 || n > maxCores)
      return bad("cores must be 1 to 64");
    return resolveThisMachine(static_cast<int>(n));
  }
  if (isa.empty()) {
    if (text != "host")
      return bad("level missing; known levels: " + knownLevels());
    return resolveThisMachine(cores);
  }

  llvm::SmallVector<StringRef> names;
  isa.split(names, '+');
  size_t level = 0;
  while (level < levels().size() && names[0] != levels()[level].name)
    ++level;
  if (level == levels().size())
    return bad("unknown level '" + names[0].str() + "'; known levels: " + knownLevels());
  std::vector<std::string> extras;
  for (StringRef f : llvm::ArrayRef(names).drop_front()) {
    if (!llvm::is_contained(extraFeatures, f))
      return bad("unknown feature '" + f.str() +
                 "'; known features: " + llvm::join(llvm::ArrayRef(extraFeatures), ", "));
    if (f != "avxvnni" && levels()[level].vectorBytes < 64)
      return bad("feature '" + f.str() + "' needs x86-64-v4");
    extras.push_back(f.str());
  }
  return make(level, extras, cores);
}

} // namespace mtc::host
