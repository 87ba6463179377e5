//===- EmitContraction.cpp - register-tiled contractions ------------------===//
//
// A tile is a group of nv vectors along n times a block of rows. For each register tile of mr rows
// the accumulators stay in registers through all reduction loops; then the epilogue runs on them.
// Padding is never copied: loops over a window's inner dimension run over its valid part (rows of
// an image), or are unrolled at the edges with what lies outside left out (columns).
//
// A long epilogue (gelu) is bound by latency: four vectors at once and a shorter erf were predicted
// to take 30 instead of 60 cycles a vector; the sum of the document set's least task times fell
// from 105.1 to 100.1 ms (two cores of AMD EPYC Zen 4, shared VM, 2026-11-23).
//
//===----------------------------------------------------------------------===//
#include "EmitContraction.h"

#include "DotProduct.h"
#include "EmitResults.h"
#include "FetchAhead.h"
#include "Reductions.h"
#include "VectorBody.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;

namespace mtc::host {
namespace {

class ContractionEmitter {
public:
  ContractionEmitter(Emitter &e, const Contraction &c, const Tiling &t, const HostTarget &target)
      : e(e), b(e.b), c(c), t(t), segments(segmentsOf(c, t.mr)),
        vectorType(VectorType::get({t.lanes}, c.element)), ahead(panelAheadOf(c, t)),
        hasDotProduct(hasByteDotProduct(target)) {
    initial = broadcast(e, e.scalars.lookup(c.initial), t.lanes);
    for (int64_t i = 0; i < c.inputs; ++i)
      memory.push_back(c.operands[i].storage >= 0 ? e.memory[c.operands[i].storage] : Value());
    inputStrides = SmallVector<SmallVector<int64_t>>(c.loops.size());
    for (auto [l, loop] : llvm::enumerate(c.loops))
      inputStrides[l].assign(loop.strides.begin(), loop.strides.begin() + c.inputs);
    int64_t spillElements = c.spillsEpilogue ? t.mr * t.nv * t.lanes : 0;
    if (c.spillsEpilogue)
      spill = scratchView(0, spillElements, c.element);
    if (c.packs) {
      Type type = cast<MemRefType>(memory[c.vectorInput].getType()).getElementType();
      int64_t stride = t.nv * t.lanes * columnStride();
      packed =
          scratchView(spillElements * c.accumulatorBytes(), c.product(c.reductions) * stride, type);
      for (int64_t l : llvm::reverse(c.reductions)) {
        inputStrides[l][c.vectorInput] = stride;
        stride *= c.extent(l);
      }
      memory[c.vectorInput] = packed;
    }
  }

  void emit() {
    int64_t span = t.nv * t.lanes, n = c.extent(c.n);
    int64_t groups = llvm::divideCeil(n, span);
    int64_t rowBlocks = llvm::divideCeil(c.product(c.rows), t.rowBlock);
    int64_t stepBlocks = std::max<int64_t>(1, llvm::divideCeil(segments.steps, t.stepBlock));

    OpBuilder::InsertionGuard guard(b);
    Value rest = e.lo;
    if (getConstantIntValue(e.hi) != 1) { // else what one tile computes would be hoisted, in part
      auto loop = scf::ForOp::create(b, e.loc, e.lo, e.hi, e.constant(1));
      b.setInsertionPointToStart(loop.getBody());
      rest = loop.getInductionVar();
    }
    auto next = [&](int64_t count) { return e.takeIndex(rest, count); };
    Value group = t.order == 0 ? next(groups) : Value();
    stepBlock = next(stepBlocks);
    Value rowBlock = next(rowBlocks);
    group = t.order == 0 ? group : next(groups);
    indices.assign(c.loops.size(), Value());
    for (int64_t l : llvm::reverse(c.batch))
      indices[l] = next(c.extent(l));

    int64_t whole = n / span, left = n % span;
    auto tile = [&](Value index, int64_t columns) {
      firstColumn = e.mul(index, span);
      vectors = llvm::divideCeil(columns, t.lanes);
      lastMask = columns % t.lanes ? firstLanes(e, columns % t.lanes, t.lanes) : Value();
      emitRows(rowBlock, stepBlocks);
    };
    if (left == 0)
      return tile(group, span);
    if (whole == 0)
      return tile(e.constant(0), left);
    Value isLast =
        arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::eq, group, e.constant(whole));
    auto branch = scf::IfOp::create(b, e.loc, isLast, /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    tile(e.constant(whole), left);
    b.setInsertionPointToStart(branch.elseBlock());
    tile(group, span);
  }

private:
  Value scratchView(int64_t offset, int64_t elements, Type type) {
    return memref::ViewOp::create(b, e.loc, MemRefType::get({elements}, type), e.scratch,
                                  e.constant(offset), ValueRange());
  }

