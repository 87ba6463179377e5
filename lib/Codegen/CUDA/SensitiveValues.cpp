//===- SensitiveValues.cpp - where a rounding would be magnified ----------===//
#include "SensitiveValues.h"

#include "../../Dialect/MT/Transforms/Structure.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::cuda {
namespace {

bool magnifies(Operation *op) {
  return isa<math::LogOp, math::Log2Op, math::Log10Op, math::SinOp, math::CosOp>(op);
}

/// What they read counts by its absolute error.
bool isExponential(Operation *op) {
  return isa<math::ExpOp, math::Exp2Op, math::ExpM1Op, math::TanhOp, math::ErfOp>(op);
}

bool isFloat(Value v) { return isa<FloatType>(getElementTypeOrSelf(v)); }

/// Walks kernels and entries from their ends.
class Walk {
public:
  /// Of a block of tensors: what `op` reads for its sensitive results.
  void visit(Operation *op) {
    if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
      visitLoops(structured);
      return;
    }
    if (llvm::any_of(op->getResults(), [&](Value v) { return values.contains(v); }))
      addOperands(op);
  }

  llvm::DenseSet<Value> values;

private:
  void addOperands(Operation *op) {
    for (Value v : op->getOperands())
      if (isFloat(v))
        values.insert(v);
  }

  void visitLoops(linalg::LinalgOp op) {
    Block &body = *op.getBlock();
    for (auto [result, yielded] : llvm::zip(op->getResults(), body.getTerminator()->getOperands()))
      if (values.contains(result))
        values.insert(yielded);
    for (Operation &inner : llvm::reverse(body.without_terminator()))
      if (magnifies(&inner) ||
          (!isExponential(&inner) &&
           llvm::any_of(inner.getResults(), [&](Value v) { return values.contains(v); })))
        addOperands(&inner);
    for (OpOperand &operand : op->getOpOperands())
      if (values.contains(op.getMatchingBlockArgument(&operand)))
        values.insert(operand.get());
  }
};

/// Whether a product of the kernel, whose sensitive results are known, gives sensitive values.
/// Marks its arguments.
bool visitKernel(mt::KernelOp kernel, Walk &walk) {
  bool hasProduct = false;
  for (Operation &op : llvm::reverse(kernel.getBody().front().without_terminator())) {
    walk.visit(&op);
    auto nest = dyn_cast<linalg::GenericOp>(op);
    hasProduct |= nest && mt::isContraction(nest) && walk.values.contains(nest.getResult(0));
  }
  return hasProduct;
}

} // namespace

SensitiveValues sensitiveValuesOf(mt::EntryOp entry, const SymbolTable &symbols) {
  SensitiveValues result;
  Walk outside;
  for (Operation &op : llvm::reverse(entry.getBody().front().without_terminator())) {
    auto task = dyn_cast<mt::TaskOp>(op);
    if (!task) {
      outside.visit(&op);
      continue;
    }
    auto kernel = symbols.lookup<mt::KernelOp>(task.getKernel());
    Walk inside;
    for (auto [given, yielded] :
         llvm::zip(task.getResults(), kernel.getBody().front().getTerminator()->getOperands()))
      if (outside.values.contains(given))
        inside.values.insert(yielded);
    if (visitKernel(kernel, inside))
      result.products.insert(task);
    for (auto [given, argument] : llvm::zip(task.getOperands(), kernel.getBody().getArguments()))
      if (inside.values.contains(argument))
        outside.values.insert(given);
  }
  result.values = std::move(outside.values);
  return result;
}

} // namespace mtc::cuda
