//===- Attention.cpp - kernels that hold a whole attention ----------------===//
#include "mtc/Dialect/MT/Transforms/Attention.h"
#include "Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace mtc::mt {

static ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }

ArrayRef<int64_t> Attention::shape() { return shapeOf(scores.getResult(0)); }
int64_t Attention::outer() { return llvm::product_of(shape().drop_back(2)); }
int64_t Attention::depth() {
  return llvm::product_of(scores.getStaticLoopRanges()) / llvm::product_of(shape());
}
int64_t Attention::width() { return shapeOf(values.getResult(0)).back(); }

namespace {

linalg::GenericOp genericOf(Value v) { return v.getDefiningOp<linalg::GenericOp>(); }

bool isF32(Value v) {
  auto tensor = dyn_cast<RankedTensorType>(v.getType());
  return tensor && tensor.getElementType().isF32();
}

/// All but the last of `rank` loops.
AffineMap leading(unsigned rank, MLIRContext *context) {
  return AffineMap::getMultiDimIdentityMap(rank, context).getMajorSubMap(rank - 1);
}

std::optional<unsigned> loopOf(AffineExpr e) {
  auto dim = dyn_cast<AffineDimExpr>(e);
  return dim ? std::optional(dim.getPosition()) : std::nullopt;
}

bool fillsWith(Value init, function_ref<bool(Value)> matches) {
  auto fill = init.getDefiningOp<linalg::FillOp>();
  return fill && matches(fill.getInputs()[0]);
}

/// `Combine` of all numbers of a row: the last dim of the only input.
template <typename Combine> bool isRowReduction(linalg::GenericOp op) {
  if (!op || op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 || op.getNumLoops() < 2 ||
      op.getNumReductionLoops() != 1)
    return false;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!maps[0].isIdentity() || maps[1] != leading(op.getNumLoops(), op.getContext()))
    return false;
  auto body = op.getBody()->without_terminator();
  if (!llvm::hasSingleElement(body))
    return false;
  auto combine = dyn_cast<Combine>(*body.begin());
  return combine && combine.getLhs() != combine.getRhs() && isa<BlockArgument>(combine.getLhs()) &&
         isa<BlockArgument>(combine.getRhs()) &&
         op.getBody()->getTerminator()->getOperand(0) == combine.getResult();
}

/// Two inputs, elementwise over `wide`; the other one is the same along the last loop, or what
/// `narrow` says.
bool isRowwise(linalg::GenericOp op, unsigned wide, AffineMap narrow) {
  if (!op || op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || !isAllParallel(op))
    return false;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  return maps[wide].isIdentity() && maps[2].isIdentity() && maps[1 - wide] == narrow;
}

/// exp(x - max).
bool isExponential(linalg::GenericOp op, unsigned x) {
  auto exp = op.getBody()->getTerminator()->getOperand(0).getDefiningOp<math::ExpOp>();
  auto sub = exp ? exp.getOperand().getDefiningOp<arith::SubFOp>() : arith::SubFOp();
  return sub && sub.getLhs() == op.getBody()->getArgument(x) &&
         sub.getRhs() == op.getBody()->getArgument(1 - x) &&
         op.getBody()->getOperations().size() == 3;
}

/// The sums of products: all loops of the result are plain, and there is one sum.
bool isPlainProduct(linalg::GenericOp op) {
  if (!op || !isContraction(op) || op.getNumReductionLoops() != 1 ||
      !llvm::all_of(op->getOperands(), isF32) ||
      !fillsWith(op.getDpsInits()[0], [](Value v) { return matchPattern(v, m_AnyZeroFloat()); }))
    return false;
  AffineMap out = op.getIndexingMapsArray()[2];
  return out.isProjectedPermutation() && out.getNumResults() == op.getNumParallelLoops() &&
         llvm::all_of(op.getIndexingMapsArray(),
                      [](AffineMap map) { return map.isProjectedPermutation(true); });
}

unsigned reductionOf(linalg::GenericOp op) {
  auto types = op.getIteratorTypesArray();
  return llvm::find(types, utils::IteratorType::reduction) - types.begin();
}

