//===- DeviceTable.h - what devices can do --------------------------------===//
//
// One row per instruction set level of hosts and one per GPU. The rates feed the analytic cost
// model, where only their ratios matter until something was measured.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace mtc {

/// A generic server core of one x86-64 psABI level.
struct HostRow {
  const char *level; ///< "x86-64-v4"
  double flopsPerNs; ///< a core, f32, fused multiply-adds counted twice
  double bytesPerNs; ///< a core, from its share of the last-level cache
  int64_t launchNs;  ///< start of a task on a worker that spins
  int64_t barrierNs; ///< barrier between spinning workers
};

/// A GPU. Rates are of one SM unless they say otherwise.
struct GpuRow {
  const char *name;                    ///< "h200"
  const char *architecture;            ///< "sm_90a"
  int32_t units;                       ///< SMs
  int32_t unitsPerGranule;             ///< SMs of the smallest partition
  double f32FlopsPerNs;                ///< CUDA cores, fused multiply-adds counted twice
  double f16TensorFlopsPerNs;          ///< tensor cores, f32 accumulators, dense
  double unitBytesPerNs;               ///< what one SM can draw from the level-2 cache
  double bytesPerNs;                   ///< of the whole device, main memory
  int64_t launchNs;                    ///< between two dependent kernels of a CUDA graph
  int64_t rampNs;                      ///< filling and draining a kernel's pipeline
  int32_t ptxVersion = 80;             ///< PTX ISA that generated code asks for, times ten
  int32_t blockSharedBytes = 48 << 10; ///< shared memory a block may opt in to
  int32_t unitSharedBytes = 64 << 10;  ///< shared memory of an SM
  int32_t unitThreads = 2048;          ///< resident threads of an SM
  int32_t unitBlocks = 32;             ///< resident blocks of an SM
  int32_t unitRegisters = 64 << 10;    ///< 32-bit registers of an SM
};

/// All GPU rows. The first one of an architecture stands for it where no GPU is named.
std::span<const GpuRow> gpuRows();

/// The row of a GPU by name.
///
/// Fails if there is none (InvalidInput; the message lists the names).
StatusOr<GpuRow> gpuRow(std::string_view name);

/// What a block takes of an SM.
struct GpuBlock {
  int64_t threads = 32;
  int64_t registers = 0; ///< of a thread; 0: not known
  int64_t sharedBytes = 0;
};

/// Blocks that an SM holds at once, at least 1. Source: CUDA C++ programming guide, "Hardware
/// Multithreading" (registers are given to warps in units of 256, shared memory in units of 128
/// bytes and 1 KiB a block for the system).
int32_t residentBlocks(const GpuBlock &block, const GpuRow &row);

/// All host rows, lowest level first.
std::span<const HostRow> hostRows();

/// The row of a level.
///
/// Fails if there is none (InvalidInput; the message lists the levels).
StatusOr<HostRow> hostRow(std::string_view level);

} // namespace mtc
