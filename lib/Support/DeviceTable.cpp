//===- DeviceTable.cpp - rates of hosts and GPUs --------------------------===//
//
// flopsPerNs: vector lanes * FMA units * 2 * 3 GHz: v2 has 4 lanes, one multiply and one add a
// cycle; v3 two FMA units of 8 lanes (Intel since Haswell, AMD since Zen 2); v4 between AMD Zen 4,
// which splits 512 bits (96), and Intel Xeons and Zen 5 (192 and more):
// https://www.agner.org/optimize/microarchitecture.pdf bytesPerNs: 17.5 read from memory by one
// core of an AMD EPYC (Zen 4, two cores, 2025-11); a cache gives more, other tenants take some
// away. launchNs, barrierNs: 0.1 us from one spinning worker to another on an AMD EPYC (Zen 5),
// there and back, and the loop around it.
//
// GPUs, from data sheets, nothing measured: https://www.nvidia.com/en-us/data-center/h100/ and
// .../h200/ (SXM: 132 SMs, 67 TFLOP/s f32, 989.5 TFLOP/s f16 without sparsity; 3.35 and 4.8 TB/s),
// .../a100/ (SXM 80 GB: 108 SMs, 19.5 and 312 TFLOP/s, 2.04 TB/s), .../l4/ (58 SMs, 30.3 and 121
// TFLOP/s, 0.3 TB/s). SMs of a granule: the least partition of cuDevSmResourceSplitByCount (8 from
// compute capability 9.0 on, 4 on 8.x): CUDA driver API, "Green Contexts". Limits of an SM: CUDA
// C++ programming guide, "Technical Specifications per Compute Capability". Estimates:
// unitBytesPerNs (about 6 TB/s of level-2 cache over all SMs of an H100, 5 of an A100, 2 of an L4),
// launchNs, rampNs.
//
//===----------------------------------------------------------------------===//
#include "mtc/Support/DeviceTable.h"

#include <fmt/format.h>

#include <algorithm>

namespace mtc {

static constexpr HostRow rows[] = {
    {"x86-64", 24, 12, 300, 200},
    {"x86-64-v2", 24, 12, 300, 200},
    {"x86-64-v3", 96, 16, 300, 200},
    {"x86-64-v4", 128, 16, 300, 200},
};

static constexpr int32_t KiB = 1 << 10;

static constexpr GpuRow gpus[] = {
    {"h200", "sm_90a", 132, 8, 67'000.0 / 132, 989'500.0 / 132, 48, 4800, 2000, 500, 84, 227 * KiB,
     228 * KiB, 2048, 32, 64 * KiB},
    {"h100", "sm_90a", 132, 8, 67'000.0 / 132, 989'500.0 / 132, 48, 3350, 2000, 500, 84, 227 * KiB,
     228 * KiB, 2048, 32, 64 * KiB},
    {"a100", "sm_80", 108, 4, 19'500.0 / 108, 312'000.0 / 108, 46, 2039, 2000, 500, 70, 163 * KiB,
     164 * KiB, 2048, 32, 64 * KiB},
    {"l4", "sm_89", 58, 4, 30'300.0 / 58, 121'000.0 / 58, 34, 300, 2000, 500, 78, 99 * KiB,
     100 * KiB, 1536, 24, 64 * KiB},
};

std::span<const GpuRow> gpuRows() { return gpus; }

StatusOr<GpuRow> gpuRow(std::string_view name) {
  std::string known;
  for (const GpuRow &row : gpus) {
    if (name == row.name)
      return row;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  return invalidInput(fmt::format("unknown GPU '{}'; known: {}", name, known));
}

static int64_t ceilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

int32_t residentBlocks(const GpuBlock &block, const GpuRow &row) {
  const int64_t warps = ceilDivide(block.threads, 32);
  int64_t blocks = std::min<int64_t>(row.unitBlocks, row.unitThreads / (warps * 32));
  if (block.registers > 0)
    blocks = std::min<int64_t>(blocks, row.unitRegisters / 256 /
                                           (warps * ceilDivide(block.registers * 32, 256)));
  const int64_t shared = ceilDivide(block.sharedBytes, 128) * 128 + 1024;
  blocks = std::min<int64_t>(blocks, row.unitSharedBytes / shared);
  return static_cast<int32_t>(std::max<int64_t>(1, blocks));
}

std::span<const HostRow> hostRows() { return rows; }

StatusOr<HostRow> hostRow(std::string_view level) {
  std::string known;
  for (const HostRow &row : rows) {
    if (level == row.level)
      return row;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", row.level);
  }
  return invalidInput(fmt::format("unknown host level '{}'; known: {}", level, known));
}

} // namespace mtc
