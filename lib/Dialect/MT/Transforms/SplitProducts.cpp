//===- SplitProducts.cpp - products of f32 as sums of products of bf16 ----===//
//
// A core with matrix tiles multiplies bf16 some 15 times as fast as f32. A number of f32 is the sum
// of three of bf16, each the rest of those before: x = x1 + x2 + x3 with |x2| <= 2^-9 |x| and
// |x3| <= 2^-18 |x| where it is rounded, 2^-7 and 2^-16 where it is cut off, so that
//
//   a b = a1 b1 + (a1 b2 + a2 b1) + (a1 b3 + a2 b2 + a3 b1) + at most 2^-24 |a b|
//
// Six exact products: what is left out is no more than one rounding of f32. A weight of 8 bits or
// of bf16 is one part, of f16 two: three and five products.
//
// The order of sums changes, so it is chosen here, per kernel and before scheduling (rule R3):
// `numerics` says so. The weight is split when the bundle is written; the other factor by the
// emitter, a block of rows at a time. An infinite factor gives NaN, where f32 may give infinity.
//
// Source: Henry, Tang, Heinecke: Leveraging the bfloat16 Artificial Intelligence Datatype For
// Higher-Precision Computations, arXiv:1904.06376.
//
//===----------------------------------------------------------------------===//
#include "DerivedWeights.h"
#include "Structure.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"
#include "mtc/Dialect/MT/Transforms/SplitWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <cmath>

namespace mtc::mt {
#define GEN_PASS_DEF_SPLITPRODUCTS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

std::optional<SplitWeight> mtc::mt::splitWeightOf(Value factor) {
  auto join = factor.getDefiningOp<linalg::GenericOp>();
  if (!join || join.getNumDpsInputs() != 1 || join->getNumResults() != 1)
    return std::nullopt;
  auto parts = dyn_cast<BlockArgument>(join.getOperand(0));
  auto type = parts ? dyn_cast<RankedTensorType>(parts.getType()) : RankedTensorType();
  const unsigned loops = join.getNumLoops();
  AffineMap from = join.getIndexingMapsArray()[0], to = join.getIndexingMapsArray()[1];
  if (!type || type.getRank() != 5 || !type.getElementType().isBF16() || loops < 3 ||
      to.getNumResults() != loops - 1 || !to.isProjectedPermutation() ||
      type.getDimSize(3) != kTileColumns || type.getDimSize(4) != 2)
    return std::nullopt;
  // Simplification splits the expressions up, so they are read by their values.
  auto at = [&](ArrayRef<int64_t> loopValues) {
    SmallVector<int64_t> values = from.compose(loopValues);
    return std::pair(kTileColumns * values[0] + values[3], 2 * values[2] + values[4]);
  };
  SplitWeight weight{parts, type.getDimSize(1), 2 * type.getDimSize(2), 0, {}};
  SmallVector<int64_t> corner(loops, 0);
  int64_t place = 0, column = 0, columns = 0;
  for (auto [dim, expr] : llvm::enumerate(to.getResults())) {
    const unsigned loop = cast<AffineDimExpr>(expr).getPosition();
    SmallVector<int64_t> one(loops, 0);
    one[loop] = 1;
    const auto [columnStride, stride] = at(one);
    corner[loop] = cast<RankedTensorType>(factor.getType()).getDimSize(dim) - 1;
    place += stride * corner[loop];
    column += columnStride * corner[loop];
    weight.strides.push_back(stride);
    if (columnStride == 0)
      continue;
    weight.column = dim;
    ++columns;
  }
  if (columns != 1 || at(corner) != std::pair(column, place))
    return std::nullopt;
  return weight;
}

namespace {

/// A contraction whose factors can be split.
struct Split {
  linalg::GenericOp op;
  ContractionRoles roles;
  BlockArgument weight;
  Product product;
  SmallVector<unsigned> sums;   ///< loops of a sum, the one along which activations lie last
  SmallVector<int64_t> strides; ///< of those in the place of a product
  SmallVector<int64_t> extents; ///< of all loops
  int64_t rows = 1, columns = 1, sum = 1, depth = 1, inner = 1, parts = 3;

