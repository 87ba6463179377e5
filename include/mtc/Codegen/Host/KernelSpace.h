//===- KernelSpace.h - kernels as the tuner sees them ---------------------===//
//
// The bridge between kernels in the IR and Tuning, which knows plain data only: a kernel's shape
// and features out, configs as attributes in.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Tuning/ConfigSpace.h"
#include "mtc/Tuning/Record.h"

namespace mtc::host {

/// Names the emitted code: times hold for this compiler only. "0.1.0, host code 12, LLVM 22.1.8"
std::string codeVersion();

/// What a kernel computes on which instructions, whatever its name, variants and the cores: equal
/// hashes of equal configs are equal code. 64 hexadecimal digits.
std::string kernelHash(mt::KernelOp kernel, const HostTarget &target);

/// What the emitter writes for a kernel's config, as a hash: unlike codeVersion() it changes only
/// with this kernel's own code, so that times can outlive a compiler. Of LLVM the major version
/// counts. 16 hexadecimal digits. Fails, without an error, if the config does not fit.
///
/// Complexity: that of emission, some milliseconds.
mlir::FailureOr<std::string> emissionHash(mt::KernelOp kernel, const HostTarget &target,
                                          mlir::DictionaryAttr config);

CoreShape coreShape(const HostTarget &target);

/// The shape that decides the kernel's space; std::monostate if plain loops run it.
KernelShape kernelShape(mt::KernelOp kernel, const HostTarget &target);

/// Numbers that learned times are made from.
KernelFeatureMap kernelFeatures(mt::KernelOp kernel, const HostTarget &target);

/// A config's attribute as plain data. Fails, without an error, if it holds anything but integers.
mlir::FailureOr<Config> configOf(mlir::DictionaryAttr attribute);

/// The reverse.
mlir::DictionaryAttr configAttr(mlir::MLIRContext *context, const Config &config);

/// The variant of `kernel` with `config`: its tiles and scratch, with the times of `granules`.
/// Fails, without an error, if config and kernel do not fit.
mlir::FailureOr<mt::VariantAttr> variantOf(mt::KernelOp kernel, const HostTarget &target,
                                           mlir::DictionaryAttr config,
                                           llvm::ArrayRef<int64_t> granules,
                                           llvm::ArrayRef<int64_t> ns, llvm::StringRef origin);

} // namespace mtc::host
