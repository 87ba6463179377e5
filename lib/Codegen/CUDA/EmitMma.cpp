//===- EmitMma.cpp - matrix products and convolutions on tensor cores -----===//
//
// The implicit product of EmitContraction by mma.sync (sm_80 and later). Shared memory is a ring of
// stages, with one barrier a step:
//
//   copy terms of the first steps into all stages but one
//   for k: wait for stage k; barrier; copy terms of step k + stages - 1; registers += stage k
//
// What the barrier has passed has multiplied step k - 1, whose stage the copies overwrite. tf32 is
// copied as f32 by cp.async, four elements at once where neighbours of memory are neighbours of a
// tile, and rounded on the way to the tensor cores; f16 and bf16 pass through registers, rounded on
// the way to shared memory, and are read by ldmatrix; bytes are copied by cp.async where four terms
// and more are neighbours in memory, else through registers. Either direction of a tile may lie
// side by side in shared memory: whichever does in memory. Rows are padded so that the lanes of a
// fragment (4 apart in one direction, 8 in the other) and the rows of a matrix hit other banks.
//
// Source: PTX ISA 9.0, 9.7.14.5 (mma, ldmatrix), 9.7.9.25.3 (cp.async); NVIDIA's CUTLASS describes
// the multistage pipeline (docs: efficient_gemm).
//
//===----------------------------------------------------------------------===//
#include "EmitMma.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using mtc::host::Contraction;
using mtc::host::Storage;

namespace mtc::cuda {
namespace {

constexpr int64_t warpThreads = 32, mmaRows = 16, mmaColumns = 8;
constexpr int64_t sharedLimit = 48 << 10; ///< of memory that is not asked for at the launch

struct FormatRow {
  StringRef name;
  int64_t bytes; ///< of an element in shared memory
  int64_t terms; ///< of one product
  NVVM::MMATypes type;
};
FormatRow rowOf(MmaFormat format) {
  switch (format) {
  case MmaFormat::TF32:
    return {"tf32", 4, 8, NVVM::MMATypes::tf32};
  case MmaFormat::F16:
    return {"f16", 2, 16, NVVM::MMATypes::f16};
  case MmaFormat::BF16:
    return {"bf16", 2, 16, NVVM::MMATypes::bf16};
  case MmaFormat::I8:
    return {"i8", 1, 32, NVVM::MMATypes::s8};
  }
  llvm_unreachable("unknown format");
}

/// Elements from one row of a tile in shared memory to the next, of `inner` elements. Of words, the
/// eight groups of lanes are four banks apart where they go along rows, the four lanes of a group
/// eight banks apart where those do; of halves, eight rows of 16 bytes fill all banks.
int64_t pitchOf(MmaFormat format, int64_t inner, bool termsInside) {
  return inner + (format == MmaFormat::TF32 ? (termsInside ? 4 : 8) : 16 / rowOf(format).bytes);
}

/// Bytes of both tiles of all stages, in the larger layout of each.
int64_t sharedBytes(const MmaTile &t) {
  int64_t elements = 0;
  for (int64_t width : {t.bm, t.bn}) {
    const int64_t terms = width * pitchOf(t.format, t.bk, true);
    const int64_t across = t.bk * pitchOf(t.format, width, false);
    elements += t.format == MmaFormat::I8 ? terms : std::max(terms, across);
  }
  return elements * rowOf(t.format).bytes * t.stages;
}

/// Of a thread, an estimate: sums, the fragments of a step, what is on its way, and addresses.
int64_t registersOf(const MmaTile &t) {
  return t.wm * t.wn / warpThreads + t.wm / 4 + t.wn / 4 + (t.bm + t.bn) * t.bk / t.threads() + 64;
}

class MmaEmitter : ContractionFrame {
public:
  MmaEmitter(ThreadEmitter &e, const Contraction &c, const MmaTile &tile)
      : ContractionFrame(e, c, tile.bm, tile.bn, tile.bk), t(tile), format(rowOf(tile.format)),
        steps(llvm::divideCeil(terms, tile.bk)) {}

