//===- UseWinograd.cpp - 3x3 convolutions with a quarter of the products --===//
//
// Minimal filtering F(4x4, 3x3): an output tile of 4x4 from an input tile of 6x6 takes 36 products
// a channel instead of 144; F(4x4, 2x2), for transposed convolutions of stride 2 above all, takes
// 25 of an input tile of 5x5 instead of 64. The kernel's body says it in full - two transforms of
// the input, 36 (25) matrix products, two transforms of the result - so plain loops compute the
// same; the emitter keeps a block of tiles in the caches through all of it. The transformed weight
// is derived, in panels as the products read them.
//
// It is another order of sums, so it is chosen here, per kernel and before scheduling (rule R3):
// `numerics` says so. With the points 0, 1, -1, 2, -2 the norm of the error stays below 2e-5 of the
// result's norm (tested).
//
// Source: Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, arXiv:1509.09308.
//
//===----------------------------------------------------------------------===//
#include "DerivedWeights.h"
#include "Structure.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

namespace mtc::mt {
#define GEN_PASS_DEF_USEWINOGRAD
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// Transforms of one side: of the input, `side` x `side`; of the weight, `side` x `taps`; of the
/// result, 4 x `side`. Row-major.
struct Filtering {
  int64_t taps, side;
  ArrayRef<double> input, weight, output;
  const char *numerics;
};

constexpr double input3[] = {4, 0,  -5, 0, 1, 0, 0, -4, -4, 1,  1, 0, 0, 4, -4, -1, 1, 0,
                             0, -2, -1, 2, 1, 0, 0, 2,  -1, -2, 1, 0, 0, 4, 0,  -5, 0, 1};
constexpr double weight3[] = {1. / 4,  0,        0,       -1. / 6, -1. / 6, -1. / 6,
                              -1. / 6, 1. / 6,   -1. / 6, 1. / 24, 1. / 12, 1. / 6,
                              1. / 24, -1. / 12, 1. / 6,  0,       0,       1};
constexpr double output3[] = {1, 1, 1, 1, 1, 0, 0, 1, -1, 2, -2, 0,
                              0, 1, 1, 4, 4, 0, 0, 1, -1, 8, -8, 1};

// Toom-Cook with the points 0, 1, -1, 2 and infinity.
constexpr double input2[] = {2, -1, -2, 1,  0, 0, 2, 1, -1, 0,  0,  2, -3,
                             1, 0,  0,  -1, 0, 1, 0, 0, 2,  -1, -2, 1};
constexpr double weight2[] = {1. / 2, 0, 1. / 2, 1. / 2, -1. / 6, 1. / 6, 1. / 6, 1. / 3, 0, 1};
constexpr double output2[] = {1, 1, 1, 1, 0, 0, 1, -1, 2, 0, 0, 1, 1, 4, 0, 0, 1, -1, 8, 1};

std::optional<Filtering> filteringOf(int64_t taps) {
  if (taps == 3)
    return Filtering{3, 6, input3, weight3, output3, "winograd-f4x4-3x3"};
  if (taps == 2)
    return Filtering{2, 5, input2, weight2, output2, "winograd-f4x4-2x2"};
  return std::nullopt;
}

/// A convolution that can be written so. Shapes: x[n, h, w, c], y[n, oh, ow, f].
struct Convolution {
  linalg::GenericOp op;
  tensor::PadOp pad; ///< of x, or null
  BlockArgument weight;
  SmallVector<int64_t> weightDims; ///< of the weight: ky, kx, c, f
  Filtering filtering;
  int64_t n, h, w, c, oh, ow, f, padTop = 0, padLeft = 0;
  int64_t tilesY() const { return llvm::divideCeil(oh, 4); }
  int64_t tilesX() const { return llvm::divideCeil(ow, 4); }
};

/// The two loops of `outer + inner`, or nullopt.
std::optional<std::pair<unsigned, unsigned>> sumOfLoops(AffineExpr expr) {
  auto sum = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!sum || sum.getKind() != AffineExprKind::Add)
    return std::nullopt;
  auto x = dyn_cast<AffineDimExpr>(sum.getLHS()), y = dyn_cast<AffineDimExpr>(sum.getRHS());
  if (!x || !y)
    return std::nullopt;
  return std::pair(x.getPosition(), y.getPosition());
}

