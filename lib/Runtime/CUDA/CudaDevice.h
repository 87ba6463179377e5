//===- CudaDevice.h - a session's GPU -------------------------------------===//
#pragma once

#include "../Device.h"

namespace mtc::gpu {

/// A GPU for the first CUDA target of `program` that it can run.
///
/// Ownership: `program`, `options` and `events` outlive it.
/// Fails if there is no driver or device (DeviceUnavailable), the bundle has no target for it
/// (DeviceUnavailable, or BundleRefused if those it has are for other GPUs), or the driver fails.
StatusOr<std::unique_ptr<SessionDevice>> makeCudaDevice(const BundleReader &program,
                                                        const SessionOptions &options,
                                                        const JobEvents &events, size_t &target);

} // namespace mtc::gpu