  /// Elements between two columns of a packed vector input.
  int64_t columnStride() const { return c.groups >= 0 ? 4 : 1; }

  Value index(int64_t l) { return indices[l] ? indices[l] : e.constant(0); }

  Lanes lanesOf(int64_t j) { return {t.lanes, j == vectors - 1 ? lastMask : Value()}; }

  void loop(Value from, Value to, int64_t step, ValueRange carried,
            function_ref<SmallVector<Value>(Value, ValueRange)> body,
            SmallVectorImpl<Value> *results = nullptr) {
    auto op = scf::ForOp::create(b, e.loc, from, to, e.constant(step), carried);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(op.getBody());
    SmallVector<Value> yielded = body(op.getInductionVar(), op.getRegionIterArgs());
    if (!carried.empty()) {
      b.setInsertionPointToEnd(op.getBody());
      scf::YieldOp::create(b, e.loc, yielded);
    }
    if (results)
      results->assign(op.getResults().begin(), op.getResults().end());
  }

  /// Position of an operand for the current outer indices and columns, without m and reductions.
  Value base(int64_t operand) {
    const Operand &o = c.operands[operand];
    SmallVector<std::pair<Value, int64_t>> terms;
    if (o.from)
      terms.emplace_back(o.from, 1);
    for (const auto *list : {&c.batch, &c.rows})
      for (int64_t l : *list)
        terms.emplace_back(index(l), c.stride(operand, l));
    if (o.panel) {
      Value panel = arith::DivUIOp::create(b, e.loc, firstColumn, e.constant(o.panel));
      Value lane = arith::RemUIOp::create(b, e.loc, firstColumn, e.constant(o.panel));
      terms.emplace_back(panel, o.panelStride);
      terms.emplace_back(lane, columnStride());
    } else {
      terms.emplace_back(firstColumn, c.stride(operand, c.n));
    }
    return e.linear(o.offset, terms);
  }

  /// Offset of vector j from the first.
  int64_t columnOffset(int64_t operand, int64_t j) {
    const Operand &o = c.operands[operand];
    int64_t at = j * t.lanes;
    if (o.panel && t.nv * t.lanes > o.panel)
      return at / o.panel * o.panelStride + at % o.panel * columnStride();
    return at * (o.panel ? columnStride() : c.stride(operand, c.n));
  }

  /// Copies the panel that is not contiguous along n: [reductions][nv * lanes].
  void packPanel() {
    int64_t operand = c.vectorInput, stride = c.stride(operand, c.n);
    Value from = base(operand);
    SmallVector<int64_t> extents =
        llvm::map_to_vector(c.reductions, [&](int64_t l) { return c.extent(l); });
    int storage = c.operands[operand].storage;
    for (int64_t j = 0; j < vectors; ++j)
      e.forNest(extents, [&](ArrayRef<Value> at) {
        SmallVector<std::pair<Value, int64_t>> source = {{from, 1}}, target;
        for (auto [l, i] : llvm::zip_equal(c.reductions, at)) {
          source.emplace_back(i, c.stride(operand, l));
          target.emplace_back(i, inputStrides[l][operand]);
        }
        Value v = c.groups >= 0 ? loadGroups(storage, j, source, at)
                                : loadVector(e, storage, e.linear(j * t.lanes * stride, source),
                                             stride, lanesOf(j));
        vector::StoreOp::create(b, e.loc, v, packed,
                                e.linear(j * t.lanes * columnStride(), target));
      });
  }

