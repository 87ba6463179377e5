//===- Roofline.cpp - what a kernel costs ---------------------------------===//
#include "Roofline.h"

#include "DotProduct.h"

#include "mtc/Dialect/MT/Transforms/CountOperations.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Dialect/MT/Transforms/Product.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::host {

/// Operations of f32 that take as long as one multiply-add of `product`. Of bytes of different
/// signs an instruction does four, or four instructions do (see DotProduct.cpp); widening is free.
static double costOf(linalg::LinalgOp op, const mt::Product &product, const HostTarget &target) {
  if (!mt::isByteProduct(op) || product.isSigned[0] == product.isSigned[1])
    return 2;
  return hasByteDotProduct(target) ? 0.5 : 2;
}

Work workOf(mt::KernelOp kernel, const HostTarget &target) {
  Work work;
  work.bytes = mt::bytesOf(kernel);
  kernel.getBody().walk([&](linalg::LinalgOp op) {
    const int64_t iterations = mt::iterationsOf(op);
    if (std::optional<int64_t> flops = mt::filteringFlopsOf(op)) {
      work.flops += *flops;
      return;
    }
    auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
    if (std::optional<mt::Product> product = generic ? mt::productOf(generic) : std::nullopt) {
      const double cost = costOf(op, *product, target);
      work.flops += static_cast<int64_t>(static_cast<double>(iterations) * cost);
      return;
    }
    int64_t cost = 0;
    for (Operation &inner : op.getBlock()->without_terminator())
      cost += isa<math::MathDialect>(inner.getDialect()) ? 10 : 1; // a polynomial
    work.flops += iterations * cost;
  });
  return work;
}

} // namespace mtc::host