  void run() {
    for (Operation &op : e.kernel.getBody().front().without_terminator())
      e.emitScalar(op);
    // Two blocks an SM, one computing while the other waits, where both fit its registers.
    if (2 * t.threads() * registersOf(t) <= 64 << 10)
      e.function->setAttr(minBlocksAttribute, b.getI32IntegerAttr(2));
    a = planOf(sideA());
    w = planOf(sideB());
    lane = arith::RemUIOp::create(b, loc, e.thread, e.constant(warpThreads));
    Value warp = arith::DivUIOp::create(b, loc, e.thread, e.constant(warpThreads));
    auto [warpRow, warpColumn] = split(warp, t.bn / t.wn);
    std::tie(group, inGroup) = split(lane, 4);
    firstRow = e.mul(warpRow, t.wm);
    firstColumn = e.mul(warpColumn, t.wn);
    a.first = firstOf(a, firstRow);
    w.first = firstOf(w, firstColumn);
    e.forTiles([&](Value tile) { emitTile(tile); });
    e.finish();
  }

private:
  /// How an input comes to shared memory.
  struct Plan {
    Side side;
    bool termsInside;    ///< neighbouring terms, not rows or columns, lie side by side
    bool termsFirst;     ///< neighbouring threads copy neighbouring terms
    int64_t group;       ///< elements side by side that a thread copies at once
    bool isWide;         ///< they are neighbours in memory too
    bool isAsync;        ///< by cp.async
    int64_t pitch, size; ///< elements of shared memory to the next row, of a stage
    Value memory, first; ///< `first`: where the lane's part of its warp's first fragment begins
  };

  Plan planOf(const Side &side) {
    Plan p;
    p.side = side;
    p.termsFirst = !isContiguousAcross(side);
    p.termsInside = p.termsFirst || t.format == MmaFormat::I8; // bytes cannot be transposed
    const int64_t inner = p.termsInside ? t.bk : side.width;
    p.pitch = pitchOf(t.format, inner, p.termsInside);
    p.size = p.pitch * (p.termsInside ? side.width : t.bk);
    // The elements of a tile are spread evenly.
    const int64_t most = side.width * t.bk / t.threads();
    auto isWide = [&](int64_t group) { return isContiguousGroup(side, p.termsInside, group); };
    p.group = std::min<int64_t>(t.format == MmaFormat::I8 ? 16 : 4, most);
    while (p.group > 4 && !isWide(p.group))
      p.group /= 2;
    p.isWide = isWide(p.group);
    const Storage &storage = c.plan.storages[c.operands[side.operand].storage];
    const bool isCopied = t.format == MmaFormat::TF32 || (t.format == MmaFormat::I8 && p.isWide);
    p.isAsync = isCopied && storage.kind == Storage::Kind::Argument;
    if (!p.isWide && p.isAsync)
      p.group = 1;
    p.memory = e.shared(p.size * t.stages, sharedType());
    return p;
  }

  Type sharedType() {
    switch (t.format) {
    case MmaFormat::TF32:
      return b.getF32Type();
    case MmaFormat::F16:
      return b.getF16Type();
    case MmaFormat::BF16:
      return b.getBF16Type();
    case MmaFormat::I8:
      return b.getI8Type();
    }
    llvm_unreachable("unknown format");
  }
  Type sourceType() { return t.format == MmaFormat::I8 ? Type(b.getI8Type()) : b.getF32Type(); }

  /// Elements of shared memory to another row or column and another term.
  int64_t distance(const Plan &p, int64_t across, int64_t terms) {
    return p.termsInside ? across * p.pitch + terms : terms * p.pitch + across;
  }
  Value place(const Plan &p, Value across, Value term) {
    return p.termsInside ? e.add(e.mul(across, p.pitch), term)
                         : e.add(e.mul(term, p.pitch), across);
  }

  //===--------------------------------------------------------------------===//
  // From memory to shared memory
  //===--------------------------------------------------------------------===//

  int64_t perThread(const Plan &p) const { return p.side.width * t.bk / (t.threads() * p.group); }

  /// Row or column and term of the first element of a thread's `i`th group: neighbouring threads
  /// read neighbours.
  std::pair<Value, Value> positionOf(const Plan &p, int64_t i) {
    Value position = e.add(e.thread, e.constant(i * t.threads()));
    const int64_t perTerms = p.termsInside ? p.group : 1, perAcross = p.termsInside ? 1 : p.group;
    if (p.termsFirst) {
      auto [across, term] = split(position, t.bk / perTerms);
      return {e.mul(across, perAcross), e.mul(term, perTerms)};
    }
    auto [term, across] = split(position, p.side.width / perAcross);
    return {e.mul(across, perAcross), e.mul(term, perTerms)};
  }

