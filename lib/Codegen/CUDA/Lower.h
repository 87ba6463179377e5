//===- Lower.h - from emitted body functions to PTX -----------------------===//
#pragma once

#include "mtc/Codegen/CUDA/CudaTarget.h"

#include "mlir/IR/BuiltinOps.h"

namespace mtc::cuda {

/// Registers translations, dialects and LLVM's NVPTX target. Call it once before the first
/// lowering.
void prepareLowering(mlir::MLIRContext &context);

/// Lowers a module of body functions (ThreadEmitter.h) to PTX. Function S.body becomes the kernel
///
///   S(buffers..., scratch, int64 lo, int64 hi, tensor maps...)
///
/// The module is consumed. Fails if a pass fails or code outside the module is needed; an error is
/// emitted.
mlir::FailureOr<std::string> lowerToPtx(mlir::ModuleOp module, const CudaTarget &target);

} // namespace mtc::cuda
