//===- Variants.h - the configs of kernels and their emission -------------===//
//
// A config is the dictionary of an #mt.variant: {emitter = "plain" | "rows" | "contraction", ...}.
// It says everything that an emission needs, so the tiles a runtime splits are those the code has.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"
#include "mtc/Dialect/MT/IR/MT.h"

namespace mtc::host {

/// A config before it is priced.
struct Choice {
  mlir::DictionaryAttr config;
  llvm::SmallVector<int64_t> tiles;
  int64_t scratchBytes = 0;
};

/// The config for `kernel` on `target`; plain loops with `plain`, or when no emitter takes the
/// kernel. Fails if the body holds an operation no emitter knows (an error is emitted on it).
mlir::FailureOr<Choice> chooseConfig(mt::KernelOp kernel, const HostTarget &target, bool plain);

/// Tiles and scratch of `kernel` with `config`. Fails, without an error, if they do not fit.
mlir::FailureOr<Choice> choiceOf(mt::KernelOp kernel, const HostTarget &target,
                                 mlir::DictionaryAttr config);

/// Emits the body function of `kernel` with `config` into `module`.
/// Fails if config and kernel do not fit (an error is emitted).
mlir::LogicalResult emitVariant(mlir::ModuleOp module, mt::KernelOp kernel,
                                mlir::DictionaryAttr config, llvm::StringRef symbol,
                                const HostTarget &target);

/// The config of plain loops.
mlir::DictionaryAttr plainConfig(mlir::MLIRContext *context);

/// Scratch that plain loops need.
mlir::FailureOr<int64_t> plainScratchBytes(mt::KernelOp kernel);

} // namespace mtc::host
