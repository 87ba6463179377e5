//===- Roofline.cpp - what a kernel costs ---------------------------------===//
#include "Roofline.h"

#include "mtc/Dialect/MT/Transforms/ExportProblem.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::host {

Work workOf(mt::KernelOp kernel) {
  Work work;
  work.bytes = mt::bytesOf(kernel);
  for (auto op : kernel.getBody().getOps<linalg::LinalgOp>()) {
    int64_t iterations = 1, cost = 0;
    for (int64_t extent : op.getStaticLoopRanges())
      iterations *= extent;
    for (Operation &inner : op.getBlock()->without_terminator())
      cost += isa<math::MathDialect>(inner.getDialect()) ? 10 : 1; // a polynomial
    work.flops += iterations * cost;
  }
  return work;
}

} // namespace mtc::host
