//===- EmitWinograd.cpp - blocks of tiles through three steps -------------===//
//
// For a block of 4x4 output tiles: (1) their 6x6 (or 5x5) input tiles are transformed, 16 channels
// at a time in registers, into 36 (25) matrices [tile][channel]; for each group of output channels
// (2) the products with the weight's panels run as register tiles, (3) the results are transformed
// back and go through the epilogue. Nothing of it leaves the worker's scratch before the result is
// stored.
//
//===----------------------------------------------------------------------===//
#include "Winograd.h"

#include "VectorBody.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::host {
namespace {

constexpr int64_t lineElements = 16, coreCacheBytes = 1 << 20;

class WinogradEmitter {
public:
  WinogradEmitter(Emitter &e, const Winograd &w, const WinogradTiling &t)
      : e(e), b(e.b), w(w), t(t), channels(llvm::alignTo(w.c, t.lanes)),
        type(VectorType::get({t.lanes}, b.getF32Type())) {
    int64_t at = 0;
    auto take = [&](int64_t elements) {
      Value view = memref::ViewOp::create(b, e.loc, MemRefType::get({elements}, b.getF32Type()),
                                          e.scratch, e.constant(at), ValueRange());
      at += elements * 4;
      return view;
    };
    inputs = take(w.positions() * inputStride(w, t));
    products = take(w.positions() * productStride(w, t));
    outputs = take(16 * w.nr);
    places = memref::ViewOp::create(b, e.loc, MemRefType::get({2 * t.block}, b.getIndexType()),
                                    e.scratch, e.constant(at), ValueRange());
    int64_t inputBytes = 0;
    for (const Channels &input : w.inputs)
      inputBytes += e.bytesOf(input.storage);
    fetchesInput = inputBytes > coreCacheBytes && w.h >= w.side() && w.w >= w.side();
    fetchesResult = e.bytesOf(w.outputs[0]) > coreCacheBytes && !e.isPastCaches(w.outputs[0]) &&
                    w.oh >= 4 && w.ow >= 4;
  }