std::optional<unsigned> loopOf(AffineExpr expr) {
  auto dim = dyn_cast<AffineDimExpr>(expr);
  return dim ? std::optional(dim.getPosition()) : std::nullopt;
}

bool isStatic(tensor::PadOp pad) {
  return llvm::none_of(pad.getStaticLow(), ShapedType::isDynamic) &&
         llvm::none_of(pad.getStaticHigh(), ShapedType::isDynamic);
}

/// Reads a contraction as a 3x3 or 2x2 convolution of stride 1 over NHWC, with operand `b` as
/// weight.
std::optional<Convolution> readConvolution(linalg::GenericOp op, unsigned b) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  AffineMap x = maps[1 - b], w = maps[b], y = maps[2];
  auto result = cast<RankedTensorType>(op.getResult(0).getType());
  auto weight = dyn_cast<BlockArgument>(op.getOperand(b));
  if (op.getNumLoops() != 7 || x.getNumResults() != 4 || w.getNumResults() != 4 ||
      y.getNumResults() != 4 || !result.getElementType().isF32() || !weight ||
      !weight.hasOneUse() || !getElementTypeOrSelf(weight).isF32())
    return std::nullopt;
  auto rows = sumOfLoops(x.getResult(1)), columns = sumOfLoops(x.getResult(2));
  auto n = loopOf(x.getResult(0)), c = loopOf(x.getResult(3)), f = loopOf(y.getResult(3));
  if (!rows || !columns || !n || !c || !f || loopOf(y.getResult(0)) != n)
    return std::nullopt;
  auto order = [&](std::pair<unsigned, unsigned> &loops, unsigned position) {
    if (loopOf(y.getResult(position)) == loops.second)
      std::swap(loops.first, loops.second);
    return loopOf(y.getResult(position)) == loops.first;
  };
  if (!order(*rows, 1) || !order(*columns, 2))
    return std::nullopt;
  Convolution conv;
  conv.op = op;
  conv.weight = weight;
  for (unsigned loop : {rows->second, columns->second, *c, *f}) {
    SmallVector<unsigned> loops = plainLoops(w);
    auto at = llvm::find(loops, loop);
    if (loops.size() != 4 || at == loops.end())
      return std::nullopt;
    conv.weightDims.push_back(at - loops.begin());
  }
  ArrayRef<int64_t> weightShape = cast<RankedTensorType>(weight.getType()).getShape();
  conv.n = result.getDimSize(0);
  conv.oh = result.getDimSize(1);
  conv.ow = result.getDimSize(2);
  conv.f = result.getDimSize(3);
  conv.c = weightShape[conv.weightDims[2]];
  const int64_t taps = weightShape[conv.weightDims[0]];
  std::optional<Filtering> filtering = filteringOf(taps);
  if (!filtering || weightShape[conv.weightDims[1]] != taps)
    return std::nullopt;
  conv.filtering = *filtering;
  Value input = op.getOperand(1 - b);
  if ((conv.pad = input.getDefiningOp<tensor::PadOp>())) {
    if (!isStatic(conv.pad) || !conv.pad.getConstantPaddingValue() ||
        !matchPattern(conv.pad.getConstantPaddingValue(), m_AnyZeroFloat()))
      return std::nullopt;
    conv.padTop = conv.pad.getStaticLow()[1];
    conv.padLeft = conv.pad.getStaticLow()[2];
    if (conv.pad.getStaticLow()[0] || conv.pad.getStaticLow()[3])
      return std::nullopt;
    input = conv.pad.getSource();
  }
  ArrayRef<int64_t> shape = cast<RankedTensorType>(input.getType()).getShape();
  conv.h = shape[1];
  conv.w = shape[2];
  return shape[3] == conv.c ? std::optional(conv) : std::nullopt;
}

