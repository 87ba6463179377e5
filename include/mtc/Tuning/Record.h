//===- Record.h - what was measured of kernels ----------------------------===//
//
// A record is a line of JSON, so that a device without a compiler can append what it measures to a
// file, and a set of records is the same whether it lies in a database, in a file or in a pipe:
//
//   {"type":"tuning","version":1,"compiler":"mtc 0.1.0, ..."}
//   {"type":"kernel","kernel":"9f31...","features":{"flops":1024,...}}
//   {"type":"time","kernel":"9f31...","config":"contraction mr=14 ...","granules":1,
//    "neighbour":"none","device":"AMD EPYC ...","ns":1234,"samples":9,
//    "halves":[1233,1236],"code":"04c1..."}       (both may be missing)
//   {"type":"failure", ... instead of ns and samples "why":"takes more than 20 s to compile"}
//   {"type":"search","kernel":"9f31...","device":"AMD EPYC ...","candidates":16,"seed":0}
//
// A "tuning" line says for which compiler the lines behind it hold; files may be concatenated.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mtc {

/// What a time depends on, besides the compiler that a set of records is of.
struct TimeKey {
  std::string kernel; ///< hash of its body and of the instructions that it may use, hexadecimal
  std::string config; ///< printed, see ConfigSpace.h
  int32_t granules = 1;
  std::string neighbour = "none"; ///< what ran on the other granules, see neighbourNames()
  std::string device;             ///< model of the CPU; model, driver and clocks of a GPU
  auto operator<=>(const TimeKey &) const = default;
};

/// "none", "low", "medium", "high": how much of the memory's bandwidth and of the shared caches the
/// other granules use; kFlushed.
const std::vector<std::string> &neighbourNames();

/// No neighbour either, but nothing of the kernel's operands is in a cache when it starts.
constexpr const char *kFlushed = "flushed";

struct TimeRecord {
  TimeKey key;
  int64_t ns = 0;      ///< the lower quartile of the samples; 0: failed
  int32_t samples = 0; ///< 0: failed
  std::string failure; ///< why the config cannot be used; empty: it can
  /// What every other turn of the samples gives, and what the others give; 0: not kept. How well
  /// the two order configs bounds how well any prediction can.
  std::array<int64_t, 2> halves = {0, 0};
  std::string code; ///< hash of what the emitter wrote, see host::emissionHash; empty: not kept
};

/// Numbers that learned times are made from, by name.
using KernelFeatureMap = std::map<std::string, double>;

struct KernelRecord {
  std::string kernel;
  KernelFeatureMap features;
};

/// That a kernel was searched to the end.
struct SearchRecord {
  std::string kernel, device;
  int64_t candidates = 0; ///< how many it was allowed to measure
  int64_t seed = 0;
};

struct TuningRecords {
  std::vector<TimeRecord> times;
  std::vector<KernelRecord> kernels;
  std::vector<SearchRecord> searches;

  bool empty() const { return times.empty() && kernels.empty() && searches.empty(); }
  void append(TuningRecords other);
};

/// Of two records of one key the one to keep: more samples, then the shorter time. Whatever the
/// order in which records are merged, the same ones are left.
bool isBetter(const TimeRecord &a, const TimeRecord &b);

/// The line with the compiler; every file of records begins with it.
std::string printHeader(const std::string &compiler);

/// Lines in the order given.
std::string printRecords(const TuningRecords &records);

/// The records of a text.
///
/// Fails if a line is no record, a record is cut short or holds what cannot be (an empty kernel, no
/// granules, a negative time), or stands behind no header or one of another compiler than
/// `compiler`, unless that is empty (InvalidInput; `name` and the line are named).
StatusOr<TuningRecords> parseRecords(std::string_view text, const std::string &compiler,
                                     const std::string &name);

} // namespace mtc