  Source sourceOf(const Plan &p, int64_t i, int64_t element, Value firstTerm) {
    auto [across, term] = positionOf(p, i);
    (p.termsInside ? term : across) = e.add(p.termsInside ? term : across, e.constant(element));
    return locate(p.side, across, e.add(firstTerm, term));
  }

  Value stored(const Plan &p, int64_t i, Value stage) {
    auto [across, term] = positionOf(p, i);
    return e.add(e.mul(stage, p.size), place(p, across, term));
  }

  void copyAsync(const Plan &p, Value firstTerm, Value stage) {
    auto token = nvgpu::DeviceAsyncTokenType::get(b.getContext());
    for (int64_t i = 0; i < perThread(p); ++i) {
      Source source = sourceOf(p, i, 0, firstTerm);
      Value count;
      if (source.inside)
        count = arith::SelectOp::create(b, loc, source.inside, e.constant(p.group), e.constant(0));
      nvgpu::DeviceAsyncCopyOp::create(b, loc, token, p.memory, stored(p, i, stage),
                                       e.memory[c.operands[p.side.operand].storage], source.address,
                                       b.getIndexAttr(p.group), count,
                                       p.group * format.bytes == 16 ? b.getUnitAttr() : UnitAttr());
    }
  }

  /// The thread's groups, as vectors.
  SmallVector<Value> load(const Plan &p, Value firstTerm) {
    SmallVector<Value> groups;
    auto type = VectorType::get({p.group}, sourceType());
    Value memory = e.memory[c.operands[p.side.operand].storage];
    for (int64_t i = 0; i < perThread(p); ++i) {
      SmallVector<Value> elements;
      for (int64_t g = 0; g < (p.isWide ? 1 : p.group); ++g) {
        Source source = sourceOf(p, i, g, firstTerm);
        Value value = p.isWide
                          ? vector::LoadOp::create(b, loc, type, memory, source.address).getResult()
                          : memref::LoadOp::create(b, loc, memory, source.address).getResult();
        if (source.inside)
          value = arith::SelectOp::create(b, loc, source.inside, value, zeroOf(value.getType()));
        elements.push_back(value);
      }
      groups.push_back(p.isWide
                           ? elements.front()
                           : vector::FromElementsOp::create(b, loc, type, elements).getResult());
    }
    return groups;
  }

  /// Two f32 as halves.
  Value rounded(Value low, Value high) {
    auto type = VectorType::get({2}, sharedType());
    auto toNearest = NVVM::FPRoundingMode::RN;
    if (t.format == MmaFormat::F16)
      return NVVM::ConvertF32x2ToF16x2Op::create(b, loc, type, high, low, Value(), toNearest);
    return NVVM::ConvertF32x2ToBF16x2Op::create(b, loc, type, high, low, Value(), toNearest);
  }

  void store(const Plan &p, ArrayRef<Value> groups, Value stage) {
    for (auto [i, values] : llvm::enumerate(groups)) {
      Value at = stored(p, static_cast<int64_t>(i), stage);
      if (sharedType() == sourceType()) {
        vector::StoreOp::create(b, loc, values, p.memory, at);
        continue;
      }
      Value halves;
      for (int64_t g = 0; g < p.group; g += 2) {
        Value two = rounded(vector::ExtractOp::create(b, loc, values, g),
                            vector::ExtractOp::create(b, loc, values, g + 1));
        halves = halves
                     ? vector::ShuffleOp::create(b, loc, halves, two, ArrayRef<int64_t>{0, 1, 2, 3})
                     : two;
      }
      vector::StoreOp::create(b, loc, halves, p.memory, at);
    }
  }

  //===--------------------------------------------------------------------===//
  // From shared memory to registers
  //===--------------------------------------------------------------------===//