  /// Of the parts: [n / 16][part][k' / 2][16][2].
  SmallVector<int64_t> shape() const {
    const auto panels = static_cast<int64_t>(llvm::divideCeil(columns, kTileColumns));
    return {panels, parts, depth / 2, kTileColumns, 2};
  }
};

/// Parts that hold a weight of `type` without loss; 0: it cannot be told.
int64_t partsOf(Type type, const Product &product, unsigned b) {
  if (type.isF32())
    return 3;
  if (type.isF16())
    return 2;
  if (type.isBF16())
    return 1;
  const int64_t low = product.isSigned[b] ? -128 : 0, high = low + 255;
  // The differences have at most eight bits beside their sign.
  return type.isInteger(8) && low <= product.zero[b] && product.zero[b] <= high ? 1 : 0;
}

/// Products of parts that count: x_i y_j with i + j <= 4.
int64_t productsOf(int64_t parts) { return parts == 3 ? 6 : parts == 2 ? 5 : 3; }

std::optional<Split> readSplit(linalg::GenericOp op, unsigned b) {
  std::optional<ContractionRoles> roles = rolesOf(op, b);
  std::optional<Product> product = productOf(op);
  auto weight = dyn_cast<BlockArgument>(op.getOperand(b));
  auto isF32 = [](Value v) { return getElementTypeOrSelf(v.getType()).isF32(); };
  if (!roles || !product || !weight || !weight.hasOneUse() || !isF32(op.getResult(0)) ||
      !isF32(op.getOperand(roles->a)) || !roles->batch.empty() || roles->n.size() != 1 ||
      roles->m.empty() || roles->k.empty())
    return std::nullopt;
  Split split{op, *roles, weight, *product, {}, {}, op.getStaticLoopRanges()};
  split.parts = partsOf(getElementTypeOrSelf(weight.getType()), *product, b);
  AffineMap a = op.getIndexingMapsArray()[roles->a];
  auto last =
      a.getNumResults() ? dyn_cast<AffineDimExpr>(a.getResults().back()) : AffineDimExpr(nullptr);
  if (!split.parts || !last || !llvm::is_contained(roles->k, last.getPosition()))
    return std::nullopt;
  SmallVector<unsigned> inWeight = plainLoops(op.getIndexingMapsArray()[b]);
  for (unsigned loop : roles->k) {
    if (!llvm::is_contained(inWeight, loop))
      return std::nullopt;
    if (loop != last.getPosition())
      split.sums.push_back(loop);
  }
  split.sums.push_back(last.getPosition());
  ArrayRef<int64_t> extents = split.extents;
  for (unsigned loop : roles->m)
    split.rows *= extents[loop];
  split.columns = extents[roles->n[0]];
  split.inner = extents[last.getPosition()];
  split.strides.assign(split.sums.size(), 1);
  for (size_t i = split.sums.size(); i-- > 0; split.sum *= extents[split.sums[i]])
    split.strides[i] = split.sum;
  split.depth = llvm::alignTo(split.sum, kTileDepth);
  return split;
}

/// Whether tiles take less time, by a model of either that was fitted to 117 kernels of real models
/// (mean error 13 and 9 %; one core of an Intel Xeon with AMX, shared VM, 2026-11-24; of the
/// kernels that it leaves, none would gain more than 20 %). Units: cycles. A tile's product takes
/// 16 alone; `farByte` operations of vectors, 64 a cycle, are what a byte costs from beyond a
/// core's caches. Results of more than 8 MiB wait for the lines that they are written to, which
/// only the emitter of vectors asks for ahead: 160x120x18710 takes 0.8 of the time on one core, 1.1
/// to 1.3 on two.
bool pays(const Split &s, double farByte) {
  const auto rows = double(s.rows), vectors = std::ceil(double(s.columns) / 16);
  auto far = [&](int64_t elementBytes) {
    const double bytes = double(elementBytes) * double(s.columns * s.depth);
    return bytes > 1 << 20 ? 0.6 * bytes * farByte / 64 : 0;
  };
  const double products =
      std::ceil(rows / 16) * vectors * double(s.depth / kTileDepth) * double(productsOf(s.parts));
  const double gathered = rows * double(s.sum / s.inner) * std::ceil(double(s.inner) / 16);
  const double tiles =
      2.64 * 16 * products + 7.8 * gathered + 1.5 * rows * vectors + 27 * rows + far(2 * s.parts);
  const double direct = 1.43 * rows * vectors * 16 * double(s.sum) / 32 + 3 * rows * vectors +
                        4.6 * rows + far(s.parts == 3 ? 4 : s.parts);
  const bool isHuge = 4 * s.rows * s.columns > 8 << 20;
  return s.rows >= 12 && s.columns >= 16 && direct > 4000 && !isHuge && tiles < 0.95 * direct;
}

/// The parts of `weight`: [n / 16][part][k' / 2][16][2].
Value splitWeight(OpBuilder &builder, Location loc, Value weight, const Split &s) {
  ImplicitLocOpBuilder b(loc, builder);
  linalg::GenericOp op = s.op;
  SmallVector<unsigned> dims = plainLoops(op.getIndexingMapsArray()[s.roles.b]);
  Value empty = tensor::EmptyOp::create(b, s.shape(), b.getBF16Type());
  MLIRContext *context = b.getContext();
  Type f32 = b.getF32Type(), i32 = b.getI32Type();
  Type narrow = getElementTypeOrSelf(weight.getType());
  auto body = [&](OpBuilder &inner, Location at, ValueRange) {
    ImplicitLocOpBuilder i(at, inner);
    auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(i, value); };
    auto number = [&](int64_t value) -> Value {
      return arith::ConstantIntOp::create(i, i32, value);
    };
    auto loop = [&](int64_t dim) -> Value { return linalg::IndexOp::create(i, dim); };
    Value column =
        arith::AddIOp::create(i, arith::MulIOp::create(i, loop(0), index(kTileColumns)), loop(3));
    Value place = arith::AddIOp::create(i, arith::MulIOp::create(i, loop(2), index(2)), loop(4));
    Value isInside = arith::AndIOp::create(
        i, arith::CmpIOp::create(i, arith::CmpIPredicate::ult, column, index(s.columns)),
        arith::CmpIOp::create(i, arith::CmpIPredicate::ult, place, index(s.sum)));
    column = arith::SelectOp::create(i, isInside, column, index(0));
    place = arith::SelectOp::create(i, isInside, place, index(0));
    SmallVector<Value> indices(dims.size());
    for (auto [dim, l] : llvm::enumerate(dims)) {
      if (l == s.roles.n[0]) {
        indices[dim] = column;
        continue;
      }
      const size_t sum = llvm::find(s.sums, l) - s.sums.begin();
      Value quotient = arith::DivUIOp::create(i, place, index(s.strides[sum]));
      indices[dim] = arith::RemUIOp::create(i, quotient, index(s.extents[l]));
    }
    Value x = tensor::ExtractOp::create(i, weight, indices);
    if (auto integer = dyn_cast<IntegerType>(narrow)) {
      const bool isSigned = s.product.isSigned[s.roles.b];
      x = isSigned ? Value(arith::ExtSIOp::create(i, i32, x))
                   : Value(arith::ExtUIOp::create(i, i32, x));
      x = arith::SubIOp::create(i, x, number(s.product.zero[s.roles.b]));
      x = arith::SIToFPOp::create(i, f32, x);
    } else if (narrow != f32) {
      x = arith::ExtFOp::create(i, f32, x);
    }
    x = arith::SelectOp::create(i, isInside, x, arith::ConstantOp::create(i, i.getZeroAttr(f32)));
    // To the nearest bf16, ties to even; part after part of what is left.
    Value result;
    for (int64_t part = 0; part < s.parts; ++part) {
      Value bits = arith::BitcastOp::create(i, i32, x);
      Value odd = arith::AndIOp::create(i, arith::ShRUIOp::create(i, bits, number(16)), number(1));
      Value up = arith::AddIOp::create(i, bits, arith::AddIOp::create(i, odd, number(0x7fff)));
      Value high = arith::ShRUIOp::create(i, up, number(16));
      result =
          part == 0
              ? high
              : Value(arith::SelectOp::create(
                    i, arith::CmpIOp::create(i, arith::CmpIPredicate::eq, loop(1), index(part)),
                    high, result));
      Value taken = arith::BitcastOp::create(i, f32, arith::ShLIOp::create(i, high, number(16)));
      x = arith::SubFOp::create(i, x, taken);
    }
    Value half = arith::TruncIOp::create(i, i.getI16Type(), result);
    linalg::YieldOp::create(i, Value(arith::BitcastOp::create(i, i.getBF16Type(), half)));
  };
  return linalg::GenericOp::create(
             b, empty.getType(), ValueRange(), empty,
             ArrayRef<AffineMap>{AffineMap::getMultiDimIdentityMap(5, context)},
             SmallVector<utils::IteratorType>(5, utils::IteratorType::parallel), body)
      .getResult(0);
}

/// The weight [k..., n] from its parts.
Value joinWeight(ImplicitLocOpBuilder &b, Value parts, const Split &s) {
  SmallVector<int64_t> shape;
  for (unsigned loop : s.sums)
    shape.push_back(s.extents[loop]);
  shape.push_back(s.columns);
  const unsigned rank = shape.size();
  AffineExpr place = b.getAffineConstantExpr(0), column = b.getAffineDimExpr(rank - 1);
  for (auto [d, stride] : llvm::enumerate(s.strides))
    place = place + b.getAffineDimExpr(d) * stride;
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(b.getF32Type()));
  Value empty = tensor::EmptyOp::create(b, shape, b.getF32Type());
  Value init = linalg::FillOp::create(b, zero, empty).getResult(0);
  SmallVector<utils::IteratorType> kinds(rank, utils::IteratorType::parallel);
  kinds.push_back(utils::IteratorType::reduction);
  MLIRContext *context = b.getContext();
  auto from = AffineMap::get(rank + 1, 0,
                             {column.floorDiv(kTileColumns), b.getAffineDimExpr(rank),
                              place.floorDiv(2), column % kTileColumns, place % 2},
                             context);
  auto to = AffineMap::getMultiDimIdentityMap(rank + 1, context).dropResult(rank);
  return linalg::GenericOp::create(
             b, init.getType(), parts, init, ArrayRef<AffineMap>{from, to}, kinds,
             [](OpBuilder &inner, Location at, ValueRange v) {
               Value wide = arith::ExtFOp::create(inner, at, v[1].getType(), v[0]);
               Value sum = arith::AddFOp::create(inner, at, v[1], wide);
               linalg::YieldOp::create(inner, at, sum);
             })
      .getResult(0);
}