/// Width of the panels of a weight with `f` results: two vectors or one, or of vectors half as wide
/// (at least eight lanes) three or one; 0 if none fits.
int64_t panelWidth(int64_t f, int64_t lanes) {
  for (int64_t width : {2 * lanes, lanes})
    if (f % width == 0)
      return width;
  if (const int64_t half = lanes / 2; half >= 8)
    for (int64_t width : {3 * half, half})
      if (f % width == 0)
        return width;
  return 0;
}

/// Modelled operations of a pixel of the result: the products, and about as many for each channel
/// in and out as the transforms load, add and store: twice as many with half vectors, and about
/// three times of 2x2 weights, whose products are few (48 to 24 channels at 24x160: modelled
/// without this 0.6 of the direct time, measured 1.24; 128 to 256 at 64x64: 0.48; two cores of AMD
/// EPYC Zen 4, shared VM, 2026-11-23). A tile over the edge is computed in full. Of weights beyond
/// a core's own caches a byte stands for `farByte` operations, once for each MiB of transformed
/// input.
bool pays(const Convolution &conv, int64_t lanes, double farByte, double directCost) {
  const auto c = static_cast<double>(conv.c), f = static_cast<double>(conv.f);
  const double waste = 16.0 * double(conv.tilesY() * conv.tilesX()) / double(conv.oh * conv.ow);
  const auto taps = double(conv.filtering.taps),
             positions = double(conv.filtering.side * conv.filtering.side);
  const bool isWide = conv.c >= 64 && conv.f >= 64; // else little is left of what tiles gain
  const double direct = 2 * taps * taps * c * f * (isWide ? directCost : 1);
  const double halves = conv.f % lanes ? 2 : 1, few = taps == 2 ? 3 : 1;
  const double transforms = (30 * c + 20 * f) * halves * few;
  const auto pixels = double(conv.n * conv.oh * conv.ow);
  constexpr double coreCacheBytes = 1 << 20;
  const double inputs = 4 * positions * c * waste * pixels / 16;
  const double passes = std::ceil(inputs / coreCacheBytes);
  auto fetched = [&](double weights) { // operations a pixel
    return 4 * weights * c * f > coreCacheBytes ? 4 * weights * c * f * farByte / pixels : 0;
  };
  const double winograd =
      positions / 36 * (4.5 * c * f + transforms) * waste + fetched(positions) * passes;
  return panelWidth(conv.f, lanes) > 0 && conv.c >= 8 &&
         conv.n * conv.tilesY() * conv.tilesX() >= 16 &&
         winograd * 1.15 < direct + fetched(taps * taps);
}

/// Writes generics whose bodies are sums of products.
class Writer {
public:
  Writer(OpBuilder &b, Location loc) : b(loc, b) {}
  ImplicitLocOpBuilder b;

  AffineExpr d(unsigned i) { return b.getAffineDimExpr(i); }

  Value matrix(ArrayRef<double> values, int64_t columns, Type element) {
    SmallVector<APFloat> numbers;
    for (double v : values) {
      APFloat number(v);
      bool lossy;
      number.convert(cast<FloatType>(element).getFloatSemantics(), APFloat::rmNearestTiesToEven,
                     &lossy);
      numbers.push_back(number);
    }
    auto type = RankedTensorType::get({int64_t(values.size()) / columns, columns}, element);
    return arith::ConstantOp::create(b, DenseElementsAttr::get(type, numbers));
  }

