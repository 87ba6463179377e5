//===- Kernels.h - the probe's kernels ------------------------------------===//
//
// They take what kernels of bundles take: (buffers..., scratch, int64 lo, int64 hi), so that the
// fake driver can stand in for a GPU (FakeKernels.cpp has them for the host). FakeKernels.json says
// the same of threads and bytes.
//
//===----------------------------------------------------------------------===//
#pragma once

#include <cstdint>

namespace probe {

/// What block b of a node leaves in its slot. Times are of %globaltimer, which all SMs share.
struct Record {
  uint64_t sm, startNs, endNs;
};

inline constexpr int recordsPerSlot = 256;
inline constexpr uint64_t slotBytes = recordsPerSlot * sizeof(Record);
inline constexpr unsigned narrowThreads = 32;  ///< of spin, add
inline constexpr unsigned wideThreads = 1024;  ///< of spin_wide: two blocks fill an SM
inline constexpr unsigned streamThreads = 256; ///< of work, copy

/// PTX of, in units of the parameters lo and hi:
///   spin(slot, scratch, 0, ns)         every block waits for ns and leaves a record
///   spin_wide(slot, scratch, 0, ns)    the same with 1,024 threads
///   work(slot, scratch, 0, n)          n rounds of 8 dependent multiply-adds a thread, a record
///   add(from, to, scratch, 0, n)       to[0] = from[0] + n, 64-bit
///   copy(slot, from, to, scratch, lo, hi)   16-byte words [lo, hi), a record
/// A slot must have a record per block, but for copy and work, whose blocks share records.
/// Assembled by ptxas 13.0 for sm_80 and sm_90.
inline constexpr const char *kernelPtx = R"(
.version 7.8
.target sm_80
.address_size 64

// Waits in all threads, so that a block keeps its place whatever a warp does.
.visible .entry spin(.param .u64 slot, .param .u64 scratch, .param .u64 lo, .param .u64 hi) {
  .reg .pred %p<3>;
  .reg .b32 %r<4>;
  .reg .b64 %rd<10>;
  mov.u64 %rd5, %globaltimer;
  ld.param.u64 %rd2, [hi];
WAIT:
  mov.u64 %rd6, %globaltimer;
  sub.s64 %rd7, %rd6, %rd5;
  setp.lt.u64 %p2, %rd7, %rd2;
  @%p2 bra WAIT;
  mov.u32 %r1, %tid.x;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra END;
  ld.param.u64 %rd1, [slot];
  cvta.to.global.u64 %rd1, %rd1;
  mov.u32 %r2, %ctaid.x;
  mul.wide.u32 %rd3, %r2, 24;
  add.s64 %rd4, %rd1, %rd3;
  mov.u32 %r3, %smid;
  cvt.u64.u32 %rd8, %r3;
  st.global.u64 [%rd4], %rd8;
  st.global.u64 [%rd4+8], %rd5;
  st.global.u64 [%rd4+16], %rd6;
END:
  ret;
}

.visible .entry spin_wide(.param .u64 slot, .param .u64 scratch, .param .u64 lo, .param .u64 hi) {
  .reg .pred %p<3>;
  .reg .b32 %r<4>;
  .reg .b64 %rd<10>;
  mov.u64 %rd5, %globaltimer;
  ld.param.u64 %rd2, [hi];
WAIT:
  mov.u64 %rd6, %globaltimer;
  sub.s64 %rd7, %rd6, %rd5;
  setp.lt.u64 %p2, %rd7, %rd2;
  @%p2 bra WAIT;
  mov.u32 %r1, %tid.x;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra END;
  ld.param.u64 %rd1, [slot];
  cvta.to.global.u64 %rd1, %rd1;
  mov.u32 %r2, %ctaid.x;
  mul.wide.u32 %rd3, %r2, 24;
  add.s64 %rd4, %rd1, %rd3;
  mov.u32 %r3, %smid;
  cvt.u64.u32 %rd8, %r3;
  st.global.u64 [%rd4], %rd8;
  st.global.u64 [%rd4+8], %rd5;
  st.global.u64 [%rd4+16], %rd6;
END:
  ret;
}

// The result is stored if it is a number that it never is, so that the work is not dropped.
.visible .entry work(.param .u64 slot, .param .u64 scratch, .param .u64 lo, .param .u64 hi) {
  .reg .pred %p<4>;
  .reg .b32 %r<5>;
  .reg .f32 %f<3>;
  .reg .b64 %rd<11>;
  mov.u64 %rd5, %globaltimer;
  ld.param.u64 %rd1, [slot];
  cvta.to.global.u64 %rd1, %rd1;
  ld.param.u64 %rd2, [hi];
  mov.u32 %r1, %tid.x;
  cvt.rn.f32.u32 %f1, %r1;
  mov.u64 %rd9, 0;
NEXT:
  fma.rn.f32 %f1, %f1, 0f3F7FFFFE, 0f3F000000;
  fma.rn.f32 %f1, %f1, 0f3F7FFFFD, 0f3F000001;
  fma.rn.f32 %f1, %f1, 0f3F7FFFFE, 0f3F000002;
  fma.rn.f32 %f1, %f1, 0f3F7FFFFD, 0f3F000003;
  fma.rn.f32 %f1, %f1, 0f3F7FFFFE, 0f3F000004;
  fma.rn.f32 %f1, %f1, 0f3F7FFFFD, 0f3F000005;
  fma.rn.f32 %f1, %f1, 0f3F7FFFFE, 0f3F000006;
  fma.rn.f32 %f1, %f1, 0f3F7FFFFD, 0f3F000007;
  add.s64 %rd9, %rd9, 1;
  setp.lt.u64 %p1, %rd9, %rd2;
  @%p1 bra NEXT;
  setp.eq.f32 %p2, %f1, 0fC2F6E979;
  @%p2 st.global.f32 [%rd1], %f1;
  bar.sync 0;
  setp.ne.u32 %p3, %r1, 0;
  @%p3 bra END;
  mov.u64 %rd6, %globaltimer;
  mov.u32 %r2, %ctaid.x;
  and.b32 %r2, %r2, 255;
  mul.wide.u32 %rd3, %r2, 24;
  add.s64 %rd4, %rd1, %rd3;
  mov.u32 %r3, %smid;
  cvt.u64.u32 %rd8, %r3;
  st.global.u64 [%rd4], %rd8;
  st.global.u64 [%rd4+8], %rd5;
  st.global.u64 [%rd4+16], %rd6;
END:
  ret;
}

.visible .entry add(.param .u64 from, .param .u64 to, .param .u64 scratch, .param .u64 lo,
                    .param .u64 hi) {
  .reg .pred %p<2>;
  .reg .b32 %r<2>;
  .reg .b64 %rd<6>;
  mov.u32 %r1, %tid.x;
  setp.ne.u32 %p1, %r1, 0;
  @%p1 bra END;
  ld.param.u64 %rd1, [from];
  cvta.to.global.u64 %rd1, %rd1;
  ld.param.u64 %rd2, [to];
  cvta.to.global.u64 %rd2, %rd2;
  ld.param.u64 %rd3, [hi];
  ld.global.u64 %rd4, [%rd1];
  add.s64 %rd5, %rd4, %rd3;
  st.global.u64 [%rd2], %rd5;
END:
  ret;
}

// Two words of each thread are under way at a time.
.visible .entry copy(.param .u64 slot, .param .u64 from, .param .u64 to, .param .u64 scratch,
                     .param .u64 lo, .param .u64 hi) {
  .reg .pred %p<4>;
  .reg .b32 %r<16>;
  .reg .b64 %rd<24>;
  mov.u64 %rd20, %globaltimer;
  ld.param.u64 %rd1, [from];
  cvta.to.global.u64 %rd1, %rd1;
  ld.param.u64 %rd2, [to];
  cvta.to.global.u64 %rd2, %rd2;
  ld.param.u64 %rd3, [lo];
  ld.param.u64 %rd4, [hi];
  mov.u32 %r1, %tid.x;
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %nctaid.x;
  mul.wide.u32 %rd5, %r2, %r3;
  cvt.u64.u32 %rd6, %r1;
  add.s64 %rd5, %rd5, %rd6;
  add.s64 %rd5, %rd5, %rd3;
  mul.wide.u32 %rd7, %r3, %r4;
  setp.ge.u64 %p1, %rd5, %rd4;
  @%p1 bra DONE;
NEXT:
  shl.b64 %rd8, %rd5, 4;
  add.s64 %rd9, %rd1, %rd8;
  add.s64 %rd10, %rd2, %rd8;
  ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd9];
  add.s64 %rd5, %rd5, %rd7;
  setp.lt.u64 %p2, %rd5, %rd4;
  shl.b64 %rd11, %rd5, 4;
  add.s64 %rd12, %rd1, %rd11;
  add.s64 %rd13, %rd2, %rd11;
  @%p2 ld.global.v4.u32 {%r9, %r10, %r11, %r12}, [%rd12];
  st.global.v4.u32 [%rd10], {%r5, %r6, %r7, %r8};
  @%p2 st.global.v4.u32 [%rd13], {%r9, %r10, %r11, %r12};
  add.s64 %rd5, %rd5, %rd7;
  setp.lt.u64 %p1, %rd5, %rd4;
  @%p1 bra NEXT;
DONE:
  bar.sync 0;
  setp.ne.u32 %p3, %r1, 0;
  @%p3 bra END;
  mov.u64 %rd21, %globaltimer;
  ld.param.u64 %rd14, [slot];
  cvta.to.global.u64 %rd14, %rd14;
  and.b32 %r13, %r2, 255;
  mul.wide.u32 %rd15, %r13, 24;
  add.s64 %rd16, %rd14, %rd15;
  mov.u32 %r14, %smid;
  cvt.u64.u32 %rd17, %r14;
  st.global.u64 [%rd16], %rd17;
  st.global.u64 [%rd16+8], %rd20;
  st.global.u64 [%rd16+16], %rd21;
END:
  ret;
}
)";

} // namespace probe