struct SplitProducts : mtc::mt::impl::SplitProductsBase<SplitProducts> {
  using SplitProductsBase::SplitProductsBase;

  void runOnOperation() override {
    DerivedWeights weights(getOperation());
    DenseMap<StringAttr, SmallVector<TaskOp>> uses;
    getOperation().walk([&](TaskOp task) { uses[task.getKernelAttr().getAttr()].push_back(task); });
    for (auto kernel : getOperation().getBody().getOps<KernelOp>()) {
      ArrayRef<TaskOp> tasks = uses[kernel.getSymNameAttr()];
      if (std::optional<Split> split = splitOf(kernel, tasks, weights))
        rewrite(kernel, *split, tasks, weights);
    }
    weights.eraseUnused();
  }

  /// The kernel's only contraction, if it is one by a weight and splitting pays.
  std::optional<Split> splitOf(KernelOp kernel, ArrayRef<TaskOp> tasks, DerivedWeights &weights) {
    linalg::GenericOp contraction;
    for (auto op : kernel.getBody().front().getOps<linalg::GenericOp>())
      if (isContraction(op)) {
        if (contraction)
          return std::nullopt;
        contraction = op;
      }
    if (!contraction || tasks.empty())
      return std::nullopt;
    for (unsigned b : {1u, 0u}) {
      std::optional<Split> split = readSplit(contraction, b);
      if (split && pays(*split, farByte) && llvm::all_of(tasks, [&](TaskOp task) {
            return bool(weights.find(task.getOperand(split->weight.getArgNumber())));
          }))
        return split;
    }
    return std::nullopt;
  }

