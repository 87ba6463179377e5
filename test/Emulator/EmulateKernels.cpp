//===- EmulateKernels.cpp - CUDA kernels as host code of one thread -------===//
#include "EmulateKernels.h"

#include "Launch.h"

#include "Codegen/CUDA/ThreadEmitter.h"
#include "Codegen/Host/Link.h"
#include "Codegen/Host/Lower.h"

#include "mtc/Codegen/Host/HostTarget.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
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
    // The thread's view comes as scratch; the kernel's scratch and shared memory are the last
    // buffers.
    BlockArgument view = entry.getArgument(3);
    auto bytes = [&](int64_t n) { return MemRefType::get({n}, b.getI8Type()); };
    BlockArgument scratch = entry.addArgument(view.getType(), loc);
    view.replaceAllUsesWith(scratch);
    view.setType(bytes(viewBytes));
    SmallVector<memref::AllocOp> allocations(entry.getOps<memref::AllocOp>());
    for (memref::AllocOp op : allocations)
      sharedBytes += llvm::alignTo(sizeOf(op), 16);
    shared = entry.addArgument(bytes(sharedBytes), loc);
    b.setInsertionPointToStart(&entry);
    fields = memref::ViewOp::create(b, loc, MemRefType::get({viewBytes / 8}, b.getI64Type()), view,
                                    arith::ConstantIndexOp::create(b, loc, 0), ValueRange());
    viewPointer = pointerTo(view);
    sharedPointer = pointerTo(shared);
    int64_t offset = 0;
    for (memref::AllocOp op : allocations) {
      b.setInsertionPoint(op);
      Value at = arith::ConstantIndexOp::create(b, loc, offset);
      MemRefType type = op.getType();
      auto plain = MemRefType::get(type.getShape(), type.getElementType());
      op.replaceAllUsesWith(
          memref::ViewOp::create(b, loc, plain, shared, at, ValueRange()).getResult());
      offset += llvm::alignTo(sizeOf(op), 16);
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

private:
  static int64_t sizeOf(memref::AllocOp op) {
    return op.getType().getNumElements() * host::elementBytes(op.getType().getElementType());
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
    if (isa<gpu::BarrierOp>(op)) {
      call(offsetof(ThreadView, barrier), {}, {sharedPointer});
      op->erase();
      return success();
    }
    if (auto shuffle = dyn_cast<gpu::ShuffleOp>(op))
      return rewriteShuffle(shuffle);
    if (isa<gpu::GPUDialect>(op->getDialect()))
      return op->emitOpError("is not emulated");
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

  /// Tells the emulator of an access to a flat buffer, perhaps through one view.
  LogicalResult announce(Value memory, ValueRange indices, Type type, bool isWrite) {
    Value base = memory, start = arith::ConstantIndexOp::create(b, loc, 0);
    if (auto view = memory.getDefiningOp<memref::ViewOp>()) {
      base = view.getSource();
      start = view.getByteShift();
    }
    if (memory.getDefiningOp<memref::GetGlobalOp>() || memory == fields)
      return success();
    auto argument = dyn_cast<BlockArgument>(base);
    if (!argument || indices.size() != 1)
      return function.emitError("accesses memory that is no buffer");
    Type element = getElementTypeOrSelf(type);
    int64_t count = 1;
    if (auto vector = dyn_cast<VectorType>(type))
      count = vector.getNumElements();
    Value size = arith::ConstantIndexOp::create(b, loc, host::elementBytes(element));
    Value offset =
        arith::AddIOp::create(b, loc, start, arith::MulIOp::create(b, loc, indices.front(), size));
    call(offsetof(ThreadView, access), {},
         {i32(argument.getArgNumber() - 4),
          arith::IndexCastOp::create(b, loc, b.getI64Type(), offset),
          i32(count * host::elementBytes(element)), i32(isWrite)});
    return success();
  }

  func::FuncOp function;
  bool checks;
  OpBuilder b;
  Location loc;
  Value fields, viewPointer, shared, sharedPointer;
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
    Rewriter rewriter(clone, checks);
    if (failed(rewriter.run()))
      return internalError("'" + f.symbol + "' cannot be emulated");
    f.sharedBytes = rewriter.sharedBytes;
    SmallVector<int64_t> bufferBytes;
    for (Type type : llvm::drop_begin(clone.getArgumentTypes(), 4)) {
      auto memory = cast<MemRefType>(type);
      bufferBytes.push_back(memory.getNumElements() * host::elementBytes(memory.getElementType()));
    }
    f.bufferBytes.assign(bufferBytes.begin(), bufferBytes.end() - 1); // the last is shared memory
    FailureOr<std::string> object =
        host::lowerToObject(*single, f.symbol, bufferBytes, target, /*optimize=*/true);
    if (failed(object))
      return internalError("'" + f.symbol + "' cannot be lowered");
    objects.push_back(std::move(*object));
  }
  MTC_ASSIGN_OR_RETURN(result.code, host::linkObjects(objects));
  return result;
}

} // namespace mtc::emulator
