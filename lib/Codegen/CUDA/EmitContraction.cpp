//===- EmitContraction.cpp - matrix products and convolutions on CUDA cores ===//
//
//   next <- global memory, terms [0, bk)
//   for k0: barrier; shared <- next; barrier; next <- terms [k0 + bk, ...); registers += shared
//
// The loads of the next terms are under way while these are multiplied. Rows and columns of a
// thread are groups of four, a warp's groups side by side: reads of shared memory are 128 bits and
// without conflicts. Source: V. Volkov, J. Demmel, "Benchmarking GPUs to tune dense linear
// algebra", SC 2008.
//
//===----------------------------------------------------------------------===//
#include "EmitContraction.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using mtc::host::Contraction;

namespace mtc::cuda {
namespace {

/// Elements between rows of a tile in shared memory beyond its own: transposed stores hit other
/// banks.
constexpr int64_t sharedPad = 4;

/// Rows (or columns) of a thread that lie side by side.
int64_t groupOf(int64_t perThread) { return std::min<int64_t>(4, perThread); }

class ContractionEmitter : ContractionFrame {
public:
  ContractionEmitter(ThreadEmitter &e, const Contraction &c, const ContractionTile &tile)
      : ContractionFrame(e, c, tile.bm, tile.bn, tile.bk), t(tile) {}

  void run() {
    for (Operation &op : e.kernel.getBody().front().without_terminator())
      e.emitScalar(op);
    // Two blocks an SM, one computing while the other waits, unless that makes ptxas spill (8x8
    // results a thread in 128 registers: 16 bytes, ptxas 13.0).
    if (t.threads() <= 256 && t.tm * t.tn <= 32)
      e.function->setAttr(minBlocksAttribute, b.getI32IntegerAttr(2));
    Type f32 = b.getF32Type();
    sharedA = e.shared(t.bk * (t.bm + sharedPad), f32);
    sharedB = e.shared(t.bk * (t.bn + sharedPad), f32);
    std::tie(threadRow, threadColumn) = split(e.thread, t.bn / t.tn);
    e.forTiles([&](Value tile) { emitTile(tile); });
    e.finish();
  }

private:
  /// Which row or column and which term of a tile a thread loads as its `i`th: neighbouring threads
  /// read neighbouring elements.
  std::pair<Value, Value> positionOf(const Side &side, int64_t i) {
    Value position = e.add(e.thread, e.constant(i * t.threads()));
    bool termsInside = !isContiguousAcross(side);
    auto [outer, inner] = split(position, termsInside ? t.bk : side.width);
    return termsInside ? std::pair(outer, inner) : std::pair(inner, outer);
  }

  /// That element, of the terms from `firstTerm` on.
  Value loadElement(const Side &side, int64_t i, Value firstTerm) {
    auto [across, term] = positionOf(side, i);
    Source source = locate(side, across, e.add(firstTerm, term));
    Value value =
        memref::LoadOp::create(b, loc, e.memory[c.operands[side.operand].storage], source.address);
    if (source.inside)
      value = arith::SelectOp::create(b, loc, source.inside, value, zeroOf(value.getType()));
    if (!value.getType().isF32())
      value = arith::ExtFOp::create(b, loc, b.getF32Type(), value);
    return value;
  }

  SmallVector<Value> loadAll(Value firstTerm) {
    SmallVector<Value> values;
    for (const Side &side : {sideA(), sideB()})
      for (int64_t i = 0; i < perThread(side); ++i)
        values.push_back(loadElement(side, i, firstTerm));
    return values;
  }

  int64_t perThread(const Side &side) const { return side.width * t.bk / t.threads(); }

  void storeAll(ArrayRef<Value> values) {
    for (const Side &side : {sideA(), sideB()})
      for (int64_t i = 0; i < perThread(side); ++i) {
        auto [across, term] = positionOf(side, i);
        Value place = e.add(e.mul(term, side.width + sharedPad), across);
        memref::StoreOp::create(b, loc, values.front(), side.isRows ? sharedA : sharedB, place);
        values = values.drop_front();
      }
  }

  /// Position in the tile of a thread's row (column) `i`, which is first of its group.
  Value first(Value ofThread, int64_t i, int64_t perThread, int64_t width) {
    int64_t group = groupOf(perThread), threadsAcross = width / perThread;
    return e.add(e.mul(ofThread, group), e.constant(i / group * threadsAcross * group));
  }

  VectorType groupType(int64_t count) { return VectorType::get({count}, b.getF32Type()); }

  SmallVector<Value> multiply(SmallVector<Value> sums) {
    int64_t gm = groupOf(t.tm), gn = groupOf(t.tn);
    for (int64_t k = 0; k < t.bk; ++k) {
      SmallVector<Value> as, bs;
      for (int64_t i = 0; i < t.tm; i += gm) {
        Value at = e.add(first(threadRow, i, t.tm, t.bm), e.constant(k * (t.bm + sharedPad)));
        as.push_back(vector::LoadOp::create(b, loc, groupType(gm), sharedA, at));
      }
      for (int64_t j = 0; j < t.tn; j += gn) {
        Value at = e.add(first(threadColumn, j, t.tn, t.bn), e.constant(k * (t.bn + sharedPad)));
        bs.push_back(vector::LoadOp::create(b, loc, groupType(gn), sharedB, at));
      }
      for (int64_t i = 0; i < t.tm; ++i) {
        Value a = vector::ExtractOp::create(b, loc, as[i / gm], i % gm);
        Value row = vector::BroadcastOp::create(b, loc, groupType(gn), a);
        for (auto [j, column] : llvm::enumerate(bs)) {
          Value &sum = sums[i * bs.size() + j];
          sum = vector::FMAOp::create(b, loc, row, column, sum);
        }
      }
    }
    return sums;
  }

