//===- Amounts.cpp - what a kernel's code does ----------------------------===//
//
// One function per emitter, beside which it has to be kept true: a change of how code is emitted
// changes what the counts mean, and hosts must be calibrated again.
//
//===----------------------------------------------------------------------===//
#include "mtc/Codegen/Host/Amounts.h"

#include "Attention.h"
#include "Contraction.h"
#include "MatrixTiles.h"
#include "Nest.h"
#include "Recurrence.h"
#include "Winograd.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::host {
namespace {

/// What an operation on half a register takes of one on a full one (measured on AMD Zen 4, whose
/// units are half as wide, 2026-11-23: 0.6).
constexpr double kHalfVector = 0.6;

/// An operation in multiply-adds of its vector: divisions by their throughput (AMD Zen 4, Intel
/// Golden Cove: 8 to 16 cycles; https://uops.info), functions by the operations of their
/// polynomials (MathExpand.cpp); what is computed in f64 there takes twice the vectors.
double costOf(Operation &op) {
  if (op.hasTrait<OpTrait::ConstantLike>())
    return 0;
  if (isa<arith::DivFOp>(op))
    return 8;
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(op))
    return 30; // element by element
  if (!isa<math::MathDialect>(op.getDialect()) ||
      isa<math::FmaOp, math::AbsFOp, math::AbsIOp, math::CopySignOp, math::FloorOp, math::CeilOp,
          math::TruncOp, math::RoundEvenOp>(op))
    return 1;
  if (isa<math::SqrtOp>(op))
    return 12;
  if (isa<math::RsqrtOp>(op))
    return 20;
  if (isa<math::ExpOp, math::Exp2Op>(op))
    return 14;
  if (isa<math::LogOp>(op))
    return 20;
  return isa<math::TanhOp>(op) ? 24 : isa<math::ErfOp>(op) ? 34 : 60;
}

/// That of a body for each element.
double costOf(Block &body) {
  double cost = 0;
  for (Operation &op : body.without_terminator())
    cost += costOf(op);
  return cost;
}

double ceilDivide(int64_t a, int64_t b) { return static_cast<double>(llvm::divideCeil(a, b)); }

int64_t numberIn(DictionaryAttr config, StringRef key) {
  auto value = config.getAs<IntegerAttr>(key);
  return value ? std::max<int64_t>(1, value.getInt()) : 1;
}

void countContraction(Contraction &c, DictionaryAttr config, const HostTarget &target,
                      KernelAmounts &a) {
  const int64_t lanes = numberIn(config, "lanes"), mr = numberIn(config, "mr"),
                nv = numberIn(config, "nv");
  const bool isHalf = lanes * c.accumulatorBytes() < target.vectorBytes;
  const auto outer = static_cast<double>(c.product(c.batch) * c.product(c.rows));
  const auto rows = static_cast<double>(c.extent(c.m));
  a.family = c.groups >= 0           ? "contraction_bytes"
             : !c.isProduct          ? "window"
             : c.vectorRows          ? "depthwise"
             : c.element.isInteger() ? "contraction_int"
             : c.packs               ? "contraction_packed"
             : outer * rows == 1     ? "contraction_vector"
             : c.windows.empty()     ? "contraction"
                                     : "contraction_window";
  const auto depth = static_cast<double>(c.product(c.reductions));
  const double vectors = ceilDivide(c.extent(c.n), lanes), groups = std::ceil(vectors / nv),
               steps = ceilDivide(c.extent(c.m), mr);
  const double tile = c.vectorRows ? rows * vectors : rows * groups;
  a[Amount::Arithmetic] = outer * depth * rows * vectors * (isHalf ? kHalfVector : 1);
  a[Amount::Loads] = outer * depth * (tile + steps * vectors);
  a[Amount::Steps] = outer * steps * groups;
  a[Amount::Other] = outer * rows * vectors; // written
  if (c.epilogue)
    a[Amount::Other] += outer * rows * vectors * costOf(*c.epilogue.getBlock());
  if (c.spillsEpilogue)
    a[Amount::Runs] += outer * rows * vectors; // through memory and back
  if (!c.isProduct)
    a[Amount::Arithmetic] *= std::max(1.0, costOf(*c.op.getBlock()));
  if (c.packs)
    a[Amount::Other] +=
        static_cast<double>(c.product(c.batch)) * depth * vectors * static_cast<double>(lanes);
}