  /// Four neighbours along the reduction for each lane, 0 where there are none.
  Value loadGroups(int storage, int64_t j, ArrayRef<std::pair<Value, int64_t>> source,
                   ArrayRef<Value> at) {
    int64_t stride = c.stride(c.vectorInput, c.n);
    auto wide = VectorType::get({t.lanes}, b.getI32Type());
    size_t place = llvm::find(c.reductions, c.groups) - c.reductions.begin();
    Value last = e.constant(c.extent(c.groups) - 1), all;
    for (int64_t i = 0; i < 4; ++i) {
      SmallVector<std::pair<Value, int64_t>> terms(source);
      bool mayEnd = c.groupTail && i >= c.groupTail;
      Value ends;
      if (mayEnd) { // what would lie past the end is read from the group before, and dropped
        ends = arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::eq, at[place], last);
        Value back = arith::SelectOp::create(b, e.loc, ends, e.constant(-i), e.constant(0));
        terms.emplace_back(back, c.groupStride);
      }
      Value v = loadVector(e, storage, e.linear(j * t.lanes * stride + i * c.groupStride, terms),
                           stride, lanesOf(j));
      v = arith::ExtUIOp::create(b, e.loc, wide, broadcast(e, v, t.lanes));
      if (mayEnd)
        v = arith::SelectOp::create(b, e.loc, ends, zeroOf(wide), v);
      auto shift = DenseElementsAttr::get(wide, b.getI32IntegerAttr(static_cast<int32_t>(8 * i)));
      v = arith::ShLIOp::create(b, e.loc, v, e.constant(cast<TypedAttr>(shift)));
      all = all ? Value(arith::OrIOp::create(b, e.loc, all, v)) : v;
    }
    return vector::BitCastOp::create(b, e.loc, VectorType::get({4 * t.lanes}, b.getI8Type()), all);
  }

  void emitRows(Value rowBlock, int64_t stepBlocks) {
    OpBuilder::InsertionGuard guard(b);
    if (c.packs)
      packPanel();
    int64_t rows = c.product(c.rows);
    Value from = e.mul(rowBlock, t.rowBlock), to = e.add(from, e.constant(t.rowBlock));
    if (rows % t.rowBlock)
      to = arith::MinSIOp::create(b, e.loc, to, e.constant(rows));
    auto atRow = [&](Value row) {
      Value rest = row;
      for (int64_t i = static_cast<int64_t>(c.rows.size()) - 1; i >= 0; --i) {
        Value extent = e.constant(c.extent(c.rows[i]));
        indices[c.rows[i]] = i == 0 ? rest : Value(arith::RemUIOp::create(b, e.loc, rest, extent));
        if (i > 0)
          rest = arith::DivUIOp::create(b, e.loc, rest, extent);
      }
      emitColumns(stepBlocks);
    };
    if (t.rowBlock == 1)
      return atRow(from);
    loop(from, to, 1, {}, [&](Value row, ValueRange) {
      atRow(row);
      return SmallVector<Value>();
    });
  }

  /// All register tiles along m for the current row.
  void emitColumns(int64_t stepBlocks) {
    bases.clear();
    for (size_t o = 0; o < c.operands.size(); ++o) {
      bool inMemory = c.operands[o].storage >= 0;
      bool isPacked = c.packs && static_cast<int64_t>(o) == c.vectorInput;
      bases.push_back(!inMemory ? Value() : isPacked ? e.constant(0) : base(o));
    }
    auto onlyIn = [&](int64_t block, function_ref<void()> body) {
      if (stepBlocks == 1)
        return body();
      Value here =
          arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::eq, stepBlock, e.constant(block));
      auto branch = scf::IfOp::create(b, e.loc, here, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      body();
    };
    auto edges = [&](ArrayRef<std::pair<int64_t, int64_t>> list) {
      for (auto [start, count] : list) {
        if (count == 0)
          continue;
        if (!segments.clipped) {
          registerTile(count, e.constant(start), start);
          continue;
        }
        loop(e.constant(start), e.constant(start + count), 1, {}, [&](Value row, ValueRange) {
          registerTile(1, row, std::nullopt, /*clipped=*/true);
          return SmallVector<Value>();
        });
      }
    };
    if (!segments.left.empty())
      onlyIn(0, [&] { edges(segments.left); });
    if (segments.steps > 0) {
      Value from = e.mul(stepBlock, t.stepBlock * t.mr);
      Value to = e.add(from, e.constant(t.stepBlock * t.mr));
      if (segments.steps % t.stepBlock)
        to = arith::MinSIOp::create(b, e.loc, to, e.constant(segments.steps * t.mr));
      auto inside = [&](Value at) {
        registerTile(t.mr, e.add(at, e.constant(segments.inside)), std::nullopt);
        return SmallVector<Value>();
      };
      if (t.stepBlock == 1)
        inside(from);
      else
        loop(from, to, t.mr, {}, [&](Value at, ValueRange) { return inside(at); });
    }
    if (!segments.right.empty())
      onlyIn(stepBlocks - 1, [&] { edges(segments.right); });
  }

