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
/// and with `members` above 1 also the kernel S_members(table, int64 lo, int64 hi), which runs up
/// to so many members in one launch (mtc/Bundle/GpuCode.h).
///
/// The module is consumed. Fails if a pass fails or code outside the module is needed; an error is
/// emitted.
mlir::FailureOr<std::string> lowerToPtx(mlir::ModuleOp module, const CudaTarget &target,
                                        int32_t members = 1);

} // namespace mtc::cuda
