//===- MmaFrame.cpp - what products on tensor cores share -----------------===//
#include "MmaFrame.h"

#include "StagedWeight.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using mtc::host::Contraction;
using mtc::host::Storage;

namespace mtc::cuda {

/// By cp.async.
static constexpr int64_t leastCopiedBytes = 4;

static NVVM::MMATypes mmaType(MmaFormat format) {
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

static NVVM::WGMMATypes groupType(NVVM::MMATypes type) {
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

MmaFrame::MmaFrame(ThreadEmitter &e, const Contraction &c, const MmaTile &tile)
    : ContractionFrame(e, c, tile.bm, tile.bn, tile.bk), t(tile), bytes(elementBytes(tile.format)),
      steps(llvm::divideCeil(terms, tile.bk)), copyThread(e.thread) {}

void MmaFrame::start() {
  for (Operation &op : e.kernel.getBody().front().without_terminator())
    e.emitScalar(op);
  // ptxas moves registers between warps only where it knows how many blocks an SM holds.
  if (wantedBlocks(t) > 1 || registerSplitOf(t))
    e.function->setAttr(minBlocksAttribute,
                        b.getI32IntegerAttr(static_cast<int32_t>(wantedBlocks(t))));
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
  }
}

VectorType MmaFrame::loadedType(const Plan &p) {
  const bool isFinal = hasFormat(storedType(c, p.side.operand), t.format);
  Type bits = b.getIntegerType(static_cast<unsigned>(8 * bytes));
  return VectorType::get({p.group}, isFinal ? bits : b.getF32Type());
}

MmaFrame::Plan MmaFrame::planOf(const Side &side) {
  Plan p;
  p.side = side;
  p.isStaged = t.staged && !side.isRows;
  if (t.mapped && !p.isStaged) {
    p.box = tensorBoxOf(c, side.isRows, t);
    p.map = e.tensorMap(p.box->map, c.operands[side.operand].storage);
  }
  p.termsFirst = !isContiguousAcross(side);
  // Bytes cannot be transposed, and a warpgroup transposes halves only.
  p.termsInside = p.termsFirst || t.byGroup || t.format == MmaFormat::I8;
  const int64_t inner = p.termsInside ? t.bk : side.width;
  p.pitch = pitchOf(t, inner, p.termsInside);
  p.size = p.pitch * (p.termsInside ? side.width : t.bk);
  // The elements of a tile are spread evenly.
  const int64_t most = side.width * t.bk / t.copyThreads();
  auto isWide = [&](int64_t group) { return isContiguousGroup(side, p.termsInside, group); };
  const bool isFinal = hasFormat(storedType(c, side.operand), t.format);
  p.group = std::min<int64_t>(t.byGroup || isFinal ? 16 / bytes : 4, most);
  const int64_t narrow = t.byGroup ? p.group : 4; // where they are no neighbours
  while (p.group > 4 && !isWide(p.group))
    p.group /= 2;
  p.isWide = isWide(p.group);
  if (!p.isWide)
    p.group = std::min(narrow, most);
  const Storage &storage = c.plan.storages[c.operands[side.operand].storage];
  const bool isWord = t.format == MmaFormat::TF32 && storedType(c, side.operand).isF32();
  const bool isCopied =
      t.producers == 0 &&
      ((isWord && !t.byGroup) || (isFinal && p.isWide && p.group * bytes >= leastCopiedBytes));
  p.isAsync = isCopied && storage.kind == Storage::Kind::Argument;
  if (!p.isWide && p.isAsync)
    p.group = 1;
  p.memory = e.shared(p.size * t.stages, sharedType(), t.byGroup ? 1024 : 16);
  return p;
}

Type MmaFrame::sharedType() {
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

int64_t MmaFrame::distance(const Plan &p, int64_t across, int64_t terms) {
  return p.termsInside ? across * p.pitch + terms : terms * p.pitch + across;
}

Value MmaFrame::place(const Plan &p, Value across, Value term) {
  if (t.byGroup) { // 16 bytes change places with others of their row, as the row's number says
    Value row = arith::RemUIOp::create(b, loc, across, e.constant(8));
    term = arith::XOrIOp::create(b, loc, term, e.mul(row, 16 / bytes));
  }
  return p.termsInside ? e.add(e.mul(across, p.pitch), term) : e.add(e.mul(term, p.pitch), across);
}

std::pair<Value, Value> MmaFrame::positionOf(const Plan &p, int64_t i) {
  Value position = e.add(copyThread, e.constant(i * t.copyThreads()));
  const int64_t perTerms = p.termsInside ? p.group : 1, perAcross = p.termsInside ? 1 : p.group;
  if (p.termsFirst) {
    auto [across, term] = split(position, t.bk / perTerms);
    return {e.mul(across, perAcross), e.mul(term, perTerms)};
  }
  auto [term, across] = split(position, p.side.width / perAcross);
  return {e.mul(across, perAcross), e.mul(term, perTerms)};
}

ContractionFrame::Source MmaFrame::sourceOf(const Plan &p, int64_t i, int64_t element,
                                            Value firstTerm) {
  auto [across, term] = positionOf(p, i);
  (p.termsInside ? term : across) = e.add(p.termsInside ? term : across, e.constant(element));
  return locate(p.side, across, e.add(firstTerm, term));
}

Value MmaFrame::stored(const Plan &p, int64_t i, Value stage) {
  auto [across, term] = positionOf(p, i);
  return e.add(e.mul(stage, p.size), place(p, across, term));
}

Value MmaFrame::load(const Plan &p, int64_t i, Value firstTerm) {
  Value memory = e.memory[c.operands[p.side.operand].storage];
  Type stored = storedType(c, p.side.operand), loaded = loadedType(p).getElementType();
  auto typeOf = [&](Type element) {
    return p.isWide ? Type(VectorType::get({p.group}, element)) : element;
  };
  SmallVector<Value> elements;
  for (int64_t g = 0; g < (p.isWide ? 1 : p.group); ++g) {
    Source source = sourceOf(p, i, g, firstTerm);
    Value value = p.isWide ? vector::LoadOp::create(b, loc, cast<VectorType>(typeOf(stored)),
                                                    memory, source.address)
                                 .getResult()
                           : memref::LoadOp::create(b, loc, memory, source.address).getResult();
    if (loaded.isInteger() && loaded != stored)
      value = arith::BitcastOp::create(b, loc, typeOf(loaded), value);
    else if (loaded != stored)
      value = arith::ExtFOp::create(b, loc, typeOf(loaded), value);
    if (source.inside)
      value = arith::SelectOp::create(b, loc, source.inside, value, zeroOf(value.getType()));
    elements.push_back(value);
  }
  return p.isWide ? elements.front()
                  : vector::FromElementsOp::create(b, loc, loadedType(p), elements).getResult();
}

SmallVector<Value> MmaFrame::load(const Plan &p, Value firstTerm) {
  SmallVector<Value> groups;
  for (int64_t i = 0; i < perThread(p); ++i)
    groups.push_back(load(p, i, firstTerm));
  return groups;
}

Value MmaFrame::rounded(Value low, Value high) {
  auto type = VectorType::get({2}, sharedType());
  auto toNearest = NVVM::FPRoundingMode::RN;
  if (t.format == MmaFormat::F16)
    return NVVM::ConvertF32x2ToF16x2Op::create(b, loc, type, high, low, Value(), toNearest);
  return NVVM::ConvertF32x2ToBF16x2Op::create(b, loc, type, high, low, Value(), toNearest);
}

Value MmaFrame::roundedWord(Value value) {
  return NVVM::ConvertFloatToTF32Op::create(b, loc, b.getI32Type(), value,
                                            NVVM::FPRoundingMode::RNA);
}

void MmaFrame::store(const Plan &p, int64_t i, Value values, Value stage) {
  Value at = stored(p, i, stage);
  if (t.format == MmaFormat::TF32 && t.byGroup) {
    SmallVector<Value> words;
    for (int64_t g = 0; g < p.group; ++g)
      words.push_back(arith::BitcastOp::create(
          b, loc, b.getF32Type(), roundedWord(vector::ExtractOp::create(b, loc, values, g))));
    values = vector::FromElementsOp::create(b, loc, values.getType(), words);
  }
  Type loaded = loadedType(p).getElementType();
  if (loaded.isInteger() && loaded != sharedType())
    values = arith::BitcastOp::create(b, loc, VectorType::get({p.group}, sharedType()), values);
  if (loaded.isInteger() || loaded == sharedType()) {
    vector::StoreOp::create(b, loc, values, p.memory, at);
    return;
  }
  Value halves;
  for (int64_t g = 0; g < p.group; g += 2) {
    Value two = rounded(vector::ExtractOp::create(b, loc, values, g),
                        vector::ExtractOp::create(b, loc, values, g + 1));
    if (!halves)
      halves =
          vector::BroadcastOp::create(b, loc, VectorType::get({p.group}, sharedType()),
                                      e.constant(cast<TypedAttr>(b.getZeroAttr(sharedType()))));
    halves = vector::InsertStridedSliceOp::create(b, loc, two, halves, ArrayRef<int64_t>{g},
                                                  ArrayRef<int64_t>{1});
  }
  vector::StoreOp::create(b, loc, halves, p.memory, at);
}

void MmaFrame::fenceProxy() {
  NVVM::FenceProxyOp::create(
      b, loc, NVVM::ProxyKind::async_shared,
      NVVM::SharedSpaceAttr::get(b.getContext(), NVVM::SharedSpace::shared_cta));
}

NVVM::MMATypes MmaFrame::typeOf(const Plan &p) const {
  return t.format == MmaFormat::I8 && !c.operands[p.side.operand].isSigned ? NVVM::MMATypes::u8
                                                                           : mmaType(t.format);
}

Value MmaFrame::i64(uint64_t value) {
  return arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(static_cast<int64_t>(value)));
}

Value MmaFrame::describe(const Plan &p, Value across) {
  const int64_t rowBytes = p.rowBytes();
  // Transposed, `across` is a multiple of a row's elements.
  const int64_t acrossBytes = p.isStaged ? chunkBytes : p.isTransposed() ? t.bk * bytes : rowBytes;
  Value at = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, p.memory);
  at = arith::IndexCastOp::create(b, loc, b.getI64Type(), e.add(at, e.mul(across, acrossBytes)));
  at = arith::AndIOp::create(b, loc, at, i64(0x3FFFF));
  at = arith::ShRUIOp::create(b, loc, at, i64(4));
  // Of swizzled rows the last is ignored.
  const uint64_t swizzle = p.isStaged       ? 0
                           : rowBytes == 64 ? 2
                                            : 1,
                 stride = p.isStaged ? 8 * chunkBytes : 8 * rowBytes,
                 leading = p.isStaged         ? t.bn * chunkBytes
                           : p.isTransposed() ? t.bk * rowBytes
                                              : 16;
  return arith::OrIOp::create(b, loc, at,
                              i64(swizzle << 62 | stride / 16 << 32 | leading / 16 << 16));
}

Type MmaFrame::groupSums() {
  return LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(t.wn / 2, c.element));
}