  void registerTile(int64_t rows, Value mStart, std::optional<int64_t> edgeStart,
                    bool clipped = false) {
    tileRows = rows;
    edge = edgeStart;
    tileStart = mStart;
    positions.clear();
    for (int64_t i = 0; i < c.inputs; ++i)
      positions.push_back(bases[i] ? e.add(bases[i], e.mul(mStart, c.stride(i, c.m))) : Value());
    SmallVector<Value> accumulators(rows * vectors, initial);
    SmallVector<int64_t> active = llvm::to_vector(llvm::seq<int64_t>(0, rows));
    bool hasColumnWindow = c.m >= 0 && c.windowOfOuter(c.m);
    SmallVector<Reduction> list =
        reductionsFor(c, t, inputStrides, edgeStart && hasColumnWindow, clipped);
    if (ahead.groupElements)
      shareStart = startOfShare(e, ahead, bases[c.vectorInput], mStart);
    if (!clipped && fetchesResults(c, t))
      fetchResult(mStart);
    accumulators = reduce(list, accumulators, active);
    epilogue(accumulators, mStart);
  }

  /// The lines of the first result that the register tile from `mStart` on will write.
  void fetchResult(Value mStart) {
    const int64_t operand = c.output(0);
    for (int64_t row = 0; row < tileRows; ++row)
      fetchToWrite(e, e.memory[c.operands[operand].storage],
                   address(operand, {e.add(mStart, e.constant(row)), 0}), vectors * t.lanes,
                   c.isAligned(operand, t.lanes));
  }

  void advance(const Reduction &r, Value index, int64_t constant, SmallVectorImpl<Value> &saved) {
    saved = positions;
    for (int64_t i = 0; i < c.inputs; ++i)
      if (positions[i])
        positions[i] = index ? e.add(positions[i], e.mul(index, r.strides[i]))
                             : e.add(positions[i], e.constant(constant * r.strides[i]));
  }

  /// First and one past the last valid index of a window's inner loop.
  std::pair<Value, Value> boundsOf(const Window &w, int64_t extent) {
    Value outer = w.outer == c.m ? tileStart : index(w.outer);
    Value start = e.mul(outer, w.scale);
    auto firstAtOrAbove =
        [&](int64_t limit) -> Value { // least k with start + k * dilation >= limit, clamped
      Value distance = arith::SubIOp::create(b, e.loc, e.constant(limit), start);
      distance = arith::MaxSIOp::create(b, e.loc, distance, e.constant(0));
      if (w.dilation > 1)
        distance = arith::DivUIOp::create(b, e.loc, e.add(distance, e.constant(w.dilation - 1)),
                                          e.constant(w.dilation));
      return arith::MinSIOp::create(b, e.loc, distance, e.constant(extent));
    };
    return {firstAtOrAbove(w.low), firstAtOrAbove(w.low + w.size)};
  }

  /// The input that is read row by row.
  int64_t rowInput() const {
    if (c.partsLoop >= 0)
      return c.parts[part].input;
    for (int64_t i = c.inputs - 1; i >= 0; --i)
      if (i != c.vectorInput && c.operands[i].storage >= 0)
        return i;
    return -1;
  }