  void emit() {
    e.forRange(e.lo, e.hi, 1, [&](Value block) {
      first = e.mul(block, t.block);
      Value left = sub(e.constant(w.tiles()), first);
      count = arith::MinSIOp::create(b, e.loc, left, e.constant(t.block));
      e.forRange(e.constant(0), count, 1, [&](Value i) { transformInput(i); });
      if (fetchesInput || fetchesResult)
        e.forRange(e.constant(0), e.constant(t.block), 1, [&](Value i) { notePlaces(i); });
      e.forRange(e.constant(0), e.constant(w.groups), 1, [&](Value group) {
        e.forRange(e.constant(0), e.constant(w.positions()), 1, [&](Value p) {
          fetch(group, p);
          e.forRange(e.constant(0), count, t.mr, [&](Value i) { multiply(group, p, i); });
        });
        e.forRange(e.constant(0), count, 1, [&](Value i) { transformOutput(group, i); });
      });
    });
  }

private:
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, e.loc, x, y); }
  Value fadd(Value x, Value y) { return arith::AddFOp::create(b, e.loc, x, y); }
  Value fsub(Value x, Value y) { return arith::SubFOp::create(b, e.loc, x, y); }
  /// x * factor + y
  Value fma(double factor, Value x, Value y) {
    auto splat = DenseElementsAttr::get(type, b.getF32FloatAttr(static_cast<float>(factor)));
    Value f = arith::ConstantOp::create(b, e.loc, splat);
    return vector::FMAOp::create(b, e.loc, x, f, y);
  }
  Value scaled(double factor, Value x) {
    auto splat = DenseElementsAttr::get(type, b.getF32FloatAttr(static_cast<float>(factor)));
    return arith::MulFOp::create(b, e.loc, x, arith::ConstantOp::create(b, e.loc, splat));
  }
  Value load(Value memory, Value at) { return vector::LoadOp::create(b, e.loc, type, memory, at); }
  void store(Value v, Value memory, Value at) { vector::StoreOp::create(b, e.loc, v, memory, at); }

  /// The transform of an input tile along one side.
  static SmallVector<Value> inputSide(WinogradEmitter &s, ArrayRef<Value> d) {
    Value even = s.fma(-4, d[2], d[4]), odd = s.fma(-4, d[1], d[3]);
    Value near = s.fsub(d[4], d[2]), far = s.scaled(2, s.fsub(d[3], d[1]));
    return {s.fma(4, d[0], s.fma(-5, d[2], d[4])),
            s.fadd(even, odd),
            s.fsub(even, odd),
            s.fadd(near, far),
            s.fsub(near, far),
            s.fma(4, d[1], s.fma(-5, d[3], d[5]))};
  }

  /// The same for a weight of 2x2.
  static SmallVector<Value> inputSide2(WinogradEmitter &s, ArrayRef<Value> d) {
    Value t = s.fsub(d[3], d[1]);
    return {s.fma(2, s.fsub(d[0], d[2]), t), s.fma(2, d[1], s.fsub(d[2], d[3])),
            s.fma(2, s.fsub(d[1], d[2]), s.fsub(d[3], d[2])), t, s.fma(-2, t, s.fsub(d[4], d[2]))};
  }

  /// The transform of a product along one side.
  static SmallVector<Value> outputSide(WinogradEmitter &s, ArrayRef<Value> m) {
    Value sum = s.fadd(m[1], m[2]), difference = s.fsub(m[1], m[2]);
    Value sum2 = s.fadd(m[3], m[4]), difference2 = s.fsub(m[3], m[4]);
    return {s.fadd(m[0], s.fadd(sum, sum2)), s.fma(2, difference2, difference), s.fma(4, sum2, sum),
            s.fadd(s.fma(8, difference2, difference), m[5])};
  }

  static SmallVector<Value> outputSide2(WinogradEmitter &s, ArrayRef<Value> m) {
    Value sum = s.fadd(m[1], m[2]), difference = s.fsub(m[1], m[2]);
    return {s.fadd(m[0], s.fadd(sum, m[3])), s.fma(2, m[3], difference), s.fma(4, m[3], sum),
            s.fadd(s.fma(8, m[3], difference), m[4])};
  }

  using Side = SmallVector<Value> (*)(WinogradEmitter &, ArrayRef<Value>);

  /// Both sides of a square of vectors, row-major.
  SmallVector<Value> transform(ArrayRef<Value> square, Side side, int64_t size) {
    SmallVector<SmallVector<Value>> columns;
    for (int64_t x = 0; x < w.side(); ++x) {
      SmallVector<Value> column;
      for (int64_t y = 0; y < w.side(); ++y)
        column.push_back(square[y * w.side() + x]);
      columns.push_back(side(*this, column));
    }
    SmallVector<Value> result;
    for (int64_t y = 0; y < size; ++y) {
      SmallVector<Value> row;
      for (int64_t x = 0; x < w.side(); ++x)
        row.push_back(columns[x][y]);
      llvm::append_range(result, side(*this, row));
    }
    return result;
  }

  /// Image, tile row and tile column of the block's tile `i`.
  std::array<Value, 3> placeOf(Value i) {
    Value tile = e.add(first, i);
    Value x = e.constant(w.tilesX()), y = e.constant(w.tilesY());
    Value column = arith::RemUIOp::create(b, e.loc, tile, x);
    Value rest = arith::DivUIOp::create(b, e.loc, tile, x);
    return {arith::DivUIOp::create(b, e.loc, rest, y), arith::RemUIOp::create(b, e.loc, rest, y),
            column};
  }

  Value within(Value x, int64_t size) { // 0 <= x < size
    return arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::ult, x, e.constant(size));
  }

  void transformInput(Value i) {
    auto [n, ty, tx] = placeOf(i);
    Value y0 = sub(e.mul(ty, 4), e.constant(w.padTop));
    Value x0 = sub(e.mul(tx, 4), e.constant(w.padLeft));
    SmallVector<Value> images;
    for (const Channels &input : w.inputs)
      images.push_back(e.mul(n, w.h * w.w * input.count));
    Value inside = both(both(within(y0, w.h), within(e.add(y0, e.constant(w.side() - 1)), w.h)),
                        both(within(x0, w.w), within(e.add(x0, e.constant(w.side() - 1)), w.w)));
    auto branch = scf::IfOp::create(b, e.loc, inside, /*withElseRegion=*/true);
    for (bool edge : {false, true}) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(edge ? branch.elseBlock() : branch.thenBlock());
      int64_t start = 0;
      for (auto [input, image] : llvm::zip_equal(w.inputs, images)) {
        const int64_t whole = input.count / t.lanes * t.lanes;
        auto chunk = [&, &input = input, image = image](Value c, Value mask) {
          transformChunk(i, input, start, image, y0, x0, c, mask, edge);
        };
        if (whole)
          e.forRange(e.constant(0), e.constant(whole), t.lanes, [&](Value c) { chunk(c, {}); });
        if (input.count > whole)
          chunk(e.constant(whole), firstLanes(e, input.count - whole, t.lanes));
        start += input.count;
      }
    }
  }

  Value both(Value p, Value q) { return arith::AndIOp::create(b, e.loc, p, q); }

  /// 16 channels of a tile, from `c` on of an input whose first is channel `start`; at an edge what
  /// lies outside is 0 and not read.
  void transformChunk(Value i, const Channels &input, int64_t start, Value image, Value y0,
                      Value x0, Value c, Value mask, bool edge) {
    SmallVector<Value> square;
    Value zero = arith::ConstantOp::create(b, e.loc, cast<TypedAttr>(b.getZeroAttr(type)));
    Value memory = e.memory[input.storage];
    for (int64_t y = 0; y < w.side(); ++y)
      for (int64_t x = 0; x < w.side(); ++x) {
        Value row = e.add(y0, e.constant(y)), column = e.add(x0, e.constant(x));
        Value at =
            e.linear(0, {{image, 1}, {row, w.w * input.count}, {column, input.count}, {c, 1}});
        Value valid;
        if (edge) {
          valid = both(within(row, w.h), within(column, w.w));
          at = arith::SelectOp::create(b, e.loc, valid, at, c);
        }
        Value v = mask ? Value(vector::MaskedLoadOp::create(b, e.loc, type, memory, at, mask, zero))
                       : load(memory, at);
        square.push_back(edge ? Value(arith::SelectOp::create(b, e.loc, valid, v, zero)) : v);
      }
    for (auto [p, v] :
         llvm::enumerate(transform(square, w.taps == 3 ? inputSide : inputSide2, w.side())))
      storeChunk(
          v, e.linear(static_cast<int64_t>(p) * inputStride(w, t) + start, {{i, channels}, {c, 1}}),
          w.inputs.size() > 1 ? mask : Value());
  }

  /// Lanes without a channel are stored only where nothing else lies behind.
  void storeChunk(Value v, Value at, Value mask) {
    if (mask)
      vector::MaskedStoreOp::create(b, e.loc, inputs, at, mask, v);
    else
      store(v, inputs, at);
  }

  /// A square of pixels that a tile reads or gives, in pictures of height x width.
  struct Patch {
    int64_t height, width, side;
    int64_t padTop = 0, padLeft = 0;
  };
  Patch inputPatch() const { return {w.h, w.w, w.side(), w.padTop, w.padLeft}; }
  Patch resultPatch() const { return {w.oh, w.ow, 4}; }

  /// Notes the pixels where the patches of the next block's tile `i` and of this one's results
  /// begin, moved inside where they lie over an edge.
  void notePlaces(Value i) {
    auto note = [&](const Patch &patch, Value tile, int64_t at) {
      tile = arith::MinSIOp::create(b, e.loc, tile, e.constant(w.tiles() - 1));
      auto [n, ty, tx] = placeOf(sub(tile, first));
      auto inside = [&](Value place, int64_t last) -> Value {
        place = arith::MinSIOp::create(b, e.loc, place, e.constant(last));
        return arith::MaxSIOp::create(b, e.loc, place, e.constant(0));
      };
      Value y = inside(e.linear(-patch.padTop, {{ty, 4}}), patch.height - patch.side);
      Value x = inside(e.linear(-patch.padLeft, {{tx, 4}}), patch.width - patch.side);
      Value begin = e.linear(0, {{n, patch.height * patch.width}, {y, patch.width}, {x, 1}});
      memref::StoreOp::create(b, e.loc, begin, places, e.add(i, e.constant(at)));
    };
    Value tile = e.add(first, i);
    if (fetchesInput)
      note(inputPatch(), e.add(tile, e.constant(t.block)), 0);
    if (fetchesResult)
      note(resultPatch(), tile, t.block);
  }

  /// Beside the products of position `p`, which leave memory alone, fetches one pixel of every
  /// tile: of the next block's input, a part of it for each group, and of the results to come.
  void fetch(Value group, Value p) {
    if (fetchesInput) // the columns on the left came with the tile before
      fetchPixel(inputPatch(), p, w.side() - 4, 0, [&](Value pixel) {
        for (const Channels &input : w.inputs) {
          Value mine = e.linear(0, {{pixel, input.count}, {group, lineElements}});
          for (int64_t at = 0; at < input.count; at += w.groups * lineElements)
            e.prefetch(e.memory[input.storage], e.add(mine, e.constant(at)), /*cache=*/2);
        }
      });
    if (fetchesResult)
      fetchPixel(resultPatch(), p, 0, t.block, [&](Value pixel) {
        Value mine = e.linear(0, {{pixel, w.f()}, {group, w.nr}});
        for (int64_t at = 0; at < w.nr; at += lineElements)
          e.prefetch(e.memory[w.outputs[0]], e.add(mine, e.constant(at)), /*cache=*/1,
                     /*isWrite=*/true);
      });
  }

  /// Calls `body` with pixel `p` of every patch noted from `at` on, if the patch has such a pixel
  /// and it lies right of `skipped` columns.
  void fetchPixel(const Patch &patch, Value p, int64_t skipped, int64_t at,
                  function_ref<void(Value)> body) {
    Value side = e.constant(patch.side);
    Value y = arith::DivUIOp::create(b, e.loc, p, side);
    Value x = arith::RemUIOp::create(b, e.loc, p, side);
    Value isRight =
        arith::CmpIOp::create(b, e.loc, arith::CmpIPredicate::uge, x, e.constant(skipped));
    auto branch =
        scf::IfOp::create(b, e.loc, both(isRight, within(y, patch.side)), /*withElse=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(branch.thenBlock());
    Value offset = e.linear(0, {{y, patch.width}, {x, 1}});
    e.forRange(e.constant(0), e.constant(t.block), 1, [&](Value i) {
      Value from = memref::LoadOp::create(b, e.loc, places, e.add(i, e.constant(at)));
      body(e.add(from, offset));
    });
  }

  /// Products of mr tiles with a panel.
  void multiply(Value group, Value p, Value i) {
    const int64_t nv = w.nr / t.lanes;
    Value zero = arith::ConstantOp::create(b, e.loc, cast<TypedAttr>(b.getZeroAttr(type)));
    SmallVector<Value> accumulators(t.mr * nv, zero);
    Value from = e.linear(0, {{p, inputStride(w, t)}, {i, channels}});
    Value panel = e.linear(0, {{group, w.positions() * w.c * w.nr}, {p, w.c * w.nr}});
    auto op =
        scf::ForOp::create(b, e.loc, e.constant(0), e.constant(w.c), e.constant(1), accumulators);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(op.getBody());
      Value c = op.getInductionVar();
      SmallVector<Value> next(op.getRegionIterArgs()), shared;
      for (int64_t v = 0; v < nv; ++v)
        shared.push_back(load(e.memory[w.weight], e.linear(v * t.lanes, {{panel, 1}, {c, w.nr}})));
      for (int64_t row = 0; row < t.mr; ++row) {
        Value x =
            memref::LoadOp::create(b, e.loc, inputs, e.linear(row * channels, {{from, 1}, {c, 1}}));
        x = broadcast(e, x, t.lanes);
        for (int64_t v = 0; v < nv; ++v) {
          Value &sum = next[row * nv + v];
          sum = vector::FMAOp::create(b, e.loc, x, shared[v], sum);
        }
      }
      scf::YieldOp::create(b, e.loc, next);
    }
    for (auto [k, sum] : llvm::enumerate(op.getResults()))
      store(sum, products,
            e.linear(static_cast<int64_t>(k) * t.lanes, {{p, productStride(w, t)}, {i, w.nr}}));
  }

  void transformOutput(Value group, Value i) {
    auto [n, ty, tx] = placeOf(i);
    Value y0 = e.mul(ty, 4), x0 = e.mul(tx, 4), f0 = e.mul(group, w.nr);
    e.forRange(e.constant(0), e.constant(w.nr), t.lanes, [&](Value f) {
      SmallVector<Value> square;
      for (int64_t p = 0; p < w.positions(); ++p)
        square.push_back(load(products, e.linear(p * productStride(w, t), {{i, w.nr}, {f, 1}})));
      for (auto [k, v] :
           llvm::enumerate(transform(square, w.taps == 3 ? outputSide : outputSide2, 4)))
        store(v, outputs, e.linear(static_cast<int64_t>(k) * w.nr, {{f, 1}}));
    });
    Value rows = arith::MinSIOp::create(b, e.loc, sub(e.constant(w.oh), y0), e.constant(4));
    Value columns = arith::MinSIOp::create(b, e.loc, sub(e.constant(w.ow), x0), e.constant(4));
    e.forRange(e.constant(0), rows, 1, [&](Value y) {
      e.forRange(e.constant(0), columns, 1, [&](Value x) {
        for (int64_t f = 0; f < w.nr; f += t.lanes) {
          Value v = load(outputs, e.linear(f, {{y, 4 * w.nr}, {x, w.nr}}));
          finish(v, {n, e.add(y0, y), e.add(x0, x), e.add(f0, e.constant(f))});
        }
      });
    });
  }

  /// The epilogue on 16 channels of a pixel, and its stores.
  void finish(Value v, ArrayRef<Value> place) {
    SmallVector<Value> results = {v};
    if (linalg::LinalgOp op = w.epilogue) {
      SmallVector<Value> arguments;
      for (OpOperand &operand : op->getOpOperands()) {
        Type element = op.getBlock()->getArgument(operand.getOperandNumber()).getType();
        if (op.isDpsInit(&operand))
          arguments.push_back(e.constant(cast<TypedAttr>(b.getZeroAttr(element))));
        else if (operand.get() == w.result)
          arguments.push_back(v);
        else if (!isa<RankedTensorType>(operand.get().getType()))
          arguments.push_back(e.scalars.lookup(operand.get()));
        else
          arguments.push_back(readAt(operand.get(), op.getMatchingIndexingMap(&operand), place));
      }
      results = cloneVectorBody(e, *op.getBlock(), arguments, {}, -1, {t.lanes, Value()});
    }
    const int64_t shape[] = {w.n, w.oh, w.ow, w.f()};
    for (auto [value, storage] : llvm::zip_equal(results, w.outputs))
      storeResult(e, value, storage, e.linearIndex(shape, place), {t.lanes, Value()},
                  w.f() % t.lanes == 0);
  }

  Value readAt(Value tensor, AffineMap map, ArrayRef<Value> place) {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(tensor.getType()).getShape();
    const bool alongF = map.isFunctionOfDim(map.getNumDims() - 1);
    return loadVector(e, w.plan.lookup(tensor), e.linearIndex(shape, e.evaluate(map, place)),
                      alongF ? 1 : 0, {t.lanes, Value()});
  }

  Emitter &e;
  OpBuilder &b;
  const Winograd &w;
  const WinogradTiling &t;
  const int64_t channels; ///< of a transformed tile in scratch: whole vectors
  VectorType type;
  Value inputs, products,
      outputs; ///< scratch: [position][block][channels], [position][block][nr], [16][nr]
  /// Of the block's tiles: where the next block's inputs begin, then where their results do.
  Value places;
  Value first, count; ///< the block's tiles
  bool fetchesInput = false, fetchesResult = false;
};

} // namespace

LogicalResult emitWinograd(Emitter &e, const Winograd &w, const WinogradTiling &t) {
  for (Operation &op : e.kernel.getBody().front().without_terminator())
    e.emitScalar(op);
  WinogradEmitter(e, w, t).emit();
  e.finish();
  return success();
}

} // namespace mtc::host
