//===- Attention.cpp - blocks of queries against all keys -----------------===//
#include "Attention.h"

using namespace mlir;

namespace mtc::host {
namespace {

ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }

/// Elements from one index of each loop to the next.
SmallVector<int64_t> stridesOf(Value v, AffineMap map) {
  SmallVector<int64_t> strides(map.getNumDims(), 0);
  int64_t offset = 0;
  for (auto [expr, stride] : llvm::zip_equal(map.getResults(), rowMajorStrides(shapeOf(v))))
    linearForm(expr, strides, offset, stride);
  return strides;
}

/// The loops of an op that are outer ones, queries and keys; what is left is the inner one.
struct Roles {
  SmallVector<unsigned> outer;
  unsigned query, key, inner = 0;
  /// `map` gives [outer..., query, key].
  Roles(AffineMap map, unsigned loops) {
    for (AffineExpr e : map.getResults())
      outer.push_back(cast<AffineDimExpr>(e).getPosition());
    key = outer.pop_back_val();
    query = outer.pop_back_val();
    while (inner < loops && (inner == query || inner == key || llvm::is_contained(outer, inner)))
      ++inner;
  }
};

Attention::Access accessOf(const BufferPlan &plan, Value v, AffineMap map, const Roles &roles) {
  Attention::Access access;
  access.storage = plan.lookup(v);
  SmallVector<int64_t> strides = stridesOf(v, map);
  for (unsigned loop : roles.outer)
    access.outer.push_back(strides[loop]);
  access.query = strides[roles.query];
  access.key = strides[roles.key];
  access.inner = roles.inner < strides.size() ? strides[roles.inner] : 0;
  return access;
}

} // namespace

FailureOr<Attention> analyseAttention(mt::KernelOp kernel) {
  if (kernel.getKind() != mt::KernelKind::Attention)
    return failure();
  std::optional<mt::Attention> ops = mt::readAttention(kernel);
  FailureOr<BufferPlan> plan = failure();
  if (ops)
    plan = planBuffers(kernel);
  if (failed(plan) || !plan->resultCopies.empty())
    return failure();
  Attention a;
  a.plan = std::move(*plan);
  a.ops = *ops;
  a.outer = SmallVector<int64_t>(ops->shape().drop_back(2));
  a.queries = ops->queries();
  a.keys = ops->keys();
  a.depth = ops->depth();
  a.width = ops->width();

  linalg::GenericOp scores = ops->scores, values = ops->values, adjusted = ops->adjusted;
  SmallVector<AffineMap> maps = scores.getIndexingMapsArray();
  Roles ofScores(maps[2], scores.getNumLoops());
  a.query = accessOf(a.plan, scores.getOperand(ops->query), maps[ops->query], ofScores);
  a.key = accessOf(a.plan, scores.getOperand(1 - ops->query), maps[1 - ops->query], ofScores);
  maps = values.getIndexingMapsArray();
  Roles ofValues(maps[ops->weight], values.getNumLoops());
  a.value = accessOf(a.plan, values.getOperand(1 - ops->weight), maps[1 - ops->weight], ofValues);
  a.result = accessOf(a.plan, ops->result.getResult(0), maps[2], ofValues);
  if (adjusted) {
    AffineMap identity = adjusted.getIndexingMapsArray().back();
    Roles dims(identity, adjusted.getNumLoops());
    for (OpOperand *input : adjusted.getDpsInputOperands())
      a.adjusting.push_back(
          isa<RankedTensorType>(input->get().getType())
              ? accessOf(a.plan, input->get(), adjusted.getMatchingIndexingMap(input), dims)
              : Attention::Access());
  }
  if (a.query.inner != 1 || a.value.inner != 1 || a.result.inner != 1 || a.width < 2)
    return failure();
  // Nothing between the products is kept whole.
  for (Storage &s : a.plan.storages)
    if (s.kind == Storage::Kind::Scratch)
      s.elements = s.scratchOffset = 0;
  for (int *storage : {&a.packed, &a.scores, &a.sums}) {
    *storage = static_cast<int>(a.plan.storages.size());
    Storage &s = a.plan.storages.emplace_back();
    s.elementType = Float32Type::get(kernel.getContext());
  }
  return a;
}

int64_t tilesOf(const Attention &a, const AttentionTiling &t) {
  return llvm::product_of(a.outer) * llvm::divideCeil(a.queries, t.block());
}

void placeScratch(Attention &a, const AttentionTiling &t) {
  int64_t offset = 0;
  for (auto [storage, rows] :
       {std::pair(a.packed, a.depth), {a.scores, a.keys}, {a.sums, int64_t(1)}}) {
    Storage &s = a.plan.storages[storage];
    s.elements = rows * t.block();
    s.scratchOffset = offset;
    offset += llvm::alignTo(4 * s.elements, 64);
  }
  a.plan.scratchBytes = offset;
}

int64_t scratchOf(const Attention &a, const AttentionTiling &t) {
  Attention placed = a;
  placeScratch(placed, t);
  return placed.plan.scratchBytes;
}

