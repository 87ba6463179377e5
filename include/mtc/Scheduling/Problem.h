//===- Problem.h - what is to be scheduled --------------------------------===//
//
// The Problem is the whole input of every scheduling and planning decision, as plain data: the
// device, the kernels with their variants and times, and per entry (a tenant at fixed shapes) the
// tasks with the values they read and write. It knows nothing of MLIR, travels inside the bundle,
// and lets a runtime with fewer granules decide again with the same code (rule R5).
//
// Times are integer nanoseconds, sizes bytes. All indices are positions in the vectors here.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace mtc {

/// A set of granules: bit i is granule i. At most 64 granules.
using GranuleMask = uint64_t;

/// The mask of granules [0, count).
inline GranuleMask allGranules(int count) {
  return count >= 64 ? ~GranuleMask(0) : (GranuleMask(1) << count) - 1;
}

/// The device for which a Problem was made. Rates are what the cost model used.
struct Device {
  std::string target;   ///< resolved target, e.g. "host:x86-64-v4+avx512vnni,cores=2"
  int32_t granules = 1; ///< cores of a host; groups of 8 SMs of a GPU
  int32_t unitsPerGranule = 1;
  double flopsPerNs = 0; ///< per granule, f32
  double bytesPerNs = 0; ///< of the whole device, main memory
  int64_t launchNs = 0;  ///< fixed cost of starting a task on a granule
  int64_t barrierNs = 0; ///< cost of a barrier between the workers of one task
};

enum class KernelKind : uint8_t {
  Contraction,
  Rows,
  Elementwise,
  Move,
  Attention,
  Recurrence,
  Opaque
};

/// Where a time comes from; every figure says which.
enum class TimeOrigin : uint8_t { Modelled, Learned, Measured };

/// Duration of a variant on a number of granules, without neighbours.
struct ShareTime {
  int32_t granules = 1;
  int64_t ns = 0;
  TimeOrigin origin = TimeOrigin::Modelled;
};

/// One way to run a kernel. Phases run one after the other with a barrier between them; the tiles
/// of a phase are independent and are split among the granules of the place.
struct Variant {
  std::string config;              ///< printed config, for people
  std::vector<int64_t> phaseTiles; ///< tiles of each phase; never empty
  int64_t scratchBytesPerWorker = 0;
  std::vector<ShareTime> times; ///< ascending in granules, at least one
};

/// How a kernel uses a buffer argument.
enum class Access : uint8_t { Read, Write, ReadWrite };

/// The loops of a kernel's largest operation, as cost models need them: a contraction computes
/// `batch` products of a rows x depth and a depth x columns matrix; other kernels work on `rows`
/// independent rows of `depth` elements. 1 where unknown.
struct Extents {
  int64_t batch = 1, rows = 1, columns = 1, depth = 1;
};

enum class RegionKind : uint8_t { If, Loop };

/// Control flow inside one task: what Scheduling/Regions.h says, on bodies of the problem.
struct Region {
  RegionKind kind = RegionKind::If;
  std::vector<int32_t> bodies; ///< in Problem::bodies: then and else of an If; one of a Loop
  int32_t carried = 0;         ///< values of a Loop's state, apart from its condition
  int32_t scanned = 0;         ///< inputs of which each iteration reads one element
  int64_t length = 0;          ///< elements of scanned inputs and stacked outputs
  int64_t maxTrips = 0;        ///< of this and all inner Loops: one more fails the request
};

struct Kernel {
  std::string name;
  KernelKind kind = KernelKind::Opaque;
  std::vector<Access> operands; ///< in the order of the ABI's buffers
  int64_t flops = 0;
  int64_t byteFlops = 0; ///< those of `flops` that multiply bytes and add the products up
  int64_t bytes = 0;     ///< read and written when no operand is cached
  Extents extents;
  std::vector<Variant> variants; ///< at least one
  std::optional<Region> region;  ///< in place of code
};

/// What a value of an entry is, and so where its bytes live.
enum class ValueKind : uint8_t { Input, Output, Weight, Intermediate };

/// A buffer of an entry: reshapes of one tensor are one value.
struct Value {
  ValueKind kind = ValueKind::Intermediate;
  int64_t bytes = 0;
  int32_t index = -1; ///< of the entry's input or output, or of the bundle's weight; else -1
};

