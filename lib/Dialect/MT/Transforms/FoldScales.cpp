//===- FoldScales.cpp - per-channel factors into contractions' weights ----===//
//
// After a contraction with constant weights come biases and normalizations: elementwise ops that
// are affine in the contraction's result, with one coefficient per output channel,
//
//   ((x + b) * s + t) - m  =  x * S + T     with  S = s,  T = b * s + t - m.
//
// A chain of them becomes a contraction with the weight w * S and one addition of T; S and T are
// expressions over weights. Rounding changes by a few units in the last place.
//
//===----------------------------------------------------------------------===//
#include "DerivedWeights.h"
#include "Structure.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mtc::mt {
#define GEN_PASS_DEF_FOLDSCALES
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// An affine op of the chain: operand `input` carries the contraction's values, all other inputs
/// are rank-0 or per-channel weights.
struct Link {
  linalg::GenericOp op;
  unsigned input;
};

/// `op` is affine in block argument `input` and multiplies it, divides it or only adds to it.
bool isAffine(linalg::GenericOp op, unsigned input, bool &scales) {
  Block &body = *op.getBody();
  llvm::DenseSet<Value> depends = {body.getArgument(input)};
  for (Operation &o : body.without_terminator()) {
    if (isa<linalg::IndexOp>(o) || o.getNumResults() != 1 || o.getNumRegions())
      return false;
    unsigned count = llvm::count_if(o.getOperands(), [&](Value v) { return depends.contains(v); });
    if (count == 0)
      continue;
    bool isFirst = depends.contains(o.getOperand(0));
    if (count > 1 || !(isa<arith::MulFOp, arith::AddFOp, arith::SubFOp, arith::NegFOp>(o) ||
                       (isa<arith::DivFOp>(o) && isFirst)))
      return false;
    scales |= !isa<arith::AddFOp>(o) && !(isa<arith::SubFOp>(o) && isFirst);
    depends.insert(o.getResult(0));
  }
  return depends.contains(body.getTerminator()->getOperand(0));
}

/// A contraction with constant weights and the chain behind it.
struct Chain {
  linalg::GenericOp contraction;
  unsigned weight;                  ///< operand number
  tensor::CollapseShapeOp collapse; ///< merges groups and channels, or null
  SmallVector<Link> links;
  SmallVector<int64_t> channels; ///< result dims of the contraction that are the channel
  bool scales = false;
};

class ChainFinder {
public:
  explicit ChainFinder(DerivedWeights &weights) : weights(weights) {}

  std::optional<Chain> find(linalg::GenericOp op) {
    if (!isContraction(op) || !isa<FloatType>(getElementTypeOrSelf(op.getResult(0))))
      return std::nullopt;
    Chain chain{op, 1, {}, {}, {}, false};
    if (!weights.find(op.getOperand(1)))
      chain.weight = 0;
    if (!weights.find(op.getOperand(chain.weight)) ||
        getElementTypeOrSelf(op.getOperand(chain.weight)) != getElementTypeOrSelf(op.getResult(0)))
      return std::nullopt; // codes cannot be scaled
    Value value = op.getResult(0);
    if (value.hasOneUse())
      if ((chain.collapse = dyn_cast<tensor::CollapseShapeOp>(*value.user_begin())))
        value = chain.collapse.getResult();
    std::optional<int64_t> channel; // dim of `value`
    while (value.hasOneUse()) {
      OpOperand &use = *value.use_begin();
      auto next = dyn_cast<linalg::GenericOp>(use.getOwner());
      bool scales = chain.scales;
      if (!next || !isAllParallel(next) || next.getNumDpsInits() != 1 || !next.isDpsInput(&use) ||
          !next.getMatchingIndexingMap(&use).isIdentity() ||
          !next.getIndexingMapsArray().back().isIdentity() ||
          next.getResult(0).getType() != value.getType() ||
          next.payloadUsesValueFromOperand(next.getDpsInitOperand(0)) ||
          !othersArePerChannel(next, use, channel) ||
          !isAffine(next, use.getOperandNumber(), scales))
        break;
      chain.scales = scales;
      chain.links.push_back({next, use.getOperandNumber()});
      value = next.getResult(0);
    }
    if (chain.links.empty() || (!chain.scales && chain.links.size() == 1))
      return std::nullopt;
    if (!channel)
      channel = lastWeightDim(chain, value);
    if (!channel || !findChannels(chain, *channel))
      return std::nullopt;
    return chain;
  }

private:
  DerivedWeights &weights;

