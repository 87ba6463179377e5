//===- Roofline.cpp - the time a kernel should take -----------------------===//
//
// Only ratios matter to the scheduler before anything was measured. Rates: a Zen 4 server core of
// 2025 (AVX-512 double-pumped, 3 GHz): 80 % of 32 FLOP a cycle, 12 GB/s of a shared cache or memory
// a core.
//
//===----------------------------------------------------------------------===//
#include "Roofline.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::host {

Work workOf(mt::KernelOp kernel) {
  Work work;
  for (Type t : llvm::concat<const Type>(kernel.getArgumentTypes(), kernel.getResultTypes())) {
    auto tensor = cast<RankedTensorType>(t);
    work.bytes += tensor.getNumElements() * llvm::divideCeil(tensor.getElementTypeBitWidth(), 8);
  }
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

int64_t rooflineNs(const Work &work, const Choice &choice, const HostTarget &target, int cores) {
  auto emitter = choice.config.getAs<StringAttr>("emitter");
  bool plain = !emitter || emitter.getValue() == "plain";
  int64_t tiles = *llvm::max_element(choice.tiles);
  int64_t used = std::min<int64_t>(cores, tiles);
  // Whole tiles: with 3 tiles two cores take as long as for 4.
  double share = double((tiles + used - 1) / used) / double(tiles);
  double flopsPerNs = plain ? 1.0 : 0.8 * 3.0 * target.vectorBytes / 2.0;
  double bytesPerNs = plain ? 2.0 : 12.0;
  double ns = std::max(work.flops / flopsPerNs, work.bytes / bytesPerNs) * share;
  return std::max<int64_t>(1000, static_cast<int64_t>(ns));
}

} // namespace mtc::host
