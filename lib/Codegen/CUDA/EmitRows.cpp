//===- EmitRows.cpp - kernels that work row by row ------------------------===//
//
// A nest of one result a row (a sum, a maximum) is reduced by the whole block: each thread combines
// every `threads`th term, lanes of a warp exchange by xor, and warps through shared memory. A nest
// of several results gives each to a warp, or to a thread where its terms are few or its
// combination is not known to be associative. All others give an element to a thread. A barrier
// ends every nest.
//
// Source: M. Harris, "Optimizing parallel reduction in CUDA", 2007; exchange by shuffles as in the
// CUDA C++ programming guide, "Warp Shuffle Functions".
//
//===----------------------------------------------------------------------===//
#include "EmitRows.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using mtc::host::Access;
using mtc::host::Nest;
using mtc::host::Storage;

namespace mtc::cuda {
namespace {

constexpr int64_t warpThreads = 32, mostThreads = 1024;
/// Of 48 KiB static shared memory; the rest is for partial results.
constexpr int64_t mostSharedBytes = 40 << 10;
/// A kernel with fewer rows and more elements than these is better spread element by element.
constexpr int64_t fewRows = 16, manyElements = 32 << 10;

int64_t product(const Nest &nest, bool reductions) {
  int64_t n = 1;
  for (size_t d = nest.rowDims; d < nest.extents.size(); ++d)
    n *= nest.isReduction[d] == reductions ? nest.extents[d] : 1;
  return n;
}

/// What a nest accumulates by: yield combine(acc, f(inputs)), with a neutral element.
struct Combination {
  Operation *op = nullptr; ///< null: unknown
  Value accumulator;
  TypedAttr neutral;
};

Combination combinationOf(const Nest &nest) {
  if (!nest.body || nest.writes.size() != 1)
    return {};
  BlockArgument accumulator = nest.body->getArguments().back();
  Type type = accumulator.getType();
  if (!accumulator.hasOneUse() || !(type.isF32() || type.isInteger(32)))
    return {};
  Operation *op = *accumulator.getUsers().begin();
  if (op->getNumOperands() != 2 || nest.body->getTerminator()->getOperand(0) != op->getResult(0))
    return {};
  Builder b(op->getContext());
  double infinity = std::numeric_limits<double>::infinity();
  auto real = [&](double v) -> TypedAttr { return b.getFloatAttr(type, v); };
  auto integer = [&](int64_t v) -> TypedAttr { return b.getIntegerAttr(type, v); };
  TypedAttr neutral;
  if (isa<arith::AddFOp>(op))
    neutral = real(0);
  else if (isa<arith::MulFOp>(op))
    neutral = real(1);
  else if (isa<arith::MaximumFOp, arith::MaxNumFOp>(op))
    neutral = real(-infinity);
  else if (isa<arith::MinimumFOp, arith::MinNumFOp>(op))
    neutral = real(infinity);
  else if (isa<arith::AddIOp, arith::OrIOp>(op))
    neutral = integer(0);
  else if (isa<arith::MaxSIOp>(op))
    neutral = integer(INT32_MIN);
  else if (isa<arith::MinSIOp>(op))
    neutral = integer(INT32_MAX);
  else
    return {};
  return {op, accumulator, neutral};
}

class RowsEmitter {
public:
  RowsEmitter(ThreadEmitter &e, const Rows &rows) : e(e), b(e.b), loc(e.loc), rows(rows) {}

  void run() {
    thread = e.thread;
    if (rows.together > 1) {
      SmallVector<Value> parts = e.delinearize(e.thread, {rows.together, rows.threads});
      place = parts[0];
      thread = parts[1];
    }
    for (Operation &op : e.kernel.getBody().front().without_terminator())
      e.emitScalar(op);
    for (auto [i, storage] : llvm::enumerate(rows.program.plan.storages))
      if (storage.kind == Storage::Kind::Scratch)
        e.memory[i] = e.shared(rows.together * storage.elements, storage.elementType);
    e.forTiles([&](Value tile) {
      Value row = place ? e.add(e.mul(tile, rows.together), place) : tile;
      for (const Nest &nest : rows.segment().nests) {
        emitNest(nest, row);
        e.barrier();
      }
    });
    e.finish();
  }

private:
  void emitNest(const Nest &current, Value row) {
    nest = &current;
    index.assign(nest->extents.size(), Value());
    SmallVector<int64_t> rowLoops, parallel, reductions;
    for (int64_t d = 0; d < static_cast<int64_t>(nest->extents.size()); ++d)
      (d < nest->rowDims ? rowLoops : nest->isReduction[d] ? reductions : parallel).push_back(d);
    setLoops(rowLoops, row);
    int64_t results = product(*nest, false), terms = product(*nest, true);
    Combination combination = combinationOf(*nest);
    if (reductions.empty() || !combination.op || terms < warpThreads) {
      stride(thread, results, rows.threads, [&](Value at) {
        setLoops(parallel, at);
        store(reduceInOrder(reductions, terms));
      });
    } else if (results == 1) {
      setLoops(parallel, e.constant(0));
      Value total = reduceByBlock(reductions, terms, combination);
      Value isFirst =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, thread, e.constant(0));
      e.when(isFirst, [&] { store({withInitial(combination, total)}); });
    } else {
      SmallVector<Value> parts = e.delinearize(thread, {rows.threads / warpThreads, warpThreads});
      stride(parts[0], results, rows.threads / warpThreads, [&](Value at) {
        setLoops(parallel, at);
        Value partial = reduceStrided(reductions, terms, parts[1], warpThreads, combination);
        Value total = exchange(partial, combination);
        Value isFirst =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, parts[1], e.constant(0));
        e.when(isFirst, [&] { store({withInitial(combination, total)}); });
      });
    }
  }

