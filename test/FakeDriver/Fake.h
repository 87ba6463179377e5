//===- Fake.h - the state of a CUDA driver that is none -------------------===//
//
// A library that stands in for libcuda.so.1 in tests: it answers through cuGetProcAddress_v2 alone.
// Every call is checked (arguments, lifetimes, contexts, edges), written down, and can be made to
// fail; graphs run on the host through emulated kernels, at the latest possible moment and in a
// random order that their edges allow. What breaks a rule is a violation: the call fails, and the
// text goes to stderr and into the record.
//
// Environment, read at cuInit (README.md beside says more):
//   MTC_FAKE_CUDA_KERNELS  PREFIX of PREFIX.so and PREFIX.json, as mtc-emulate-bundle writes them
//   MTC_FAKE_CUDA_RECORD   a file that gets a line of JSON per call
//   MTC_FAKE_CUDA_FAIL     K:ERROR, the K-th call (or every call of function K) gives that
//                          CUresult; some ERRORs lose the device
//   MTC_FAKE_CUDA_SEED     of the order of nodes, blocks and threads; default 1
//   MTC_FAKE_CUDA_UNITS    SMs; default 132
//   MTC_FAKE_CUDA_MEMORY   KiB; default 4194304
//   MTC_FAKE_CUDA_SHARED   not empty: kernels that no edge orders may share SMs
//
// What a driver does beyond what the runtime needs is left out. Source of the rules: CUDA driver
// API 13.0, the page of each function.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "Emulator/Launch.h"
#include "mtc/Bundle/GpuCode.h"

#include <cuda.h>

#include <nlohmann/json.hpp>

#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace mtc::fake {

using Json = nlohmann::ordered_json;

/// Shared memory that a launch may ask for at most, as an H100's.
inline constexpr int mostBlockSharedBytes = 227 << 10;

/// A context: the primary one, or a green one over some SMs.
struct Context {
  uint64_t units = 0; ///< bits are groups of the split; all: the primary context
  bool isGreen = false;
};

/// Launches of graphs, by number.
using Launches = std::set<uint64_t>;

struct Event {
  bool isTimed = true;
  std::shared_ptr<uint64_t> atNs;  ///< when what the last record captured had ended; 0: not yet
  struct Stream *stream = nullptr; ///< of the last record
  uint64_t position = 0;           ///< the event has happened when the stream has come so far
  Launches behind;                 ///< that have ended when it happens
};

struct Library {
  std::string image; ///< what was loaded
};

/// A function of an emulated kernel, and what the emulator knows of it.
struct KernelInfo {
  MtcKernelFn function = nullptr;
  int64_t threads = 1, sharedBytes = 0;
  bool synchronizes = true;
  bool isChecked = true;            ///< the code announces its accesses
  std::vector<int64_t> bufferBytes; ///< operands, then scratch
  std::vector<bool> isWritten;
  std::vector<GpuTensorMap> tensorMaps; ///< its last parameters
  int32_t mostMembers = 1;              ///< of a launch of several
};

struct Kernel {
  Library *library = nullptr;
  std::string name;
  const KernelInfo *info = nullptr;
  bool isOfMembers = false;                            ///< takes a table (mtc/Bundle/GpuCode.h)
  int64_t mostDynamicSharedBytes = kStaticSharedBytes; ///< that a launch may ask for
};

/// Bytes that a node touches.
struct Touch {
  uintptr_t begin = 0, end = 0;
  bool isWrite = false, isDevice = true;
};

struct Node {
  struct Graph *graph = nullptr;
  size_t index = 0; ///< in the graph
  std::vector<size_t> dependencies;
  // a kernel
  Kernel *kernel = nullptr;
  Context *context = nullptr;
  int64_t blocks = 1, lo = 0, hi = 0;
  struct Member {
    std::vector<CUdeviceptr> buffers;
    std::vector<emulator::TensorMap> tensorMaps;
  };
  std::vector<Member> members;
  int priority = 0;
  // a copy
  void *to = nullptr;
  const void *from = nullptr;
  size_t bytes = 0;
  std::vector<Touch> touches;
};

struct Graph {
  std::vector<std::unique_ptr<Node>> nodes;
  size_t execs = 0;
};