  /// result[...] += x * y over `loops` loops, those not in `out` being sums. Operands are widened
  /// to the result's type.
  Value contract(ArrayRef<int64_t> shape, Type element, unsigned loops, Value x,
                 ArrayRef<AffineExpr> xs, Value y, ArrayRef<AffineExpr> ys,
                 ArrayRef<AffineExpr> out) {
    MLIRContext *context = b.getContext();
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(element));
    Value empty = tensor::EmptyOp::create(b, shape, element);
    Value init = linalg::FillOp::create(b, zero, empty).getResult(0);
    SmallVector<utils::IteratorType> kinds(loops, utils::IteratorType::reduction);
    for (AffineExpr e : out)
      kinds[cast<AffineDimExpr>(e).getPosition()] = utils::IteratorType::parallel;
    auto map = [&](ArrayRef<AffineExpr> list) { return AffineMap::get(loops, 0, list, context); };
    auto wide = [&](OpBuilder &inner, Location loc, Value v) -> Value {
      return v.getType() == element ? v : arith::ExtFOp::create(inner, loc, element, v);
    };
    return linalg::GenericOp::create(b, init.getType(), ValueRange{x, y}, init,
                                     ArrayRef<AffineMap>{map(xs), map(ys), map(out)}, kinds,
                                     [&](OpBuilder &inner, Location loc, ValueRange v) {
                                       Value product =
                                           arith::MulFOp::create(inner, loc, wide(inner, loc, v[0]),
                                                                 wide(inner, loc, v[1]));
                                       Value sum = arith::AddFOp::create(inner, loc, v[2], product);
                                       linalg::YieldOp::create(inner, loc, sum);
                                     })
        .getResult(0);
  }
};

/// The weight as the products read it: [f / nr][i][j][c][nr], computed in f64.
Value transformWeight(OpBuilder &builder, Location loc, Value weight, const Convolution &conv,
                      int64_t nr) {
  Writer w(builder, loc);
  ImplicitLocOpBuilder &b = w.b;
  Type wide = b.getF64Type();
  const int64_t taps = conv.filtering.taps, side = conv.filtering.side;
  Value g = w.matrix(conv.filtering.weight, taps, wide);
  // Loops i, kx, c, f, ky; the weight's dims stand where it has them.
  SmallVector<AffineExpr> source(4);
  constexpr unsigned loopsOf[] = {4, 1, 2, 3}; // ky, kx, c, f
  for (auto [dim, loop] : llvm::zip(conv.weightDims, loopsOf))
    source[dim] = w.d(loop);
  Value rows = w.contract({side, taps, conv.c, conv.f}, wide, 5, weight, source, g,
                          {w.d(0), w.d(4)}, {w.d(0), w.d(1), w.d(2), w.d(3)});
  // Loops i, j, c, f, kx.
  Value both =
      w.contract({side, side, conv.c, conv.f}, wide, 5, rows, {w.d(0), w.d(4), w.d(2), w.d(3)}, g,
                 {w.d(1), w.d(4)}, {w.d(0), w.d(1), w.d(2), w.d(3)});
  SmallVector<int64_t> split = {side, side, conv.c, conv.f / nr, nr};
  Value panels =
      tensor::ExpandShapeOp::create(b, RankedTensorType::get(split, wide), both,
                                    SmallVector<ReassociationIndices>{{0}, {1}, {2}, {3, 4}});
  SmallVector<int64_t> shape = {conv.f / nr, side, side, conv.c, nr};
  Value empty = tensor::EmptyOp::create(b, shape, b.getF32Type());
  MLIRContext *context = b.getContext();
  AffineMap from = AffineMap::get(5, 0, {w.d(1), w.d(2), w.d(3), w.d(0), w.d(4)}, context);
  return linalg::GenericOp::create(
             b, empty.getType(), panels, empty,
             ArrayRef<AffineMap>{from, AffineMap::getMultiDimIdentityMap(5, context)},
             SmallVector<utils::IteratorType>(5, utils::IteratorType::parallel),
             [&](OpBuilder &inner, Location at, ValueRange v) {
               Value narrow = arith::TruncFOp::create(inner, at, inner.getF32Type(), v[0]);
               linalg::YieldOp::create(inner, at, narrow);
             })
      .getResult(0);
}