  /// `body` at first, first + step, ... below `end`.
  void stride(Value first, int64_t end, int64_t step, function_ref<void(Value)> body) {
    OpBuilder::InsertionGuard guard(b);
    auto loop = scf::ForOp::create(b, loc, first, e.constant(end), e.constant(step));
    b.setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar());
  }

  void setLoops(ArrayRef<int64_t> loops, Value flat) {
    SmallVector<int64_t> extents =
        llvm::map_to_vector(loops, [&](int64_t d) { return nest->extents[d]; });
    for (auto [d, v] : llvm::zip_equal(loops, e.delinearize(flat, extents)))
      index[d] = v;
  }

  Value addressOf(const Access &a) {
    SmallVector<std::pair<Value, int64_t>> parts;
    for (auto [v, s] : llvm::zip_equal(index, a.strides))
      if (s != 0)
        parts.emplace_back(v, s);
    const Storage &storage = rows.program.plan.storages[a.storage];
    if (place && storage.kind == Storage::Kind::Scratch) // each row of a block has its own
      parts.emplace_back(place, storage.elements);
    return e.linear(a.offset, parts);
  }

  Value load(const Access &a) {
    return memref::LoadOp::create(b, loc, e.memory[a.storage], addressOf(a));
  }

  /// What the body yields at the current loops for the results so far.
  SmallVector<Value> evaluate(ValueRange soFar) {
    if (!nest->body) {
      const Access &a = nest->reads[0];
      return {a.storage >= 0 ? load(a) : e.scalars.lookup(a.scalar)};
    }
    SmallVector<Value> arguments;
    for (auto [i, a] : llvm::enumerate(nest->reads)) {
      Type type = nest->body->getArgument(i).getType();
      arguments.push_back(a.scalar         ? e.scalars.lookup(a.scalar)
                          : a.storage >= 0 ? load(a)
                                           : e.constant(cast<TypedAttr>(b.getZeroAttr(type))));
    }
    llvm::append_range(arguments, soFar);
    SmallVector<Value> original(index.size());
    for (auto [d, v] : llvm::enumerate(index))
      if (nest->originalDim[d] >= 0 && nest->originalDim[d] < static_cast<int>(original.size()))
        original[nest->originalDim[d]] = v;
    return e.cloneBody(*nest->body, arguments, original);
  }

  /// What results start from.
  SmallVector<Value> initialValues() {
    SmallVector<Value> values;
    for (auto [i, initial] : llvm::enumerate(nest->initial)) {
      Type type = rows.program.plan.storages[nest->writes[i].storage].elementType;
      values.push_back(initial ? e.scalars.lookup(initial)
                               : e.constant(cast<TypedAttr>(b.getZeroAttr(type))));
    }
    return values;
  }

  SmallVector<Value> reduceInOrder(ArrayRef<int64_t> reductions, int64_t terms) {
    SmallVector<Value> values = initialValues();
    if (reductions.empty())
      return evaluate(values);
    OpBuilder::InsertionGuard guard(b);
    auto loop = scf::ForOp::create(b, loc, e.constant(0), e.constant(terms), e.constant(1), values);
    b.setInsertionPointToStart(loop.getBody());
    setLoops(reductions, loop.getInductionVar());
    scf::YieldOp::create(b, loc, evaluate(loop.getRegionIterArgs()));
    return loop.getResults();
  }

  /// The terms first, first + step, ... on top of the neutral element.
  Value reduceStrided(ArrayRef<int64_t> reductions, int64_t terms, Value first, int64_t step,
                      const Combination &combination) {
    OpBuilder::InsertionGuard guard(b);
    auto loop = scf::ForOp::create(b, loc, first, e.constant(terms), e.constant(step),
                                   ValueRange(e.constant(combination.neutral)));
    b.setInsertionPointToStart(loop.getBody());
    setLoops(reductions, loop.getInductionVar());
    scf::YieldOp::create(b, loc, evaluate(loop.getRegionIterArgs()));
    return loop.getResult(0);
  }

  Value combine(const Combination &combination, Value x, Value y) {
    IRMapping map;
    for (Value operand : combination.op->getOperands())
      map.map(operand, operand == combination.accumulator ? x : y);
    return b.clone(*combination.op, map)->getResult(0);
  }

  Value withInitial(const Combination &combination, Value total) {
    return combine(combination, initialValues().front(), total);
  }

  /// All lanes of a warp get the combination of their values.
  Value exchange(Value value, const Combination &combination) {
    for (int32_t distance = warpThreads / 2; distance > 0; distance /= 2) {
      auto shuffle =
          gpu::ShuffleOp::create(b, loc, value, distance, warpThreads, gpu::ShuffleMode::XOR);
      value = combine(combination, value, shuffle.getShuffleResult());
    }
    return value;
  }

  Value reduceByBlock(ArrayRef<int64_t> reductions, int64_t terms, const Combination &combination) {
    Value partial = reduceStrided(reductions, terms, thread, rows.threads, combination);
    Value ofWarp = exchange(partial, combination);
    int64_t warps = rows.threads / warpThreads;
    if (warps == 1)
      return ofWarp;
    Value partials = e.shared(rows.together * warps, ofWarp.getType());
    SmallVector<Value> parts = e.delinearize(thread, {warps, warpThreads});
    auto at = [&](Value warp) {
      return place ? e.linear(0, {{place, warps}, {warp, int64_t(1)}}) : warp;
    };
    Value isFirst =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, parts[1], e.constant(0));
    e.when(isFirst, [&] { memref::StoreOp::create(b, loc, ofWarp, partials, at(parts[0])); });
    e.barrier();
    Value total = memref::LoadOp::create(b, loc, partials, at(e.constant(0)));
    for (int64_t w = 1; w < warps; ++w)
      total = combine(combination, total,
                      memref::LoadOp::create(b, loc, partials, at(e.constant(w))).getResult());
    return total;
  }

  void store(ArrayRef<Value> values) {
    for (auto [value, a] : llvm::zip_equal(values, nest->writes))
      memref::StoreOp::create(b, loc, value, e.memory[a.storage], addressOf(a));
  }

  ThreadEmitter &e;
  OpBuilder &b;
  Location loc;
  const Rows &rows;
  Value thread; ///< of the row
  Value place;  ///< of the row in the block; null: it is alone
  const Nest *nest = nullptr;
  SmallVector<Value> index; ///< of every loop of the nest
};

