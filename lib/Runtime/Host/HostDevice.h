//===- HostDevice.h - the cores of this host ------------------------------===//
#pragma once

#include "../Device.h"

namespace mtc::host {

/// Workers on the cores of this host for the first host target of `program` whose features this CPU
/// has; its position goes to `target`. With fewer cores than that was compiled for it plans again
/// and says so in the log.
///
/// Ownership: `program`, `options` and `events` outlive it.
/// Fails as Session::create says.
StatusOr<std::unique_ptr<SessionDevice>> makeHostDevice(const BundleReader &program,
                                                        const SessionOptions &options,
                                                        const JobEvents &events, size_t &target);

} // namespace mtc::host