  /// Where the lane's part of its warp's first fragment lies. Of words that is an element of it; of
  /// others the row of 16 bytes whose address the lane gives: lanes 8 i and following name the rows
  /// of matrix i, which lie side by side as the registers of a fragment do - of A first down the
  /// rows, of two fragments of B first along the terms.
  Value firstOf(const Plan &p, Value firstAcross) {
    if (t.format == MmaFormat::TF32)
      return place(p, e.add(firstAcross, group), inGroup);
    auto [matrix, row] = split(lane, 8);
    auto [high, low] = split(matrix, 2);
    Value across = e.mul(p.side.isRows ? low : high, 8),
          term = e.mul(p.side.isRows ? high : low, 16 / format.bytes);
    if (p.termsInside)
      across = e.add(across, row);
    else
      term = e.add(term, row);
    return place(p, e.add(firstAcross, across), term);
  }

  /// Four registers: a fragment of A, or two neighbours of B.
  SmallVector<Value> loadFragment(const Plan &p, Value stageStart, int64_t across, int64_t term) {
    SmallVector<Value> registers;
    Value start = e.add(stageStart, p.first);
    if (t.format != MmaFormat::TF32) {
      auto type = VectorType::get({4, 4 / format.bytes}, sharedType());
      Value at = e.add(start, e.constant(distance(p, across, term)));
      Value all =
          nvgpu::LdMatrixOp::create(b, loc, type, p.memory, at, /*transpose=*/!p.termsInside, 4);
      for (int64_t r = 0; r < 4; ++r)
        registers.push_back(asOperand(vector::ExtractOp::create(b, loc, all, r)));
      return registers;
    }
    for (int64_t r = 0; r < 4; ++r) {
      int64_t down = p.side.isRows ? r % 2 : r / 2, along = p.side.isRows ? r / 2 : r % 2;
      Value at = e.add(start, e.constant(distance(p, across + 8 * down, term + 4 * along)));
      Value value = memref::LoadOp::create(b, loc, p.memory, at);
      registers.push_back(NVVM::ConvertFloatToTF32Op::create(b, loc, b.getI32Type(), value,
                                                             NVVM::FPRoundingMode::RNA));
    }
    return registers;
  }

  /// mma.sync takes pairs of f16, and of others their bits.
  Value asOperand(Value elements) {
    return t.format == MmaFormat::F16
               ? elements
               : LLVM::BitcastOp::create(b, loc, b.getI32Type(), elements).getRes();
  }

  NVVM::MMATypes typeOf(const Plan &p) const {
    return t.format == MmaFormat::I8 && !c.operands[p.side.operand].isSigned ? NVVM::MMATypes::u8
                                                                             : format.type;
  }

