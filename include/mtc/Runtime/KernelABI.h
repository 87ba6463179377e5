/*===- KernelABI.h - the one ABI of host kernels (rule R7) -----------------===//
 *
 * A kernel runs the tiles [lo, hi) of one phase. Buffers are 64-byte aligned and in the order of
 * the kernel's operands (reads and writes as in Problem's Kernel::operands). Scratch belongs to
 * the calling worker, 64-byte aligned; which worker runs which tiles is decided while they run, so
 * it says nothing from call to call. A status other than 0 fails the request, not the process.
 *
 *===----------------------------------------------------------------------===*/
#ifndef MTC_RUNTIME_KERNELABI_H
#define MTC_RUNTIME_KERNELABI_H

#include <stdint.h>

typedef struct MtcKernelArgs {
  int64_t phase;
  int64_t lo;
  int64_t hi;
  int64_t worker;
  void *const *buffers;
  void *scratch;          /* this worker's own */
  const int64_t *extents; /* true extents of data-dependent dimensions, or null */
} MtcKernelArgs;

typedef int32_t (*MtcKernelFn)(const MtcKernelArgs *);

#endif