  /// All inputs but `use` are weights of rank 0, or of rank 1 along one and the same dim.
  bool othersArePerChannel(linalg::GenericOp op, OpOperand &use, std::optional<int64_t> &channel) {
    std::optional<int64_t> found = channel;
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (input == &use)
        continue;
      AffineMap map = op.getMatchingIndexingMap(input);
      if (!weights.find(input->get()) || map.getNumResults() > 1 ||
          getElementTypeOrSelf(input->get()) != getElementTypeOrSelf(use.get()))
        return false;
      if (map.getNumResults() == 0)
        continue;
      auto dim = dyn_cast<AffineDimExpr>(map.getResult(0));
      if (!dim || (found && *found != int64_t(dim.getPosition())))
        return false;
      found = dim.getPosition();
    }
    for (Value captured : capturedValues(op))
      if (!captured.getDefiningOp<arith::ConstantOp>())
        return false;
    channel = found;
    return true;
  }

  /// For chains of scalars alone: any dim of the result that the weight has.
  std::optional<int64_t> lastWeightDim(Chain &chain, Value value) {
    for (int64_t d = cast<RankedTensorType>(value.getType()).getRank(); d-- > 0;)
      if (findChannels(chain, d))
        return d;
    return std::nullopt;
  }

  /// The weight must have every loop of the channel as a plain dim.
  bool findChannels(Chain &chain, int64_t channel) {
    chain.channels = {channel};
    if (chain.collapse)
      chain.channels = llvm::to_vector(chain.collapse.getReassociationIndices()[channel]);
    SmallVector<AffineMap> maps = chain.contraction.getIndexingMapsArray();
    for (int64_t dim : chain.channels) {
      auto loop = dyn_cast<AffineDimExpr>(maps[2].getResult(dim));
      if (!loop || !llvm::is_contained(plainLoops(maps[chain.weight]), loop.getPosition()))
        return false;
    }
    return true;
  }
};

/// Builds S and T of a chain as expressions over its weights.
class ChainFolder {
public:
  ChainFolder(Chain &chain, DerivedWeights &weights) : chain(chain), weights(weights) {
    for (Link link : chain.links)
      for (auto [i, input] : llvm::enumerate(link.op.getInputs()))
        if (i != link.input)
          sources.insert(weights.find(input));
    auto resultType = cast<RankedTensorType>(chain.contraction.getResult(0).getType());
    for (int64_t dim : chain.channels)
      channelShape.push_back(resultType.getDimSize(dim));
    vectorType =
        RankedTensorType::get({llvm::product_of(channelShape)}, resultType.getElementType());
  }

  void fold() {
    linalg::GenericOp op = chain.contraction;
    OpBuilder b(op);
    Link last = chain.links.back();
    SmallVector<Location> locs = {op.getLoc()};
    for (Link link : chain.links)
      locs.push_back(link.op.getLoc());
    Location loc = b.getFusedLoc(locs);
    if (chain.scales) {
      OpOperand &use = op->getOpOperand(chain.weight);
      auto old = use.get().getDefiningOp<GetWeightOp>();
      use.set(DerivedWeights::get(b, old.getLoc(), scaledWeight(loc)));
      if (old->use_empty())
        old.erase();
    }
    Value value = chain.collapse ? chain.collapse.getResult() : op.getResult(0);
    b.setInsertionPoint(last.op);
    if (hasShift())
      value = addShift(b, loc, value, last.op);
    last.op.getResult(0).replaceAllUsesWith(value);
    for (Link link : llvm::reverse(chain.links)) {
      SmallVector<Value> operands = llvm::to_vector(link.op->getOperands());
      link.op.erase();
      for (Value v : operands)
        if (auto get = v.getDefiningOp<GetWeightOp>(); get && get->use_empty())
          get.erase();
    }
  }

private:
  Chain &chain;
  DerivedWeights &weights;
  llvm::SetVector<WeightOp> sources;
  SmallVector<int64_t> channelShape;
  RankedTensorType vectorType;

