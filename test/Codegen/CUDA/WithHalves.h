//===- WithHalves.h - kernels with operands in f16 or bf16 ----------------===//
#pragma once

#include "Codegen/CUDA/NarrowKernel.h"
#include "EmulatedProgram.h"

#include <gtest/gtest.h>

namespace mtc::cuda::test {

/// What a format multiplies exactly, and the type of operands.
struct Case {
  std::string format, type;
};

/// The kernel with all operands of f32 in another type, computed as `format` says ("f32": exactly).
inline std::string withHalves(std::string text, const Case &c) {
  mlir::DialectRegistry registry;
  registerMtcDialects(registry);
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  context.loadAllAvailableDialects();
  if (c.format != "f32")
    text.insert(text.find(" {\n"), " numerics(\"contraction-k-" + c.format + "\")");
  auto module =
      mlir::parseSourceString<mlir::ModuleOp>("mt.program @p {\n" + text + "\n}", &context);
  auto program = *module->getOps<mt::ProgramOp>().begin();
  mt::KernelOp kernel = *program.getBody().getOps<mt::KernelOp>().begin();
  Places places;
  for (auto [i, type] : llvm::enumerate(kernel.getArgumentTypes()))
    if (mlir::getElementTypeOrSelf(type).isF32())
      places.arguments.push_back(i);
  mlir::FloatType type = mlir::BFloat16Type::get(&context);
  if (c.type == "f16")
    type = mlir::Float16Type::get(&context);
  NarrowedKernel narrowed = narrowKernel(kernel, places, type);
  EXPECT_TRUE(narrowed.unfit.empty());
  std::string result;
  llvm::raw_string_ostream(result) << **narrowed.kernel;
  return result;
}

} // namespace mtc::cuda::test
