//===- Nest.cpp - loop nests over strided flat memory ---------------------===//
#include "Nest.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <numeric>

using namespace mlir;

namespace mtc::host {
namespace {

ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }

class Analysis {
public:
  Analysis(mt::KernelOp kernel, int64_t lanes)
      : kernel(kernel), block(kernel.getBody().front()), lanes(lanes) {}

  FailureOr<RowProgram> run() {
    SmallVector<Operation *> work;
    for (Operation &op : block.without_terminator())
      if (isWork(op))
        work.push_back(&op);
    int64_t common = work.size() <= 1 ? 0 : commonRows(work);
    SmallVector<int64_t> rowExtents(
        shapeOf(block.getTerminator()->getOperand(0)).take_front(common));
    int64_t rows = 1;
    for (int64_t e : rowExtents)
      rows *= e;

    FailureOr<BufferPlan> plan = planBuffers(kernel, rows, /*useVirtual=*/false);
    if (failed(plan))
      return failure();
    program.plan = std::move(*plan);
    for (Storage &s : program.plan.storages)
      if (s.kind == Storage::Kind::Scratch)
        s.elements /= rows;

    bool independent = work.size() <= 1 || isOnlyMoves(work);
    Segment sequence;
    sequence.rowExtents = rowExtents;
    for (Operation *op : work) {
      std::vector<Nest> nests;
      if (failed(build(*op, common, nests)))
        return failure();
      if (independent) {
        for (Nest &nest : nests)
          addSegment(shape(std::move(nest)));
      } else {
        for (Nest &nest : nests) {
          if (!moveRowsToFront(nest, common))
            return failure();
          sequence.nests.push_back(std::move(nest));
        }
      }
    }
    if (!independent)
      program.segments.push_back(std::move(sequence));
    for (auto [result, value] : program.plan.resultCopies) {
      int source = program.plan.lookup(value);
      if (program.plan.storages[source].kind != Storage::Kind::Argument)
        return failure();
      program.segments.push_back(shape(copyOf(source, result)));
    }
    program.plan.resultCopies.clear();
    if (program.segments.empty())
      return failure();
    return std::move(program);
  }

private:
  /// The parts of a concatenation run row by row together where they can: apart, each would load
  /// and store cache lines of the result that the others share (a concatenation of channels last
  /// took twice the time).
  void addSegment(Segment segment) {
    if (!program.segments.empty()) {
      Segment &last = program.segments.back();
      const Nest &a = last.nests.front(), &b = segment.nests.front();
      if (isa<tensor::ConcatOp>(a.op) && a.op == b.op && last.rowExtents == segment.rowExtents &&
          a.splitDim < 0 && b.splitDim < 0) {
        last.nests.push_back(std::move(segment.nests.front()));
        return;
      }
    }
    program.segments.push_back(std::move(segment));
  }

  static bool isReshape(Operation &op) {
    return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op);
  }

  /// Everything but scalars, reshapes, views, and fills that only start reductions.
  bool isWork(Operation &op) {
    if (isa<tensor::EmptyOp>(op) || isReshape(op) || isView(&op) ||
        op.hasTrait<OpTrait::ConstantLike>())
      return false;
    if (isa<linalg::FillOp>(op))
      return !llvm::all_of(op.getUses(), [](OpOperand &use) {
        auto user = dyn_cast<linalg::LinalgOp>(use.getOwner());
        return user && user.isDpsInit(&use);
      });
    return op.getNumResults() > 0 && isa<RankedTensorType>(op.getResult(0).getType());
  }

  /// Independent moves write disjoint results from arguments only.
  bool isOnlyMoves(ArrayRef<Operation *> work) {
    return llvm::all_of(work, [&](Operation *op) {
      return llvm::all_of(op->getOperands(), [&](Value v) {
        Operation *def = v.getDefiningOp();
        while (def && (isReshape(*def) || isView(def))) {
          v = def->getOperand(0);
          def = v.getDefiningOp();
        }
        return !def || isa<tensor::EmptyOp>(def) || !isa<RankedTensorType>(v.getType());
      });
    });
  }