  void rewrite(KernelOp kernel, Split &split, ArrayRef<TaskOp> tasks, DerivedWeights &weights) {
    const unsigned argument = split.weight.getArgNumber();
    weights.replace(tasks, argument, "split", [&](OpBuilder &b, Location loc, Value value) {
      return splitWeight(b, loc, value, split);
    });
    auto type = RankedTensorType::get(split.shape(), BFloat16Type::get(kernel.getContext()));
    linalg::GenericOp op = split.op;
    ImplicitLocOpBuilder b(op.getLoc(), op);
    split.weight.setType(type);
    Value joined = joinWeight(b, split.weight, split);
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    SmallVector<AffineExpr> dims;
    for (unsigned loop : split.sums)
      dims.push_back(b.getAffineDimExpr(loop));
    dims.push_back(b.getAffineDimExpr(split.roles.n[0]));
    maps[split.roles.b] = AffineMap::get(op.getNumLoops(), 0, dims, b.getContext());
    SmallVector<Value> factors(2);
    factors[split.roles.a] = op.getOperand(split.roles.a);
    factors[split.roles.b] = joined;
    auto product = linalg::GenericOp::create(
        b, op.getResultTypes(), factors, op.getDpsInits(), maps, op.getIteratorTypesArray(),
        [](OpBuilder &inner, Location at, ValueRange v) {
          Value product = arith::MulFOp::create(inner, at, v[0], v[1]);
          Value sum = arith::AddFOp::create(inner, at, v[2], product);
          linalg::YieldOp::create(inner, at, sum);
        });
    op.getResult(0).replaceAllUsesWith(product.getResult(0));
    op.erase();
    SmallVector<Type> inputs(kernel.getArgumentTypes());
    inputs[argument] = type;
    kernel.setFunctionType(b.getFunctionType(inputs, kernel.getResultTypes()));
    kernel.setNumerics("split-k" + std::to_string(split.sum));
    ++rewritten;
  }
};

} // namespace
