//===- EmulateKernels.cpp - CUDA kernels as host code of one thread -------===//
#include "EmulateKernels.h"

#include "Launch.h"

#include "Codegen/CUDA/ThreadEmitter.h"
#include "Codegen/Host/Link.h"
#include "Codegen/Host/Lower.h"

#include "mtc/Codegen/Host/HostTarget.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <cstddef>

using namespace mlir;

namespace mtc::emulator {
namespace {

constexpr int64_t viewBytes = sizeof(ThreadView);

/// Rewrites one body function.
class Rewriter {
public:
  Rewriter(func::FuncOp function, bool checks)
      : function(function), checks(checks), b(function.getContext()), loc(function.getLoc()) {}

  LogicalResult run() {
    Block &entry = function.getBody().front();
    dropMaps(entry);
    // The thread's view comes as scratch; the kernel's scratch and shared memory are the last
    // buffers.
    BlockArgument view = entry.getArgument(3);
    auto bytes = [&](int64_t n) { return MemRefType::get({n}, b.getI8Type()); };
    BlockArgument scratch = entry.addArgument(view.getType(), loc);
    view.replaceAllUsesWith(scratch);
    view.setType(bytes(viewBytes));
    SmallVector<memref::AllocOp> allocations(entry.getOps<memref::AllocOp>());
    const cuda::SharedLayout layout = cuda::layOutShared(function);
    sharedBytes = layout.bytes;
    shared = entry.addArgument(bytes(sharedBytes), loc);
    b.setInsertionPointToStart(&entry);
    fields = memref::ViewOp::create(b, loc, MemRefType::get({viewBytes / 8}, b.getI64Type()), view,
                                    arith::ConstantIndexOp::create(b, loc, 0), ValueRange());
    viewPointer = pointerTo(view);
    sharedPointer = pointerTo(shared);
    for (auto [op, offset] : llvm::zip_equal(allocations, layout.offsets)) {
      b.setInsertionPoint(op);
      Value at = arith::ConstantIndexOp::create(b, loc, offset);
      MemRefType type = op.getType();
      auto plain = MemRefType::get(type.getShape(), type.getElementType());
      op.replaceAllUsesWith(
          memref::ViewOp::create(b, loc, plain, shared, at, ValueRange()).getResult());
      op.erase();
    }
    SmallVector<Operation *> operations;
    function.walk([&](Operation *op) { operations.push_back(op); });
    for (Operation *op : operations)
      if (failed(rewrite(op)))
        return failure();
    function.setFunctionType(b.getFunctionType(entry.getArgumentTypes(), {}));
    return success();
  }