  bool isIntermediate(Value v) {
    while (Operation *def = v.getDefiningOp()) {
      if (!isReshape(*def) && !isView(def))
        return !isa<tensor::EmptyOp, linalg::FillOp>(def) &&
               !def->hasTrait<OpTrait::ConstantLike>();
      v = def->getOperand(0);
    }
    return false;
  }

  /// Leading dims of all intermediate tensors that every operation walks in step.
  int64_t commonRows(ArrayRef<Operation *> work) {
    ArrayRef<int64_t> shape = shapeOf(block.getTerminator()->getOperand(0));
    int64_t r = shape.size();
    auto limitToPrefix = [&](ArrayRef<int64_t> other) {
      int64_t i = 0;
      while (i < std::min<int64_t>(r, other.size()) && other[i] == shape[i])
        ++i;
      r = std::min(r, i);
    };
    for (Operation &op : block.without_terminator()) {
      if (isReshape(op) && isIntermediate(op.getOperand(0))) {
        limitToPrefix(shapeOf(op.getOperand(0)));
        limitToPrefix(shapeOf(op.getResult(0)));
      }
    }
    for (Operation *op : work) {
      auto structured = dyn_cast<linalg::LinalgOp>(op);
      if (!structured) {
        auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
        if (!slice || slice.getDroppedDims().any())
          return 0;
        limitToPrefix(shapeOf(slice.getSource()));
        limitToPrefix(slice.getType().getShape());
        continue;
      }
      SmallVector<AffineMap> maps = structured.getIndexingMapsArray();
      SmallVector<utils::IteratorType> iterators = structured.getIteratorTypesArray();
      AffineMap first = maps[structured.getNumDpsInputs()];
      for (auto [i, result] : llvm::enumerate(op->getResults())) {
        limitToPrefix(shapeOf(result));
        AffineMap map = maps[structured.getNumDpsInputs() + i];
        for (int64_t d = 0; d < r; ++d) {
          auto dim = dyn_cast<AffineDimExpr>(map.getResult(d));
          if (!dim || iterators[dim.getPosition()] != utils::IteratorType::parallel ||
              map.getResult(d) != first.getResult(d))
            r = d;
        }
      }
      for (OpOperand *input : structured.getDpsInputOperands()) {
        if (!isIntermediate(input->get()))
          continue;
        AffineMap map = maps[input->getOperandNumber()];
        for (int64_t d = 0; d < r; ++d)
          if (d >= map.getNumResults() || map.getResult(d) != first.getResult(d))
            r = d;
      }
      // An initial value that is computed is read in step with the result: same map, same rows.
      bool readsElsewhere = false;
      structured.getBlock()->walk([&](tensor::ExtractOp extract) {
        readsElsewhere |= isIntermediate(extract.getTensor());
      });
      if (readsElsewhere)
        return 0;
    }
    return r;
  }

  /// Where a tensor lies: an offset and a stride for each of its dims.
  struct Memory {
    int storage = -1;
    int64_t offset = 0;
    SmallVector<int64_t> strides;
  };

