//===- Roofline.cpp - what a kernel costs ---------------------------------===//
#include "Roofline.h"

#include "DotProduct.h"
#include "MatrixTiles.h"

#include "mtc/Dialect/MT/Transforms/CountOperations.h"
#include "mtc/Dialect/MT/Transforms/ExportProblem.h"
#include "mtc/Dialect/MT/Transforms/Product.h"
#include "mtc/Dialect/MT/Transforms/SplitWeight.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::host {

/// Operations of f32 that take as long as one multiply-add of `product`. Of bytes of different
/// signs an instruction does four, or four instructions do (see DotProduct.cpp); widening is free.
/// By tiles each product of parts takes a ninth (0.5 to 0.9 of the time with six, 0.4 with three,
/// measured, Intel Xeon with AMX, 2026-11-24).
static double costOf(linalg::LinalgOp op, const mt::Product &product, const HostTarget &target) {
  for (mlir::Value factor : op.getDpsInputs())
    if (std::optional<mt::SplitWeight> weight = mt::splitWeightOf(factor))
      return 2.0 / 9 * double(productsOfParts(weight->count).size());
  if (!mt::isByteProduct(op) || product.isSigned[0] == product.isSigned[1])
    return 2;
  if (target.multipliesByteTiles)
    return 0.125; // an estimate: they wait for the weight
  return hasByteDotProduct(target) ? 0.5 : 2;
}

Work workOf(mt::KernelOp kernel, const HostTarget &target) {
  Work work;
  work.bytes = mt::bytesOf(kernel);
  kernel.getBody().walk([&](linalg::LinalgOp op) {
    if (op->getNumResults() == 1 && mt::splitWeightOf(op->getResult(0)))
      return;
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
