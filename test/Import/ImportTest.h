//===- ImportTest.h - a program to import small models into ---------------===//
#pragma once

#include "TestModel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"

#include <ctime>

namespace mtc::onnx_import {

class ImportTest : public testing::Test {
protected:
  ImportTest() {
    context.loadDialect<mt::MTDialect, mlir::arith::ArithDialect, mlir::linalg::LinalgDialect,
                        mlir::math::MathDialect, mlir::tensor::TensorDialect>();
    mlir::OpBuilder b(&context);
    module = mlir::ModuleOp::create(b.getUnknownLoc());
    b.setInsertionPointToEnd(module->getBody());
    program = mt::ProgramOp::create(b, b.getUnknownLoc(), "set");
  }

  Status import(const onnx::ModelProto &model) { return importBytes(model.SerializeAsString()); }
  Status importBytes(const std::string &bytes, const std::string &tenant = "t") {
    std::string path = folder.write(tenant + ".onnx", bytes);
    unsupportedNodes.clear();
    std::clock_t start = std::clock();
    Status status = importModel(program, {tenant, path, {{"n1", {}, {}}}}, {}, unsupportedNodes);
    seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    return status;
  }
  bool isEmpty() { return program.getBody().front().empty(); }

  TestFolder folder;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mt::ProgramOp program;
  std::vector<UnsupportedNode> unsupportedNodes;
  double seconds = 0; ///< of CPU time: what the last import took, whatever else runs here
};

inline bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

#define EXPECT_REFUSED(status, part)                                                               \
  do {                                                                                             \
    Status s = (status);                                                                           \
    EXPECT_EQ(s.code(), ErrorCode::InvalidInput) << s.message();                                   \
    EXPECT_PRED2(contains, s.message(), part);                                                     \
    EXPECT_TRUE(isEmpty());                                                                        \
  } while (false)

} // namespace mtc::onnx_import