  /// What a slice or transposition of a tensor at `m` is; fails if that is not static.
  static LogicalResult view(Operation &op, Memory &m) {
    SmallVector<int64_t> strides;
    if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
      for (int64_t d : transpose.getPermutation())
        strides.push_back(m.strides[d]);
      m.strides = strides;
      return success();
    }
    auto slice = cast<tensor::ExtractSliceOp>(op);
    if (!isStatic(slice))
      return failure();
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    for (auto [d, offset] : llvm::enumerate(slice.getStaticOffsets())) {
      m.offset += offset * m.strides[d];
      if (!dropped[d])
        strides.push_back(m.strides[d] * slice.getStaticStrides()[d]);
    }
    m.strides = strides;
    return success();
  }

  /// The memory of `v`; rows of a scratch tensor have no strides of their own.
  FailureOr<Memory> memoryOf(Value v, int64_t common) {
    SmallVector<Operation *> views;
    for (Operation *def = v.getDefiningOp(); def && isView(def); def = v.getDefiningOp()) {
      views.push_back(def);
      v = def->getOperand(0);
    }
    Memory m{program.plan.lookup(v), 0, rowMajorStrides(shapeOf(v))};
    if (m.storage < 0)
      return failure();
    if (program.plan.storages[m.storage].kind == Storage::Kind::Scratch)
      for (int64_t d = 0; d < common; ++d)
        m.strides[d] = 0;
    for (Operation *op : llvm::reverse(views))
      if (failed(view(*op, m)))
        return failure();
    return m;
  }

  LogicalResult access(Value v, AffineMap map, int64_t loops, int64_t common, Access &a) {
    auto memory = memoryOf(v, common);
    if (failed(memory))
      return failure();
    a.storage = memory->storage;
    a.offset = memory->offset;
    a.strides.assign(loops, 0);
    for (auto [expr, stride] : llvm::zip_equal(map.getResults(), memory->strides)) {
      SmallVector<int64_t> coefficients(loops, 0);
      int64_t constant = 0;
      if (!linearForm(expr, coefficients, constant))
        return failure();
      a.offset += constant * stride;
      for (int64_t d = 0; d < loops; ++d)
        a.strides[d] += coefficients[d] * stride;
    }
    return success();
  }

  LogicalResult build(Operation &op, int64_t common, std::vector<Nest> &nests) {
    if (auto structured = dyn_cast<linalg::LinalgOp>(op))
      return buildStructured(structured, common, nests);
    return buildMove(op, common, nests);
  }

  LogicalResult buildStructured(linalg::LinalgOp op, int64_t common, std::vector<Nest> &nests) {
    Nest nest;
    nest.op = op;
    nest.body = op.getBlock();
    nest.extents = op.getStaticLoopRanges();
    int64_t loops = nest.extents.size();
    for (utils::IteratorType t : op.getIteratorTypesArray())
      nest.isReduction.push_back(t != utils::IteratorType::parallel);
    nest.originalDim.resize(loops);
    std::iota(nest.originalDim.begin(), nest.originalDim.end(), 0);
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    for (OpOperand *input : op.getDpsInputOperands()) {
      Access &a = nest.reads.emplace_back();
      if (op.isScalar(input))
        a.scalar = input->get();
      else if (op.payloadUsesValueFromOperand(input) &&
               failed(access(input->get(), maps[input->getOperandNumber()], loops, common, a)))
        return failure();
      if (a.strides.empty())
        a.strides.assign(loops, 0);
    }
    for (auto [i, result] : llvm::enumerate(op->getResults())) {
      AffineMap map = maps[op.getNumDpsInputs() + i];
      Access &write = nest.writes.emplace_back();
      if (failed(access(result, map, loops, common, write)))
        return failure();
      // A result beside a sum, one for each element that is summed: plain loops do it.
      for (int64_t d = 0; d < loops; ++d)
        if (nest.isReduction[d] && write.strides[d] != 0)
          return failure();
      Value initial;
      OpOperand *init = op.getDpsInitOperand(i);
      if (op.payloadUsesValueFromOperand(init)) {
        auto fill = init->get().getDefiningOp<linalg::FillOp>();
        if (!fill) // accumulation on top of a tensor: rare, and plain loops do it
          return failure();
        initial = fill.value();
      }
      nest.initial.push_back(initial);
    }
    nests.push_back(std::move(nest));
    return success();
  }

  /// A box of `result`, at `to`, filled with a scalar or copied from `source` at `from`.
  Nest box(Operation &op, ArrayRef<int64_t> extents, Access source, ArrayRef<int64_t> sourceStrides,
           ArrayRef<int64_t> from, int storage, ArrayRef<int64_t> resultStrides,
           ArrayRef<int64_t> to) {
    Nest nest;
    nest.op = &op;
    nest.extents.assign(extents.begin(), extents.end());
    nest.isReduction.assign(extents.size(), false);
    nest.originalDim.assign(extents.size(), 0);
    source.strides.assign(sourceStrides.begin(), sourceStrides.end());
    if (sourceStrides.empty())
      source.strides.assign(extents.size(), 0);
    for (auto [at, stride] : llvm::zip_equal(from, source.strides))
      source.offset += at * stride;
    Access write;
    write.storage = storage;
    write.strides.assign(resultStrides.begin(), resultStrides.end());
    for (auto [at, stride] : llvm::zip_equal(to, resultStrides))
      write.offset += at * stride;
    nest.reads.push_back(source);
    nest.writes.push_back(write);
    nest.initial.push_back(nullptr);
    return nest;
  }

  /// An argument that is a result: all of it as one loop.
  Nest copyOf(int source, int64_t result) {
    Storage target = program.plan.storages[source];
    target.kind = Storage::Kind::Result;
    target.index = result;
    program.plan.storages.push_back(target);
    Access from;
    from.storage = source;
    return box(*block.getTerminator(), {target.elements}, from, {1}, {0},
               static_cast<int>(program.plan.storages.size()) - 1, {1}, {0});
  }

  LogicalResult buildMove(Operation &op, int64_t common, std::vector<Nest> &nests) {
    auto result = memoryOf(op.getResult(0), common);
    if (failed(result))
      return failure();
    ArrayRef<int64_t> shape = shapeOf(op.getResult(0));
    int64_t rank = shape.size();
    SmallVector<int64_t> zeros(rank, 0);
    auto readOf = [&](const Memory &m) {
      Access a;
      a.storage = m.storage;
      a.offset = m.offset;
      return a;
    };

    if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
      SmallVector<int64_t> to = zeros;
      for (Value input : concat.getInputs()) {
        auto source = memoryOf(input, common);
        if (failed(source))
          return failure();
        nests.push_back(box(op, shapeOf(input), readOf(*source), source->strides, zeros,
                            result->storage, result->strides, to));
        to[concat.getDim()] += shapeOf(input)[concat.getDim()];
      }
      return success();
    }
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
      auto source = memoryOf(slice.getSource(), common);
      if (failed(source) || failed(view(op, *source)))
        return failure();
      nests.push_back(box(op, shape, readOf(*source), source->strides, zeros, result->storage,
                          result->strides, zeros));
      return success();
    }
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      auto source = memoryOf(pad.getSource(), common);
      Value value = pad.getConstantPaddingValue();
      if (failed(source) || !value || value.getParentRegion() == &pad.getRegion() ||
          llvm::any_of(pad.getStaticLow(), [](int64_t v) { return v < 0; }) ||
          llvm::any_of(pad.getStaticHigh(), [](int64_t v) { return v < 0; }))
        return failure();
      nests.push_back(box(op, shapeOf(pad.getSource()), readOf(*source), source->strides, zeros,
                          result->storage, result->strides, pad.getStaticLow()));
      // The border as disjoint slabs: dims before d inside, dim d at one end, dims after d whole.
      SmallVector<int64_t> extents(shape), to = zeros;
      Access scalar;
      scalar.scalar = value;
      for (int64_t d = 0; d < rank; ++d) {
        int64_t low = pad.getStaticLow()[d], inside = shapeOf(pad.getSource())[d];
        for (auto [start, size] :
             {std::pair(int64_t(0), low), std::pair(low + inside, pad.getStaticHigh()[d])}) {
          if (size == 0)
            continue;
          extents[d] = size;
          to[d] = start;
          nests.push_back(
              box(op, extents, scalar, {}, zeros, result->storage, result->strides, to));
        }
        extents[d] = inside;
        to[d] = low;
      }
      return success();
    }
    return failure();
  }

  static void permute(Nest &nest, ArrayRef<int64_t> order) {
    auto apply = [&](auto &list) {
      auto old = list;
      for (auto [to, from] : llvm::enumerate(order))
        list[to] = old[from];
    };
    apply(nest.extents);
    apply(nest.isReduction);
    apply(nest.originalDim);
    for (Access &a : nest.reads)
      apply(a.strides);
    for (Access &a : nest.writes)
      apply(a.strides);
  }

  /// For a nest in a sequence: its first `common` loops become the rows.
  bool moveRowsToFront(Nest &nest, int64_t common) {
    SmallVector<int64_t> order;
    if (auto structured = dyn_cast<linalg::LinalgOp>(nest.op)) {
      AffineMap map = structured.getIndexingMapsArray()[structured.getNumDpsInputs()];
      for (int64_t i = 0; i < common; ++i)
        order.push_back(cast<AffineDimExpr>(map.getResult(i)).getPosition());
    } else {
      for (int64_t i = 0; i < common; ++i)
        order.push_back(i);
    }
    SmallVector<int64_t> rest;
    for (int64_t d = 0; d < static_cast<int64_t>(nest.extents.size()); ++d)
      if (!llvm::is_contained(order, d))
        rest.push_back(d);
    sortLoops(nest, rest);
    llvm::append_range(order, rest);
    permute(nest, order);
    nest.rowDims = common;
    merge(nest, common);
    return true;
  }

  /// Parallel loops first, outermost what strides most in the result; then reductions likewise in
  /// the inputs.
  static void sortLoops(const Nest &nest, SmallVectorImpl<int64_t> &dims) {
    auto key = [&](int64_t d) {
      int64_t stride = 0;
      if (nest.isReduction[d]) {
        for (const Access &a : nest.reads)
          stride = std::max(stride, std::abs(a.strides[d]));
      } else {
        stride = std::abs(nest.writes[0].strides[d]);
      }
      return std::tuple(nest.isReduction[d] ? 1 : 0, -stride);
    };
    llvm::stable_sort(dims, [&](int64_t a, int64_t b) { return key(a) < key(b); });
  }

  /// Merges loops d, d+1 (from `first` on) that walk all memory as one loop would; drops loops of
  /// one trip.
  static void merge(Nest &nest, int64_t first) {
    bool usesIndex = false;
    if (nest.body)
      nest.body->walk([&](linalg::IndexOp) { usesIndex = true; });
    if (usesIndex)
      return;
    auto erase = [&](int64_t d) {
      auto drop = [&](auto &list) { list.erase(list.begin() + d); };
      drop(nest.extents);
      drop(nest.isReduction);
      drop(nest.originalDim);
      for (Access &a : nest.reads)
        drop(a.strides);
      for (Access &a : nest.writes)
        drop(a.strides);
    };
    for (int64_t d = nest.extents.size() - 1; d >= first; --d)
      if (nest.extents[d] == 1 && static_cast<int64_t>(nest.extents.size()) > first + 1)
        erase(d);
    for (int64_t d = static_cast<int64_t>(nest.extents.size()) - 2; d >= first; --d) {
      auto compatible = [&](const Access &a) {
        return a.strides[d] == a.strides[d + 1] * nest.extents[d + 1];
      };
      if (nest.isReduction[d] != nest.isReduction[d + 1] || !llvm::all_of(nest.reads, compatible) ||
          !llvm::all_of(nest.writes, compatible))
        continue;
      nest.extents[d + 1] *= nest.extents[d];
      erase(d);
    }
  }

  /// A nest alone: its outer parallel loops become rows, until a row is small enough to be a tile.
  Segment shape(Nest nest) {
    SmallVector<int64_t> order(nest.extents.size());
    std::iota(order.begin(), order.end(), 0);
    sortLoops(nest, order);
    permute(nest, order);
    merge(nest, 0);

    // Below the least a row's own cost shows, so a row may rather be larger than wanted.
    constexpr int64_t wantedBytes = 32 << 10, leastBytes = 2 << 10, mostBytes = 64 << 10;
    auto innerBytes = [&] {
      Segment s;
      s.nests.push_back(nest);
      return rowBytes(s, program.plan);
    };
    int64_t parallel = llvm::count(nest.isReduction, false);
    // The innermost parallel loop stays: it is the one that becomes vectors. Where it is too short
    // for that (three colours of a pixel), the next one does, and both stay.
    bool narrow = parallel >= 2 && nest.extents[parallel - 1] < lanes / 2 &&
                  nest.extents[parallel - 2] % lanes == 0;
    if (narrow) {
      SmallVector<int64_t> swapped(nest.extents.size());
      std::iota(swapped.begin(), swapped.end(), 0);
      std::swap(swapped[parallel - 1], swapped[parallel - 2]);
      permute(nest, swapped);
    }
    int64_t staying = narrow ? 2 : 1;
    while (nest.rowDims + staying < parallel && innerBytes() > wantedBytes) {
      const int64_t before = innerBytes();
      ++nest.rowDims;
      if (innerBytes() < leastBytes && before <= mostBytes) {
        --nest.rowDims;
        break;
      }
    }
    Segment segment;
    segment.rowExtents.assign(nest.extents.begin(), nest.extents.begin() + nest.rowDims);
    bool usesIndex = false;
    if (nest.body)
      nest.body->walk([&](linalg::IndexOp) { usesIndex = true; });
    int64_t v = parallel - 1;
    if (!usesIndex && v >= 0 && v + 1 == nest.rowDims + staying && innerBytes() > wantedBytes &&
        nest.extents[v] > 8 * lanes) {
      // One loop is left and too long: blocks of it are rows.
      int64_t parts = llvm::divideCeil(innerBytes(), wantedBytes);
      int64_t block = llvm::alignTo(llvm::divideCeil(nest.extents[v], parts), 4 * lanes);
      splitIntoRows(nest, v, block);
      segment.rowExtents.push_back(nest.extents[nest.rowDims - 1]);
    }
    segment.nests.push_back(std::move(nest));
    return segment;
  }

  /// Blocks of loop `v` become the last row loop.
  static void splitIntoRows(Nest &nest, int64_t v, int64_t block) {
    int64_t at = nest.rowDims++;
    nest.splitBlock = block;
    nest.splitDim = v + 1;
    nest.extents.insert(nest.extents.begin() + at, llvm::divideCeil(nest.extents[v], block));
    nest.isReduction.insert(nest.isReduction.begin() + at, false);
    nest.originalDim.insert(nest.originalDim.begin() + at, -1);
    auto split = [&](Access &a) {
      int64_t stride = a.strides[v] * block;
      a.strides.insert(a.strides.begin() + at, stride);
    };
    llvm::for_each(nest.reads, split);
    llvm::for_each(nest.writes, split);
  }

  mt::KernelOp kernel;
  Block &block;
  int64_t lanes;
  RowProgram program;
};

} // namespace

FailureOr<RowProgram> analyseRows(mt::KernelOp kernel, int64_t lanes) {
  return Analysis(kernel, lanes).run();
}

int64_t rowBytes(const Segment &segment, const BufferPlan &plan) {
  int64_t bytes = 0;
  for (const Nest &nest : segment.nests) {
    auto count = [&](const Access &a) {
      if (a.storage < 0)
        return;
      int64_t elements = 1;
      for (size_t d = nest.rowDims; d < nest.extents.size(); ++d)
        if (a.strides[d] != 0)
          elements *= static_cast<int64_t>(d) == nest.splitDim
                          ? std::min(nest.splitBlock, nest.extents[d])
                          : nest.extents[d];
      bytes += elements * elementBytes(plan.storages[a.storage].elementType);
    };
    llvm::for_each(nest.reads, count);
    llvm::for_each(nest.writes, count);
  }
  return bytes;
}

} // namespace mtc::host
