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
// .../h200/ (SXM: 132 SMs, 67 TFLOP/s f32, 989.5 TFLOP/s f16 without sparsity; 3.35 and 4.8 TB/s).
// Estimates: unitBytesPerNs (about 6 TB/s of level-2 cache over all SMs), launchNs, rampNs.
//
//===----------------------------------------------------------------------===//
#include "mtc/Support/DeviceTable.h"

#include <fmt/format.h>

namespace mtc {

static constexpr HostRow rows[] = {
    {"x86-64", 24, 12, 300, 200},
    {"x86-64-v2", 24, 12, 300, 200},
    {"x86-64-v3", 96, 16, 300, 200},
    {"x86-64-v4", 128, 16, 300, 200},
};

static constexpr GpuRow gpus[] = {
    {"h100", "sm_90a", 132, 8, 67'000.0 / 132, 989'500.0 / 132, 48, 3350, 2000, 500},
    {"h200", "sm_90a", 132, 8, 67'000.0 / 132, 989'500.0 / 132, 48, 4800, 2000, 500},
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
