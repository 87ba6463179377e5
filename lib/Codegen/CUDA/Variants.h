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

/// Marks a config whose factors come by tensor maps (TensorBox.h).
inline constexpr llvm::StringLiteral mappedKey = "mapped";

/// Marks a config whose weight comes by bulk copies (StagedWeight.h).
inline constexpr llvm::StringLiteral stagedKey = "staged";

/// Names the format of factors in a config of tensor cores.
inline constexpr llvm::StringLiteral mmaKey = "mma";

/// What ptxas says goes here in a config; it decides no code.
inline constexpr llvm::StringLiteral resourcesKey = "resources";

/// Marks a config whose products are a warpgroup's.
inline constexpr llvm::StringLiteral groupKey = "wgmma";

/// In a config: blocks that an SM gets at most, of those that it can hold: the grid.
inline constexpr llvm::StringLiteral blocksKey = "blocks";
/// Of rows: those of a block.
inline constexpr llvm::StringLiteral togetherKey = "rows";
/// Of phases: neighbours that a thread computes.
inline constexpr llvm::StringLiteral widthKey = "width";

/// What a config says of the grid; 0: nothing.
int64_t blocksOf(mlir::DictionaryAttr config);

/// A config without times.
struct Choice {
  mlir::DictionaryAttr config;
  llvm::SmallVector<int64_t> tiles; ///< per phase; a phase is a launch
  int64_t scratchBytes = 0;         ///< of the whole task, in device memory
};

/// The format of factors on tensor cores: that of bytes, or what the kernel's class of numerics
/// allows, if it is not f32.
std::optional<MmaFormat> mmaFormatOf(mt::KernelOp kernel, const host::Contraction &c);

/// All tiles of a contraction, in the order of their tables. Fails, without an error, if the kernel
/// is none or no tile fits.
mlir::FailureOr<llvm::SmallVector<Choice>> contractionConfigs(mt::KernelOp kernel,
                                                              const CudaTarget &target);

/// The variants of `kernel` on `target`, with modelled times: first the one for a quarter of the
/// GPU, then those that are faster on another share (chooseCuts), all with the same order of sums
/// (rule R3). One phase per loop nest with `plain`, or when no other emitter takes the kernel.
/// Fails if the body holds an operation no emitter knows (an error is emitted on it).
mlir::FailureOr<llvm::SmallVector<mt::VariantAttr>>
chooseVariants(mt::KernelOp kernel, const CudaTarget &target, bool plain);

/// The variants of `kernel` with given configs and modelled times; null where config and kernel do
/// not fit, or the target's GPU has no room for a block (registers by an estimate).
llvm::SmallVector<mt::VariantAttr> priceVariants(mt::KernelOp kernel, const CudaTarget &target,
                                                 llvm::ArrayRef<mlir::DictionaryAttr> configs);

/// Whether two configs of a kernel add in the same order: what a warp and what a warpgroup
/// multiplies at once is not known to be added alike, other than of bytes.
bool addAlike(mlir::DictionaryAttr a, mlir::DictionaryAttr b);

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
