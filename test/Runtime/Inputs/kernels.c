/* Hand-written kernels of the ABI for the runtime's tests. A tile is 16 floats. No dependencies,
 * as generated code: compiled with -nostdlib. */
#include "mtc/Runtime/KernelABI.h"

enum { TILE = 16 };
#define EXPORT __attribute__((visibility("default")))

/* (x, w, y): y = x * w, w a weight as long as x */
EXPORT int32_t scale(const MtcKernelArgs *args) {
  const float *x = args->buffers[0], *w = args->buffers[1];
  float *y = args->buffers[2];
  for (int64_t i = args->lo * TILE; i < args->hi * TILE; ++i)
    y[i] = x[i] * w[i];
  return 0;
}

/* (a, b, y): y = a + b */
EXPORT int32_t add(const MtcKernelArgs *args) {
  const float *a = args->buffers[0], *b = args->buffers[1];
  float *y = args->buffers[2];
  for (int64_t i = args->lo * TILE; i < args->hi * TILE; ++i)
    y[i] = a[i] + b[i];
  return 0;
}

/* (x, sums, y), two phases: sums[tile] = sum of the tile; y = x / sum of all sums. Right only with
 * a barrier between the phases. Leaves a mark in the scratch of each worker. */
EXPORT int32_t normalize(const MtcKernelArgs *args) {
  const float *x = args->buffers[0];
  float *sums = args->buffers[1], *y = args->buffers[2];
  int64_t *scratch = args->scratch;
  if (((uintptr_t)scratch & 63) != 0)
    return 64;
  for (int64_t tile = args->lo; tile < args->hi; ++tile) {
    if (args->phase == 0) {
      float sum = 0;
      for (int i = 0; i < TILE; ++i)
        sum += x[tile * TILE + i];
      sums[tile] = sum;
      scratch[0] = args->worker + 1;
    } else {
      float sum = 0;
      for (int i = 0; i < 64; ++i)
        sum += sums[i];
      for (int i = 0; i < TILE; ++i)
        y[tile * TILE + i] = x[tile * TILE + i] / sum;
      if (scratch[0] && scratch[0] != args->worker + 1) /* 0: had no tile of phase 0 yet */
        return 65;
    }
  }
  return 0;
}

/* (x, y): y = x, but status 7 where x is 13 */
EXPORT int32_t fragile(const MtcKernelArgs *args) {
  const float *x = args->buffers[0];
  float *y = args->buffers[1];
  for (int64_t i = args->lo * TILE; i < args->hi * TILE; ++i) {
    if (x[i] == 13.0f)
      return 7;
    y[i] = x[i];
  }
  return 0;
}

/* (x, y): waits x[0] milliseconds at about 2 GHz, then y = x */
EXPORT int32_t slow(const MtcKernelArgs *args) {
  const float *x = args->buffers[0];
  float *y = args->buffers[1];
  if (args->lo == 0) {
    const uint64_t until = __builtin_ia32_rdtsc() + (uint64_t)(x[0] * 2.0e6f);
    while (__builtin_ia32_rdtsc() < until)
      __builtin_ia32_pause();
  }
  for (int64_t i = args->lo * TILE; i < args->hi * TILE; ++i)
    y[i] = x[i];
  return 0;
}

/* (byte, byte'): a copy */
EXPORT int32_t pass(const MtcKernelArgs *args) {
  if (args->lo == 0)
    *(uint8_t *)args->buffers[1] = *(const uint8_t *)args->buffers[0];
  return 0;
}

/* (x, limit, more): more = x[0] < limit[0] */
EXPORT int32_t below(const MtcKernelArgs *args) {
  if (args->lo == 0)
    *(uint8_t *)args->buffers[2] =
        *(const float *)args->buffers[0] < *(const float *)args->buffers[1];
  return 0;
}
