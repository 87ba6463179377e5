//===- Register.h - the dialects that mtc's programs are written in -------===//
#pragma once

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace mtc {

/// Registers mt and every upstream dialect that a phase of the compiler may hold, from the model
/// phase down to LLVM. Interfaces for tiling, bufferization and translation are the code
/// generator's own and not registered here. Every program that parses or builds IR calls it.
void registerMtcDialects(mlir::DialectRegistry &registry);

} // namespace mtc