  SmallVector<Value> reduce(ArrayRef<Reduction> list, SmallVector<Value> accumulators,
                            ArrayRef<int64_t> active) {
    if (active.empty())
      return accumulators;
    if (list.empty())
      return step(std::move(accumulators), active);
    if (list.front().startsBlock) {
      SmallVector<Reduction> inside(list);
      inside.front().startsBlock = false;
      SmallVector<Value> block = accumulators;
      auto each = [&](function_ref<void(int64_t)> body) {
        for (int64_t i : active)
          for (int64_t j = 0; j < vectors; ++j)
            body(i * vectors + j);
      };
      each([&](int64_t at) { block[at] = zero(); });
      block = reduce(inside, std::move(block), active);
      each([&](int64_t at) {
        accumulators[at] = arith::AddFOp::create(b, e.loc, accumulators[at], block[at]);
      });
      return accumulators;
    }
    if (list.front().isDivided)
      return reduceParts(list, std::move(accumulators), active);
    const Reduction &r = list.front();
    SmallVector<Value> saved;
    bool startsRun = false;
    if (!runStart && !edge && tileRows == t.mr) {
      run = runLength(c, t, list, rowInput());
      startsRun = run > 0;
    }
    if (startsRun)
      runStart = positions[rowInput()];
    llvm::scope_exit endRun([&] { runStart = startsRun ? Value() : runStart; });
    if (r.mode == Reduction::Mode::Unrolled) {
      for (int64_t k = 0; k < r.extent; ++k) {
        SmallVector<int64_t> inside;
        for (int64_t i : active) {
          int64_t at =
              r.window ? (*edge + i) * r.window->scale + k * r.window->dilation - r.window->low : 0;
          if (!r.window || (at >= 0 && at < r.window->size))
            inside.push_back(i);
        }
        advance(r, nullptr, k, saved);
        tail = k + 1 == r.extent ? r.tail : tail;
        accumulators = reduce(list.drop_front(), std::move(accumulators), inside);
        tail = r.tail ? 0 : tail;
        positions = saved;
      }
      return accumulators;
    }
    Value from = e.constant(0), to = e.constant(r.extent - (r.tail ? 1 : 0));
    if (r.mode == Reduction::Mode::Bounded)
      std::tie(from, to) = boundsOf(*r.window, r.extent);
    if (r.cutFrom)
      to = arith::MinSIOp::create(b, e.loc, to, blockTripsLeft);
    // Only what changes is carried.
    SmallVector<Value> carried;
    for (int64_t i : active)
      for (int64_t j = 0; j < vectors; ++j)
        carried.push_back(accumulators[i * vectors + j]);
    SmallVector<Value> results;
    loop(
        from, to, 1, carried,
        [&](Value k, ValueRange values) {
          SmallVector<Value> inner = accumulators;
          for (auto [p, i] : llvm::enumerate(active))
            for (int64_t j = 0; j < vectors; ++j)
              inner[i * vectors + j] = values[p * vectors + j];
          advance(r, k, 0, saved);
          if (list.size() > 1 && list[1].cutFrom)
            blockTripsLeft = arith::SubIOp::create(b, e.loc, e.constant(list[1].cutFrom),
                                                   e.mul(k, list[1].extent));
          inner = reduce(list.drop_front(), inner, active);
          positions = saved;
          SmallVector<Value> yielded;
          for (int64_t i : active)
            for (int64_t j = 0; j < vectors; ++j)
              yielded.push_back(inner[i * vectors + j]);
          return yielded;
        },
        &results);
    for (auto [p, i] : llvm::enumerate(active))
      for (int64_t j = 0; j < vectors; ++j)
        accumulators[i * vectors + j] = results[p * vectors + j];
    if (r.tail) {
      advance(r, nullptr, r.extent - 1, saved);
      tail = r.tail;
      accumulators = reduce(list.drop_front(), std::move(accumulators), active);
      tail = 0;
      positions = saved;
    }
    return accumulators;
  }

  /// What each operand of a concatenation adds, one after the other: the order of the sum stays.
  SmallVector<Value> reduceParts(ArrayRef<Reduction> list, SmallVector<Value> accumulators,
                                 ArrayRef<int64_t> active) {
    const SmallVector<Value> start = positions;
    int64_t done = 0;
    for (part = 0; part < static_cast<int64_t>(c.parts.size()); ++part) {
      SmallVector<Reduction> inside(list);
      Reduction &r = inside.front();
      r.extent = c.parts[part].extent;
      r.isDivided = false;
      r.mayMerge = true;
      for (int64_t i = 0; i < c.inputs; ++i) // a part begins at its own front
        if (start[i] && llvm::none_of(c.parts, [&](const Part &p) { return p.input == i; }))
          positions[i] = e.add(start[i], e.constant(done * r.strides[i]));
      done += r.extent;
      writeOutInnermost(inside, t);
      accumulators = reduce(inside, std::move(accumulators), active);
    }
    part = 0;
    positions = start;
    return accumulators;
  }

