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
// On sm_90a four warps multiply together by wgmma, which reads shared memory itself: rows of 128
// bytes of terms, whatever lies side by side in memory, swizzled as the descriptors say. Everything
// but bytes passes through registers, tf32 too, since wgmma would cut off what it does not round.
// Step k is multiplied while the terms of later steps are copied, and may go on until step k + 1
// was started, so that copies go one stage less ahead.
//
// Source: PTX ISA 9.0, 9.7.14.5 (mma, ldmatrix), 9.7.15 (wgmma), 9.7.9.25.3 (cp.async); NVIDIA's
// CUTLASS describes the multistage pipeline (docs: efficient_gemm).
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
constexpr int64_t groupWarps = 4, groupRows = 64;

NVVM::MMATypes mmaType(MmaFormat format) {
  switch (format) {
  case MmaFormat::TF32:
    return NVVM::MMATypes::tf32;
  case MmaFormat::F16:
    return NVVM::MMATypes::f16;
  case MmaFormat::BF16:
    return NVVM::MMATypes::bf16;
  case MmaFormat::I8:
    return NVVM::MMATypes::s8;
  }
  llvm_unreachable("unknown format");
}

NVVM::WGMMATypes groupType(NVVM::MMATypes type) {
  switch (type) {
  case NVVM::MMATypes::tf32:
    return NVVM::WGMMATypes::tf32;
  case NVVM::MMATypes::f16:
    return NVVM::WGMMATypes::f16;
  case NVVM::MMATypes::bf16:
    return NVVM::WGMMATypes::bf16;
  case NVVM::MMATypes::u8:
    return NVVM::WGMMATypes::u8;
  default:
    return NVVM::WGMMATypes::s8;
  }
}

class MmaEmitter : ContractionFrame {
public:
  MmaEmitter(ThreadEmitter &e, const Contraction &c, const MmaTile &tile)
      : ContractionFrame(e, c, tile.bm, tile.bn, tile.bk), t(tile),
        bytes(elementBytes(tile.format)), steps(llvm::divideCeil(terms, tile.bk)),
        ahead(tile.stages - (tile.byGroup ? 2 : 1)) {}

  void run() {
    for (Operation &op : e.kernel.getBody().front().without_terminator())
      e.emitScalar(op);
    if (wantedBlocks(t) > 1)
      e.function->setAttr(minBlocksAttribute, b.getI32IntegerAttr(2));
    a = planOf(sideA());
    w = planOf(sideB());
    lane = arith::RemUIOp::create(b, loc, e.thread, e.constant(warpThreads));
    Value warp = arith::DivUIOp::create(b, loc, e.thread, e.constant(warpThreads));
    std::tie(group, inGroup) = split(lane, 4);
    Value team = warp, warpOfTeam;
    if (t.byGroup)
      std::tie(team, warpOfTeam) = split(warp, groupWarps);
    auto [teamRow, teamColumn] = split(team, t.bn / t.wn);
    firstRow = e.mul(teamRow, t.wm);
    firstColumn = e.mul(teamColumn, t.wn);
    if (t.byGroup) {
      a.first = describe(a, firstRow);
      w.first = describe(w, firstColumn);
      firstRow = e.add(firstRow, e.mul(warpOfTeam, groupRows / groupWarps));
    } else {
      a.first = firstOf(a, firstRow);
      w.first = firstOf(w, firstColumn);
    }
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
    /// `first`: where the lane's part of its warp's first fragment begins, or the descriptor of its
    /// warpgroup's first matrix.
    Value memory, first;
  };