void countMatrix(Contraction &c, DictionaryAttr config, KernelAmounts &a) {
  a.family = c.splitParts ? "contraction_tiles" : "contraction_byte_tiles";
  const double rows = ceilDivide(positionsOf(c), 16) * 16, vectors = ceilDivide(c.extent(c.n), 16);
  const double columnBlocks = ceilDivide(c.extent(c.n), numberIn(config, "columns"));
  const auto steps =
      static_cast<double>(c.splitParts ? c.splitDepth / 32 : c.extent(c.groups) / 16);
  const auto products = static_cast<double>(productsOfParts(c.splitParts).size());
  a[Amount::Arithmetic] = rows * vectors * steps * products; // a row of a tile takes a cycle
  a[Amount::Steps] = rows / 16 * vectors / static_cast<double>(numberIn(config, "nv"));
  if (c.splitParts)
    a[Amount::Runs] = rows * static_cast<double>(gatheredVectors(c)) * columnBlocks;
  a[Amount::Other] = rows * vectors * (c.epilogue ? 1 + costOf(*c.epilogue.getBlock()) : 1);
}

void countWinograd(Winograd &w, DictionaryAttr config, const HostTarget &target, KernelAmounts &a) {
  a.family = "winograd";
  const int64_t lanes = numberIn(config, "lanes"), mr = numberIn(config, "mr"),
                block = numberIn(config, "block");
  const auto tiles = static_cast<double>(w.tiles()), c = static_cast<double>(w.c);
  const double blocks = ceilDivide(w.tiles(), block), vectors = ceilDivide(w.f(), lanes);
  const auto positions = static_cast<double>(w.positions());
  // Blocks are whole.
  const double padded = blocks * static_cast<double>(block);
  a[Amount::Arithmetic] =
      positions * padded * c * vectors * (4 * lanes < target.vectorBytes ? kHalfVector : 1);
  a[Amount::Loads] = positions * blocks * c * vectors; // panels, once a block
  a[Amount::Steps] = positions * blocks * ceilDivide(block, mr) * vectors;
  const double inputVectors = ceilDivide(w.c, lanes);
  a[Amount::Other] = positions * tiles * (inputVectors + vectors);
  if (w.epilogue)
    a[Amount::Other] += 16 * tiles * vectors * costOf(*w.epilogue->getBlock());
}

void countAttention(Attention &attention, DictionaryAttr config, KernelAmounts &a) {
  a.family = "contraction_attention";
  const int64_t lanes = numberIn(config, "lanes"), mr = numberIn(config, "mr"),
                nv = numberIn(config, "nv"), valueLanes = numberIn(config, "value_lanes"),
                valueMr = numberIn(config, "value_mr"), valueNv = numberIn(config, "value_nv");
  const auto outer = static_cast<double>(llvm::product_of(attention.outer));
  const auto queries = static_cast<double>(attention.queries),
             keys = static_cast<double>(attention.keys),
             depth = static_cast<double>(attention.depth);
  const double vectors = ceilDivide(attention.queries, lanes), groups = std::ceil(vectors / nv),
               steps = ceilDivide(attention.keys, mr);
  const double values = ceilDivide(attention.width, valueLanes),
               valueGroups = std::ceil(values / valueNv),
               valueSteps = groups * ceilDivide(lanes * nv, valueMr);
  a[Amount::Arithmetic] = outer * keys * (vectors * depth + queries * values);
  a[Amount::Loads] = outer * (depth * (keys * groups + steps * vectors) +
                              keys * (queries * valueGroups + valueSteps * values));
  a[Amount::Steps] = outer * (steps * groups + valueSteps * valueGroups);
  // Softmax, scale and mask; two shuffles and a bit for a vector that is transposed.
  linalg::GenericOp adjusted = attention.ops.adjusted;
  const double scores = outer * keys * vectors;
  a[Amount::Other] = scores * (20 + (adjusted ? costOf(*adjusted.getBody()) : 0)) +
                     5 * (outer * depth * vectors + (attention.ops.mask >= 0 ? scores : 0));
}

/// As NestEmitter chooses: the loop that becomes vectors, or -1.
int64_t vectorLoopOf(const Nest &nest, int64_t lanes) {
  for (int64_t d = static_cast<int64_t>(nest.extents.size()) - 1; d >= nest.rowDims; --d)
    if (!nest.isReduction[d] && nest.extents[d] > 1 &&
        llvm::all_of(nest.writes, [&](const Access &w) { return w.strides[d] == 1; }))
      return d;
  for (int64_t d = static_cast<int64_t>(nest.extents.size()) - 1; d >= nest.rowDims; --d)
    if (nest.isReduction[d] && nest.extents[d] >= lanes / 2 &&
        llvm::any_of(nest.reads, [&](const Access &r) { return r.strides[d] == 1; }))
      return d;
  return -1;
}