class Reader {
public:
  explicit Reader(KernelOp kernel) : block(kernel.getBody().front()) {}

  std::optional<Attention> run() {
    if (!findOps() || !checkScores() || !checkAdjusted() || !checkValues())
      return std::nullopt;
    return a;
  }

private:
  /// From the last op to the first.
  bool findOps() {
    size_t generics = 0;
    for (Operation &op : block.without_terminator()) {
      generics += isa<linalg::GenericOp>(op);
      if (!isa<linalg::GenericOp, tensor::EmptyOp, linalg::FillOp>(op) &&
          !op.hasTrait<OpTrait::ConstantLike>())
        return false;
    }
    Operation *yield = block.getTerminator();
    a.result = yield->getNumOperands() == 1 ? genericOf(yield->getOperand(0)) : nullptr;
    if (!a.result || a.result.getNumDpsInputs() != 2)
      return false;
    unsigned values = 0;
    for (unsigned i : {0u, 1u})
      if (auto op = genericOf(a.result.getOperand(i)); op && isContraction(op)) {
        a.values = op;
        values = i;
      }
    a.sum = genericOf(a.result.getOperand(1 - values));
    if (!a.values || !isPlainProduct(a.values) || !isRowReduction<arith::AddFOp>(a.sum))
      return false;
    a.exponential = genericOf(a.sum.getOperand(0));
    a.weight = a.exponential && a.values.getOperand(1) == a.sum.getOperand(0);
    if (!a.exponential || a.values.getOperand(a.weight) != a.sum.getOperand(0) ||
        a.exponential.getNumDpsInputs() != 2)
      return false;
    unsigned x = 0;
    for (unsigned i : {0u, 1u})
      if (isRowReduction<arith::MaximumFOp>(genericOf(a.exponential.getOperand(1 - i)))) {
        a.maximum = genericOf(a.exponential.getOperand(1 - i));
        x = i;
      }
    if (!a.maximum || a.maximum.getOperand(0) != a.exponential.getOperand(x) ||
        !isRowwise(a.exponential, x,
                   leading(a.exponential.getNumLoops(), block.getParent()->getContext())) ||
        !isExponential(a.exponential, x))
      return false;
    a.scores = genericOf(a.maximum.getOperand(0));
    if (a.scores && !isContraction(a.scores)) {
      a.adjusted = a.scores;
      a.scores = nullptr;
      for (Value input : a.adjusted.getInputs())
        if (auto op = genericOf(input); op && isContraction(op))
          a.scores = op;
    }
    return isPlainProduct(a.scores) && generics == (a.adjusted ? 7u : 6u) &&
           fillsWith(a.maximum.getDpsInits()[0],
                     [](Value v) { return matchPattern(v, m_NegInfFloat()); }) &&
           fillsWith(a.sum.getDpsInits()[0],
                     [](Value v) { return matchPattern(v, m_AnyZeroFloat()); });
  }

  /// Queries differ from query to query, keys from key to key.
  bool checkScores() {
    SmallVector<AffineMap> maps = a.scores.getIndexingMapsArray();
    ArrayRef<AffineExpr> dims = maps[2].getResults();
    if (dims.size() < 2)
      return false;
    unsigned query = *loopOf(dims[dims.size() - 2]), key = *loopOf(dims.back());
    a.query = maps[1].isFunctionOfDim(query);
    AffineMap queries = maps[a.query], keys = maps[1 - a.query];
    return queries.isFunctionOfDim(query) && !queries.isFunctionOfDim(key) &&
           keys.isFunctionOfDim(key) && !keys.isFunctionOfDim(query) &&
           loopOf(queries.getResults().back()) == reductionOf(a.scores) &&
           isa<BlockArgument>(a.scores.getOperand(0)) && isa<BlockArgument>(a.scores.getOperand(1));
  }