  int64_t sharedBytes = 0;
  bool synchronizes = false;

private:
  /// Tensor maps, the last arguments, are told by their numbers.
  void dropMaps(Block &entry) {
    const auto count = static_cast<unsigned>(cuda::tensorMapsOf(function).size());
    b.setInsertionPointToStart(&entry);
    for (unsigned i = count; i-- > 0;) {
      const unsigned number = entry.getNumArguments() - 1;
      Value map = arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(i));
      map = LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), map);
      entry.getArgument(number).replaceAllUsesWith(map);
      (void)function.eraseArgument(number);
    }
  }

  Value i32(int64_t value) { return arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(value)); }

  Value pointerTo(Value memory) {
    Value address = memref::ExtractAlignedPointerAsIndexOp::create(b, loc, memory);
    address = arith::IndexCastOp::create(b, loc, b.getI64Type(), address);
    return LLVM::IntToPtrOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext()), address);
  }

  Value field(size_t offset) {
    Value at = arith::ConstantIndexOp::create(b, loc, static_cast<int64_t>(offset / 8));
    return memref::LoadOp::create(b, loc, fields, at);
  }

  Value index(size_t offset) {
    return arith::IndexCastOp::create(b, loc, b.getIndexType(), field(offset));
  }

  Value call(size_t offset, Type result, ArrayRef<Value> arguments) {
    synchronizes |= offset != offsetof(ThreadView, access);
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    SmallVector<Value> operands = {LLVM::IntToPtrOp::create(b, loc, pointer, field(offset)),
                                   viewPointer};
    llvm::append_range(operands, arguments);
    SmallVector<Type> types = {pointer};
    for (Value v : arguments)
      types.push_back(v.getType());
    Type returned = result ? result : LLVM::LLVMVoidType::get(b.getContext());
    auto type = LLVM::LLVMFunctionType::get(returned, types);
    auto op = LLVM::CallOp::create(b, loc, type, operands);
    return result ? op.getResult() : Value();
  }

  LogicalResult rewrite(Operation *op) {
    b.setInsertionPoint(op);
    if (isa<gpu::ThreadIdOp>(op))
      return replace(op, index(offsetof(ThreadView, thread)));
    if (isa<gpu::BlockIdOp>(op))
      return replace(op, index(offsetof(ThreadView, block)));
    if (isa<gpu::GridDimOp>(op))
      return replace(op, index(offsetof(ThreadView, blocks)));
    if (isa<gpu::BarrierOp>(op))
      return replaceByCall(op, offsetof(ThreadView, barrier), {sharedPointer});
    if (auto shuffle = dyn_cast<gpu::ShuffleOp>(op))
      return rewriteShuffle(shuffle);
    if (auto load = dyn_cast<nvgpu::LdMatrixOp>(op))
      return rewriteLoadMatrix(load);
    if (auto copy = dyn_cast<nvgpu::DeviceAsyncCopyOp>(op))
      return rewriteCopy(copy);
    if (isa<NVVM::CpAsyncCommitGroupOp>(op))
      return replaceByCall(op, offsetof(ThreadView, commitCopies), {});
    if (auto wait = dyn_cast<NVVM::CpAsyncWaitGroupOp>(op))
      return replaceByCall(op, offsetof(ThreadView, awaitCopies),
                           {sharedPointer, i32(wait.getN())});
    if (auto multiply = dyn_cast<NVVM::MmaOp>(op))
      return rewriteMultiply(multiply);
    if (auto multiply = dyn_cast<NVVM::WgmmaMmaAsyncOp>(op))
      return rewriteGroup(multiply);
    if (isa<NVVM::WgmmaFenceAlignedOp>(op))
      return replaceByCall(op, offsetof(ThreadView, fenceProducts), {});
    if (isa<NVVM::WgmmaGroupSyncAlignedOp>(op))
      return replaceByCall(op, offsetof(ThreadView, commitProducts), {});
    if (auto wait = dyn_cast<NVVM::WgmmaWaitGroupSyncOp>(op))
      return replaceByCall(op, offsetof(ThreadView, awaitProducts),
                           {i32(static_cast<int64_t>(wait.getGroup()))});
    if (auto fence = dyn_cast<NVVM::FenceProxyOp>(op)) {
      if (fence.getKind() != NVVM::ProxyKind::async_shared)
        return op->emitOpError("is not emulated");
      return replaceByCall(op, offsetof(ThreadView, fenceProxy), {sharedPointer});
    }
    if (isa<NVVM::MBarrierInitOp, NVVM::MBarrierInvalOp, NVVM::MBarrierArriveOp,
            NVVM::MBarrierArriveExpectTxOp, NVVM::MBarrierExpectTxOp, NVVM::MBarrierTryWaitParityOp,
            NVVM::FenceMbarrierInitOp, NVVM::CpAsyncBulkGlobalToSharedClusterOp>(op))
      return rewriteAsync(op);
    if (auto copy = dyn_cast<NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp>(op))
      return rewriteTensor(copy);
    // elect.sync (PTX ISA 9.7.13.16): one thread of those that reach it; here all of a warp do.
    if (isa<NVVM::ElectSyncOp>(op)) {
      Value lane = arith::RemUIOp::create(b, loc, index(offsetof(ThreadView, thread)),
                                          arith::ConstantIndexOp::create(b, loc, 32));
      return replace(op, arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, lane,
                                               arith::ConstantIndexOp::create(b, loc, 0)));
    }
    if (isa<NVVM::SetMaxRegisterOp>(op)) {
      op->erase();
      return success();
    }
    if (auto hold = dyn_cast<LLVM::InlineAsmOp>(op)) {
      if (!hold.getAsmString().empty() || hold.getOperands().size() != 1)
        return op->emitOpError("is not emulated");
      call(offsetof(ThreadView, readSums), {}, {});
      return replace(op, hold.getOperands().front());
    }
    // An address in shared memory counts from its start.
    if (auto pointer = dyn_cast<memref::ExtractAlignedPointerAsIndexOp>(op))
      if (auto memory = pointer.getSource().getDefiningOp<memref::ViewOp>();
          memory && memory.getSource() == shared)
        return replace(op, memory.getByteShift());
    // One in a buffer is told by the buffer's number.
    if (auto pointer = dyn_cast<memref::ExtractAlignedPointerAsIndexOp>(op))
      if (auto buffer = dyn_cast<BlockArgument>(pointer.getSource());
          buffer && pointer.getSource() != shared && buffer.getArgNumber() >= 4)
        return replace(op, arith::ConstantIndexOp::create(
                               b, loc, int64_t(buffer.getArgNumber() - 4) << sourceBits));
    if (auto convert = dyn_cast<NVVM::ConvertFloatToTF32Op>(op))
      return rewriteRounding(convert);
    if (isa<NVVM::ConvertF32x2ToF16x2Op, NVVM::ConvertF32x2ToBF16x2Op>(op))
      return rewriteHalves(op);
    if (isa<gpu::GPUDialect, NVVM::NVVMDialect, nvgpu::NVGPUDialect>(op->getDialect()))
      return op->emitOpError("is not emulated");
    if (auto store = dyn_cast<vector::StoreOp>(op);
        store && store.getVectorType().getElementType().isBF16())
      if (auto memory = store.getBase().getDefiningOp<memref::ViewOp>())
        return rewriteStore(store, memory);
    if (!checks)
      return success();
    if (auto load = dyn_cast<memref::LoadOp>(op))
      return announce(load.getMemRef(), load.getIndices(), load.getType(), false);
    if (auto store = dyn_cast<memref::StoreOp>(op))
      return announce(store.getMemRef(), store.getIndices(), store.getValue().getType(), true);
    if (auto load = dyn_cast<vector::LoadOp>(op))
      return announce(load.getBase(), load.getIndices(), load.getType(), false);
    if (auto store = dyn_cast<vector::StoreOp>(op))
      return announce(store.getBase(), store.getIndices(), store.getValueToStore().getType(), true);
    return success();
  }

  static LogicalResult replace(Operation *op, Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    op->erase();
    return success();
  }

  LogicalResult replaceByCall(Operation *op, size_t offset, ArrayRef<Value> arguments) {
    call(offset, {}, arguments);
    op->erase();
    return success();
  }

  /// Stores bits of bf16: values of that type LLVM would carry from block to block as f32, by calls
  /// of compiler-rt.
  LogicalResult rewriteStore(vector::StoreOp op, memref::ViewOp memory) {
    MemRefType type = memory.getType();
    auto bitsType = MemRefType::get(type.getShape(), b.getI16Type());
    Value plain = memref::ViewOp::create(b, loc, bitsType, memory.getSource(),
                                         memory.getByteShift(), ValueRange());
    Value bits = arith::BitcastOp::create(b, loc, op.getVectorType().clone(b.getI16Type()),
                                          op.getValueToStore());
    auto store = vector::StoreOp::create(b, loc, bits, plain, op.getIndices());
    op.erase();
    return rewrite(store);
  }

  LogicalResult rewriteShuffle(gpu::ShuffleOp op) {
    Value value = op.getValue();
    if (value.getType().isF32())
      value = arith::BitcastOp::create(b, loc, b.getI32Type(), value);
    if (!value.getType().isInteger(32))
      return op.emitOpError("is not of 32 bits");
    Value result = call(
        offsetof(ThreadView, shuffle), b.getI64Type(),
        {value, op.getOffset(), op.getWidth(), i32(static_cast<int64_t>(modeOf(op.getMode())))});
    Value bits = arith::TruncIOp::create(b, loc, b.getI32Type(), result);
    if (op.getValue().getType().isF32())
      bits = arith::BitcastOp::create(b, loc, b.getF32Type(), bits);
    Value above = arith::ShRUIOp::create(
        b, loc, result, arith::ConstantOp::create(b, loc, b.getI64IntegerAttr(32)));
    op.getShuffleResult().replaceAllUsesWith(bits);
    op.getValid().replaceAllUsesWith(
        arith::TruncIOp::create(b, loc, b.getI1Type(), above).getResult());
    op.erase();
    return success();
  }

  static ShuffleMode modeOf(gpu::ShuffleMode mode) {
    switch (mode) {
    case gpu::ShuffleMode::XOR:
      return ShuffleMode::Xor;
    case gpu::ShuffleMode::UP:
      return ShuffleMode::Up;
    case gpu::ShuffleMode::DOWN:
      return ShuffleMode::Down;
    case gpu::ShuffleMode::IDX:
      return ShuffleMode::Index;
    }
    return ShuffleMode::Xor;
  }

  /// A register of 32 bits as an integer, and an integer as what a register holds.
  Value toBits(Value v) {
    return v.getType().isInteger(32) ? v
                                     : LLVM::BitcastOp::create(b, loc, b.getI32Type(), v).getRes();
  }
  Value fromBits(Value bits, Type type) {
    return type.isInteger(32) ? bits : LLVM::BitcastOp::create(b, loc, type, bits).getRes();
  }

  Value resultRegister(size_t i) {
    Value wide = field(offsetof(ThreadView, registers) + 8 * i);
    return arith::TruncIOp::create(b, loc, b.getI32Type(), wide);
  }

  /// Parts are taken one by one, so no vector of vectors is made.
  LogicalResult rewriteLoadMatrix(nvgpu::LdMatrixOp op) {
    FailureOr<Place> place = placeOf(op.getSrcMemref(), op.getIndices());
    if (failed(place))
      return failure();
    call(
        offsetof(ThreadView, loadMatrix), {},
        {sharedPointer, place->offset, i32(op.getNumTiles()), i32(op.getTranspose()), i32(checks)});
    SmallVector<Value> parts;
    for (size_t i = 0; i < op.getNumTiles(); ++i)
      parts.push_back(resultRegister(i));
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      auto extract = dyn_cast<vector::ExtractOp>(user);
      if (!extract || extract.hasDynamicPosition() || extract.getNumIndices() != 1)
        return user->emitOpError("of matrices is not emulated");
      b.setInsertionPoint(extract);
      Value part = parts[extract.getStaticPosition().front()];
      if (failed(replace(extract, fromBits(part, extract.getType()))))
        return failure();
    }
    op.erase();
    return success();
  }

  LogicalResult rewriteCopy(nvgpu::DeviceAsyncCopyOp op) {
    FailureOr<Place> to = placeOf(op.getDst(), op.getDstIndices());
    FailureOr<Place> from = placeOf(op.getSrc(), op.getSrcIndices());
    if (failed(to) || failed(from) || !op.getAsyncToken().use_empty())
      return op.emitOpError("is not emulated");
    const int64_t size =
        host::elementBytes(cast<MemRefType>(op.getSrc().getType()).getElementType());
    const auto elements = static_cast<int64_t>(op.getDstElements().getZExtValue());
    Value bytes = i32(elements * size), sourceBytes = bytes;
    if (Value count = op.getSrcElements()) {
      sourceBytes = arith::IndexCastOp::create(b, loc, b.getI32Type(), count);
      sourceBytes = arith::MulIOp::create(b, loc, sourceBytes, i32(size));
    }
    if (checks)
      call(offsetof(ThreadView, access), {},
           {i32(from->buffer), from->offset, sourceBytes, i32(0)});
    call(offsetof(ThreadView, copyAsync), {},
         {sharedPointer, to->offset, i32(from->buffer), from->offset, bytes, sourceBytes});
    op.erase();
    return success();
  }

  static FailureOr<MultiplyKind> kindOf(NVVM::MmaOp op) {
    NVVM::MMAShapeAttr shape = op.getShape();
    if (shape.getM() != 16 || shape.getN() != 8 || !op.getMultiplicandAPtxType() ||
        !op.getMultiplicandBPtxType())
      return failure();
    return kindOf(*op.getMultiplicandAPtxType(), *op.getMultiplicandBPtxType(), shape.getK());
  }

  /// Of mma.sync and wgmma, whose types have the same names.
  template <typename Types> static FailureOr<MultiplyKind> kindOf(Types a, Types c, int64_t terms) {
    auto is = [&](Types x, Types y, int64_t k) { return a == x && c == y && terms == k; };
    if (is(Types::tf32, Types::tf32, 8))
      return MultiplyKind::TF32;
    if (is(Types::f16, Types::f16, 16))
      return MultiplyKind::F16;
    if (is(Types::bf16, Types::bf16, 16))
      return MultiplyKind::BF16;
    if (is(Types::s8, Types::s8, 32))
      return MultiplyKind::S8S8;
    if (is(Types::s8, Types::u8, 32))
      return MultiplyKind::S8U8;
    if (is(Types::u8, Types::s8, 32))
      return MultiplyKind::U8S8;
    if (is(Types::u8, Types::u8, 32))
      return MultiplyKind::U8U8;
    return failure();
  }

  LogicalResult rewriteMultiply(NVVM::MmaOp op) {
    FailureOr<MultiplyKind> kind = kindOf(op);
    auto results = dyn_cast<LLVM::LLVMStructType>(op.getRes().getType());
    if (failed(kind) || op.getOperandC().size() != 4 || !results)
      return op.emitOpError("is not emulated");
    SmallVector<Value> arguments = {i32(static_cast<int64_t>(*kind))};
    for (Value v : op->getOperands())
      arguments.push_back(toBits(v));
    call(offsetof(ThreadView, multiply), {}, arguments);
    Value all = LLVM::UndefOp::create(b, loc, results);
    for (auto [i, type] : llvm::enumerate(results.getBody()))
      all = LLVM::InsertValueOp::create(b, loc, all, fromBits(resultRegister(i), type),
                                        static_cast<int64_t>(i));
    return replace(op, all);
  }

  /// The sums lie in memory while the emulator adds to them.
  LogicalResult rewriteGroup(NVVM::WgmmaMmaAsyncOp op) {
    NVVM::MMAShapeAttr shape = op.getShape();
    FailureOr<MultiplyKind> kind = kindOf(op.getTypeA(), op.getTypeB(), shape.getK());
    auto type = cast<LLVM::LLVMStructType>(op.getInouts().getType());
    const size_t count = type.getBody().size();
    if (failed(kind) || shape.getM() != 64 || 2 * count != size_t(shape.getN()) ||
        op.getScaleD() != NVVM::WGMMAScaleOut::one || op.getScaleA() != NVVM::WGMMAScaleIn::one ||
        op.getScaleB() != NVVM::WGMMAScaleIn::one || op.getSatfinite())
      return op.emitOpError("is not emulated");
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    if (!sums) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&function.getBody().front());
      Value most = LLVM::ConstantOp::create(b, loc, b.getI32Type(), b.getI32IntegerAttr(128));
      sums = LLVM::AllocaOp::create(b, loc, pointer, b.getI32Type(), most);
    }
    auto place = [&](size_t i) {
      return LLVM::GEPOp::create(b, loc, pointer, b.getI32Type(), sums,
                                 ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)});
    };
    for (size_t i = 0; i < count; ++i)
      LLVM::StoreOp::create(
          b, loc,
          toBits(LLVM::ExtractValueOp::create(b, loc, op.getInouts(), static_cast<int64_t>(i))),
          place(i));
    const int64_t layout = (op.getLayoutA() == NVVM::MMALayout::col ? 1 : 0) |
                           (op.getLayoutB() == NVVM::MMALayout::row ? 2 : 0);
    call(offsetof(ThreadView, multiplyGroup), {},
         {sharedPointer, i32(static_cast<int64_t>(*kind)), i32(shape.getN()), op.getDescriptorA(),
          op.getDescriptorB(), i32(layout), sums, i32(checks)});
    Value all = LLVM::PoisonOp::create(b, loc, type);
    for (size_t i = 0; i < count; ++i) {
      Value bits = LLVM::LoadOp::create(b, loc, b.getI32Type(), place(i));
      all = LLVM::InsertValueOp::create(b, loc, all, fromBits(bits, type.getBody()[i]),
                                        static_cast<int64_t>(i));
    }
    return replace(op, all);
  }

  /// The number that a pointer was made of: an address in shared memory, or of a buffer.
  static Value addressOf(Value pointer) {
    if (auto other = pointer.getDefiningOp<LLVM::AddrSpaceCastOp>())
      pointer = other.getArg();
    auto cast = pointer.getDefiningOp<LLVM::IntToPtrOp>();
    return cast ? cast.getArg() : Value();
  }

  /// mbarriers and bulk copies.
  LogicalResult rewriteAsync(Operation *op) {
    if (isa<NVVM::FenceMbarrierInitOp>(op))
      return replaceByCall(op, offsetof(ThreadView, fenceBarriers), {sharedPointer});
    SmallVector<Value> numbers;
    for (Value operand : op->getOperands()) {
      numbers.push_back(isa<LLVM::LLVMPointerType>(operand.getType()) ? addressOf(operand)
                                                                      : operand);
      if (!numbers.back() || numbers.back().getType().isInteger(1))
        return op->emitOpError("is not emulated");
    }
    if (op->getNumResults() > 0 && !op->getResult(0).use_empty())
      return op->emitOpError("is not emulated");
    if (isa<NVVM::MBarrierInitOp>(op))
      return replaceByCall(op, offsetof(ThreadView, initBarrier),
                           {sharedPointer, numbers[0], numbers[1]});
    if (isa<NVVM::MBarrierInvalOp>(op))
      return replaceByCall(op, offsetof(ThreadView, dropBarrier), {sharedPointer, numbers[0]});
    if (isa<NVVM::MBarrierTryWaitParityOp>(op))
      return replaceByCall(op, offsetof(ThreadView, await),
                           {sharedPointer, numbers[0], numbers[1]});
    if (isa<NVVM::MBarrierArriveExpectTxOp, NVVM::MBarrierExpectTxOp>(op))
      return replaceByCall(
          op, offsetof(ThreadView, arrive),
          {sharedPointer, numbers[0], i32(isa<NVVM::MBarrierExpectTxOp>(op) ? 0 : 1), numbers[1]});
    if (isa<NVVM::MBarrierArriveOp>(op))
      return replaceByCall(
          op, offsetof(ThreadView, arrive),
          {sharedPointer, numbers[0], numbers.size() > 1 ? numbers[1] : i32(1), i32(0)});
    if (numbers.size() != 4) // with a mask of blocks, or a hint
      return op->emitOpError("is not emulated");
    return replaceByCall(op, offsetof(ThreadView, copyBulk),
                         {sharedPointer, numbers[0], numbers[1], numbers[3], numbers[2]});
  }

  /// A copy of a box, whose coordinates lie in memory for the emulator.
  LogicalResult rewriteTensor(NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp op) {
    Value to = addressOf(op.getDstMem()), map = addressOf(op.getTmaDescriptor()),
          barrier = addressOf(op.getMbar());
    if (!to || !map || !barrier ||
        (op.getMode() == NVVM::TMALoadMode::TILE) != op.getIm2colOffsets().empty() ||
        (op.getMode() != NVVM::TMALoadMode::TILE && op.getMode() != NVVM::TMALoadMode::IM2COL) ||
        op.getMulticastMask() || op.getL2CacheHint() || op.getPredicate() || op.getGroup())
      return op.emitOpError("is not emulated");
    auto pointer = LLVM::LLVMPointerType::get(b.getContext());
    if (!coordinates) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&function.getBody().front());
      Value most = LLVM::ConstantOp::create(b, loc, b.getI32Type(), b.getI32IntegerAttr(8));
      coordinates = LLVM::AllocaOp::create(b, loc, pointer, b.getI32Type(), most);
    }
    auto store = [&](Value value, size_t i) {
      LLVM::StoreOp::create(b, loc, value,
                            LLVM::GEPOp::create(b, loc, pointer, b.getI32Type(), coordinates,
                                                ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(i)}));
    };
    for (auto [i, value] : llvm::enumerate(op.getCoordinates()))
      store(value, i);
    for (auto [i, value] : llvm::enumerate(op.getIm2colOffsets())) // unsigned
      store(LLVM::ZExtOp::create(b, loc, b.getI32Type(), value), 5 + i);
    Value offsets = i32(static_cast<int32_t>(op.getIm2colOffsets().size()));
    map = arith::TruncIOp::create(b, loc, b.getI32Type(), map);
    return replaceByCall(op, offsetof(ThreadView, copyTensor),
                         {sharedPointer, to, map, coordinates, offsets, barrier});
  }

  /// cvt.rna.tf32.f32 (PTX ISA 9.7.9.22): to ten bits of mantissa, ties away from zero; the rest
  /// are zeros.
  LogicalResult rewriteRounding(NVVM::ConvertFloatToTF32Op op) {
    if (op.getRnd() != NVVM::FPRoundingMode::RNA || op.getRelu())
      return op.emitOpError("is not emulated");
    Value bits = arith::BitcastOp::create(b, loc, b.getI32Type(), op.getSrc());
    bits = arith::AddIOp::create(b, loc, bits, i32(0x1000));
    bits = arith::AndIOp::create(b, loc, bits, i32(-0x2000));
    Value isNan =
        arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, op.getSrc(), op.getSrc());
    return replace(op, arith::SelectOp::create(b, loc, isNan, i32(0x7FFFFFFF), bits));
  }

  /// cvt.rn.f16x2.f32 and cvt.rn.bf16x2.f32 (PTX ISA 9.7.9.22): to the nearest, ties to even; the
  /// second operand becomes the lower half.
  LogicalResult rewriteHalves(Operation *op) {
    auto rounding = op->getAttrOfType<NVVM::FPRoundingModeAttr>("rnd");
    if (!rounding || rounding.getValue() != NVVM::FPRoundingMode::RN || op->getNumOperands() != 2)
      return op->emitOpError("is not emulated");
    auto type = VectorType::get({2}, b.getF32Type());
    Value both = vector::FromElementsOp::create(b, loc, type,
                                                ValueRange{op->getOperand(1), op->getOperand(0)});
    return replace(op, arith::TruncFOp::create(b, loc, op->getResult(0).getType(), both));
  }

  /// Where an element lies: the buffer as Launch counts them, and bytes (i64) from its start.
  struct Place {
    int64_t buffer = 0;
    Value offset;
  };

  /// Of a flat buffer, perhaps through one view.
  FailureOr<Place> placeOf(Value memory, ValueRange indices) {
    Value base = memory, start = arith::ConstantIndexOp::create(b, loc, 0);
    if (auto view = memory.getDefiningOp<memref::ViewOp>()) {
      base = view.getSource();
      start = view.getByteShift();
    }
    auto argument = dyn_cast<BlockArgument>(base);
    if (!argument || indices.size() != 1)
      return function.emitError("accesses memory that is no buffer");
    Type element = cast<MemRefType>(memory.getType()).getElementType();
    Value size = arith::ConstantIndexOp::create(b, loc, host::elementBytes(element));
    Value offset =
        arith::AddIOp::create(b, loc, start, arith::MulIOp::create(b, loc, indices.front(), size));
    return Place{argument.getArgNumber() - 4,
                 arith::IndexCastOp::create(b, loc, b.getI64Type(), offset)};
  }

  /// Tells the emulator of an access.
  LogicalResult announce(Value memory, ValueRange indices, Type type, bool isWrite) {
    if (memory.getDefiningOp<memref::GetGlobalOp>() || memory == fields)
      return success();
    FailureOr<Place> place = placeOf(memory, indices);
    if (failed(place))
      return failure();
    int64_t count = 1;
    if (auto vector = dyn_cast<VectorType>(type))
      count = vector.getNumElements();
    call(offsetof(ThreadView, access), {},
         {i32(place->buffer), place->offset,
          i32(count * host::elementBytes(getElementTypeOrSelf(type))), i32(isWrite)});
    return success();
  }

  func::FuncOp function;
  bool checks;
  OpBuilder b;
  Location loc;
  Value fields, viewPointer, shared, sharedPointer;
  Value sums;        ///< of a warpgroup's product, in memory; null before the first
  Value coordinates; ///< of a box, in memory; null before the first
};

} // namespace

