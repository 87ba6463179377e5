//===- Winograd.cpp - 3x3 convolutions by minimal filtering ---------------===//
//
// Reads back what lib/Dialect/MT/Transforms/UseWinograd.cpp wrote.
//
//===----------------------------------------------------------------------===//
#include "Winograd.h"

#include "VectorBody.h"

#include "mtc/Tuning/ConfigSpace.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::host {
namespace {

ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }

/// Whether a map of the epilogue reads a vector along f, or one number: f is the last result or
/// does not occur.
bool readsAlongLast(AffineMap map) {
  if (!map.isProjectedPermutation())
    return false;
  const unsigned last = map.getNumDims() - 1;
  for (auto [i, expr] : llvm::enumerate(map.getResults()))
    if (expr.isFunctionOfDim(last) && i + 1 != map.getNumResults())
      return false;
  return true;
}

LogicalResult checkEpilogue(const Winograd &w) {
  linalg::LinalgOp op = w.epilogue;
  if (op.getNumLoops() != 4 || op.getNumReductionLoops() != 0 || !canVectorize(*op.getBlock()))
    return failure();
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    const bool isOut = op.isDpsInit(&operand);
    if (isOut && op.payloadUsesValueFromOperand(&operand))
      return failure();
    if (isOut || operand.get() == w.result) {
      if (!map.isIdentity())
        return failure();
    } else if (isa<RankedTensorType>(operand.get().getType()) &&
               (!readsAlongLast(map) || w.plan.lookup(operand.get()) < 0)) {
      return failure();
    }
  }
  for (Operation &inner : *op.getBlock())
    if (isa<linalg::IndexOp, tensor::ExtractOp>(inner))
      return failure();
  return success();
}

/// Where the channels of `source`, an argument or a concatenation of some, lie. Fails if vectors of
/// 16 channels would be less than two thirds full.
LogicalResult readInputs(Winograd &w, Value source) {
  auto concat = source.getDefiningOp<tensor::ConcatOp>();
  if (concat && concat.getDim() != 3)
    return failure();
  constexpr int64_t lanes = 16;
  int64_t inVectors = 0;
  for (Value v : concat ? SmallVector<Value>(concat.getOperands()) : SmallVector<Value>{source}) {
    const int storage = w.plan.lookup(v);
    if (storage < 0 || (concat && !isa<BlockArgument>(v)))
      return failure();
    w.inputs.push_back({storage, shapeOf(v)[3]});
    inVectors += llvm::alignTo(shapeOf(v)[3], lanes);
  }
  return failure(concat && 2 * inVectors > 3 * w.c);
}

} // namespace

FailureOr<Winograd> analyseWinograd(mt::KernelOp kernel) {
  Winograd w;
  if (kernel.getNumerics() == "winograd-f4x4-2x2")
    w.taps = 2;
  else if (kernel.getNumerics() != "winograd-f4x4-3x3")
    return failure();
  SmallVector<linalg::GenericOp> generics;
  tensor::PadOp pad;
  tensor::CollapseShapeOp collapse;
  tensor::ExtractSliceOp slice;
  tensor::ConcatOp concat;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      generics.push_back(generic);
    else if (auto p = dyn_cast<tensor::PadOp>(op); p && !pad)
      pad = p;
    else if (auto c = dyn_cast<tensor::CollapseShapeOp>(op); c && !collapse)
      collapse = c;
    else if (auto s = dyn_cast<tensor::ExtractSliceOp>(op); s && !slice)
      slice = s;
    else if (auto parts = dyn_cast<tensor::ConcatOp>(op); parts && !concat)
      concat = parts;
    else if (!isa<tensor::EmptyOp, linalg::FillOp>(op) && !op.hasTrait<OpTrait::ConstantLike>())
      return failure();
  }
  if ((generics.size() != 5 && generics.size() != 6) || !pad || !collapse ||
      (concat && (!concat->hasOneUse() || pad.getSource() != concat.getResult())))
    return failure();
  auto u = dyn_cast<BlockArgument>(generics[2].getOperand(1));
  if (!u || shapeOf(u).size() != 5 || shapeOf(u)[1] != w.side() ||
      generics[0].getOperand(0) != pad.getResult() || collapse.getSrc() != generics[4].getResult(0))
    return failure();
  w.result = slice ? slice.getResult() : collapse.getResult();
  if (slice && slice.getSource() != collapse.getResult())
    return failure();
  w.groups = shapeOf(u)[0];
  w.c = shapeOf(u)[3];
  w.nr = shapeOf(u)[4];
  w.n = shapeOf(w.result)[0];
  w.oh = shapeOf(w.result)[1];
  w.ow = shapeOf(w.result)[2];
  w.h = shapeOf(pad.getSource())[1];
  w.w = shapeOf(pad.getSource())[2];
  w.padTop = pad.getStaticLow()[1];
  w.padLeft = pad.getStaticLow()[2];
  FailureOr<BufferPlan> plan = planBuffers(kernel);
  if (failed(plan))
    return failure();
  w.plan = std::move(*plan);
  if (failed(readInputs(w, pad.getSource())))
    return failure();
  w.weight = w.plan.lookup(u);
  if (generics.size() == 6) {
    w.epilogue = generics[5];
    if (failed(checkEpilogue(w)))
      return failure();
  }
  auto yield = kernel.getBody().front().getTerminator();
  auto results = w.epilogue ? w.epilogue->getResults() : w.result.getDefiningOp()->getResults();
  if (yield->getNumOperands() != results.size() || !w.plan.resultCopies.empty())
    return failure();
  for (auto [yielded, result] : llvm::zip_equal(yield->getOperands(), results)) {
    const int storage = w.plan.lookup(result);
    if (yielded != result || storage < 0 || w.plan.storages[storage].kind != Storage::Kind::Result)
      return failure();
    w.outputs.push_back(storage);
  }
  return w.weight < 0 ? FailureOr<Winograd>(failure()) : std::move(w);
}

int64_t tilesOf(const Winograd &w, const WinogradTiling &t) {
  return llvm::divideCeil(w.tiles(), t.block);
}

static int64_t channelsOf(const Winograd &w, const WinogradTiling &t) {
  return llvm::alignTo(w.c, t.lanes);
}

/// Positions of a tile are an odd number of cache lines apart, so that they lie in different sets.
static int64_t spread(int64_t elements) {
  constexpr int64_t line = 16;
  return (llvm::divideCeil(elements, line) | 1) * line;
}

int64_t inputStride(const Winograd &w, const WinogradTiling &t) {
  return spread(t.block * channelsOf(w, t));
}

int64_t productStride(const Winograd &w, const WinogradTiling &t) { return spread(t.block * w.nr); }

int64_t scratchOf(const Winograd &w, const WinogradTiling &t) {
  return 4 * (w.positions() * (inputStride(w, t) + productStride(w, t)) + 16 * w.nr) +
         16 * t.block; // places
}

WinogradTiling chooseWinogradTiling(const Winograd &w, const HostTarget &target) {
  const WinogradShape shape{w.tiles(), w.c, w.nr, w.positions(), w.groups};
  CoreShape core;
  core.vectorBytes = target.vectorBytes;
  core.vectorRegisters = target.vectorRegisters;
  core.cores = target.cores;
  WinogradTiling best;
  double least = 0;
  for (const auto &config : configSpace(shape, core)) {
    const double cycles = modelledCycles(shape, core, config, int32_t(target.cores));
    if (least == 0 || cycles < least) {
      least = cycles;
      best = {config.get("lanes"), config.get("mr"), config.get("block")};
    }
  }
  return best;
}

} // namespace mtc::host