  /// A short body, and at most one input that is not the same for all queries or all keys.
  bool checkAdjusted() {
    linalg::GenericOp op = a.adjusted;
    if (!op)
      return true;
    if (!isAllParallel(op) || op.getNumDpsInits() != 1 || !isF32(op.getResult(0)) ||
        !op.getIndexingMapsArray().back().isIdentity() || !a.scores.getResult(0).hasOneUse())
      return false;
    constexpr size_t shortBody = 12;
    if (op.getBody()->getOperations().size() > shortBody)
      return false;
    for (Operation &inner : op.getBody()->without_terminator())
      if (inner.getNumRegions() || isa<math::MathDialect>(inner.getDialect()) ||
          !(inner.hasTrait<OpTrait::ConstantLike>() ||
            OpTrait::hasElementwiseMappableTraits(&inner)))
        return false;
    const unsigned query = op.getNumLoops() - 2, key = query + 1;
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      if (input->get() == a.scores.getResult(0)) {
        if (!map.isIdentity())
          return false;
        continue;
      }
      if (!isa<RankedTensorType>(input->get().getType()) || !op.payloadUsesValueFromOperand(input))
        continue;
      if (!isa<BlockArgument>(input->get()) || !map.isProjectedPermutation(true))
        return false;
      if (!map.isFunctionOfDim(query))
        continue;
      if (a.mask >= 0 || !isF32(input->get()) || loopOf(map.getResults().back()) != key)
        return false;
      a.mask = input->getOperandNumber();
    }
    return true;
  }

  /// The exponentials' loops are those of the scores; numbers of values and of the result lie side
  /// by side.
  bool checkValues() {
    SmallVector<AffineMap> maps = a.values.getIndexingMapsArray();
    AffineMap weights = maps[a.weight], others = maps[1 - a.weight], out = maps[2];
    const unsigned rank = weights.getNumResults(), key = reductionOf(a.values);
    if (!weights.isProjectedPermutation() || rank != shapeOf(a.sum.getOperand(0)).size() ||
        a.values.getNumLoops() != rank + 1 || loopOf(weights.getResults().back()) != key ||
        !isa<BlockArgument>(a.values.getOperand(1 - a.weight)))
      return false;
    const unsigned query = *loopOf(weights.getResult(rank - 2));
    std::optional<unsigned> width = loopOf(out.getResults().back());
    if (weights.isFunctionOfDim(*width) || others.isFunctionOfDim(query) ||
        !others.isFunctionOfDim(key) || others.getNumResults() == 0 ||
        loopOf(others.getResults().back()) != width)
      return false;
    // The result: each number divided by its query's sum.
    SmallVector<AffineExpr> dims;
    for (unsigned i = 0; i + 1 < rank; ++i)
      for (unsigned d = 0; d < rank; ++d)
        if (loopOf(out.getResult(d)) == loopOf(weights.getResult(i)))
          dims.push_back(getAffineDimExpr(d, out.getContext()));
    const unsigned values = a.result.getOperand(0) != a.values.getResult(0);
    return isRowwise(a.result, values, AffineMap::get(rank, 0, dims, out.getContext())) &&
           isQuotient(a.result, values) && a.values.getResult(0).hasOneUse();
  }

  /// x / sum, or 0 where the sum is no number.
  static bool isQuotient(linalg::GenericOp op, unsigned x) {
    Block &body = *op.getBody();
    Value sum = body.getArgument(1 - x), last = body.getTerminator()->getOperand(0);
    size_t count = 2;
    if (auto select = last.getDefiningOp<arith::SelectOp>()) {
      auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
      if (!compare || compare.getPredicate() != arith::CmpFPredicate::UNO ||
          compare.getLhs() != sum || compare.getRhs() != sum ||
          !matchPattern(select.getTrueValue(), m_AnyZeroFloat()))
        return false;
      last = select.getFalseValue();
      count = 4;
    }
    auto divide = last.getDefiningOp<arith::DivFOp>();
    return divide && divide.getLhs() == body.getArgument(x) && divide.getRhs() == sum &&
           body.getOperations().size() == count;
  }

  Block &block;
  Attention a;
};

} // namespace

std::optional<Attention> readAttention(KernelOp kernel) { return Reader(kernel).run(); }

} // namespace mtc::mt
