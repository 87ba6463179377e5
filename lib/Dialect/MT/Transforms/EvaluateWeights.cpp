//===- EvaluateWeights.cpp - small derived weights as values --------------===//
#include "mtc/Dialect/MT/Evaluation/Evaluate.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;

namespace mtc::mt {

#define GEN_PASS_DEF_EVALUATEWEIGHTS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"

namespace {

/// What fits into the form `value` (mt.weight C3).
constexpr int64_t kMaxValueBytes = 64 << 10;

struct EvaluateWeights : impl::EvaluateWeightsBase<EvaluateWeights> {
  void runOnOperation() override {
    Evaluation evaluation(getOperation());
    SmallVector<std::pair<WeightOp, DenseElementsAttr>> values;
    for (WeightOp weight : getOperation().getBody().getOps<WeightOp>()) {
      if (!weight.getSources() || tensorBytes(weight.getTensorType()) > kMaxValueBytes)
        continue;
      StatusOr<TensorBytes> bytes = evaluation.bytesOf(weight);
      if (!bytes.ok()) {
        weight.emitOpError() << bytes.status().message();
        return signalPassFailure();
      }
      ArrayRef<char> raw(reinterpret_cast<const char *>(bytes->data.data()), bytes->data.size());
      values.push_back({weight, DenseElementsAttr::getFromRawBuffer(weight.getTensorType(), raw)});
    }
    for (auto &[weight, value] : values) {
      weight.setValueAttr(value);
      weight.removeSourcesAttr();
      weight.getBody().getBlocks().clear();
    }
  }
};

} // namespace
} // namespace mtc::mt
