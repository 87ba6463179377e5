//===- Launch.h - run the threads of a GPU kernel on the host -------------===//
//
// A launch of an emulated kernel: a fiber per thread of a block, one block after the other. Blocks,
// and among the threads that can go on the next one, are chosen at random from a seed, so an answer
// that depends on an order the GPU does not promise shows. Accesses are checked against bounds and
// alignment, against bytes that nobody has written, against races and against asynchronous copies
// that nobody has waited for.
//
// Not emulated: weak memory beyond races and fences of the proxy, timing, more than one dimension
// of threads. Source of the semantics: PTX ISA 9.0, the section cited at each operation.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Runtime/KernelABI.h"
#include "mtc/Support/Status.h"

#include "TensorMap.h"

#include <cstdint>
#include <vector>

namespace mtc::emulator {

struct Fiber;

/// What generated code sees of its thread: the scratch pointer of the host's kernel ABI. Offsets
/// are part of EmulateKernels.cpp.
struct ThreadView {
  int64_t thread, block, blocks;
  void (*barrier)(ThreadView *, void *shared);
  /// Bits of the result, and in bit 32 whether the source lane was in range.
  int64_t (*shuffle)(ThreadView *, int32_t value, int32_t operand, int32_t width, int32_t mode);
  /// Before `bytes` at `offset` of a buffer are read or written; buffers as in Launch, shared
  /// memory behind them.
  void (*access)(ThreadView *, int32_t buffer, int64_t offset, int32_t bytes, int32_t isWrite);
  /// The lane's address for a load of `count` 8x8 matrices of 16-bit elements from shared memory;
  /// `registers` get its parts. `isChecked`: accesses are announced.
  void (*loadMatrix)(ThreadView *, void *shared, int64_t offset, int32_t count,
                     int32_t isTransposed, int32_t isChecked);
  /// A warp's product of matrices; `registers` get the results.
  void (*multiply)(ThreadView *, int32_t kind, int32_t a0, int32_t a1, int32_t a2, int32_t a3,
                   int32_t b0, int32_t b1, int32_t c0, int32_t c1, int32_t c2, int32_t c3);
  /// Starts a copy of `bytes` to shared memory, of which all but the first `sourceBytes` are zeros.
  void (*copyAsync)(ThreadView *, void *shared, int64_t to, int32_t buffer, int64_t from,
                    int32_t bytes, int32_t sourceBytes);
  /// Makes the thread's copies since the last one a group.
  void (*commitCopies)(ThreadView *);
  /// Waits until at most the last `groups` groups of the thread are under way.
  void (*awaitCopies)(ThreadView *, void *shared, int32_t groups);
  /// Orders the thread's registers before the next products of its warpgroup.
  void (*fenceProducts)(ThreadView *);
  /// A warpgroup's product (WarpGroup.h): adds to `sums`, which nobody may read before readSums.
  void (*multiplyGroup)(ThreadView *, void *shared, int32_t kind, int32_t columns, int64_t a,
                        int64_t b, int32_t layout, int32_t *sums, int32_t isChecked);
  /// Makes the products since the last one a group, and waits until at most the last `groups` are
  /// under way.
  void (*commitProducts)(ThreadView *);
  void (*awaitProducts)(ThreadView *, int32_t groups);
  /// Before results of products are read.
  void (*readSums)(ThreadView *);
  /// Shows what the thread has written to the proxy by which warpgroups read.
  void (*fenceProxy)(ThreadView *, void *shared);
  /// An mbarrier at `offset` of shared memory (AsyncBarrier.h), whose phases expect `count`
  /// arrivals.
  void (*initBarrier)(ThreadView *, void *shared, int64_t offset, int32_t count);
  /// Shows initializations to the proxy of bulk copies.
  void (*fenceBarriers)(ThreadView *, void *shared);
  void (*dropBarrier)(ThreadView *, void *shared, int64_t offset);
  /// Expects `bytes` more of bulk copies in the phase, and makes `count` arrivals.
  void (*arrive)(ThreadView *, void *shared, int64_t offset, int32_t count, int32_t bytes);
  /// Waits until the phase of `parity` is over.
  void (*await)(ThreadView *, void *shared, int64_t offset, int32_t parity);
  /// Starts a bulk copy from `source`, buffer << sourceBits | offset, that signals an mbarrier.
  void (*copyBulk)(ThreadView *, void *shared, int64_t to, int64_t source, int32_t bytes,
                   int64_t barrier);
  /// Starts a copy of the box at `coordinates`, innermost first, of a tensor map of the launch.
  /// `offsets`: how many numbers behind the fifth of the coordinates say how far an im2col copy
  /// moves its pixels; 0: a tiled copy.
  void (*copyTensor)(ThreadView *, void *shared, int64_t to, int32_t map,
                     const int32_t *coordinates, int32_t offsets, int64_t barrier);
  int64_t registers[4];
  Fiber *fiber;
};

/// Bits of an offset in the address of an element of a buffer.
inline constexpr int sourceBits = 40;

/// Formats of the factors of a warp's product; of bytes, which of them are unsigned. Sums are f32,
/// of bytes i32.
enum class MultiplyKind : int32_t { TF32, F16, BF16, S8S8, S8U8, U8S8, U8U8 };

/// Modes of a shuffle, numbered as gpu::ShuffleMode.
enum class ShuffleMode : int32_t { Xor, Up, Down, Index };

struct Buffer {
  void *data = nullptr;
  int64_t bytes = 0;
  bool written = true; ///< false: reading what the launch has not written is an error
};

struct Launch {
  MtcKernelFn function = nullptr; ///< of one thread: Args::buffers are these and shared memory
  int64_t blocks = 1, threads = 1;
  int64_t lo = 0, hi = 0; ///< tiles
  int64_t sharedBytes = 0;
  std::vector<Buffer> buffers;
  std::vector<TensorMap> tensorMaps;
  uint64_t seed = 0;
  /// false: no thread ever waits for another or shares memory with it, which runs much faster.
  bool synchronizes = true;
  bool checksAccesses = true; ///< false: what the code announces is ignored
};

/// Runs a launch to its end.
///
/// Fails (InvalidInput) at the first access out of bounds or misaligned, read of bytes that were
/// never written or are still being copied, race between two threads, barrier that a thread of the
/// block does not reach, operation of a warp that a lane does not reach, or mbarrier whose phase
/// never ends; the message names block, thread, buffer and offset.
Status run(const Launch &launch);

} // namespace mtc::emulator