/// A sum alone, of neighbours in memory: each result is a row.
void makeResultsRows(host::Segment &segment) {
  Nest &nest = segment.nests.front();
  if (segment.nests.size() != 1 || !nest.hasReduction() ||
      llvm::none_of(nest.reads,
                    [](const Access &a) { return a.storage >= 0 && a.strides.back() == 1; }))
    return;
  nest.rowDims = llvm::count(nest.isReduction, false);
  segment.rowExtents.assign(nest.extents.begin(), nest.extents.begin() + nest.rowDims);
}

} // namespace

int64_t Rows::tiles() const { return std::max<int64_t>(1, segment().rows() / together); }

FailureOr<Rows> analyseRows(mt::KernelOp kernel, int64_t together) {
  // No loop is split into vectors here.
  FailureOr<host::RowProgram> program = host::analyseRows(kernel, int64_t(1) << 40);
  if (failed(program) || program->segments.size() != 1)
    return failure();
  Rows rows{std::move(*program), 0, together};
  makeResultsRows(rows.program.segments.front());
  const host::Segment &segment = rows.segment();
  int64_t longest = 1, sharedBytes = 0;
  bool reduces = false;
  llvm::SmallDenseSet<int> written;
  for (const Nest &nest : segment.nests) {
    if (nest.splitDim >= 0)
      return failure();
    for (const Access &a : nest.reads)
      if (written.contains(a.storage))
        return failure();
    for (const Access &a : nest.writes)
      if (rows.program.plan.storages[a.storage].kind == Storage::Kind::Result)
        written.insert(a.storage);
    longest = std::max(longest, product(nest, false) * product(nest, true));
    reduces |= product(nest, true) > 1;
  }
  for (const Storage &s : rows.program.plan.storages)
    if (s.kind == Storage::Kind::Scratch)
      sharedBytes += llvm::alignTo(s.elements * host::elementBytes(s.elementType), 16);
  // One nest without a sum: elements are independent, and rows would only limit them.
  if ((segment.nests.size() == 1 && !reduces) || sharedBytes * together > mostSharedBytes ||
      (segment.rows() < fewRows && segment.rows() * longest > manyElements))
    return failure();
  rows.threads = longest <= 64 ? 32 : longest <= 1024 ? 128 : 256;
  if (together < 1 || segment.rows() % together != 0 || rows.threads * together > mostThreads)
    return failure();
  rows.program.plan.scratchBytes = 0;
  return rows;
}

void emitRows(ThreadEmitter &emitter, const Rows &rows) { RowsEmitter(emitter, rows).run(); }

} // namespace mtc::cuda
