//===- ContractionFrame.cpp - what contractions on a GPU share ------------===//
#include "ContractionFrame.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using mtc::host::Contraction;
using mtc::host::Operand;
using mtc::host::Window;

namespace mtc::cuda {

SmallVector<int64_t> rowLoopsOf(const Contraction &c) {
  SmallVector<int64_t> loops(c.rows);
  if (c.m >= 0)
    loops.push_back(c.m);
  // The host ends with the longest one. Pixels are rather taken as they lie in memory.
  SmallVector<int64_t> inOrder(loops);
  llvm::sort(inOrder);
  if (llvm::is_sorted(inOrder, [&](int64_t x, int64_t y) {
        return c.stride(1 - c.vectorInput, x) > c.stride(1 - c.vectorInput, y);
      }))
    return inOrder;
  return loops;
}

bool isOfBytes(const Contraction &c) { return c.element.isInteger(32); }

Type storedType(const Contraction &c, int64_t input) {
  return c.plan.storages[c.operands[input].storage].elementType;
}

/// Takes back that a host counts the terms of bytes by fours.
static void ungroup(Contraction &c) {
  if (c.groups < 0)
    return;
  host::Loop &l = c.loops[c.groups];
  l.extent = 4 * l.extent - (c.groupTail ? 4 - c.groupTail : 0);
  l.strides[1 - c.vectorInput] = 1;
  l.strides[c.vectorInput] = c.groupStride;
  c.groups = -1;
}

FailureOr<Contraction> analyseContraction(mt::KernelOp kernel, int64_t staged) {
  FailureOr<Contraction> c = host::analyseContraction(kernel);
  if (failed(c) || !c->isProduct || c->partsLoop >= 0 || !(c->element.isF32() || isOfBytes(*c)) ||
      c->vectorRows || c->vectorInput < 0)
    return failure();
  for (int64_t i = 0; i < c->inputs; ++i) {
    const host::Storage &storage = c->plan.storages[c->operands[i].storage];
    Type type = storage.elementType;
    const bool isStaged =
        staged >= 0 && storage.kind == host::Storage::Kind::Argument && storage.index == staged;
    if (staged >= 0 && isStaged != (i == c->vectorInput))
      return failure();
    const bool isFloat = type.isF32() || type.isF16() || type.isBF16();
    if (c->operands[i].panel || !(isOfBytes(*c) ? type.isInteger(8) : isFloat))
      return failure();
  }
  ungroup(*c);
  // Padding must be of the input that varies with the rows.
  for (const Window &w : c->windows)
    if (c->stride(c->vectorInput, w.outer) != 0 || c->stride(1 - c->vectorInput, w.outer) == 0)
      return failure();
  return c;
}

int64_t tilesOf(const Contraction &c, int64_t bm, int64_t bn) {
  return c.product(c.batch) * llvm::divideCeil(c.product(rowLoopsOf(c)), bm) *
         llvm::divideCeil(c.extent(c.n), bn);
}

ContractionFrame::ContractionFrame(ThreadEmitter &e, const Contraction &c, int64_t bm, int64_t bn,
                                   int64_t bk)
    : e(e), b(e.b), loc(e.loc), c(c), bm(bm), bn(bn), bk(bk), rowLoops(rowLoopsOf(c)),
      rows(c.product(rowLoops)), columns(c.extent(c.n)), terms(c.product(c.reductions)),
      index(c.loops.size()) {
  for (size_t l = 0; l < c.loops.size(); ++l)
    index[l] = e.constant(0);
}

std::pair<Value, Value> ContractionFrame::split(Value value, int64_t by) {
  SmallVector<Value> parts = e.delinearize(value, {int64_t(1) << 30, by});
  return {parts[0], parts[1]};
}

void ContractionFrame::setLoops(ArrayRef<int64_t> loops, Value flat) {
  SmallVector<int64_t> extents = llvm::map_to_vector(loops, [&](int64_t l) { return c.extent(l); });
  for (auto [l, v] : llvm::zip_equal(loops, e.delinearize(flat, extents)))
    index[l] = v;
}

Value ContractionFrame::addressOf(int64_t operand) {
  SmallVector<std::pair<Value, int64_t>> parts;
  for (auto [l, loop] : llvm::enumerate(c.loops))
    if (loop.alive)
      parts.emplace_back(index[l], loop.strides[operand]);
  return e.linear(c.operands[operand].offset, parts);
}

Value ContractionFrame::both(Value x, Value y) {
  return !x ? y : !y ? x : arith::AndIOp::create(b, loc, x, y).getResult();
}

ContractionFrame::Source ContractionFrame::locate(const Side &side, Value across, Value flatTerm) {
  Value flat = e.add(side.isRows ? tileRow : tileColumn, across);
  SmallVector<Value> saved = index;
  Value inside;
  if (side.isRows) {
    setLoops(rowLoops, flat);
    if (rows % bm)
      inside = both(inside, e.less(flat, rows));
  } else {
    index[c.n] = flat;
    if (columns % bn)
      inside = both(inside, e.less(flat, columns));
  }
  setLoops(c.reductions, flatTerm);
  if (terms % bk)
    inside = both(inside, e.less(flatTerm, terms));
  if (side.isRows)
    for (const Window &w : c.windows)
      inside = both(inside, isInside(w));
  Value address = addressOf(side.operand);
  index = saved;
  if (inside)
    address = arith::SelectOp::create(b, loc, inside, address, e.constant(0));
  return {address, inside};
}

bool ContractionFrame::isContiguousAcross(const Side &side) const {
  int64_t loop = side.isRows ? (rowLoops.empty() ? -1 : rowLoops.back()) : c.n;
  if (loop >= 0 && c.stride(side.operand, loop) == 1)
    return true;
  return c.reductions.empty() || c.stride(side.operand, c.reductions.back()) != 1;
}

bool ContractionFrame::isContiguousGroup(const Side &side, bool alongTerms, int64_t group) const {
  int64_t loop = c.n;
  if (alongTerms)
    loop = c.reductions.empty() ? -1 : c.reductions.back();
  else if (side.isRows)
    loop = rowLoops.empty() ? -1 : rowLoops.back();
  if (loop < 0 || c.stride(side.operand, loop) != 1 || c.extent(loop) % group ||
      c.operands[side.operand].offset % group)
    return false;
  for (const Window &w : c.windows)
    if (side.isRows && (w.outer == loop || w.inner == loop))
      return false;
  for (auto [l, other] : llvm::enumerate(c.loops))
    if (other.alive && static_cast<int64_t>(l) != loop && other.strides[side.operand] % group)
      return false;
  return true;
}

Value ContractionFrame::isInside(const Window &w) {
  Value at = e.mul(index[w.outer], w.scale);
  if (w.inner >= 0)
    at = e.add(at, e.mul(index[w.inner], w.dilation));
  at = e.add(at, e.constant(-w.low));
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, at, e.constant(w.size));
}

