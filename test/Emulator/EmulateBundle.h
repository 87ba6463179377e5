//===- EmulateBundle.h - the CUDA kernels of a bundle on the host ---------===//
#pragma once

#include "mtc/Bundle/Reader.h"

namespace mtc::emulator {

/// Writes PREFIX.so with the kernels of all CUDA targets of `bundle` as host code of one thread, by
/// the names that the modules of the bundle have, and PREFIX.json with what a launch has to know of
/// each: threads, shared memory, bytes of the buffers and which of them are written. The kernels
/// come from the bundle's text of the schedule phase.
///
/// Fails if that text is cut short, or a kernel cannot be emulated.
Status emulateBundle(const BundleReader &bundle, const std::string &prefix, bool checks);

} // namespace mtc::emulator
