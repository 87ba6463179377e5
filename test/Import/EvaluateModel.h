//===- EvaluateModel.h - what the importer's IR computes ------------------===//
//
// Imports a model and evaluates its entry without generated code.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "../Dialect/EvaluateEntry.h"
#include "TestModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

namespace mtc::onnx_import {

template <typename Number> llvm::ArrayRef<uint8_t> bytesOf(const std::vector<Number> &numbers) {
  return {reinterpret_cast<const uint8_t *>(numbers.data()), numbers.size() * sizeof(Number)};
}

template <typename Number> std::vector<Number> numbersIn(const std::vector<uint8_t> &bytes) {
  std::vector<Number> numbers(bytes.size() / sizeof(Number));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(Number));
  return numbers;
}

/// The bytes of output `index`; inputs in the graph's order.
inline std::vector<uint8_t> outputOf(const onnx::ModelProto &model,
                                     llvm::ArrayRef<llvm::ArrayRef<uint8_t>> inputs,
                                     unsigned index = 0) {
  mlir::MLIRContext context;
  context.loadDialect<mt::MTDialect, mlir::arith::ArithDialect, mlir::linalg::LinalgDialect,
                      mlir::math::MathDialect, mlir::tensor::TensorDialect>();
  mlir::OpBuilder b(&context);
  mlir::OwningOpRef<mlir::ModuleOp> module = mlir::ModuleOp::create(b.getUnknownLoc());
  b.setInsertionPointToEnd(module->getBody());
  auto program = mt::ProgramOp::create(b, b.getUnknownLoc(), "set");
  TestFolder folder;
  std::vector<UnsupportedNode> unsupported;
  Status status = importModel(
      program, {"t", folder.write("m.onnx", model.SerializeAsString()), {{"n1", {}, {}}}}, {},
      unsupported);
  EXPECT_TRUE(status.ok()) << status.message();
  if (!status.ok())
    return {};
  auto tenant = *program.getBody().getOps<mt::TenantOp>().begin();
  auto entry = *tenant.getBody().getOps<mt::EntryOp>().begin();
  std::vector<mt::TensorBytes> tensors;
  for (auto [argument, bytes] : llvm::zip_equal(entry.getBody().getArguments(), inputs))
    tensors.push_back({mlir::cast<mlir::RankedTensorType>(argument.getType()), bytes, nullptr});
  StatusOr<mt::TensorBytes> result = mt::evaluateEntry(program, entry, tensors, index);
  EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.status().message());
  return result.ok() ? std::vector<uint8_t>(result->data.begin(), result->data.end())
                     : std::vector<uint8_t>();
}

} // namespace mtc::onnx_import