StatusOr<EmulatedCode> emulate(ModuleOp module, bool checks) {
  host::prepareLowering(*module.getContext());
  MTC_ASSIGN_OR_RETURN(host::HostTarget target, host::resolve("host:x86-64-v3,cores=1"));
  EmulatedCode result;
  std::vector<std::string> objects;
  for (auto body : module.getOps<func::FuncOp>()) {
    // A module of its own: lowerToObject takes one function.
    OwningOpRef<ModuleOp> single = ModuleOp::create(module.getLoc());
    for (auto global : module.getOps<memref::GlobalOp>())
      if (global.getSymName().starts_with(body.getSymName().drop_back(strlen(".body"))))
        single->push_back(global->clone());
    auto clone = cast<func::FuncOp>(body->clone());
    single->push_back(clone);
    EmulatedFunction &f = result.functions.emplace_back();
    f.symbol = body.getSymName().drop_back(strlen(".body")).str();
    f.threads = body->getAttrOfType<IntegerAttr>(cuda::threadsAttribute).getInt();
    const SmallVector<GpuTensorMap> maps = cuda::tensorMapsOf(clone);
    f.tensorMaps.assign(maps.begin(), maps.end());
    Rewriter rewriter(clone, checks);
    if (failed(rewriter.run()))
      return internalError("'" + f.symbol + "' cannot be emulated");
    f.sharedBytes = rewriter.sharedBytes;
    f.synchronizes = rewriter.synchronizes || rewriter.sharedBytes > 0;
    SmallVector<int64_t> bufferBytes;
    for (Type type : llvm::drop_begin(clone.getArgumentTypes(), 4)) {
      auto memory = cast<MemRefType>(type);
      bufferBytes.push_back(memory.getNumElements() * host::elementBytes(memory.getElementType()));
    }
    f.bufferBytes.assign(bufferBytes.begin(), bufferBytes.end() - 1); // the last is shared memory
    FailureOr<std::string> object = host::lowerToObject(*single, f.symbol, bufferBytes, target, {});
    if (failed(object))
      return internalError("'" + f.symbol + "' cannot be lowered");
    objects.push_back(std::move(*object));
  }
  MTC_ASSIGN_OR_RETURN(result.code, host::linkObjects(objects));
  return result;
}

} // namespace mtc::emulator