  /// Every op but mul, div and neg adds something.
  bool hasShift() {
    return llvm::any_of(chain.links, [](Link link) {
      return llvm::any_of(link.op.getBody()->without_terminator(),
                          [](Operation &o) { return isa<arith::AddFOp, arith::SubFOp>(o); });
    });
  }

  /// Replays the chain on (S, T) for one channel; `arguments` are the values of `sources`.
  std::pair<Value, Value> replay(OpBuilder &b, Location loc, ValueRange arguments) {
    Type element = vectorType.getElementType();
    Value scale = arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 1.0));
    Value shift = arith::ConstantOp::create(b, loc, b.getFloatAttr(element, 0.0));
    for (Link link : chain.links) {
      Block &body = *link.op.getBody();
      IRMapping map;
      for (auto [i, input] : llvm::enumerate(link.op.getInputs()))
        if (i != link.input)
          map.map(body.getArgument(i),
                  arguments[llvm::find(sources, weights.find(input)) - sources.begin()]);
      for (Value captured : capturedValues(link.op))
        map.map(captured, b.clone(*captured.getDefiningOp())->getResult(0));
      llvm::DenseMap<Value, std::pair<Value, Value>> affine;
      affine[body.getArgument(link.input)] = {scale, shift};
      for (Operation &o : body.without_terminator()) {
        bool first = o.getNumOperands() > 0 && affine.contains(o.getOperand(0));
        bool second = o.getNumOperands() > 1 && affine.contains(o.getOperand(1));
        if (!first && !second) {
          b.clone(o, map);
          continue;
        }
        auto [s, t] = affine.lookup(o.getOperand(first ? 0 : 1));
        Value other =
            o.getNumOperands() > 1 ? map.lookupOrDefault(o.getOperand(first ? 1 : 0)) : Value();
        if (isa<arith::MulFOp>(o)) {
          s = arith::MulFOp::create(b, loc, s, other);
          t = arith::MulFOp::create(b, loc, t, other);
        } else if (isa<arith::DivFOp>(o)) {
          s = arith::DivFOp::create(b, loc, s, other);
          t = arith::DivFOp::create(b, loc, t, other);
        } else if (isa<arith::AddFOp>(o)) {
          t = arith::AddFOp::create(b, loc, t, other);
        } else if (isa<arith::SubFOp>(o) && first) {
          t = arith::SubFOp::create(b, loc, t, other);
        } else { // other - x, or -x
          s = arith::NegFOp::create(b, loc, s);
          t = other ? Value(arith::SubFOp::create(b, loc, other, t))
                    : Value(arith::NegFOp::create(b, loc, t));
        }
        affine[o.getResult(0)] = {s, t};
      }
      std::tie(scale, shift) = affine.lookup(body.getTerminator()->getOperand(0));
    }
    return {scale, shift};
  }

  /// S or T as a vector over the channels, from the sources' values.
  Value vectorOf(OpBuilder &b, Location loc, ValueRange values, bool wantsShift) {
    SmallVector<AffineMap> maps;
    for (Value v : values)
      maps.push_back(cast<RankedTensorType>(v.getType()).getRank() == 0
                         ? AffineMap::get(1, 0, b.getContext())
                         : b.getMultiDimIdentityMap(1));
    maps.push_back(b.getMultiDimIdentityMap(1));
    Value init =
        tensor::EmptyOp::create(b, loc, vectorType.getShape(), vectorType.getElementType());
    auto build = [&](OpBuilder &nested, Location l, ValueRange args) {
      auto [s, t] = replay(nested, l, args.drop_back());
      linalg::YieldOp::create(nested, l, wantsShift ? t : s);
      for (Operation &o : llvm::make_early_inc_range(llvm::reverse(*nested.getBlock())))
        if (isOpTriviallyDead(&o))
          o.erase();
    };
    return linalg::GenericOp::create(
               b, loc, TypeRange(vectorType), values, ValueRange(init), maps,
               SmallVector<utils::IteratorType>{utils::IteratorType::parallel}, build)
        .getResult(0);
  }

  WeightOp scaledWeight(Location loc) {
    WeightOp weight = weights.find(chain.contraction.getOperand(chain.weight));
    SmallVector<WeightOp> all = {weight};
    llvm::append_range(all, sources);
    return weights.getOrCreate(loc, "scaled", all, [&](OpBuilder &b, ValueRange values) {
      Value scale = vectorOf(b, loc, values.drop_front(), /*wantsShift=*/false);
      if (channelShape.size() > 1) {
        ReassociationIndices group =
            llvm::to_vector(llvm::seq<int64_t>(0, int64_t(channelShape.size())));
        scale = tensor::ExpandShapeOp::create(b, loc, vectorType.clone(channelShape), scale,
                                              ArrayRef<ReassociationIndices>{group});
      }
      SmallVector<AffineMap> maps = chain.contraction.getIndexingMapsArray();
      SmallVector<unsigned> weightLoops = plainLoops(maps[chain.weight]);
      SmallVector<AffineExpr> exprs;
      for (int64_t dim : chain.channels) {
        unsigned loop = cast<AffineDimExpr>(maps[2].getResult(dim)).getPosition();
        exprs.push_back(b.getAffineDimExpr(llvm::find(weightLoops, loop) - weightLoops.begin()));
      }
      RankedTensorType type = weight.getTensorType();
      AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
      AffineMap channel = AffineMap::get(type.getRank(), 0, exprs, b.getContext());
      Value init = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
      auto build = [](OpBuilder &nested, Location l, ValueRange args) {
        Value product = arith::MulFOp::create(nested, l, args[0], args[1]);
        linalg::YieldOp::create(nested, l, product);
      };
      return linalg::GenericOp::create(
                 b, loc, TypeRange(type), ValueRange{values.front(), scale}, ValueRange(init),
                 ArrayRef<AffineMap>{identity, channel, identity},
                 SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
                 build)
          .getResult(0);
    });
  }

  Value addShift(OpBuilder &b, Location loc, Value value, linalg::GenericOp last) {
    WeightOp shift = weights.getOrCreate(
        loc, "shift", sources.getArrayRef(),
        [&](OpBuilder &nested, ValueRange values) { return vectorOf(nested, loc, values, true); });
    auto type = cast<RankedTensorType>(value.getType());
    // The dim of `value` that the channels were merged into.
    int64_t dim = chain.channels.front();
    if (chain.collapse)
      for (auto [i, group] : llvm::enumerate(chain.collapse.getReassociationIndices()))
        if (llvm::is_contained(group, chain.channels.front()))
          dim = i;
    AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
    AffineMap channel = AffineMap::get(type.getRank(), 0, b.getAffineDimExpr(dim), b.getContext());
    Value vector = DerivedWeights::get(b, loc, shift);
    Value init = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    auto build = [](OpBuilder &nested, Location l, ValueRange args) {
      Value sum = arith::AddFOp::create(nested, l, args[0], args[1]);
      linalg::YieldOp::create(nested, l, sum);
    };
    return linalg::GenericOp::create(
               b, loc, TypeRange(type), ValueRange{value, vector}, ValueRange(init),
               ArrayRef<AffineMap>{identity, channel, identity},
               SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
               build)
        .getResult(0);
  }
};

struct FoldScales : mtc::mt::impl::FoldScalesBase<FoldScales> {
  void runOnOperation() override {
    DerivedWeights weights(getOperation());
    getOperation().walk([&](EntryOp entry) {
      // Only ops that are not contractions are erased, so that the list stays valid.
      SmallVector<linalg::GenericOp> contractions;
      for (auto op : entry.getBody().front().getOps<linalg::GenericOp>())
        if (isContraction(op))
          contractions.push_back(op);
      for (linalg::GenericOp op : contractions)
        if (std::optional<Chain> chain = ChainFinder(weights).find(op))
          ChainFolder(*chain, weights).fold();
    });
    weights.eraseUnused();
  }
};

} // namespace
