//===- EmitMatrix.cpp - contractions by products of whole tiles -----------===//
#include "EmitResults.h"
#include "MatrixTiles.h"

#include "mtc/Dialect/MT/Transforms/SplitWeight.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::host {
namespace {

constexpr int64_t kLanes = 16, kTileRows = 16;

class MatrixEmitter {
public:
  MatrixEmitter(Emitter &e, const Contraction &c, const MatrixTiling &t)
      : e(e), b(e.b), c(c), t(t), s(scratchOf(c, t)), indices(c.loops.size()) {
    auto view = [&](int64_t at, int64_t elements, Type type) {
      return memref::ViewOp::create(b, e.loc, MemRefType::get({elements}, type), e.scratch,
                                    e.constant(at), ValueRange());
    };
    sums = view(s.sums, 256 * t.mr * t.nv, c.element);
    if (c.splitParts)
      gathered = view(s.gathered, kGatheredParts * t.rows * s.rowStride, b.getBF16Type());
    if (!s.placed.empty())
      places = view(s.places, t.rows * static_cast<int64_t>(s.placed.size()), b.getIndexType());
  }

  void emit() {
    configure();
    const int64_t blocks = llvm::divideCeil(c.extent(c.n), t.columns);
    e.forRange(e.lo, e.hi, 1, [&](Value tile) {
      Value columnBlock = e.takeIndex(tile, blocks);
      first = e.mul(tile, t.rows);
      count = arith::MinSIOp::create(b, e.loc, sub(e.constant(positionsOf(c)), first),
                                     e.constant(t.rows));
      if (c.splitParts || !s.placed.empty())
        e.forRange(e.constant(0), count, 1, [&](Value row) { gather(row); });
      emitColumns(columnBlock, blocks);
    });
    call("llvm.x86.tilerelease", {});
  }

private:
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, e.loc, x, y); }
  Value zeros(Type element) {
    auto type = VectorType::get({kLanes}, element);
    return e.constant(cast<TypedAttr>(b.getZeroAttr(type)));
  }
  void call(StringRef name, ValueRange arguments) {
    LLVM::CallIntrinsicOp::create(b, e.loc, b.getStringAttr(name), arguments);
  }
  Value number(int64_t value) {
    return e.constant(cast<TypedAttr>(b.getI8IntegerAttr(static_cast<int8_t>(value))));
  }
  Value wide(int64_t value) { return e.constant(cast<TypedAttr>(b.getI64IntegerAttr(value))); }

  Value pointer(Value memory, Value at, int64_t elementBytes) {
    Value base = memref::ExtractAlignedPointerAsIndexOp::create(b, e.loc, memory);
    Value address = e.add(base, e.mul(at, elementBytes));
    address = arith::IndexCastOp::create(b, e.loc, b.getI64Type(), address);
    return LLVM::IntToPtrOp::create(b, e.loc, LLVM::LLVMPointerType::get(b.getContext()), address);
  }

  /// All eight tiles have 16 rows of 64 bytes.
  void configure() {
    SmallVector<int8_t> bytes(64, 0);
    bytes[0] = 1; // the palette
    for (int tile = 0; tile < 8; ++tile) {
      bytes[16 + 2 * tile] = 64;
      bytes[48 + tile] = kTileRows;
    }
    auto type = VectorType::get({64}, b.getI8Type());
    Value config = e.constant(cast<TypedAttr>(DenseElementsAttr::get(type, ArrayRef(bytes))));
    vector::StoreOp::create(b, e.loc, config, e.scratch, e.constant(0));
    call("llvm.x86.ldtilecfg", pointer(e.scratch, e.constant(0), 1));
  }

  //===--------------------------------------------------------------------===//
  // gathering
  //===--------------------------------------------------------------------===//

  Value index(int64_t l) { return indices[l] ? indices[l] : e.constant(0); }

  /// The factors of the block's position `row`, and where its results lie.
  void gather(Value row) {
    Value rest = e.add(first, row);
    SmallVector<int64_t> loops(c.rows);
    loops.push_back(c.m);
    for (int64_t l : llvm::reverse(loops))
      indices[l] = e.takeIndex(rest, c.extent(l));
    for (auto [i, operand] : llvm::enumerate(s.placed)) {
      SmallVector<std::pair<Value, int64_t>> terms;
      for (int64_t l : loops)
        terms.emplace_back(indices[l], c.stride(operand, l));
      memref::StoreOp::create(
          b, e.loc, e.linear(0, terms), places,
          e.linear(static_cast<int64_t>(i), {{row, static_cast<int64_t>(s.placed.size())}}));
    }
    if (!c.splitParts)
      return;
    Value target = e.mul(row, s.rowStride);
    ArrayRef<int64_t> outer = ArrayRef(c.reductions).drop_back();
    SmallVector<int64_t> extents =
        llvm::map_to_vector(outer, [&](int64_t l) { return c.extent(l); });
    e.forNest(extents, [&](ArrayRef<Value> at) {
      SmallVector<std::pair<Value, int64_t>> terms = {{target, 1}};
      for (auto [l, i] : llvm::zip_equal(outer, at)) {
        indices[l] = i;
        terms.emplace_back(i, c.stride(c.vectorInput, l) / mt::kTileColumns);
      }
      gatherRun(e.linear(0, terms));
    });
    const int64_t sum = c.product(c.reductions);
    for (int64_t at = sum; at < c.splitDepth; at += kLanes)
      store({zeros(b.getBF16Type())}, e.add(target, e.constant(at)));
  }

  /// Whether the element at the current indices lies inside of all padded dimensions; null: it
  /// does.
  Value isInside() {
    Value all;
    for (const Window &w : c.windows) {
      SmallVector<std::pair<Value, int64_t>> terms = {{index(w.outer), w.scale}};
      if (w.inner >= 0)
        terms.emplace_back(index(w.inner), w.dilation);
      Value here = arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::ult,
                                         e.linear(-w.low, terms), e.constant(w.size));
      all = all ? Value(arith::AndIOp::create(b, e.loc, all, here)) : here;
    }
    return all;
  }

  /// The factors along the innermost sum, to gathered[to ...]. A last vector that is not full
  /// leaves zeros behind, which what follows overwrites.
  void gatherRun(Value to) {
    SmallVector<Part> parts(c.parts);
    if (parts.empty())
      parts.push_back({1 - c.vectorInput, c.extent(c.reductions.back())});
    auto copy = [&] {
      int64_t start = 0;
      for (const Part &part : parts) {
        const Operand &o = c.operands[part.input];
        SmallVector<std::pair<Value, int64_t>> terms;
        if (o.from)
          terms.emplace_back(o.from, 1);
        for (int64_t l = 0; l < static_cast<int64_t>(c.loops.size()); ++l)
          if (l != c.reductions.back() && indices[l])
            terms.emplace_back(indices[l], c.stride(part.input, l));
        Value from = e.linear(o.offset, terms), begin = e.add(to, e.constant(start));
        auto at = [&](Value k, int64_t vectorCount, Value mask) {
          SmallVector<Value> numbers;
          for (int64_t i = 0; i < vectorCount; ++i) {
            Value place = e.add(from, e.add(k, e.constant(i * kLanes)));
            auto type = VectorType::get({kLanes}, b.getF32Type());
            Value memory = e.memory[o.storage];
            numbers.push_back(mask
                                  ? Value(vector::MaskedLoadOp::create(
                                        b, e.loc, type, memory, place, mask, zeros(b.getF32Type())))
                                  : Value(vector::LoadOp::create(b, e.loc, type, memory, place)));
          }
          store(split(numbers), e.add(begin, k));
        };
        const int64_t pairs = part.extent / (2 * kLanes) * (2 * kLanes);
        const int64_t whole = part.extent / kLanes * kLanes;
        if (pairs)
          e.forRange(e.constant(0), e.constant(pairs), 2 * kLanes, [&](Value k) { at(k, 2, {}); });
        if (pairs < whole)
          at(e.constant(pairs), 1, {});
        if (whole < part.extent)
          at(e.constant(whole), 1, firstLanes(e, part.extent - whole, kLanes));
        start += part.extent;
      }
    };
    Value inside = isInside();
    if (!inside)
      return copy();
    auto branch = scf::IfOp::create(b, e.loc, inside, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    copy();
    b.setInsertionPointToStart(branch.elseBlock());
    e.forRange(e.constant(0), e.constant(c.extent(c.reductions.back())), kLanes,
               [&](Value k) { store({zeros(b.getBF16Type())}, e.add(to, k)); });
  }

  /// The parts of one vector or of two side by side. The first one is cut off, which keeps a NaN:
  /// what is left out of products with a weight's parts stays below 2^-24 of them. The second one
  /// is rounded, so that the third one is exact. Four operations a part where conversions would be
  /// ten: 1.6 instead of 2.2 ns a vector (measured alone, Intel Xeon, 2026-11-24).
  SmallVector<Value> split(SmallVector<Value> numbers) {
    auto bits = VectorType::get({kLanes}, b.getI32Type());
    auto splat = [&](int64_t value) {
      return e.constant(cast<TypedAttr>(
          DenseElementsAttr::get(bits, b.getI32IntegerAttr(static_cast<int32_t>(value)))));
    };
    SmallVector<Value> parts;
    for (int64_t part = 0; part < kGatheredParts; ++part) {
      const bool isLast = part + 1 == kGatheredParts;
      SmallVector<Value> taken(numbers);
      for (auto [x, number] : llvm::zip_equal(taken, numbers)) {
        if (isLast)
          break;
        x = vector::BitCastOp::create(b, e.loc, bits, x);
        if (part > 0)
          x = arith::AddIOp::create(b, e.loc, x, splat(0x8000));
        x = arith::AndIOp::create(b, e.loc, x, splat(0xffff0000));
        x = vector::BitCastOp::create(b, e.loc, number.getType(), x);
        number = arith::SubFOp::create(b, e.loc, number, x);
      }
      const bool isPair = taken.size() == 2;
      std::reverse(taken.begin(), taken.end()); // the instruction takes the upper half first
      parts.push_back(
          LLVM::CallIntrinsicOp::create(
              b, e.loc,
              VectorType::get({static_cast<int64_t>(taken.size()) * kLanes}, b.getBF16Type()),
              b.getStringAttr(isPair ? "llvm.x86.avx512bf16.cvtne2ps2bf16.512"
                                     : "llvm.x86.avx512bf16.cvtneps2bf16.512"),
              taken)
              ->getResult(0));
    }
    return parts;
  }

  /// Stores a vector of each part, or one for all of them.
  void store(ArrayRef<Value> parts, Value to) {
    for (int64_t i = 0; i < kGatheredParts; ++i)
      vector::StoreOp::create(b, e.loc, parts.size() == 1 ? parts[0] : parts[i], gathered,
                              e.add(to, e.constant(i * t.rows * s.rowStride)));
  }

  //===--------------------------------------------------------------------===//
  // products
  //===--------------------------------------------------------------------===//

  void emitColumns(Value columnBlock, int64_t blocks) {
    const int64_t span = t.nv * kLanes, n = c.extent(c.n), whole = n / span, left = n % span;
    const int64_t perBlock = t.columns / span;
    auto group = [&](Value index, int64_t columns) {
      firstColumn = e.mul(index, span);
      vectors = llvm::divideCeil(columns, kLanes);
      lastMask = columns % kLanes ? firstLanes(e, columns % kLanes, kLanes) : Value();
      emitRows();
    };
    if (whole) {
      Value from = e.mul(columnBlock, perBlock);
      Value to =
          arith::MinSIOp::create(b, e.loc, e.add(from, e.constant(perBlock)), e.constant(whole));
      e.forRange(from, to, 1, [&](Value index) { group(index, span); });
    }
    if (!left)
      return;
    Value isLast = arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::eq, columnBlock,
                                         e.constant(blocks - 1));
    auto branch = scf::IfOp::create(b, e.loc, isLast, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    group(e.constant(whole), left);
  }

  /// All register tiles of the block for the current columns: as many rows of tiles as there are,
  /// the last ones fewer at a time.
  void emitRows() {
    Value tiles = arith::DivUIOp::create(b, e.loc, e.add(count, e.constant(kTileRows - 1)),
                                         e.constant(kTileRows));
    auto below = [&](int64_t size) { // the first tile that `size` at a time leave over
      return arith::SubIOp::create(b, e.loc, tiles,
                                   arith::RemUIOp::create(b, e.loc, tiles, e.constant(size)));
    };
    e.forRange(e.constant(0), below(t.mr), t.mr,
               [&](Value tile) { registerTile(e.mul(tile, kTileRows), t.mr); });
    for (int64_t size = t.mr / 2; size >= 1; size /= 2) {
      Value bit = arith::AndIOp::create(b, e.loc, tiles, e.constant(size));
      Value isThere = arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::ne, bit, e.constant(0));
      auto branch = scf::IfOp::create(b, e.loc, isThere, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      registerTile(e.mul(below(2 * size), kTileRows), size);
    }
  }

  int64_t rowInput() const { return 1 - c.vectorInput; }

  /// Where tile `i` of a register tile from the block's `row` on begins. Bytes are read where they
  /// lie, so that the last tile of all begins early enough to end with them.
  Value startOf(Value row, int64_t i) {
    Value start = e.add(row, e.constant(i * kTileRows));
    if (c.splitParts)
      return start;
    Value last = sub(e.constant(positionsOf(c) - kTileRows), first);
    return arith::MinSIOp::create(b, e.loc, start, last);
  }

  void loadRows(int64_t tile, int64_t part, int64_t i, Value k) {
    if (c.splitParts) {
      Value at = e.linear(part * t.rows * s.rowStride, {{starts[i], s.rowStride}, {k, 1}});
      call("llvm.x86.tileloadd64", {number(tile), pointer(gathered, at, 2), wide(2 * s.rowStride)});
      return;
    }
    const Operand &o = c.operands[rowInput()];
    const int64_t stride = c.stride(rowInput(), c.m);
    Value at = e.linear(o.offset, {{e.add(first, starts[i]), stride}, {k, 1}});
    call("llvm.x86.tileloadd64", {number(tile), pointer(e.memory[o.storage], at, 1), wide(stride)});
  }

  void loadColumns(int64_t tile, int64_t part, int64_t j, Value k) {
    const Operand &weight = c.operands[c.vectorInput];
    Value column = e.add(firstColumn, e.constant(j * kLanes)), width = e.constant(weight.panel);
    Value panel = arith::DivUIOp::create(b, e.loc, column, width);
    Value lane = arith::RemUIOp::create(b, e.loc, column, width);
    Value memory = e.memory[weight.storage];
    if (c.splitParts) {
      Value at = e.linear(part * c.splitDepth * kLanes, {{panel, weight.panelStride}, {k, kLanes}});
      call("llvm.x86.tileloadd64", {number(tile), pointer(memory, at, 2), wide(4 * kLanes)});
      return;
    }
    Value at = e.linear(0, {{panel, weight.panelStride}, {lane, 4}, {k, weight.panel}});
    call("llvm.x86.tileloadd64", {number(tile), pointer(memory, at, 1), wide(4 * weight.panel)});
  }

  /// Sums += rows * columns, tiles by their numbers.
  void multiply(int64_t sumsTile, int64_t rows, int64_t columns) {
    auto sign = [&](int64_t input) { return c.operands[input].isSigned ? "s" : "u"; };
    const std::string name =
        c.splitParts ? "llvm.x86.tdpbf16ps"
                     : std::string("llvm.x86.tdpb") + sign(rowInput()) + sign(c.vectorInput) + "d";
    call(name, {number(sumsTile), number(rows), number(columns)});
  }

  /// One step of 32 products, or of 64 of bytes: tiles 0 to 3 are sums, 4 to 7 factors.
  void step(int64_t mr, Value k) {
    const bool keeps = mr <= 2 && vectors <= 2; // both factors' tiles stay for the next product
    int rowsPart = -1, columnsPart = -1;
    int64_t next = 0;
    for (auto [x, y] : productsOfParts(c.splitParts)) {
      if (keeps || mr == 1) {
        for (int64_t i = 0; i < mr && rowsPart != x; ++i)
          loadRows(4 + i, x, i, k);
        rowsPart = x;
      }
      if (keeps || vectors == 1) {
        for (int64_t j = 0; j < vectors && columnsPart != y; ++j)
          loadColumns(keeps ? 6 + j : 4, y, j, k);
        columnsPart = y;
      }
      for (int64_t i = 0; i < mr; ++i)
        for (int64_t j = 0; j < vectors; ++j) {
          int64_t left = 4 + i, right = 6 + j;
          if (!keeps && mr == 1)
            loadColumns(right = 5 + next++ % 3, y, j, k);
          if (!keeps && mr > 1) {
            loadRows(left = 5 + next++ % 3, x, i, k);
            right = 4;
          }
          multiply(i * vectors + j, left, right);
        }
    }
  }

  void registerTile(Value row, int64_t mr) {
    starts.clear();
    for (int64_t i = 0; i < mr; ++i)
      starts.push_back(startOf(row, i));
    for (int64_t i = 0; i < mr * vectors; ++i)
      call("llvm.x86.tilezero", number(i));
    const int64_t depth = c.splitParts ? c.splitDepth : 4 * c.extent(c.groups);
    e.forRange(e.constant(0), e.constant(depth), c.splitParts ? mt::kTileDepth : 64,
               [&](Value k) { step(mr, k); });
    const int64_t width = t.nv * kLanes;
    for (int64_t i = 0; i < mr; ++i)
      for (int64_t j = 0; j < vectors; ++j)
        call("llvm.x86.tilestored64",
             {number(i * vectors + j),
              pointer(sums, e.constant(i * kTileRows * width + j * kLanes), 4), wide(4 * width)});
    for (int64_t i = 0; i < mr; ++i) {
      Value begin = e.add(row, e.constant(i * kTileRows));
      Value left = arith::MinSIOp::create(b, e.loc, sub(count, begin), e.constant(kTileRows));
      if (c.splitParts)
        finishRows(i, e.constant(0), left);
      else // rows that the tile before has finished are not touched again
        finishRows(i, sub(begin, starts[i]), e.constant(kTileRows));
    }
  }

  /// The epilogue of rows `from` to `to` of the register tile's tiles `i`.
  void finishRows(int64_t i, Value from, Value to) {
    const int64_t width = t.nv * kLanes;
    auto some = [&](Value at, int64_t together) {
      SmallVector<Piece> pieces;
      for (int64_t r = 0; r < together; ++r)
        for (int64_t j = 0; j < vectors; ++j)
          pieces.push_back({e.add(starts[i], e.add(at, e.constant(r))), j});
      for (int64_t done = 0, end = pieces.size(); done < end;) {
        int64_t size = c.spillsEpilogue
                           ? std::min<int64_t>(kTogether, llvm::bit_floor(uint64_t(end - done)))
                           : 1;
        Value v = vector::LoadOp::create(
            b, e.loc, VectorType::get({size * kLanes}, c.element), sums,
            e.linear((i * kTileRows + done / vectors) * width + done % vectors * kLanes,
                     {{at, width}}));
        emitResults(
            e, c, kLanes, v, ArrayRef(pieces).slice(done, size),
            [&](int64_t operand, const Piece &piece) { return address(operand, piece); },
            [&](int64_t j) { return Lanes{kLanes, j == vectors - 1 ? lastMask : Value()}; });
        done += size;
      }
    };
    const int64_t together =
        c.spillsEpilogue && vectors == t.nv ? std::max<int64_t>(1, kTogether / vectors) : 1;
    if (together == 1)
      return e.forRange(from, to, 1, [&](Value at) { some(at, 1); });
    Value rest = arith::RemUIOp::create(b, e.loc, sub(to, from), e.constant(together));
    Value whole = sub(to, rest);
    e.forRange(from, whole, together, [&](Value at) { some(at, together); });
    e.forRange(whole, to, 1, [&](Value at) { some(at, 1); });
  }

  Value address(int64_t operand, const Piece &piece) {
    const Operand &o = c.operands[operand];
    SmallVector<std::pair<Value, int64_t>> terms = {{firstColumn, c.stride(operand, c.n)}};
    if (o.from)
      terms.emplace_back(o.from, 1);
    auto *placed = llvm::find(s.placed, operand);
    if (placed == s.placed.end()) {
      terms.emplace_back(e.add(first, piece.row), c.stride(operand, c.m));
    } else {
      Value at =
          e.linear(placed - s.placed.begin(), {{piece.row, static_cast<int64_t>(s.placed.size())}});
      terms.emplace_back(memref::LoadOp::create(b, e.loc, places, at), 1);
    }
    return e.linear(o.offset + piece.j * kLanes * c.stride(operand, c.n), terms);
  }

  Emitter &e;
  OpBuilder &b;
  const Contraction &c;
  const MatrixTiling &t;
  MatrixScratch s;
  Value gathered, sums, places;
  SmallVector<Value> indices; ///< of loops, while gathering
  SmallVector<Value> starts;  ///< rows of the block that the current register tile's tiles begin at

  Value first, count; ///< positions of the current block
  Value firstColumn, lastMask;
  int64_t vectors = 0;
};

} // namespace

LogicalResult emitMatrix(Emitter &e, const Contraction &c, const MatrixTiling &t) {
  for (Operation &op : e.kernel.getBody().front().without_terminator())
    e.emitScalar(op);
  MatrixEmitter(e, c, t).emit();
  e.finish();
  return success();
}

} // namespace mtc::host
