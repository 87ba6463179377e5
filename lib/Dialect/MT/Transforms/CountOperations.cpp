//===- CountOperations.cpp - the arithmetic of a kernel -------------------===//
#include "mtc/Dialect/MT/Transforms/CountOperations.h"

#include "mtc/Dialect/MT/Transforms/Product.h"
#include "mtc/Dialect/MT/Transforms/SplitWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace mtc::mt {

int64_t iterationsOf(Operation *structured) {
  auto recurrence = structured->getParentOfType<RecurrenceOp>();
  int64_t iterations = recurrence ? recurrence.getSteps() : 1;
  for (int64_t extent : cast<linalg::LinalgOp>(structured).getStaticLoopRanges())
    iterations *= extent;
  return iterations;
}

bool isByteProduct(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && productOf(generic) && llvm::all_of(generic.getInputs(), [](mlir::Value v) {
           return getElementTypeOrSelf(v.getType()).isInteger(8);
         });
}

std::optional<int64_t> filteringFlopsOf(Operation *operation) {
  auto op = dyn_cast<linalg::LinalgOp>(operation);
  auto kernel = operation->getParentOfType<KernelOp>();
  if (!op || !kernel || !kernel.getNumerics().value_or("").starts_with("winograd-") ||
      op.getNumDpsInputs() != 2)
    return std::nullopt;
  DenseElementsAttr matrix;
  if (!matchPattern(op.getDpsInputs()[1], m_Constant(&matrix)) || matrix.getType().getRank() != 2)
    return std::nullopt;
  // What a vector takes with common terms taken once: see EmitWinograd.cpp.
  struct Cost {
    int64_t rows, columns, flops;
  };
  constexpr Cost costs[] = {{6, 6, 19}, {4, 6, 13}, {5, 5, 14}, {4, 5, 11}};
  ArrayRef<int64_t> shape = matrix.getType().getShape();
  for (const Cost &cost : costs)
    if (shape[0] == cost.rows && shape[1] == cost.columns)
      return iterationsOf(op) / (shape[0] * shape[1]) * cost.flops;
  return std::nullopt;
}

static int64_t flopsOf(linalg::LinalgOp op) {
  if (std::optional<int64_t> flops = filteringFlopsOf(op))
    return *flops;
  if (op->getNumResults() == 1 && splitWeightOf(op->getResult(0)))
    return 0; // what joins a weight's parts is never run
  int64_t operations = 0;
  for (Operation &inner : op.getBlock()->without_terminator()) {
    bool isArithmetic = isa<arith::ArithDialect, math::MathDialect>(inner.getDialect());
    bool isFree = isa<arith::ConstantOp, arith::CmpFOp, arith::CmpIOp, arith::SelectOp>(inner) ||
                  isa<CastOpInterface>(inner) || inner.getResult(0).getType().isIndex();
    operations += isArithmetic && !isFree;
  }
  return iterationsOf(op) * operations;
}

int64_t flopsOf(KernelOp kernel) {
  int64_t flops = 0;
  kernel.getBody().walk([&](linalg::LinalgOp op) { flops += flopsOf(op); });
  return flops;
}

int64_t byteFlopsOf(KernelOp kernel) {
  int64_t flops = 0;
  kernel.getBody().walk([&](linalg::LinalgOp op) {
    if (isByteProduct(op))
      flops += flopsOf(op);
  });
  return flops;
}

} // namespace mtc::mt
