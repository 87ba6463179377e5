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
// tile, and rounded on the way to the tensor cores; what becomes f16 and bf16 passes through
// registers, rounded on the way to shared memory, and is read by ldmatrix; bytes, and what is f16
// or bf16 in memory, are copied by cp.async where four bytes and more are neighbours there, else
// through registers. Either direction of a tile may lie side by side in shared memory: whichever
// does in memory. Rows are padded so that the lanes of a fragment (4 apart in one direction, 8 in
// the other) and the rows of a matrix hit other banks.
//
// On sm_90a four warps multiply together by wgmma, which reads shared memory itself: rows of 128
// bytes of terms, whatever lies side by side in memory, swizzled as the descriptors say. What is of
// another format in memory passes through registers, tf32 too, since wgmma would cut off what it
// does not round.
// Step k is multiplied while the terms of later steps are copied, and may go on until step k + 1
// was started, so that copies go one stage less ahead.
//
// Source: PTX ISA 9.0, 9.7.14.5 (mma, ldmatrix), 9.7.15 (wgmma), 9.7.9.25.3 (cp.async); NVIDIA's
// CUTLASS describes the multistage pipeline (docs: efficient_gemm).
//
//===----------------------------------------------------------------------===//
#include "EmitMma.h"

#include "MmaFrame.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using mtc::host::Contraction;

namespace mtc::cuda {
namespace {

class MmaEmitter : MmaFrame {
public:
  MmaEmitter(ThreadEmitter &e, const Contraction &c, const MmaTile &tile)
      : MmaFrame(e, c, tile), ahead(tile.stages - (tile.byGroup ? 2 : 1)) {}

  void run() {
    start();
    if (!t.byGroup) {
      a.first = firstOf(a, firstRow);
      w.first = firstOf(w, firstColumn);
    }
    e.forTiles([&](Value tile) { emitTile(tile); });
    e.finish();
  }

private:
  //===--------------------------------------------------------------------===//
  // From memory to shared memory
  //===--------------------------------------------------------------------===//

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
                                       p.group * bytes == 16 ? b.getUnitAttr() : UnitAttr());
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
          term = e.mul(p.side.isRows ? high : low, 16 / bytes);
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
      auto type = VectorType::get({4, 4 / bytes}, sharedType());
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
      registers.push_back(roundedWord(value));
    }
    return registers;
  }

  /// mma.sync takes pairs of f16, and of others their bits.
  Value asOperand(Value elements) {
    return t.format == MmaFormat::F16
               ? elements
               : LLVM::BitcastOp::create(b, loc, b.getI32Type(), elements).getRes();
  }

  void multiplyFragments(ArrayRef<Value> rows, ArrayRef<Value> columns,
                         MutableArrayRef<Value> sums) {
    SmallVector<Type> types(4, c.element);
    auto type = LLVM::LLVMStructType::getLiteral(b.getContext(), types);
    std::optional<NVVM::MMAIntOverflow> overflow;
    if (t.format == MmaFormat::I8)
      overflow = NVVM::MMAIntOverflow::wrapped;
    Value all = NVVM::MmaOp::create(b, loc, type, rows, columns, ValueRange(sums),
                                    {mmaRows, mmaColumns, productTerms(t.format)}, std::nullopt,
                                    overflow, std::array{typeOf(a), typeOf(w)},
                                    std::array{NVVM::MMALayout::row, NVVM::MMALayout::col});
    for (int64_t r = 0; r < 4; ++r)
      sums[r] = LLVM::ExtractValueOp::create(b, loc, all, r);
  }

  /// Adds the products of a stage.
  void multiply(Value stage, MutableArrayRef<Value> sums) {
    Value startA = e.mul(stage, a.size), startB = e.mul(stage, w.size);
    for (int64_t k = 0; k < t.bk; k += productTerms(t.format)) {
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
        for (int64_t i = 0; i < perThread(*p); ++i)
          store(*p, i, groups[i], stage);
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
        types.append(perThread(*p), loadedType(*p));
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
    e.barrier(); // others may still read the last tile's stages
    for (int64_t s = 0; s < ahead; ++s) {
      if (s < steps) {
        startCopies(e.constant(s), e.constant(s));
        storeAll(loadAll(e.constant(s)), e.constant(s));
      }
      commit();
    }
    SmallVector<Value> carried = {e.constant(0)};
    if (t.byGroup)
      carried.push_back(firstSums());
    else
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
      if (t.byGroup)
        fenceProxy();
      e.barrier();
      if (t.byGroup)
        sums.front() = multiplyGroup(stage, sums.front());
      Value following = e.add(loop.getInductionVar(), e.constant(ahead));
      Value free = wrapped(e.add(stage, e.constant(ahead)), stage, ahead - t.stages);
      SmallVector<Value> groups;
      Value isMore = e.less(following, steps);
      if (steps > ahead) {
        if (anyAsync())
          e.when(isMore, [&] { startCopies(following, free); });
        groups = loadIf(isMore, following);
      }
      commit();
      if (!t.byGroup)
        multiply(stage, sums);
      if (!groups.empty())
        e.when(isMore, [&] { storeAll(groups, free); });
      if (t.byGroup)
        NVVM::WgmmaWaitGroupSyncOp::create(b, loc, uint64_t(1));
      SmallVector<Value> next = {wrapped(e.add(stage, e.constant(1)), stage, 1 - t.stages)};
      llvm::append_range(next, sums);
      scf::YieldOp::create(b, loc, next);
    }
    if (t.byGroup)
      finishTile(finishedSums(loop.getResult(1)));
    else
      finishTile(loop.getResults().drop_front());
  }

  int64_t ahead; ///< steps that copies go before products
};

} // namespace

void emitMma(ThreadEmitter &emitter, const Contraction &c, const MmaTile &tile) {
  MmaEmitter(emitter, c, tile).run();
}

} // namespace mtc::cuda
