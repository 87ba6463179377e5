//===- FakeKernels.cpp - the probe's kernels for the fake driver ----------===//
//
// What Kernels.h has as PTX, for the threads of test/Emulator. SMs and times are made up: nothing
// that the probe measures with them means anything.
//
//===----------------------------------------------------------------------===//
#include "Kernels.h"

#include "Emulator/Launch.h"

#include <chrono>
#include <cstring>

namespace {

using mtc::emulator::ThreadView;

const ThreadView &viewOf(const MtcKernelArgs *args) {
  return *static_cast<const ThreadView *>(args->scratch);
}

uint64_t now() {
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

int32_t leaveRecord(const MtcKernelArgs *args, uint64_t startNs) {
  const ThreadView &view = viewOf(args);
  if (view.thread == 0)
    static_cast<probe::Record *>(args->buffers[0])[view.block % probe::recordsPerSlot] = {
        static_cast<uint64_t>(view.block) % 8, startNs, now()};
  return 0;
}

} // namespace

#define MTC_PROBE_EXPORT extern "C" __attribute__((visibility("default")))

MTC_PROBE_EXPORT int32_t spin(const MtcKernelArgs *args) { return leaveRecord(args, now()); }
MTC_PROBE_EXPORT int32_t spin_wide(const MtcKernelArgs *args) { return leaveRecord(args, now()); }
MTC_PROBE_EXPORT int32_t work(const MtcKernelArgs *args) { return leaveRecord(args, now()); }

MTC_PROBE_EXPORT int32_t add(const MtcKernelArgs *args) {
  if (viewOf(args).thread == 0)
    *static_cast<int64_t *>(args->buffers[1]) =
        *static_cast<const int64_t *>(args->buffers[0]) + args->hi;
  return 0;
}

MTC_PROBE_EXPORT int32_t copy(const MtcKernelArgs *args) {
  const ThreadView &view = viewOf(args);
  const uint64_t startNs = now();
  for (int64_t i = args->lo + view.block * probe::streamThreads + view.thread; i < args->hi;
       i += view.blocks * probe::streamThreads)
    std::memcpy(static_cast<char *>(args->buffers[2]) + 16 * i,
                static_cast<const char *>(args->buffers[1]) + 16 * i, 16);
  return leaveRecord(args, startNs);
}
