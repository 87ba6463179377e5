//===- HostModel.h - times of kernels, learned on one host ----------------===//
//
// A linear model: a kernel takes the sum of what it does, each kind of work at a price. Emitters
// differ too much for common prices, so each family of kernels has its own. What a kernel does is
// counted from its code's structure (mtc/Codegen/Host/Amounts.h), never from its name; the prices
// are fitted to times measured on one host without neighbours, so a time holds one core's caches
// and bandwidth and nothing of what runs beside it: the simulator shares bandwidth.
//
// Prices cannot be negative (nonnegative least squares), so no kernel is predicted to get faster by
// doing more. Source: Lawson, Hanson, "Solving Least Squares Problems", 1974, chapter 23; solved by
// coordinate descent.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Tuning/Traffic.h"

#include <array>
#include <map>
#include <span>

namespace mtc {

/// Kinds of work. Counts are of one run of the kernel.
enum class Amount : uint8_t {
  Start,       ///< 1
  Tiles,       ///< of all phases
  Arithmetic,  ///< vector operations of the inner loop, lanes that edges leave idle included
  Loads,       ///< vectors and broadcast scalars read by the inner loop
  Steps,       ///< register tiles, or elements that are read or written one by one
  Other,       ///< vector operations of epilogues, packing, transforms; sums across vectors
  Runs,        ///< of inner loops, where steps do not count them
  Bytes,       ///< of operands, each once
  BytesPastL2, ///< of these, what a level of cache cannot hold
  BytesPastL3,
  WeightsPastL2, ///< bytes of weights that left it since the last run of the entry (Traffic.h)
  WeightsPastL3,
};
inline constexpr size_t kAmounts = 12;

/// Names of the amounts, in the order of the enumeration.
extern const std::array<const char *, kAmounts> kAmountNames;

/// What a kernel does in one variant.
struct KernelAmounts {
  std::string family; ///< which prices apply: "contraction", "winograd", "rows", ...
  std::array<double, kAmounts> counts{};
  double &operator[](Amount amount) { return counts[static_cast<size_t>(amount)]; }
};

/// A measured kernel.
struct HostSample {
  KernelAmounts amounts; ///< without bytes
  Traffic traffic;
  double ns = 0;       ///< on one core, the others idle
  double besideNs = 0; ///< on one core while others run other kernels; 0: not measured
  double allNs = 0;    ///< on all, from the end of the task before to its own; 0: not measured
  double part = 1;     ///< of the tiles, that a core of all gets; 1: they cannot be shared
  std::string set;     ///< what is left out together when the error is estimated
  std::string entry;
};

/// What sharing a machine costs a family of kernels, as parts of the time: 0.1: 10 %.
struct Shares {
  /// How much longer a task of several cores takes than its part of the tiles and its barriers say:
  /// workers wait for each other, and share a bandwidth.
  double split = 0;
  /// How much longer a task of one core takes while the others run other tasks, if its operands do
  /// not stay in the last cache (pastLastCache()): tasks that split their tiles share what they
  /// read, other tasks push it out.
  double residual = 0;
};

/// What was measured of a host. Text form: print() and parse().
struct HostModel {
  std::string cpu;  ///< "AMD EPYC"
  std::string date; ///< of the measurement, "2026-11-23"
  int32_t cores = 1;
  int64_t l2Bytes = 0;       ///< of a core
  int64_t l3Bytes = 0;       ///< of all
  double flopsPerNs = 0;     ///< f32, of a core while all others do the same
  double coreBytesPerNs = 0; ///< main memory, one core alone
  double bytesPerNs = 0;     ///< main memory, all cores together
  int64_t launchNs = 0;      ///< from the end of a task to the start of the next on a core
  int64_t barrierNs = 0;     ///< added to a task of several cores for each phase
  Shares shares;             ///< of all families
  std::map<std::string, Shares> sharesOf;                     ///< by family, where it was measured
  std::map<std::string, std::array<double, kAmounts>> prices; ///< ns, by family
  int64_t samples = 0;                                        ///< kernels that the prices rest on
  /// Mean of |predicted / measured - 1| over samples weighted by time, each set predicted from the
  /// others; 0: there was only one set.
  double heldOutError = 0;
};

/// Adds the bytes that a kernel moves, and those of them that caches of the host do not hold.
void addTraffic(const HostModel &model, const Traffic &traffic, KernelAmounts &amounts);

/// The part of a kernel's operands that other cores' tasks push out of the last cache: none of a
/// small tenant's, all of one through which more passes than that cache holds. Measured on AMD EPYC
/// Zen 4 (32 MiB), 2026-11-23: beside resnet50 tenants below 24 MB took 0.99 to 1.03 times as long
/// as alone, those above 39 MB 1.07 to 1.14 times, whatever their kernels.
double pastLastCache(const HostModel &model, const Traffic &traffic);

/// Fits what cores cost each other: barrierNs, shares. Families with few samples lean on all. What
/// has no samples stays as it is.
void fitShares(std::span<const HostSample> samples, HostModel &model);

/// Fits the prices and the held-out error.
///
/// Errors count relative to the predicted time, so small and large kernels count alike and the sum
/// of many is not predicted too low, as it is with errors relative to the measured time, which
/// fast samples dominate (the quasi-likelihood of a gamma distribution). Families with few samples
/// lean on those of their group (the family's name up to '_'), groups on the machine's
/// rates (ridge).
///
/// Fails if there are no samples, or a time is not positive (InvalidInput).
///
/// Complexity: linear in the samples, times the number of sets.
Status fitPrices(std::span<const HostSample> samples, HostModel &model);

/// Predicted time on one core without neighbours, launch included; nothing if neither the family
/// nor its group is known. Units: ns.
std::optional<int64_t> learnedNs(const HostModel &model, const KernelAmounts &amounts);

/// learnedNs() on 1 to all cores, for Variant::times: on one beside busy neighbours, on several
/// by the tiles and barriers (Shares). `amounts` with `traffic` added. Numbers of cores
/// that are no faster than the one before are left out. Empty if the family is not known.
std::vector<ShareTime> learnedTimes(const HostModel &model, const KernelAmounts &amounts,
                                    const Traffic &traffic, const std::vector<int64_t> &phaseTiles,
                                    int32_t cores);

/// A line per field, for files and people.
std::string printHostModel(const HostModel &model);

/// The inverse of printHostModel().
///
/// Fails if a line is unknown, missing or malformed, or a number is negative or not finite
/// (InvalidInput, naming the line).
StatusOr<HostModel> parseHostModel(std::string_view text);

} // namespace mtc
