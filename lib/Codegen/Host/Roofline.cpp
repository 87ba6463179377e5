//===- Roofline.cpp - what a kernel costs ---------------------------------===//
#include "Roofline.h"

#include "DotProduct.h"

#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Dialect/MT/Transforms/Product.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::host {

/// Sums of products of bytes as operations of f32 that take as long: an instruction for four of
/// them, or four (see DotProduct.cpp). 0: anything else.
static double byteProductCost(linalg::LinalgOp op, const HostTarget &target) {
  auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
  std::optional<mt::Product> product = generic ? mt::productOf(generic) : std::nullopt;
  if (!product || product->isSigned[0] == product->isSigned[1] ||
      llvm::any_of(generic.getInputs(),
                   [](mlir::Value v) { return !getElementTypeOrSelf(v.getType()).isInteger(8); }))
    return 0;
  return hasByteDotProduct(target) ? 0.5 : 2;
}

Work workOf(mt::KernelOp kernel, const HostTarget &target) {
  Work work;
  work.bytes = mt::bytesOf(kernel);
  kernel.getBody().walk([&](linalg::LinalgOp op) {
    auto recurrence = op->getParentOfType<mt::RecurrenceOp>();
    int64_t iterations = recurrence ? recurrence.getSteps() : 1, cost = 0;
    for (int64_t extent : op.getStaticLoopRanges())
      iterations *= extent;
    if (double bytes = byteProductCost(op, target); bytes > 0) {
      work.flops += static_cast<int64_t>(static_cast<double>(iterations) * bytes);
      return;
    }
    if (std::optional<int64_t> flops = mt::filteringFlopsOf(op)) {
      work.flops += *flops;
      return;
    }
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (generic && mt::productOf(generic)) { // widening is free
      work.flops += 2 * iterations;
      return;
    }
    for (Operation &inner : op.getBlock()->without_terminator())
      cost += isa<math::MathDialect>(inner.getDialect()) ? 10 : 1; // a polynomial
    work.flops += iterations * cost;
  });
  return work;
}

} // namespace mtc::host