Value MmaFrame::firstSums() {
  Value all = LLVM::PoisonOp::create(b, loc, groupSums());
  for (int64_t i = 0; i < t.wn / 2; ++i)
    all = LLVM::InsertValueOp::create(b, loc, all, e.scalars.lookup(c.initial), i);
  return all;
}

Value MmaFrame::multiplyGroup(Value stage, Value sums) {
  NVVM::WgmmaFenceAlignedOp::create(b, loc);
  auto matrix = [&](const Plan &p, int64_t product) {
    // To the next terms, in units of 16 bytes: 32 bytes of each row, or rows.
    const int64_t units = p.isStaged         ? 2 * t.bn
                          : p.isTransposed() ? productTerms(t.format) * p.rowBytes() / 16
                                             : 2;
    Value at =
        arith::IndexCastOp::create(b, loc, b.getI64Type(), e.mul(stage, p.size * bytes / 16));
    return arith::AddIOp::create(b, loc, arith::AddIOp::create(b, loc, p.first, at),
                                 i64(static_cast<uint64_t>(units * product)));
  };
  const bool isOfBytes = t.format == MmaFormat::I8;
  for (int64_t k = 0; k < t.bk / productTerms(t.format); ++k)
    sums = NVVM::WgmmaMmaAsyncOp::create(
        b, loc, sums.getType(), sums, matrix(a, k), matrix(w, k),
        NVVM::MMAShapeAttr::get(b.getContext(), groupRows, t.wn, productTerms(t.format)),
        groupType(typeOf(a)), groupType(typeOf(w)),
        isOfBytes ? NVVM::WGMMATypes::s32 : NVVM::WGMMATypes::f32, NVVM::WGMMAScaleOut::one,
        NVVM::WGMMAScaleIn::one, NVVM::WGMMAScaleIn::one,
        a.isTransposed() ? NVVM::MMALayout::col : NVVM::MMALayout::row,
        w.isTransposed() ? NVVM::MMALayout::row : NVVM::MMALayout::col, NVVM::MMAIntOverflowAttr());
  NVVM::WgmmaGroupSyncAlignedOp::create(b, loc);
  return sums;
}

SmallVector<Value> MmaFrame::finishedSums(Value all) {
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

Value MmaFrame::wrapped(Value moved, Value stage, int64_t back) {
  return arith::SelectOp::create(b, loc, e.less(moved, t.stages), moved,
                                 e.add(stage, e.constant(back)));
}

void MmaFrame::finishTile(ValueRange sums) {
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

} // namespace mtc::cuda
