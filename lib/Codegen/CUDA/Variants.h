//===- Variants.h - the configs of CUDA kernels and their emission --------===//
//
// A config is the dictionary of an #mt.variant: {emitter = "phases", threads = 256, ...}. It says
// everything that an emission needs, so the tiles a runtime splits are those the code has.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Codegen/CUDA/CudaTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"

#include "MmaTile.h"

namespace mtc::cuda {

/// Marks a config whose weight comes by bulk copies (StagedWeight.h).
inline constexpr llvm::StringLiteral stagedKey = "staged";

/// A config before it is priced.
struct Choice {
  mlir::DictionaryAttr config;
  llvm::SmallVector<int64_t> tiles; ///< per phase; a phase is a launch
  int64_t scratchBytes = 0;         ///< of the whole task, in device memory
  /// Part of the CUDA cores' peak that a tile reaches (estimate); tensor cores reach more than 1.
  double efficiency = 0.25;
};

/// The format of factors on tensor cores: that of bytes, or what the kernel's class of numerics
/// allows, if it is not f32.
std::optional<MmaFormat> mmaFormatOf(mt::KernelOp kernel, const host::Contraction &c);

/// The config for `kernel` on `target`; one phase per loop nest with `plain`, or when no other
/// emitter takes the kernel. Fails if the body holds an operation no emitter knows (an error is
/// emitted on it).
mlir::FailureOr<Choice> chooseConfig(mt::KernelOp kernel, const CudaTarget &target, bool plain);

/// The config of one phase per loop nest.
mlir::FailureOr<Choice> choosePhases(mt::KernelOp kernel);

/// The config of the next smaller tile of a thread, which needs fewer registers; sums are added in
/// the same order. Fails, without an error, if there is none.
mlir::FailureOr<Choice> smallerConfig(mt::KernelOp kernel, mlir::DictionaryAttr config);

/// The name of the function of a phase.
std::string phaseSymbol(llvm::StringRef symbol, int64_t phase);

/// Emits the body functions of `kernel` with `config` into `module`: one per phase, named
/// phaseSymbol(symbol, phase) and ".body". Fails if config and kernel do not fit (an error is
/// emitted).
mlir::LogicalResult emitVariant(mlir::ModuleOp module, mt::KernelOp kernel,
                                mlir::DictionaryAttr config, llvm::StringRef symbol);

} // namespace mtc::cuda