  Value vectorAt(int64_t input, int64_t row, int64_t j) {
    bool isPacked = c.packs && input == c.vectorInput;
    int64_t offset = row * c.stride(input, c.m) +
                     (isPacked ? j * t.lanes * columnStride() : columnOffset(input, j));
    Value at = e.add(positions[input], e.constant(offset));
    Value mask = c.operands[input].panel || isPacked ? Value() : lanesOf(j).mask;
    Type element = cast<MemRefType>(memory[input].getType()).getElementType();
    int64_t columns = c.groups >= 0 && input == c.vectorInput ? 4 : 1;
    auto type = VectorType::get({t.lanes * columns}, element);
    Value v =
        !mask ? Value(vector::LoadOp::create(b, e.loc, type, memory[input], at))
              : vector::MaskedLoadOp::create(b, e.loc, type, memory[input], at, mask, zeroOf(type));
    return columns == 1 ? extend(v, input) : v;
  }

  /// A vector or number of an input as wide as the accumulators. Of narrow weights this is done for
  /// every register tile: it costs nothing beside its multiplications (see the README).
  Value extend(Value v, int64_t input) {
    const Operand &o = c.operands[input];
    return widen(e, v, c.element, o.isSigned, o.zero, t.lanes);
  }

  Value zeroOf(VectorType type) { return e.constant(cast<TypedAttr>(b.getZeroAttr(type))); }
  Value zero() { return zeroOf(vectorType); }

  /// A step of four products in each lane.
  SmallVector<Value> groupStep(SmallVector<Value> accumulators, ArrayRef<int64_t> active) {
    int64_t vectorSide = c.vectorInput, other = 1 - vectorSide;
    bool vectorIsSigned = c.operands[vectorSide].isSigned;
    SmallVector<ByteGroups> shared;
    for (int64_t j = 0; j < vectors; ++j)
      shared.push_back(prepareGroups(e, vectorAt(vectorSide, 0, j), vectorIsSigned, hasDotProduct));
    for (int64_t i : active) {
      Value at = e.add(positions[other], e.constant(i * c.stride(other, c.m)));
      ByteGroups row = prepareGroups(e, groupAt(e, memory[other], at, tail, t.lanes),
                                     !vectorIsSigned, hasDotProduct);
      for (int64_t j = 0; j < vectors; ++j) {
        Value &acc = accumulators[i * vectors + j];
        acc = vectorIsSigned ? dotProduct(e, acc, row, shared[j], hasDotProduct)
                             : dotProduct(e, acc, shared[j], row, hasDotProduct);
      }
    }
    return accumulators;
  }

  /// One index of all reductions: every row and vector of the tile.
  SmallVector<Value> step(SmallVector<Value> accumulators, ArrayRef<int64_t> active) {
    if (shareStart) {
      int64_t input = c.vectorInput;
      Value done = arith::SubIOp::create(b, e.loc, positions[input], bases[input]);
      fetchShare(e, ahead, memory[input], shareStart, done, tileRows);
    }
    if (c.groups >= 0)
      return groupStep(std::move(accumulators), active);
    if (const int64_t input = rowInput(); runStart)
      fetchRun(e, memory[input], runStart, positions[input], run, t.mr, c.stride(input, c.m));
    SmallVector<Value> shared;
    if (c.vectorInput >= 0)
      for (int64_t j = 0; j < vectors; ++j)
        shared.push_back(vectorAt(c.vectorInput, 0, j));
    int64_t other = rowInput();
    for (int64_t i : active) {
      Value scalar;
      if (!c.vectorRows) {
        Value at = e.add(positions[other], e.constant(i * c.stride(other, c.m)));
        Value number = memref::LoadOp::create(b, e.loc, memory[other], at);
        scalar = broadcast(e, extend(number, other), t.lanes);
      }
      for (int64_t j = 0; j < vectors; ++j) {
        Value &acc = accumulators[i * vectors + j];
        Value element = c.vectorRows ? vectorAt(other, i, j) : scalar;
        if (c.isProduct) {
          acc = multiplyAdd(e, element, shared[j], acc);
          continue;
        }
        linalg::LinalgOp reduction = c.op;
        SmallVector<Value> arguments;
        for (int64_t a = 0; a < c.inputs; ++a)
          arguments.push_back(a == other ? element : zero());
        arguments.push_back(acc);
        acc = cloneVectorBody(e, *reduction.getBlock(), arguments, {}, -1, {t.lanes, nullptr})[0];
      }
    }
    return accumulators;
  }