/// A product of two operands with loops n, m and one reduction; `operands` is their number.
static Contraction product(const Attention &a, linalg::GenericOp op, linalg::GenericOp epilogue,
                           std::array<int64_t, 3> extents) {
  Contraction c;
  c.plan = a.plan;
  c.isProduct = true;
  c.element = Float32Type::get(op.getContext());
  c.initial = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>().getInputs()[0];
  c.inputs = 2;
  c.outputs = 1;
  if (epilogue) {
    c.epilogue = epilogue;
    c.epilogueInputs = epilogue.getNumDpsInputs();
  }
  c.operands.resize(c.inputs + c.epilogueInputs + c.outputs);
  for (int64_t extent : extents) {
    Loop &loop = c.loops.emplace_back();
    loop.extent = extent;
    loop.strides.assign(c.operands.size(), 0);
  }
  c.loops[2].isReduction = true;
  c.n = 0;
  c.m = 1;
  c.reductions = {2};
  return c;
}

static void setOperand(Contraction &c, int64_t operand, int storage, int64_t n, int64_t m,
                       int64_t reduction = 0) {
  c.operands[operand].storage = storage;
  c.loops[0].strides[operand] = n;
  c.loops[1].strides[operand] = m;
  c.loops[2].strides[operand] = reduction;
}

Contraction scoreProducts(const Attention &a, const AttentionTiling &t, int64_t count) {
  linalg::GenericOp scores = a.ops.scores, adjusted = a.ops.adjusted;
  Contraction c =
      product(a, scores, adjusted, {int64_t(llvm::alignTo(count, t.lanes)), a.keys, a.depth});
  c.vectorInput = 0;
  setOperand(c, 0, a.packed, 1, 0, t.block());
  setOperand(c, 1, a.key.storage, 0, a.key.key, a.key.inner);
  setOperand(c, c.output(0), a.scores, 1, t.block());
  for (int64_t i = 0; i < c.epilogueInputs; ++i) {
    OpOperand *input = adjusted.getDpsInputOperand(i);
    if (!isa<RankedTensorType>(input->get().getType()))
      c.operands[c.inputs + i].scalar = input->get();
    else if (input->get() == scores.getResult(0))
      c.operands[c.inputs + i].storage = -2;
    else if (i == a.ops.mask) // transposed to where its scores will lie
      setOperand(c, c.inputs + i, a.scores, 1, t.block());
    else if (adjusted.payloadUsesValueFromOperand(input))
      setOperand(c, c.inputs + i, a.adjusting[i].storage, 0, a.adjusting[i].key);
  }
  return c;
}

Contraction valueProducts(const Attention &a, const AttentionTiling &t, int64_t count) {
  linalg::GenericOp values = a.ops.values, result = a.ops.result;
  Contraction c = product(a, values, result, {a.width, count, a.keys});
  c.vectorInput = 1;
  setOperand(c, 0, a.scores, 0, 1, t.block());
  setOperand(c, 1, a.value.storage, 1, 0, a.value.key);
  setOperand(c, c.output(0), a.result.storage, 1, a.result.query);
  for (int64_t i : {0, 1})
    if (result.getOperand(i) == values.getResult(0))
      c.operands[c.inputs + i].storage = -2;
    else
      setOperand(c, c.inputs + i, a.sums, 0, 1);
  return c;
}

/// Cycles of one product step of mr keys and nv vectors of queries: two multiply-adds and two loads
/// a cycle, latency 4, as in chooseTiling.
static double stepCycles(int64_t mr, int64_t nv) {
  if (mr == 0 || nv == 0)
    return 0;
  return std::max({double(mr * nv) * 0.5, double(mr + nv) * 0.5, 4.0}) + 0.5;
}

AttentionTiling chooseAttentionTiling(const Attention &a, const HostTarget &target) {
  AttentionTiling best;
  best.lanes = target.vectorBytes / 4;
  const int64_t vectors = llvm::divideCeil(a.queries, best.lanes);
  double least = 0;
  for (int64_t nv = 1; nv <= std::min<int64_t>(4, vectors); ++nv) {
    // Scores of a block stay in a level-1 cache, at least in a level-2 one.
    const int64_t bytes = 4 * a.keys * nv * best.lanes;
    const double slow = bytes > (256 << 10) ? 2 : bytes > (40 << 10) ? 1.1 : 1;
    for (int64_t mr = 1; mr <= std::min<int64_t>(16, a.keys); ++mr) {
      if (mr * nv + nv + 1 > target.vectorRegisters || mr * nv > 30)
        continue;
      const int64_t wholeM = a.keys / mr, restM = a.keys % mr;
      auto block = [&](int64_t n) {
        return double(wholeM) * stepCycles(mr, n) + stepCycles(restM, n);
      };
      const double cycles = (double(vectors / nv) * block(nv) + block(vectors % nv)) * slow;
      if (least == 0 || cycles < least * 0.999) {
        least = cycles;
        best.mr = mr;
        best.nv = nv;
      }
    }
  }
  const Tiling values =
      chooseTiling(valueProducts(a, best, std::min<int64_t>(a.queries, best.block())), target);
  best.valueLanes = values.lanes;
  best.valueMr = values.mr;
  best.valueNv = values.nv;
  return best;
}

} // namespace mtc::host