  void emitTile(Value tile) {
    startTile(tile);
    SmallVector<Value> carried = loadAll(e.constant(0));
    size_t loads = carried.size();
    VectorType type = groupType(groupOf(t.tn));
    Value start = vector::BroadcastOp::create(b, loc, type, e.scalars.lookup(c.initial));
    carried.append(t.tm * t.tn / groupOf(t.tn), start);
    int64_t last = (llvm::divideCeil(terms, t.bk) - 1) * t.bk;
    auto loop =
        scf::ForOp::create(b, loc, e.constant(0), e.constant(last + 1), e.constant(t.bk), carried);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      SmallVector<Value> values(loop.getRegionIterArgs());
      e.barrier();
      storeAll(ArrayRef(values).take_front(loads));
      e.barrier();
      // Past the end the last terms are loaded again.
      Value following = e.add(loop.getInductionVar(), e.constant(t.bk));
      following = arith::MinSIOp::create(b, loc, following, e.constant(last));
      SmallVector<Value> next = loadAll(following);
      llvm::append_range(next, multiply({values.begin() + loads, values.end()}));
      scf::YieldOp::create(b, loc, next);
    }
    finishTile(loop.getResults().drop_front(loads));
  }

  void finishTile(ValueRange sums) {
    int64_t gm = groupOf(t.tm), gn = groupOf(t.tn);
    for (int64_t i = 0; i < t.tm; ++i) {
      Value row = e.add(e.add(tileRow, first(threadRow, i, t.tm, t.bm)), e.constant(i % gm));
      whenBelow(row, rows, rows % t.bm != 0, [&] {
        setLoops(rowLoops, row);
        for (int64_t j = 0; j < t.tn; j += gn) {
          Value column = e.add(tileColumn, first(threadColumn, j, t.tn, t.bn));
          bool ragged = columns % t.bn != 0, wholeGroups = columns % gn == 0;
          whenBelow(column, columns, ragged && wholeGroups, [&] {
            for (int64_t g = 0; g < gn; ++g) {
              Value at = e.add(column, e.constant(g));
              whenBelow(at, columns, ragged && !wholeGroups, [&] {
                index[c.n] = at;
                finishElement(vector::ExtractOp::create(b, loc, sums[(i * t.tn + j) / gn], g));
              });
            }
          });
        }
      });
    }
  }

  ContractionTile t;
  Value sharedA, sharedB, threadRow, threadColumn;
};

} // namespace

ArrayRef<std::pair<ContractionTile, double>> contractionTiles() {
  // Parts of the peak: estimates after the bytes of shared memory a multiply-add takes.
  static constexpr std::pair<ContractionTile, double> tiles[] = {
      {{128, 128, 8, 8, 8}, 0.8},  {{128, 64, 16, 8, 4}, 0.7}, {{64, 128, 16, 4, 8}, 0.7},
      {{64, 64, 16, 4, 4}, 0.6},   {{128, 32, 16, 8, 4}, 0.6}, {{64, 32, 16, 4, 4}, 0.5},
      {{128, 16, 16, 4, 4}, 0.45}, {{32, 32, 16, 2, 4}, 0.35}, {{64, 16, 16, 2, 4}, 0.35},
      {{16, 64, 16, 2, 4}, 0.35},  {{8, 128, 16, 1, 8}, 0.25}, {{8, 64, 16, 1, 4}, 0.2},
  };
  return tiles;
}

double efficiencyOf(const ContractionTile &t) {
  for (const auto &[tile, efficiency] : contractionTiles())
    if (std::tuple(tile.bm, tile.bn, tile.tm, tile.tn) == std::tuple(t.bm, t.bn, t.tm, t.tn))
      return efficiency;
  // Shared memory is read tm + tn times for tm * tn products.
  return std::min(0.8, 0.16 * static_cast<double>(t.tm * t.tn) / static_cast<double>(t.tm + t.tn));
}

static int64_t sharedBytes(const ContractionTile &t) {
  return 4 * t.bk * (t.bm + t.bn + 2 * sharedPad);
}

GpuBlock blockOf(const ContractionTile &t) {
  // Sums, factors of two terms, what is on its way, and addresses.
  const int64_t loaded = (t.bm + t.bn) * t.bk / t.threads();
  return {t.threads(), t.tm * t.tn + 2 * (t.tm + t.tn) + 2 * loaded + 40, sharedBytes(t)};
}

bool isValid(const ContractionTile &t) {
  for (int64_t n : {t.bm, t.bn, t.bk, t.tm, t.tn})
    if (n < 1 || n > 256 || !llvm::isPowerOf2_64(n))
      return false;
  int64_t threads = t.tm > t.bm || t.tn > t.bn ? 0 : t.threads();
  return threads >= 32 && threads <= 1024 && t.bm * t.bk % threads == 0 &&
         t.bn * t.bk % threads == 0 && sharedBytes(t) <= 48 << 10;
}

void emitContraction(ThreadEmitter &emitter, const Contraction &c, const ContractionTile &tile) {
  ContractionEmitter(emitter, c, tile).run();
}

} // namespace mtc::cuda
