//===- DeviceTable.cpp - rates of generic hosts ---------------------------===//
//
// flopsPerNs: vector lanes * FMA units * 2 * 3 GHz: v2 has 4 lanes, one multiply and one add a
// cycle; v3 two FMA units of 8 lanes (Intel since Haswell, AMD since Zen 2); v4 between AMD Zen 4,
// which splits 512 bits (96), and Intel Xeons and Zen 5 (192 and more):
// https://www.agner.org/optimize/microarchitecture.pdf bytesPerNs: 17.5 read from memory by one
// core of an AMD EPYC (Zen 4, two cores, 2025-11); a cache gives more, other tenants take some
// away. launchNs, barrierNs: 0.1 us from one spinning worker to another on an AMD EPYC (Zen 5),
// there and back, and the loop around it.
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