/// A use of a kernel. Its operands name values of the entry in the order of Kernel::operands.
struct Task {
  int32_t id = 0;   ///< unique in the entry, stable across policies
  std::string name; ///< where it comes from: ONNX node names, for people
  int32_t kernel = 0;
  std::vector<int32_t> values;
};

/// A dim of an output that is as large as a dim of an input, when that is smaller than compiled.
struct FollowedDim {
  int32_t dim = 0;
  int32_t input = 0; ///< of the entry
  int32_t inputDim = 0;
};

/// An input or output tensor of an entry as a caller sees it.
struct Tensor {
  std::string name;        ///< the ONNX name, any characters
  std::string elementType; ///< a name of Support/ElementType.h: "f32", "i64", "bool", ...
  std::vector<int64_t> shape;
  int64_t bytes = 0;
  /// Of an input: the only value that the entry is compiled for. No task reads such an input.
  std::optional<std::vector<uint8_t>> value = std::nullopt;
  /// Of an output whose size depends on data: the dim that has only as many elements as the number
  /// in output `extentOutput` says, an i64. `shape` and `bytes` are the most. Else -1.
  int32_t extentDim = -1;
  int32_t extentOutput = -1;
  /// Of an input that callers may give smaller than `shape`: the element that fills the rest.
  std::optional<std::vector<uint8_t>> pad = std::nullopt;
  /// Of an output: what is cut off when inputs are smaller; by dim, each once.
  std::vector<FollowedDim> follows = {};
};

/// A tenant at fixed shapes. Tasks are in a topological order: a task reads only values that
/// are inputs, weights or written by an earlier task. Every value but inputs and weights has
/// exactly one writer.
struct Entry {
  int32_t tenant = 0;
  std::string name;
  std::vector<Tensor> inputs, outputs;
  std::vector<Value> values;
  std::vector<Task> tasks;
};

/// A body of control flow: its tasks run one after the other, each in its first variant, inside the
/// task that is the region.
struct Body {
  Entry graph;                  ///< inputs and outputs in the order of Scheduling/Regions.h
  std::vector<int64_t> offsets; ///< of values in the body's workspace; -1 for what lies elsewhere
  int64_t workspaceBytes = 0;
};

enum class ArrivalKind : uint8_t {
  Poisson,
  Periodic, ///< with a random first arrival
  Bursty    ///< Poisson groups of a geometric number of requests
};

struct Tenant {
  std::string name;
  int64_t sloP99Ns = 0;     ///< 0: none
  double ratePerSecond = 0; ///< 0: unknown
  int32_t priority = 0;
  std::string isolation; ///< tenants of one group may share arena memory; "guarded" or "": alone
  ArrivalKind arrivals = ArrivalKind::Poisson;
};

struct Problem {
  Device device;
  std::vector<Kernel> kernels;
  std::vector<Tenant> tenants;
  std::vector<Entry> entries;
  std::vector<Body> bodies; ///< a body's regions use only bodies before it
};

/// Verifies that a Problem can be scheduled: 1 to 64 granules, indices in range, one writer a value
/// (so no operand is read and written in place), tasks in topological order with unique ids, each
/// output one value of the tensor's size, at least one variant and time a kernel, positive times
/// and tiles; regions whose operands are those of their bodies, and bodies whose values never share
/// memory while both are in use.
///
/// Fails if any of these does not hold (InvalidInput); the message names entry and task.
///
/// Complexity: linear in the tasks' operands.
Status check(const Problem &problem);

/// The tasks of `entry` that `task` must wait for (their indices, ascending, no duplicates): the
/// writers of what it reads.
///
/// Complexity: linear in the entry for all tasks together.
std::vector<std::vector<int32_t>> taskDependences(const Problem &problem, const Entry &entry);

/// The time on `granules`: exact where listed, else that of the next smaller listed number (a task
/// never gets faster by granules that nobody priced), and below the first listed number that
/// number's time. Precondition: `times` ascend by granules and are not empty.
int64_t timeOn(std::span<const ShareTime> times, int32_t granules);

/// Time of a variant on `granules`, from its times.
int64_t variantNs(const Variant &variant, int32_t granules);

/// "det.n1": tenant and entry, for names and messages.
std::string entryName(const Problem &problem, const Entry &entry);

} // namespace mtc