void ContractionFrame::startTile(Value tile) {
  SmallVector<int64_t> extents =
      llvm::map_to_vector(c.batch, [&](int64_t l) { return c.extent(l); });
  extents.push_back(llvm::divideCeil(rows, bm));
  extents.push_back(llvm::divideCeil(columns, bn));
  SmallVector<Value> at = e.delinearize(tile, extents);
  for (auto [i, l] : llvm::enumerate(c.batch))
    index[l] = at[i];
  tileRow = e.mul(at[c.batch.size()], bm);
  tileColumn = e.mul(at[c.batch.size() + 1], bn);
}

void ContractionFrame::whenBelow(Value v, int64_t end, bool mayExceed, function_ref<void()> body) {
  if (mayExceed)
    e.when(e.less(v, end), body);
  else
    body();
}

void ContractionFrame::finishElement(Value sum) {
  SmallVector<Value> results = {sum};
  if (c.epilogue) {
    linalg::LinalgOp epilogue = c.epilogue;
    Block &body = *epilogue.getBlock();
    SmallVector<Value> arguments;
    for (int64_t i = 0; i < c.epilogueInputs; ++i) {
      const Operand &o = c.operands[c.inputs + i];
      if (o.storage == -2)
        arguments.push_back(sum);
      else if (o.storage >= 0)
        arguments.push_back(
            memref::LoadOp::create(b, loc, e.memory[o.storage], addressOf(c.inputs + i)));
      else if (o.scalar)
        arguments.push_back(e.scalars.lookup(o.scalar));
      else
        arguments.push_back(zeroOf(body.getArgument(i).getType()));
    }
    for (int64_t i = 0; i < c.outputs; ++i)
      arguments.push_back(zeroOf(body.getArgument(c.epilogueInputs + i).getType()));
    results = e.cloneBody(body, arguments, {});
  }
  for (auto [i, value] : llvm::enumerate(results)) {
    int64_t output = c.output(static_cast<int64_t>(i));
    memref::StoreOp::create(b, loc, value, e.memory[c.operands[output].storage], addressOf(output));
  }
}

Value ContractionFrame::zeroOf(Type type) {
  return e.constant(cast<TypedAttr>(b.getZeroAttr(type)));
}

} // namespace mtc::cuda