  Value address(int64_t operand, const Piece &piece) {
    return e.linear(columnOffset(operand, piece.j),
                    {{bases[operand], 1}, {piece.row, c.stride(operand, c.m)}});
  }

  void finish(Value accumulator, ArrayRef<Piece> pieces) {
    emitResults(
        e, c, t.lanes, accumulator, pieces,
        [&](int64_t operand, const Piece &piece) { return address(operand, piece); },
        [&](int64_t j) { return lanesOf(j); });
  }

  void epilogue(ArrayRef<Value> accumulators, Value mStart) {
    if (!c.spillsEpilogue) {
      for (int64_t j = 0; j < vectors; ++j)
        for (int64_t i = 0; i < tileRows; ++i)
          finish(accumulators[i * vectors + j], {{e.add(mStart, e.constant(i)), j}});
      return;
    }
    // A long body on every accumulator at once would spill and bloat: through memory, some vectors
    // at a time.
    for (auto [i, v] : llvm::enumerate(accumulators))
      vector::StoreOp::create(b, e.loc, v, spill, ValueRange(e.constant(i * t.lanes)));
    auto rowsAt = [&](Value row, int64_t count) {
      SmallVector<Piece> pieces;
      for (int64_t r = 0; r < count; ++r)
        for (int64_t j = 0; j < vectors; ++j)
          pieces.push_back({e.add(mStart, e.add(row, e.constant(r))), j});
      Value from = e.mul(row, vectors * t.lanes);
      for (int64_t at = 0, end = pieces.size(); at < end;) {
        int64_t size = std::min<int64_t>(kTogether, llvm::bit_floor(uint64_t(end - at)));
        Value v = vector::LoadOp::create(b, e.loc, VectorType::get({size * t.lanes}, c.element),
                                         spill, e.add(from, e.constant(at * t.lanes)));
        finish(v, ArrayRef(pieces).slice(at, size));
        at += size;
      }
      return SmallVector<Value>();
    };
    int64_t together = std::clamp<int64_t>(kTogether / vectors, 1, tileRows);
    int64_t whole = tileRows / together * together;
    loop(e.constant(0), e.constant(whole), together, {},
         [&](Value row, ValueRange) { return rowsAt(row, together); });
    if (whole < tileRows)
      rowsAt(e.constant(whole), tileRows - whole);
  }

  Emitter &e;
  OpBuilder &b;
  const Contraction &c;
  const Tiling &t;
  Segments segments;
  VectorType vectorType;
  PanelAhead ahead;
  bool hasDotProduct; ///< four products in one instruction
  Value initial, spill, packed;
  SmallVector<Value> memory;                      ///< per input
  SmallVector<SmallVector<int64_t>> inputStrides; ///< [loop][input], of packed memory where packed

  // The current tile.
  Value stepBlock, firstColumn, lastMask;
  int64_t vectors = 0;
  SmallVector<Value> indices; ///< of outer loops
  SmallVector<Value> bases;   ///< per operand
  // The current register tile.
  int64_t tileRows = 0;
  std::optional<int64_t> edge;
  Value runStart; ///< where the loops without a gap began, see runLength
  int64_t run = 0;
  Value shareStart; ///< of the next panels that this register tile fetches; null: none
  Value tileStart;
  int64_t part = 0;             ///< of those of the input read row by row, where it has parts
  SmallVector<Value> positions; ///< per input, at the current reduction indices
  Value blockTripsLeft;         ///< of the loop that is cut into blocks, from the current one on
  int64_t tail = 0;             ///< numbers in the current group of four; 0: four
};

} // namespace

void emitTiles(Emitter &e, const Contraction &c, const Tiling &t, const HostTarget &target) {
  ContractionEmitter(e, c, t, target).emit();
}

LogicalResult emitContraction(Emitter &e, const Contraction &c, const Tiling &t,
                              const HostTarget &target) {
  for (Operation &op : e.kernel.getBody().front().without_terminator())
    e.emitScalar(op);
  emitTiles(e, c, t, target);
  e.finish();
  return success();
}

} // namespace mtc::host
