//===- mtc-opt.cpp - the pass driver for tests ----------------------------===//
//
// Reads IR, runs the passes named on the command line, prints IR. It is to `mtc` what mlir-opt is
// to a compiler; `cl::opt` occurs here and nowhere else.
//
//===----------------------------------------------------------------------===//
#include "mtc/Codegen/CUDA/Passes.h"
#include "mtc/Codegen/Host/Passes.h"
#include "mtc/Dialect/MT/IR/Register.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mtc::registerMtcDialects(registry);
  mtc::mt::registerMTPasses();
  mtc::host::registerCodegenHostPasses();
  mtc::cuda::registerCodegenCUDAPasses();
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  mlir::registerStripDebugInfoPass();
  mlir::registerSymbolDCEPass();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "mtc pass driver\n", registry));
}
