//===- Lower.h - from an emitted body function to an object file ----------===//
#pragma once

#include "mtc/Codegen/Host/HostTarget.h"

#include "mlir/IR/BuiltinOps.h"

namespace mtc::host {

/// Replaces math functions by polynomials and what LLVM would lower to a call of libm or
/// compiler-rt by code, at whatever vector width they have. No symbol outside the module remains.
/// With `hasLookUp` (AVX-512) vectors of sixteen numbers may be looked up in a table; a target that
/// `convertsBf16` has an instruction for that.
void expandMath(mlir::ModuleOp module, bool hasLookUp = false, bool convertsBf16 = false);

/// How a body becomes code.
struct Lowering {
  bool optimize = true; ///< else LLVM does as little as it can: the last resort
  /// The kernel takes and leaves numbers below 2^-126 as zeros. Some cores need 150 cycles for an
  /// instruction that meets one, and sums of products pass them on from layer to layer.
  /// Source: Intel 64 and IA-32 manual, volume 1, 10.2.3.3 and 10.2.3.4 (FTZ and DAZ).
  bool flushesDenormals = false;
};

/// Lowers a module of one body function `symbol`.body (and constants) to a relocatable object that
/// defines `symbol` with the ABI of KernelABI.h. The module is consumed. `bufferBytes` holds the
/// size of each buffer.
///
/// Fails if a pass fails or an external symbol is needed; an error is emitted.
mlir::FailureOr<std::string> lowerToObject(mlir::ModuleOp module, llvm::StringRef symbol,
                                           llvm::ArrayRef<int64_t> bufferBytes,
                                           const HostTarget &target, const Lowering &lowering);

/// Registers translations, dialects and LLVM's X86 target. Call it once before the first lowering.
void prepareLowering(mlir::MLIRContext &context);

} // namespace mtc::host