/// The convolution's result from its input and the transformed weight.
Value transformedConvolution(OpBuilder &builder, Convolution conv, Value u, int64_t nr) {
  Writer w(builder, conv.op.getLoc());
  ImplicitLocOpBuilder &b = w.b;
  linalg::GenericOp op = conv.op;
  Type f32 = b.getF32Type();
  const int64_t ty = conv.tilesY(), tx = conv.tilesX(), groups = conv.f / nr, n = conv.n;
  const int64_t side = conv.filtering.side, more = side - 4;
  tensor::PadOp oldPad = conv.pad;
  Value input = oldPad ? oldPad.getSource() : op.getOperand(conv.weight == op.getOperand(0));
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(f32));
  auto numbers = [&](std::initializer_list<int64_t> values) {
    SmallVector<OpFoldResult> list;
    for (int64_t v : values)
      list.push_back(b.getIndexAttr(v));
    return list;
  };
  auto paddedType = RankedTensorType::get({n, 4 * ty + more, 4 * tx + more, conv.c}, f32);
  Value x = tensor::PadOp::create(
      b, paddedType, input, numbers({0, conv.padTop, conv.padLeft, 0}),
      numbers({0, 4 * ty + more - conv.h - conv.padTop, 4 * tx + more - conv.w - conv.padLeft, 0}),
      zero);
  Value bt = w.matrix(conv.filtering.input, side, f32),
        at = w.matrix(conv.filtering.output, side, f32);
  auto d = [&](unsigned i) { return w.d(i); };
  // Loops n, ty, tx, i, x, c, a: rows of the input tiles.
  Value rows = w.contract({n, ty, tx, side, side, conv.c}, f32, 7, x,
                          {d(0), d(1) * 4 + d(6), d(2) * 4 + d(4), d(5)}, bt, {d(3), d(6)},
                          {d(0), d(1), d(2), d(3), d(4), d(5)});
  // Loops i, j, n, ty, tx, c, x: their columns.
  Value v = w.contract({side, side, n, ty, tx, conv.c}, f32, 7, rows,
                       {d(2), d(3), d(4), d(0), d(6), d(5)}, bt, {d(1), d(6)},
                       {d(0), d(1), d(2), d(3), d(4), d(5)});
  // Loops i, j, n, ty, tx, g, r, c: the products.
  Value m = w.contract({side, side, n, ty, tx, groups, nr}, f32, 8, v,
                       {d(0), d(1), d(2), d(3), d(4), d(7)}, u, {d(5), d(0), d(1), d(7), d(6)},
                       {d(0), d(1), d(2), d(3), d(4), d(5), d(6)});
  // Loops n, ty, p, tx, j, g, r, i: rows of the output tiles.
  Value outRows = w.contract({n, ty, 4, tx, side, groups, nr}, f32, 8, m,
                             {d(7), d(4), d(0), d(1), d(3), d(5), d(6)}, at, {d(2), d(7)},
                             {d(0), d(1), d(2), d(3), d(4), d(5), d(6)});
  // Loops n, ty, p, tx, q, g, r, j: their columns.
  Value y = w.contract({n, ty, 4, tx, 4, groups, nr}, f32, 8, outRows,
                       {d(0), d(1), d(2), d(3), d(7), d(5), d(6)}, at, {d(4), d(7)},
                       {d(0), d(1), d(2), d(3), d(4), d(5), d(6)});
  Value whole = tensor::CollapseShapeOp::create(
      b, y, SmallVector<ReassociationIndices>{{0}, {1, 2}, {3, 4}, {5, 6}});
  if (conv.oh == 4 * ty && conv.ow == 4 * tx)
    return whole;
  return tensor::ExtractSliceOp::create(
      b, cast<RankedTensorType>(op.getResult(0).getType()), whole, numbers({0, 0, 0, 0}),
      numbers({n, conv.oh, conv.ow, conv.f}), numbers({1, 1, 1, 1}));
}

