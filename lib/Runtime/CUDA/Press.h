//===- Press.h - the kernel that keeps caches and memory busy -------------===//
//
// While a kernel is measured beside a neighbour, this one reads a buffer again and again on the SMs
// that are left, in a green context of their own. It loads 16 bytes a thread past the first cache,
// threads side by side, and does nothing else. What a level takes of a GPU's bandwidth no GPU has
// shown: the three are told apart by where the bytes come from and how many threads ask for them.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace mtc::gpu {

/// How hard a neighbour presses.
struct Press {
  int64_t bytes = 0;   ///< that it reads in turn
  unsigned blocks = 1; ///< of an SM
};

inline constexpr unsigned kPressThreads = 256; ///< of a block

/// By a name of neighbourNames() in Tuning; nothing for others. Low stays in the second cache of an
/// A100 or later (40 MB and more), medium and high come from memory.
inline std::optional<Press> pressOf(std::string_view neighbour) {
  if (neighbour == "low")
    return Press{int64_t(8) << 20, 1};
  if (neighbour == "medium")
    return Press{int64_t(256) << 20, 1};
  if (neighbour == "high")
    return Press{int64_t(256) << 20, 8};
  return std::nullopt;
}

inline constexpr const char *kPressName = "mtc_press";

/// Parameters as of all kernels: a buffer, its bytes in place of the first tile, and rounds in
/// place of the last one. All threads together read less than the buffer in a round. The driver
/// compiles it; what it stores never happens, but keeps the loads.
inline constexpr const char *kPressPtx = R"(
.version 7.0
.target sm_80
.address_size 64

.visible .entry mtc_press(.param .u64 at, .param .u64 bytes, .param .u64 end) {
  .reg .pred %p<4>;
  .reg .b32 %r<12>;
  .reg .b64 %rd<12>;
  ld.param.u64 %rd1, [at];
  ld.param.u64 %rd2, [bytes];
  ld.param.u64 %rd3, [end];
  sub.u64 %rd3, %rd3, %rd2;
  cvta.to.global.u64 %rd1, %rd1;
  mov.u32 %r1, %ctaid.x;
  mov.u32 %r2, %ntid.x;
  mov.u32 %r3, %tid.x;
  mov.u32 %r4, %nctaid.x;
  mad.lo.u32 %r5, %r1, %r2, %r3;
  mul.lo.u32 %r6, %r2, %r4;
  mul.wide.u32 %rd4, %r5, 16;
  mul.wide.u32 %rd5, %r6, 16;
  mov.u32 %r7, 0;
  setp.eq.u64 %p1, %rd3, 0;
  @%p1 bra DONE;
AGAIN:
  add.u64 %rd6, %rd1, %rd4;
  ld.global.cg.v4.u32 {%r8, %r9, %r10, %r11}, [%rd6];
  xor.b32 %r8, %r8, %r9;
  xor.b32 %r10, %r10, %r11;
  xor.b32 %r8, %r8, %r10;
  add.u32 %r7, %r7, %r8;
  add.u64 %rd4, %rd4, %rd5;
  setp.ge.u64 %p2, %rd4, %rd2;
  @%p2 sub.u64 %rd4, %rd4, %rd2;
  sub.u64 %rd3, %rd3, 1;
  setp.ne.u64 %p3, %rd3, 0;
  @%p3 bra AGAIN;
  setp.ne.u32 %p1, %r7, 2654435769;
  @%p1 bra DONE;
  setp.ne.u32 %p1, %r5, 4294967295;
  @%p1 bra DONE;
  st.global.u32 [%rd1], %r7;
DONE:
  ret;
}
)";

} // namespace mtc::gpu
