//===- KernelSpace.h - CUDA kernels as the tuner sees them ----------------===//
//
// The bridge between kernels in the IR and Tuning, which knows plain data only. What can be emitted
// is the emitters' matter (MmaTile, EmitContraction), so the space is made here, from their rules:
// registers by an estimate, shared memory of the target's GPU, threads of a block.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Codegen/CUDA/CudaTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"
#include "mtc/Tuning/ConfigSpace.h"
#include "mtc/Tuning/Search.h"

namespace mtc::cuda {

/// Names the emitted code: times hold for this compiler only. "cuda codegen 11".
std::string codeVersion();

/// What a kernel computes on which architecture, whatever its name, variants and the GPU's size. 64
/// hexadecimal digits.
std::string kernelHash(mt::KernelOp kernel, const CudaTarget &target);

/// Numbers that learned times are made from: the form (by emitter), work, extents and what the
/// target's GPU can do, by GpuFeatures.cpp in Tuning. Empty if the kernel has no variant.
KernelFeatureMap kernelFeatures(mt::KernelOp kernel, const CudaTarget &target);

/// A config's attribute as plain data, without `resources`: "contraction-f16 bk=64 bm=128 ...
/// wgmma=1". Fails, without an error, if it holds anything else.
mlir::FailureOr<Config> configOf(mlir::DictionaryAttr attribute);

/// The reverse.
mlir::DictionaryAttr configAttr(mlir::MLIRContext *context, const Config &config);

/// The configs of `kernel` that compute the same bits as its first variant (rule R3) and that a
/// block of the target's GPU can hold, each once: tiles, terms of a step, stages, warps or
/// warpgroups, those that only copy; threads of a phase and neighbours that one computes; rows of a
/// block, but not their threads, which order its sums; and of all the blocks that an SM gets at
/// most.
///
/// Complexity: some hundred configs for a product on tensor cores.
std::vector<Config> configSpace(mt::KernelOp kernel, const CudaTarget &target);

/// Modelled time of a config on a number of granules (GpuModel.h), to rank the configs of `kernel`;
/// infinite for what it is not a config of.
RankConfig rankConfigs(mt::KernelOp kernel, const CudaTarget &target);

/// The variant of `kernel` with `config`: its tiles and scratch, with the times of `granules`.
/// Fails, without an error, if config and kernel do not fit, the GPU's blocks are too small for it,
/// or it does not compute the bits of the kernel's first variant.
mlir::FailureOr<mt::VariantAttr> variantOf(mt::KernelOp kernel, const CudaTarget &target,
                                           mlir::DictionaryAttr config,
                                           llvm::ArrayRef<int64_t> granules,
                                           llvm::ArrayRef<int64_t> ns, llvm::StringRef origin);

} // namespace mtc::cuda