void countRows(const RowProgram &program, int64_t lanes, KernelAmounts &a) {
  bool isMove = true;
  for (const Segment &segment : program.segments)
    for (const Nest &nest : segment.nests) {
      isMove &= nest.body == nullptr || costOf(*nest.body) == 0;
      double iterations = 1;
      for (auto [d, extent] : llvm::enumerate(nest.extents))
        iterations *= static_cast<double>(
            static_cast<int64_t>(d) == nest.splitDim ? std::min(extent, nest.splitBlock) : extent);
      const int64_t v = vectorLoopOf(nest, lanes);
      const int64_t extent = v < 0 ? 1 : v == nest.splitDim ? nest.splitBlock : nest.extents[v];
      const double inner = v < 0 ? 1 : ceilDivide(extent, lanes);
      const double vectors = v < 0 ? iterations : iterations / static_cast<double>(extent) * inner;
      a[Amount::Arithmetic] += vectors * (nest.body ? costOf(*nest.body) : 0);
      for (const Access &read : nest.reads) {
        if (read.storage < 0)
          continue;
        const bool isApart = v < 0 || (read.strides[v] != 0 && read.strides[v] != 1);
        a[isApart ? Amount::Steps : Amount::Loads] += isApart ? iterations : vectors;
      }
      for (const Access &write : nest.writes) {
        const bool isApart = v < 0 || (write.strides[v] != 0 && write.strides[v] != 1);
        a[isApart ? Amount::Steps : Amount::Loads] += isApart ? iterations : vectors;
      }
      // Runs of the inner loop: one that reduces ends with a sum across its vector.
      a[v >= 0 && nest.isReduction[v] ? Amount::Other : Amount::Runs] += vectors / inner;
    }
  a.family = isMove ? "move" : "rows";
}

void countPlain(mt::KernelOp kernel, KernelAmounts &a) {
  a.family = "plain";
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (auto loops = dyn_cast<linalg::LinalgOp>(op)) {
      double iterations = 1;
      for (int64_t extent : loops.getStaticLoopRanges())
        iterations *= static_cast<double>(extent);
      a[Amount::Steps] += iterations;
      a[Amount::Arithmetic] += iterations * costOf(*loops.getBlock());
    }
    for (Type type : op.getResultTypes())
      if (auto tensor = dyn_cast<RankedTensorType>(type); tensor && tensor.hasStaticShape())
        a[Amount::Other] += static_cast<double>(tensor.getNumElements());
  }
}

void countCode(mt::KernelOp kernel, DictionaryAttr config, const HostTarget &target,
               KernelAmounts &a);

/// Its calls in every step; what they hand to each other lies in the L1 cache.
void countRecurrence(Recurrence &r, const HostTarget &target, KernelAmounts &a) {
  const auto steps = static_cast<double>(r.op.getSteps());
  for (StepCall &call : r.calls) {
    KernelAmounts own;
    countCode(*call.kernel.kernel, call.choice.config, target, own);
    for (size_t i = 0; i < kAmounts; ++i)
      a.counts[i] += steps * own.counts[i];
    a[Amount::Start] += steps;
  }
  a.family = "recurrence";
}

/// All but starts, tiles and bytes.
void countCode(mt::KernelOp kernel, DictionaryAttr config, const HostTarget &target,
               KernelAmounts &a) {
  auto name = config.getAs<StringAttr>("emitter");
  const StringRef emitter = name ? name.getValue() : "";
  const int64_t lanes = target.vectorBytes / 4;
  if (emitter == "contraction") {
    if (FailureOr<Contraction> c = analyseContraction(kernel); succeeded(c))
      countContraction(*c, config, target, a);
  } else if (emitter == "matrix" || emitter == "byte_tiles") {
    if (FailureOr<Contraction> c =
            emitter == "matrix" ? analyseMatrix(kernel) : analyseByteTiles(kernel);
        succeeded(c))
      countMatrix(*c, config, a);
  } else if (emitter == "winograd") {
    if (FailureOr<Winograd> w = analyseWinograd(kernel); succeeded(w))
      countWinograd(*w, config, target, a);
  } else if (emitter == "attention") {
    if (FailureOr<Attention> attention = analyseAttention(kernel); succeeded(attention))
      countAttention(*attention, config, a);
  } else if (emitter == "rows") {
    if (FailureOr<RowProgram> program = analyseRows(kernel, lanes); succeeded(program))
      countRows(*program, lanes, a);
  } else if (emitter == "recurrence") {
    if (FailureOr<Recurrence> r = planRecurrence(kernel, target, config); succeeded(r))
      countRecurrence(*r, target, a);
  }
  if (!a.family.empty())
    return;
  countPlain(kernel, a);
  if (!emitter.empty())
    a.family = emitter.str();
}

} // namespace

KernelAmounts amountsOf(mt::KernelOp kernel, mt::VariantAttr variant, const HostTarget &target) {
  KernelAmounts a;
  countCode(kernel, variant.getConfig(), target, a);
  a[Amount::Start] += 1;
  for (int64_t tiles : variant.getTiles().asArrayRef())
    a[Amount::Tiles] += static_cast<double>(tiles);
  return a;
}

} // namespace mtc::host