  Plan planOf(const Side &side) {
    Plan p;
    p.side = side;
    p.termsFirst = !isContiguousAcross(side);
    // Bytes cannot be transposed, and a warpgroup transposes halves only.
    p.termsInside = p.termsFirst || t.byGroup || t.format == MmaFormat::I8;
    const int64_t inner = p.termsInside ? t.bk : side.width;
    p.pitch = pitchOf(t, inner, p.termsInside);
    p.size = p.pitch * (p.termsInside ? side.width : t.bk);
    // The elements of a tile are spread evenly.
    const int64_t most = side.width * t.bk / t.threads();
    auto isWide = [&](int64_t group) { return isContiguousGroup(side, p.termsInside, group); };
    p.group = std::min<int64_t>(t.byGroup ? 16 / bytes : t.format == MmaFormat::I8 ? 16 : 4, most);
    const int64_t narrow = t.byGroup ? p.group : 4; // where they are no neighbours
    while (p.group > 4 && !isWide(p.group))
      p.group /= 2;
    p.isWide = isWide(p.group);
    if (!p.isWide)
      p.group = std::min(narrow, most);
    const Storage &storage = c.plan.storages[c.operands[side.operand].storage];
    const bool isCopied =
        (t.format == MmaFormat::TF32 && !t.byGroup) || (t.format == MmaFormat::I8 && p.isWide);
    p.isAsync = isCopied && storage.kind == Storage::Kind::Argument;
    if (!p.isWide && p.isAsync)
      p.group = 1;
    p.memory = e.shared(p.size * t.stages, sharedType(), t.byGroup ? 1024 : 16);
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
    if (t.byGroup) { // 16 bytes change places with others of their row, as the row's number says
      Value row = arith::RemUIOp::create(b, loc, across, e.constant(8));
      term = arith::XOrIOp::create(b, loc, term, e.mul(row, 16 / bytes));
    }
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
                                       p.group * bytes == 16 ? b.getUnitAttr() : UnitAttr());
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

  /// The bits of an f32 as tf32.
  Value roundedWord(Value value) {
    return NVVM::ConvertFloatToTF32Op::create(b, loc, b.getI32Type(), value,
                                              NVVM::FPRoundingMode::RNA);
  }