struct UseWinograd : mtc::mt::impl::UseWinogradBase<UseWinograd> {
  using UseWinogradBase::UseWinogradBase;

  void runOnOperation() override {
    if (lanes < 1) {
      getOperation().emitOpError("lanes must be positive, got ") << int64_t(lanes);
      return signalPassFailure();
    }
    DerivedWeights weights(getOperation());
    DenseMap<StringAttr, SmallVector<TaskOp>> uses;
    getOperation().walk([&](TaskOp task) { uses[task.getKernelAttr().getAttr()].push_back(task); });
    for (auto kernel : getOperation().getBody().getOps<KernelOp>()) {
      ArrayRef<TaskOp> tasks = uses[kernel.getSymNameAttr()];
      if (std::optional<Convolution> conv = convolutionOf(kernel, tasks, weights))
        rewrite(kernel, *conv, tasks, weights);
    }
    weights.eraseUnused();
  }

  /// The kernel's only contraction, if it is such a convolution by a weight and it pays.
  std::optional<Convolution> convolutionOf(KernelOp kernel, ArrayRef<TaskOp> tasks,
                                           DerivedWeights &weights) {
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
      std::optional<Convolution> conv = readConvolution(contraction, b);
      if (conv && pays(*conv, lanes, farByte, directCost) && llvm::all_of(tasks, [&](TaskOp task) {
            return bool(weights.find(task.getOperand(conv->weight.getArgNumber())));
          }))
        return conv;
    }
    return std::nullopt;
  }

  void rewrite(KernelOp kernel, Convolution &conv, ArrayRef<TaskOp> tasks,
               DerivedWeights &weights) {
    const int64_t nr = panelWidth(conv.f, lanes);
    const unsigned argument = conv.weight.getArgNumber();
    for (TaskOp task : tasks) {
      OpOperand &operand = task->getOpOperand(argument);
      Location loc = operand.get().getLoc();
      WeightOp weight = weights.getOrCreate(
          loc, "winograd", weights.find(operand.get()), [&](OpBuilder &b, ValueRange values) {
            return transformWeight(b, loc, values.front(), conv, nr);
          });
      OpBuilder b(task);
      Operation *old = operand.get().getDefiningOp();
      operand.set(DerivedWeights::get(b, loc, weight));
      if (old->use_empty())
        old->erase();
    }
    const int64_t side = conv.filtering.side;
    auto type = RankedTensorType::get({conv.f / nr, side, side, conv.c, nr},
                                      Float32Type::get(kernel.getContext()));
    OpBuilder b(conv.op);
    Value init = conv.op.getDpsInits()[0];
    // The argument changes its type, so its old use has to go first.
    Value result = [&] {
      BlockArgument u =
          kernel.getBody().front().insertArgument(argument + 1, type, conv.weight.getLoc());
      return transformedConvolution(b, conv, u, nr);
    }();
    conv.op.getResult(0).replaceAllUsesWith(result);
    conv.op.erase();
    if (conv.pad && conv.pad->use_empty())
      conv.pad.erase();
    if (auto fill = init.getDefiningOp<linalg::FillOp>(); fill && fill->use_empty())
      fill.erase();
    kernel.getBody().front().eraseArgument(argument);
    SmallVector<Type> inputs(kernel.getArgumentTypes());
    inputs[argument] = type;
    Builder attributes(kernel.getContext());
    kernel.setFunctionType(attributes.getFunctionType(inputs, kernel.getResultTypes()));
    kernel.setNumerics(conv.filtering.numerics);
    ++rewritten;
  }
};

} // namespace