  void multiplyFragments(ArrayRef<Value> rows, ArrayRef<Value> columns,
                         MutableArrayRef<Value> sums) {
    SmallVector<Type> types(4, c.element);
    auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
    std::optional<NVVM::MMAIntOverflow> overflow;
    if (t.format == MmaFormat::I8)
      overflow = NVVM::MMAIntOverflow::wrapped;
    Value all = NVVM::MmaOp::create(b, loc, type, rows, columns, ValueRange(sums),
                                    {mmaRows, mmaColumns, format.terms}, std::nullopt, overflow,
                                    std::array{typeOf(a), typeOf(w)},
                                    std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (int64_t r = 0; r < 4; ++r)
      sums[r] = LLVM::ExtractValueOp::create(b, loc, all, r);
  }

  /// Adds the products of a stage.
  void multiply(Value stage, MutableArrayRef<Value> sums) {
    Value startA = e.mul(stage, a.size), startB = e.mul(stage, w.size);
    for (int64_t k = 0; k < t.bk; k += format.terms) {
      SmallVector<SmallVector<Value>> columns;
      for (int64_t j = 0; j < t.wn; j += 2 * mmaColumns)
        columns.push_back(loadFragment(w, startB, j, k));
      for (int64_t i = 0; i < t.wm / mmaRows; ++i) {
        SmallVector<Value> rows = loadFragment(a, startA, mmaRows * i, k);
        for (int64_t j = 0; j < t.wn / mmaColumns; ++j)
          multiplyFragments(rows, ArrayRef(columns[j / 2]).slice(2 * (j % 2), 2),
                            sums.slice(4 * (i * (t.wn / mmaColumns) + j), 4));
      }
    }
  }

  //===--------------------------------------------------------------------===//
  // The pipeline
  //===--------------------------------------------------------------------===//

  bool anyAsync() const { return a.isAsync || w.isAsync; }

  void startCopies(Value step, Value stage) {
    for (const Plan *p : {&a, &w})
      if (p->isAsync)
        copyAsync(*p, e.mul(step, t.bk), stage);
  }
  SmallVector<Value> loadAll(Value step) {
    SmallVector<Value> groups;
    for (const Plan *p : {&a, &w})
      if (!p->isAsync)
        llvm::append_range(groups, load(*p, e.mul(step, t.bk)));
    return groups;
  }
  void storeAll(ArrayRef<Value> groups, Value stage) {
    for (const Plan *p : {&a, &w})
      if (!p->isAsync) {
        store(*p, groups.take_front(perThread(*p)), stage);
        groups = groups.drop_front(perThread(*p));
      }
  }
  void commit() {
    if (anyAsync())
      NVVM::CpAsyncCommitGroupOp::create(b, loc);
  }

  /// What loadAll gives, or zeros.
  SmallVector<Value> loadIf(Value condition, Value step) {
    OpBuilder::InsertionGuard guard(b);
    SmallVector<Type> types;
    for (const Plan *p : {&a, &w})
      if (!p->isAsync)
        types.append(perThread(*p), VectorType::get({p->group}, sourceType()));
    if (types.empty())
      return {};
    auto branch = scf::IfOp::create(b, loc, types, condition, /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(b, loc, loadAll(step));
    b.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(b, loc, llvm::map_to_vector(types, [&](Type x) { return zeroOf(x); }));
    return branch.getResults();
  }

  void emitTile(Value tile) {
    startTile(tile);
    const int64_t ahead = t.stages - 1;
    e.barrier(); // others may still read the last tile's stages
    for (int64_t s = 0; s < ahead; ++s) {
      if (s < steps) {
        startCopies(e.constant(s), e.constant(s));
        storeAll(loadAll(e.constant(s)), e.constant(s));
      }
      commit();
    }
    SmallVector<Value> carried = {e.constant(0)};
    carried.append(t.wm * t.wn / warpThreads, e.scalars.lookup(c.initial));
    auto loop =
        scf::ForOp::create(b, loc, e.constant(0), e.constant(steps), e.constant(1), carried);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value stage = loop.getRegionIterArg(0);
      SmallVector<Value> sums(loop.getRegionIterArgs().drop_front());
      if (anyAsync())
        NVVM::CpAsyncWaitGroupOp::create(b, loc, static_cast<uint32_t>(ahead - 1));
      e.barrier();
      Value following = e.add(loop.getInductionVar(), e.constant(ahead));
      Value free = wrapped(e.add(stage, e.constant(ahead)), stage, -1);
      SmallVector<Value> groups;
      Value isMore = e.less(following, steps);
      if (steps > ahead) {
        if (anyAsync())
          e.when(isMore, [&] { startCopies(following, free); });
        groups = loadIf(isMore, following);
      }
      commit();
      multiply(stage, sums);
      if (!groups.empty())
        e.when(isMore, [&] { storeAll(groups, free); });
      SmallVector<Value> next = {wrapped(e.add(stage, e.constant(1)), stage, 1 - t.stages)};
      llvm::append_range(next, sums);
      scf::YieldOp::create(b, loc, next);
    }
    finishTile(loop.getResults().drop_front());
  }

  /// `moved`, or stage + back where that is no stage.
  Value wrapped(Value moved, Value stage, int64_t back) {
    return arith::SelectOp::create(b, loc, e.less(moved, t.stages), moved,
                                   e.add(stage, e.constant(back)));
  }

  /// Lane (group, t) holds columns 2 t and 2 t + 1 of rows group and group + 8 of each 16 x 8.
  void finishTile(ValueRange sums) {
    const int64_t perRow = t.wn / mmaColumns;
    Value lowestRow = e.add(e.add(tileRow, firstRow), group);
    Value lowestColumn = e.add(e.add(tileColumn, firstColumn), e.mul(inGroup, 2));
    const bool ragged = columns % t.bn != 0, pairs = columns % 2 == 0;
    for (int64_t i = 0; i < t.wm / 8; ++i) {
      Value row = e.add(lowestRow, e.constant(8 * i));
      whenBelow(row, rows, rows % t.bm != 0, [&] {
        setLoops(rowLoops, row);
        for (int64_t j = 0; j < perRow; ++j) {
          Value column = e.add(lowestColumn, e.constant(mmaColumns * j));
          whenBelow(column, columns, ragged && pairs, [&] {
            for (int64_t g = 0; g < 2; ++g) {
              Value at = e.add(column, e.constant(g));
              whenBelow(at, columns, ragged && !pairs, [&] {
                index[c.n] = at;
                finishElement(sums[4 * (i / 2 * perRow + j) + 2 * (i % 2) + g]);
              });
            }
          });
        }
      });
    }
  }

  MmaTile t;
  FormatRow format;
  int64_t steps;
  Plan a, w; ///< the input that varies with rows, and that with columns
  Value lane, group, inGroup, firstRow, firstColumn;
};

} // namespace

StringRef nameOf(MmaFormat format) { return rowOf(format).name; }

std::optional<MmaFormat> mmaFormat(StringRef name) {
  for (MmaFormat format : {MmaFormat::TF32, MmaFormat::F16, MmaFormat::BF16, MmaFormat::I8})
    if (name == nameOf(format))
      return format;
  return std::nullopt;
}

bool fits(MmaFormat format, const Contraction &c) {
  return isOfBytes(c) == (format == MmaFormat::I8);
}

std::pair<MmaTile, double> chooseMmaTile(const Contraction &c, MmaFormat format,
                                         const GpuRow &gpu) {
  struct Cut {
    int64_t bm, bn, wm, wn;
    double efficiency; ///< part of the tensor cores' peak (estimates: mma.sync cannot reach it all)
  };
  static constexpr Cut cuts[] = {
      {128, 128, 64, 32, 0.55}, {128, 64, 32, 32, 0.45}, {64, 128, 32, 32, 0.45},
      {64, 64, 32, 32, 0.35},   {128, 32, 32, 32, 0.35}, {64, 32, 32, 16, 0.25},
      {32, 64, 16, 32, 0.25},   {32, 32, 16, 16, 0.15},  {16, 128, 16, 32, 0.15},
      {16, 64, 16, 16, 0.1},    {64, 16, 16, 16, 0.1},   {128, 16, 32, 16, 0.15},
  };
  // Rates go with the bits: the data sheets that Support/DeviceTable names.
  const double peak = gpu.f16TensorFlopsPerNs * 2 / static_cast<double>(rowOf(format).bytes);
  const int64_t units = std::max(1, gpu.units / 4);
  auto terms = static_cast<double>(c.product(c.reductions));
  double least = 0, reached = 0;
  MmaTile best;
  for (const Cut &cut : cuts) {
    MmaTile tile{format, cut.bm, cut.bn, 64 / rowOf(format).bytes, cut.wm, cut.wn, 4};
    while (!isValid(tile) && tile.stages > 2)
      --tile.stages;
    if (!isValid(tile))
      continue;
    double flops = 2.0 * static_cast<double>(cut.bm * cut.bn) * terms;
    double loads = (isOfBytes(c) ? 1.0 : 4.0) * static_cast<double>(cut.bm + cut.bn) * terms;
    double ns = std::max(flops / (peak * cut.efficiency), loads / gpu.unitBytesPerNs) *
                static_cast<double>(llvm::divideCeil(tilesOf(c, cut.bm, cut.bn), units));
    if (least == 0 || ns < least) {
      least = ns;
      best = tile;
      reached = cut.efficiency * peak / gpu.f32FlopsPerNs;
    }
  }
  return {best, reached};
}

bool isValid(const MmaTile &t) {
  const FormatRow format = rowOf(t.format);
  for (int64_t n : {t.bm, t.bn, t.bk, t.wm, t.wn})
    if (n < 8 || n > 256 || !llvm::isPowerOf2_64(n))
      return false;
  if (t.wm < mmaRows || t.wn < 2 * mmaColumns || t.wm > t.bm || t.wn > t.bn ||
      t.bk < format.terms || t.stages < 2 || t.stages > 8)
    return false;
  const int64_t threads = t.threads();
  const int64_t leastGroup = 4 / format.bytes; // a word
  return threads <= 1024 && registersOf(t) <= std::min<int64_t>(255, (64 << 10) / threads) &&
         std::min(t.bm, t.bn) * t.bk >= threads * leastGroup && sharedBytes(t) <= sharedLimit;
}

void emitMma(ThreadEmitter &emitter, const Contraction &c, const MmaTile &tile) {
  MmaEmitter(emitter, c, tile).run();
}

} // namespace mtc::cuda
