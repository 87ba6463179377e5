//===- ThreadEmitter.cpp - what all CUDA emitters share -------------------===//
#include "ThreadEmitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace mtc::cuda {

SharedLayout layOutShared(func::FuncOp body) {
  SharedLayout layout;
  for (auto op : body.getBody().front().getOps<memref::AllocOp>()) {
    const auto alignment = static_cast<int64_t>(op.getAlignment().value_or(16));
    layout.alignment = std::max(layout.alignment, alignment);
    layout.offsets.push_back(llvm::alignTo(layout.bytes, alignment));
    layout.bytes = layout.offsets.back() + op.getType().getNumElements() *
                                               host::elementBytes(op.getType().getElementType());
  }
  layout.bytes = llvm::alignTo(layout.bytes, 16);
  return layout;
}

/// Names the attribute of an argument that is a tensor map.
static constexpr llvm::StringLiteral tensorMapAttribute = "mtc.tensor_map";
/// A body function's arguments before the buffers.
static constexpr int64_t firstBuffer = 4;

static DictionaryAttr attributeOf(MLIRContext *context, const GpuTensorMap &map) {
  Builder b(context);
  auto number = [&](StringRef name, int64_t value) {
    return b.getNamedAttr(name, b.getI64IntegerAttr(value));
  };
  return b.getDictionaryAttr({number("buffer", map.buffer), number("offset", map.offset),
                              number("element", static_cast<int64_t>(map.element)),
                              b.getNamedAttr("sizes", b.getDenseI64ArrayAttr(map.sizes)),
                              b.getNamedAttr("strides", b.getDenseI64ArrayAttr(map.strides)),
                              b.getNamedAttr("box", b.getDenseI32ArrayAttr(map.box)),
                              b.getNamedAttr("steps", b.getDenseI32ArrayAttr(map.steps)),
                              number("swizzle", map.swizzleBytes),
                              b.getNamedAttr("lower", b.getDenseI32ArrayAttr(map.lower)),
                              b.getNamedAttr("upper", b.getDenseI32ArrayAttr(map.upper))});
}

SmallVector<GpuTensorMap> tensorMapsOf(func::FuncOp body) {
  SmallVector<GpuTensorMap> maps;
  for (unsigned i = 0; i < body.getNumArguments(); ++i) {
    auto from = body.getArgAttrOfType<DictionaryAttr>(i, tensorMapAttribute);
    if (!from)
      continue;
    auto number = [&](StringRef name) { return from.getAs<IntegerAttr>(name).getInt(); };
    GpuTensorMap &map = maps.emplace_back();
    map.buffer = static_cast<int32_t>(number("buffer"));
    map.offset = number("offset");
    map.element = static_cast<GpuTensorMap::Element>(number("element"));
    map.sizes = from.getAs<DenseI64ArrayAttr>("sizes").asArrayRef().vec();
    map.strides = from.getAs<DenseI64ArrayAttr>("strides").asArrayRef().vec();
    map.box = from.getAs<DenseI32ArrayAttr>("box").asArrayRef().vec();
    map.steps = from.getAs<DenseI32ArrayAttr>("steps").asArrayRef().vec();
    map.swizzleBytes = static_cast<int32_t>(number("swizzle"));
    map.lower = from.getAs<DenseI32ArrayAttr>("lower").asArrayRef().vec();
    map.upper = from.getAs<DenseI32ArrayAttr>("upper").asArrayRef().vec();
  }
  return maps;
}

ThreadEmitter::ThreadEmitter(ModuleOp module, mt::KernelOp kernel, const host::BufferPlan &plan,
                             StringRef name, int64_t threads)
    : Emitter(module, kernel, plan, name), threads(threads) {
  function->setAttr(threadsAttribute, b.getI64IntegerAttr(threads));
  thread = gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x);
}

void ThreadEmitter::forTiles(function_ref<void(Value)> body) {
  forTiles({}, [&](Value tile, ValueRange) {
    body(tile);
    return SmallVector<Value>();
  });
}

void ThreadEmitter::forTiles(ValueRange carried,
                             function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  OpBuilder::InsertionGuard guard(b);
  Value first = add(lo, gpu::BlockIdOp::create(b, loc, gpu::Dimension::x));
  Value step = gpu::GridDimOp::create(b, loc, gpu::Dimension::x);
  auto loop = scf::ForOp::create(b, loc, first, hi, step, carried);
  b.setInsertionPointToStart(loop.getBody());
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!next.empty())
    scf::YieldOp::create(b, loc, next);
}

void ThreadEmitter::when(Value condition, function_ref<void()> body) {
  OpBuilder::InsertionGuard guard(b);
  auto branch = scf::IfOp::create(b, loc, condition, /*withElseRegion=*/false);
  b.setInsertionPointToStart(branch.thenBlock());
  body();
}

Value ThreadEmitter::less(Value x, int64_t y) {
  return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, constant(y));
}

SmallVector<Value> ThreadEmitter::delinearize(Value flat, ArrayRef<int64_t> extents) {
  SmallVector<Value> indices(extents.size());
  int64_t last = static_cast<int64_t>(extents.size()) - 1;
  for (int64_t d = last; d >= 0; --d) {
    bool isOutermost = llvm::all_of(extents.take_front(d), [](int64_t e) { return e == 1; });
    if (extents[d] == 1) {
      indices[d] = constant(0);
    } else if (isOutermost) {
      indices[d] = flat;
    } else {
      indices[d] = arith::RemUIOp::create(b, loc, flat, constant(extents[d]));
      flat = arith::DivUIOp::create(b, loc, flat, constant(extents[d]));
    }
  }
  return indices;
}

Value ThreadEmitter::shared(int64_t elements, Type type, int64_t alignment) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&function.getBody().front());
  auto space = gpu::AddressSpaceAttr::get(b.getContext(), gpu::AddressSpace::Workgroup);
  auto memory = MemRefType::get({elements}, type, MemRefLayoutAttrInterface(), space);
  return memref::AllocOp::create(b, loc, memory, ValueRange(), b.getI64IntegerAttr(alignment));
}

Value ThreadEmitter::tensorMap(GpuTensorMap map, int storage) {
  map.buffer =
      static_cast<int32_t>(cast<BlockArgument>(memory[storage]).getArgNumber() - firstBuffer);
  const unsigned number = function.getNumArguments();
  auto attributes =
      b.getDictionaryAttr(b.getNamedAttr(tensorMapAttribute, attributeOf(b.getContext(), map)));
  (void)function.insertArgument(number, LLVM::LLVMPointerType::get(b.getContext()), attributes,
                                loc);
  return function.getArgument(number);
}

void ThreadEmitter::barrier() { gpu::BarrierOp::create(b, loc); }

} // namespace mtc::cuda