  void store(const Plan &p, ArrayRef<Value> groups, Value stage) {
    for (auto [i, group] : llvm::enumerate(groups)) {
      Value values = group;
      Value at = stored(p, static_cast<int64_t>(i), stage);
      if (t.format == MmaFormat::TF32 && t.byGroup) {
        SmallVector<Value> words;
        for (int64_t g = 0; g < p.group; ++g)
          words.push_back(arith::BitcastOp::create(
              b, loc, b.getF32Type(), roundedWord(vector::ExtractOp::create(b, loc, values, g))));
        values = vector::FromElementsOp::create(b, loc, values.getType(), words);
      }
      if (sharedType() == sourceType()) {
        vector::StoreOp::create(b, loc, values, p.memory, at);
        continue;
      }
      Value halves;
      for (int64_t g = 0; g < p.group; g += 2) {
        Value two = rounded(vector::ExtractOp::create(b, loc, values, g),
                            vector::ExtractOp::create(b, loc, values, g + 1));
        if (!halves) {
          halves =
              vector::BroadcastOp::create(b, loc, VectorType::get({p.group}, sharedType()),
                                          e.constant(cast<TypedAttr>(b.getZeroAttr(sharedType()))));
        }
        halves = vector::InsertStridedSliceOp::create(b, loc, two, halves, ArrayRef<int64_t>{g},
                                                      ArrayRef<int64_t>{1});
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

  NVVM::MMATypes typeOf(const Plan &p) const {
    return t.format == MmaFormat::I8 && !c.operands[p.side.operand].isSigned ? NVVM::MMATypes::u8
                                                                             : mmaType(t.format);
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

  //===--------------------------------------------------------------------===//
  // Products of warpgroups
  //===--------------------------------------------------------------------===//

  Value i64(uint64_t value) {
    return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(static_cast<int64_t>(value)));
  }

  /// The descriptor of the matrix that begins with a row or column of the first stage: rows of 128
  /// bytes, swizzled, eight of them behind each other (PTX ISA 9.7.15.5.1.2).
  Value describe(const Plan &p, Value across) {
    Value at = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, p.memory);
    at = arith::IndexCastOp::create(b, loc, b.getI64Type(), e.add(at, e.mul(across, 128)));
    at = arith::AndIOp::create(b, loc, at, i64(0x3FFFF));
    at = arith::ShRUIOp::create(b, loc, at, i64(4));
    constexpr uint64_t swizzle = 1, stride = 1024, leading = 16; // the last is ignored
    return arith::OrIOp::create(b, loc, at,
                                i64(swizzle << 62 | stride / 16 << 32 | leading / 16 << 16));
  }

  Type groupSums() {
    return LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(t.wn / 2, c.element));
  }
  Value firstSums() {
    Value all = LLVM::PoisonOp::create(b, loc, groupSums());
    for (int64_t i = 0; i < t.wn / 2; ++i)
      all = LLVM::InsertValueOp::create(b, loc, all, e.scalars.lookup(c.initial), i);
    return all;
  }

  /// Starts the products of a stage.
  Value multiplyGroup(Value stage, Value sums) {
    NVVM::WgmmaFenceAlignedOp::create(b, loc);
    auto matrix = [&](const Plan &p, int64_t product) {
      Value at =
          arith::IndexCastOp::create(b, loc, b.getI64Type(), e.mul(stage, p.size * bytes / 16));
      return arith::AddIOp::create(b, loc, arith::AddIOp::create(b, loc, p.first, at),
                                   i64(2 * static_cast<uint64_t>(product)));
    };
    const bool isOfBytes = t.format == MmaFormat::I8;
    for (int64_t k = 0; k < t.bk / productTerms(t.format); ++k)
      sums = NVVM::WgmmaMmaAsyncOp::create(
          b, loc, sums.getType(), sums, matrix(a, k), matrix(w, k),
          NVVM::MMAShapeAttr::get(b.getContext(), groupRows, t.wn, productTerms(t.format)),
          groupType(typeOf(a)), groupType(typeOf(w)),
          isOfBytes ? NVVM::WGMMATypes::s32 : NVVM::WGMMATypes::f32, NVVM::WGMMAScaleOut::one,
          NVVM::WGMMAScaleIn::one, NVVM::WGMMAScaleIn::one, NVVM::MMALayout::row,
          NVVM::MMALayout::col, NVVM::MMAIntOverflowAttr());
    NVVM::WgmmaGroupSyncAlignedOp::create(b, loc);
    return sums;
  }

  /// The sums, which nothing moves before the wait: the values depend on what stands behind it.
  SmallVector<Value> finishedSums(Value all) {
    NVVM::WgmmaWaitGroupSyncOp::create(b, loc, uint64_t(0));
    SmallVector<Value> sums;
    for (int64_t i = 0; i < t.wn / 2; ++i) {
      Value sum = LLVM::ExtractValueOp::create(b, loc, all, i);
      sums.push_back(LLVM::InlineAsmOp::create(b, loc, TypeRange{c.element}, ValueRange{sum}, "",
                                               t.format == MmaFormat::I8 ? "=r,0" : "=f,0",
                                               /*has_side_effects=*/true,
                                               /*is_align_stack=*/false, LLVM::TailCallKind::None,
                                               LLVM::AsmDialectAttr(), ArrayAttr())
                         .getRes());
    }
    return sums;
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
        NVVM::FenceProxyOp::create(
            b, loc, NVVM::ProxyKind::async_shared,
            NVVM::SharedSpaceAttr::get(b.getContext(), NVVM::SharedSpace::shared_cta));
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

  /// `moved`, or stage + back where that is no stage.
  Value wrapped(Value moved, Value stage, int64_t back) {
    return arith::SelectOp::create(b, loc, e.less(moved, t.stages), moved,
                                   e.add(stage, e.constant(back)));
  }

  /// Lane (group, t) holds columns 2 t and 2 t + 1 of rows group and group + 8 of each 16 x 8; of a
  /// warpgroup's 64 rows each warp holds 16.
  void finishTile(ValueRange sums) {
    const int64_t perRow = t.wn / mmaColumns;
    Value lowestRow = e.add(e.add(tileRow, firstRow), group);
    Value lowestColumn = e.add(e.add(tileColumn, firstColumn), e.mul(inGroup, 2));
    const bool ragged = columns % t.bn != 0, pairs = columns % 2 == 0;
    for (int64_t i = 0; i < t.wm / (t.byGroup ? 8 * groupWarps : 8); ++i) {
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
  int64_t bytes, steps, ahead; ///< of an element; of all terms; that copies go before products
  Plan a, w;                   ///< the input that varies with rows, and that with columns
  Value lane, group, inGroup, firstRow, firstColumn;
};

} // namespace

void emitMma(ThreadEmitter &emitter, const Contraction &c, const MmaTile &tile) {
  MmaEmitter(emitter, c, tile).run();
}

} // namespace mtc::cuda