/// A copy of the graph's nodes at the time of instantiation.
struct Exec {
  Graph *graph = nullptr;
  std::vector<Node> nodes;
  std::vector<bool> isEnabled;
  bool isUploaded = false;
};

/// Work waits until somebody waits for it.
struct Stream {
  std::deque<std::function<CUresult()>> work;
  uint64_t queued = 0, done = 0;
  Launches behind; ///< that have ended when what comes next begins
};

/// Addresses; what is mapped of them.
struct Reservation {
  size_t bytes = 0;
  std::map<uintptr_t, std::pair<size_t, CUmemGenericAllocationHandle>> mapped;
  std::map<uintptr_t, size_t> accessible;
};

struct Fake {
  std::recursive_mutex mutex;
  bool isInitialized = false;
  uint64_t calls = 0;
  int64_t failAt = -1;
  std::string failName; ///< of calls that fail; empty: none
  CUresult failWith = CUDA_SUCCESS;
  CUresult lost = CUDA_SUCCESS; ///< sticky
  uint64_t violations = 0;
  std::string violation; ///< the last
  std::FILE *record = nullptr;
  std::mt19937_64 random{1};
  unsigned units = 132;
  bool sharesUnits = false;                       ///< kernels that no edge orders may share SMs
  std::map<uint64_t, std::vector<Node>> underWay; ///< nodes of launches nobody has waited for
  uint64_t launches = 0;
  size_t memoryBytes = size_t(4096) << 20, usedBytes = 0;
  uint64_t clockNs = 0; ///< the last time that was told

  Context primary;
  int primaryRetains = 0;
  CUdevResource split = {}; ///< the resource that was split
  int splits = 0;
  std::map<std::string, KernelInfo> kernels; ///< by name
  std::set<Context *> greens;
  std::map<CUdevResourceDesc, uint64_t> descriptors;
  std::set<Library *> libraries;
  std::map<std::pair<Library *, std::string>, std::unique_ptr<Kernel>> loaded;
  std::set<Stream *> streams;
  std::set<Event *> events;
  std::set<Graph *> graphs;
  std::set<Exec *> execs;
  std::map<uintptr_t, Reservation> reservations;
  std::map<CUmemGenericAllocationHandle, std::pair<size_t, int>> allocations; ///< bytes, maps
  std::vector<std::unique_ptr<std::vector<char>>> hostMemory;                 ///< of cuMemAllocHost
  uint64_t nextHandle = 1;
};

/// The driver of this process.
Fake &fake();

/// Reads the environment and the emulated kernels. Empty, or what is wrong.
std::string configure(Fake &f);

/// Notes a broken rule and gives the error to return.
CUresult violation(const std::string &what, CUresult result = CUDA_ERROR_INVALID_VALUE);

/// One call: counted, written down, and perhaps told to fail.
///
/// `effectFirst`: the call does its work even if it is told to fail, as functions that free things
/// do when they report an error of something earlier.
CUresult call(const char *name, Json arguments, const std::function<CUresult(Json &)> &body,
              bool effectFirst = false, bool needsContext = false);

/// The time, later at every call.
uint64_t tellTime();

/// The context that is current in this thread, or null.
Context *current();
std::vector<Context *> &contextStack();

/// Whether all bytes are device memory that is mapped and accessible.
bool isDeviceMemory(uintptr_t address, size_t bytes);

/// Whether all bytes are of cuMemAllocHost.
bool isHostMemory(uintptr_t address, size_t bytes);

/// Whether a launch that nobody has waited for writes some of these bytes.
bool isBeingWritten(uintptr_t address, size_t bytes);

/// Runs what waits in a stream, up to `position` if it is not 0.
CUresult drain(Stream &stream, uint64_t position = 0);

/// Two nodes that no path orders must not touch the same bytes if one writes, nor share SMs.
/// Returns the first pair that does, in words, or nothing.
std::string findRace(const Exec &exec);

/// The same for the graph and launches under way that the stream does not wait for.
std::string findRaceWithOthers(const Exec &exec, const Stream &stream);

/// Somebody has waited for these launches.
void endLaunches(const Launches &ended);

/// Runs the nodes in a random topological order.
CUresult execute(const Exec &exec);

/// The functions by name, for cuGetProcAddress.
void *findFunction(const std::string &name);

} // namespace mtc::fake
