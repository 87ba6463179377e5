//===- Stamp.h - the kernel that writes what time it is -------------------===//
//
// Where tasks are recorded, a node of one thread stands before and behind each, in the task's own
// context: it writes the GPU's clock. Nodes that record events would do the same without a kernel,
// but they name no context: between nodes of green contexts each would add two edges across
// contexts to the time it is to measure, and what an event captures is the end of nodes before it,
// not the start of the next. Times of all graphs, streams and partitions compare, as does what
// test/gpu/probe finds by the same clock.
//
// A task's time so holds an edge of a graph more than its kernels take, about a microsecond (probe:
// `edges`), and the clock goes in steps that a GPU does not promise: `mtrt bench` says which it
// saw. Source: PTX ISA 9.0, "Special Registers: %globaltimer".
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>

namespace mtc::gpu {

inline constexpr const char *kStampName = "mtc_stamp";

/// A stamp's bytes, so that no two share a sector; the first 8 are the time in ns.
inline constexpr int64_t kStampBytes = 64;

/// Parameters as of all kernels: a buffer, and tiles that mean nothing. The driver compiles it.
inline constexpr const char *kStampPtx = R"(
.version 7.0
.target sm_80
.address_size 64

.visible .entry mtc_stamp(.param .u64 at, .param .u64 lo, .param .u64 hi) {
  .reg .b64 %rd<3>;
  ld.param.u64 %rd1, [at];
  cvta.to.global.u64 %rd1, %rd1;
  mov.u64 %rd2, %globaltimer;
  st.global.u64 [%rd1], %rd2;
  ret;
}
)";

} // namespace mtc::gpu
