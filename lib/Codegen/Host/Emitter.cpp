//===- Emitter.cpp - what all emitters share ------------------------------===//
#include "Emitter.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::host {

static MemRefType flat(int64_t elements, Type type) { return MemRefType::get({elements}, type); }

Emitter::Emitter(ModuleOp module, mt::KernelOp kernel, const BufferPlan &plan, StringRef name)
    : b(module.getContext()), loc(kernel.getLoc()), kernel(kernel), plan(plan) {
  Type index = b.getIndexType();
  SmallVector<Type> inputs = {index, index, index, flat(plan.scratchBytes, b.getI8Type())};
  for (Type t : llvm::concat<const Type>(kernel.getArgumentTypes(), kernel.getResultTypes())) {
    auto tensor = cast<RankedTensorType>(t);
    inputs.push_back(flat(tensor.getNumElements(), tensor.getElementType()));
  }
  b.setInsertionPointToEnd(module.getBody());
  function = func::FuncOp::create(b, loc, (name + ".body").str(), b.getFunctionType(inputs, {}));
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  phase = entry->getArgument(0);
  lo = entry->getArgument(1);
  hi = entry->getArgument(2);
  scratch = entry->getArgument(3);

  size_t arguments = kernel.getArgumentTypes().size(), constants = 0;
  for (const Storage &s : plan.storages) {
    switch (s.kind) {
    case Storage::Kind::Argument:
      memory.push_back(entry->getArgument(4 + s.index));
      break;
    case Storage::Kind::Result:
      memory.push_back(entry->getArgument(4 + arguments + s.index));
      break;
    case Storage::Kind::Scratch:
      memory.push_back(memref::ViewOp::create(b, loc, flat(s.elements, s.elementType), scratch,
                                              constant(s.scratchOffset), ValueRange()));
      break;
    case Storage::Kind::Constant: {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(module.getBody());
      std::string symbol = (name + ".constant" + Twine(constants++)).str();
      MemRefType type = flat(s.elements, s.elementType);
      DenseElementsAttr value = s.value;
      value = value.reshape(RankedTensorType::get({s.elements}, s.elementType));
      memref::GlobalOp::create(b, loc, symbol, b.getStringAttr("private"), type, value,
                               /*constant=*/true, b.getI64IntegerAttr(64));
      b.setInsertionPointToEnd(entry);
      memory.push_back(memref::GetGlobalOp::create(b, loc, type, symbol));
      break;
    }
    }
  }
}

Value Emitter::constant(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
Value Emitter::constant(TypedAttr value) { return arith::ConstantOp::create(b, loc, value); }

static std::optional<int64_t> constantOf(Value v) { return getConstantIntValue(v); }

Value Emitter::add(Value x, Value y) {
  auto cx = constantOf(x), cy = constantOf(y);
  if (cx && cy)
    return constant(*cx + *cy);
  if (cx == 0)
    return y;
  if (cy == 0)
    return x;
  return arith::AddIOp::create(b, loc, x, y, arith::IntegerOverflowFlags::nsw);
}

Value Emitter::mul(Value x, int64_t y) {
  if (auto cx = constantOf(x))
    return constant(*cx * y);
  if (y == 1)
    return x;
  if (y == 0)
    return constant(0);
  return arith::MulIOp::create(b, loc, x, constant(y), arith::IntegerOverflowFlags::nsw);
}

Value Emitter::linear(int64_t offset, ArrayRef<std::pair<Value, int64_t>> terms) {
  Value sum;
  for (auto [v, stride] : terms) {
    if (auto c = constantOf(v)) {
      offset += *c * stride;
      continue;
    }
    if (stride == 0)
      continue;
    Value term = mul(v, stride);
    sum = sum ? add(sum, term) : term;
  }
  if (!sum)
    return constant(offset);
  return offset ? add(sum, constant(offset)) : sum;
}

Value Emitter::evaluate(AffineExpr expr, ArrayRef<Value> dims) {
  if (auto d = dyn_cast<AffineDimExpr>(expr))
    return dims[d.getPosition()];
  if (auto c = dyn_cast<AffineConstantExpr>(expr))
    return constant(c.getValue());
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value x = evaluate(binary.getLHS(), dims);
  if (expr.getKind() == AffineExprKind::Mul)
    if (auto c = dyn_cast<AffineConstantExpr>(binary.getRHS()))
      return mul(x, c.getValue());
  Value y = evaluate(binary.getRHS(), dims);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return add(x, y);
  case AffineExprKind::Mul:
    return arith::MulIOp::create(b, loc, x, y);
  case AffineExprKind::Mod:
    return arith::RemUIOp::create(b, loc, x, y);
  case AffineExprKind::FloorDiv:
    return arith::FloorDivSIOp::create(b, loc, x, y);
  default:
    return arith::CeilDivSIOp::create(b, loc, x, y);
  }
}

SmallVector<Value> Emitter::evaluate(AffineMap map, ArrayRef<Value> dims) {
  return llvm::map_to_vector(map.getResults(), [&](AffineExpr e) { return evaluate(e, dims); });
}

void Emitter::forRange(Value from, Value to, int64_t step, function_ref<void(Value)> body) {
  auto op = scf::ForOp::create(b, loc, from, to, constant(step));
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(op.getBody());
  body(op.getInductionVar());
}

Value Emitter::takeIndex(Value &rest, int64_t count) {
  if (count == 1)
    return constant(0);
  Value extent = constant(count);
  Value index = arith::RemUIOp::create(b, loc, rest, extent);
  rest = arith::DivUIOp::create(b, loc, rest, extent);
  return index;
}

void Emitter::forNest(ArrayRef<int64_t> extents, function_ref<void(ArrayRef<Value>)> body) {
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Value> indices;
  for (int64_t extent : extents) {
    if (extent == 1) {
      indices.push_back(constant(0));
      continue;
    }
    auto loop = scf::ForOp::create(b, loc, constant(0), constant(extent), constant(1));
    b.setInsertionPointToStart(loop.getBody());
    indices.push_back(loop.getInductionVar());
  }
  body(indices);
}

void Emitter::forIterations(ArrayRef<int64_t> extents, ArrayRef<bool> /*sequential*/,
                            function_ref<void(ArrayRef<Value>)> body) {
  forNest(extents, body);
}

Value Emitter::linearIndex(ArrayRef<int64_t> shape, ArrayRef<Value> indices) {
  SmallVector<std::pair<Value, int64_t>> terms;
  for (auto [v, stride] : llvm::zip_equal(indices, rowMajorStrides(shape)))
    terms.emplace_back(v, stride);
  return linear(0, terms);
}

Value Emitter::paddingValue(tensor::PadOp pad) {
  Value value = pad.getConstantPaddingValue();
  Attribute attribute; // a constant may be defined inside the pad's region
  if (matchPattern(value, m_Constant(&attribute)))
    return constant(cast<TypedAttr>(attribute));
  return scalars.lookup(value);
}

Value Emitter::read(Value tensor, ArrayRef<Value> indices) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (int storage = plan.lookup(tensor); storage >= 0)
    return memref::LoadOp::create(b, loc, memory[storage], linearIndex(type.getShape(), indices));

  Operation *def = tensor.getDefiningOp();
  if (auto unpack = dyn_cast<linalg::UnPackOp>(def)) {
    // result[..., i, ...] = source[..., i / tile, ..., i % tile]
    SmallVector<Value> outer(indices), inner;
    for (auto [dim, tile] :
         llvm::zip_equal(unpack.getInnerDimsPos(), unpack.getStaticInnerTiles())) {
      outer[dim] = arith::DivUIOp::create(b, loc, indices[dim], constant(tile));
      inner.push_back(arith::RemUIOp::create(b, loc, indices[dim], constant(tile)));
    }
    SmallVector<Value> source(outer);
    for (auto [to, from] : llvm::enumerate(unpack.getOuterDimsPerm()))
      source[to] = outer[from];
    llvm::append_range(source, inner);
    return read(unpack.getSource(), source);
  }
  if (auto pad = dyn_cast<tensor::PadOp>(def)) {
    Value inside = constant(b.getBoolAttr(true));
    SmallVector<Value> source;
    for (auto [d, low] : llvm::enumerate(pad.getStaticLow())) {
      int64_t size = pad.getSourceType().getDimSize(d);
      Value i = add(indices[d], constant(-low));
      if (low > 0 || pad.getStaticHigh()[d] > 0) {
        // One unsigned comparison covers both sides; outside, element 0 is read and dropped.
        Value ok = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, i, constant(size));
        inside = arith::AndIOp::create(b, loc, inside, ok);
        i = arith::SelectOp::create(b, loc, ok, i, constant(0));
      }
      source.push_back(i);
    }
    Value element = read(pad.getSource(), source);
    return arith::SelectOp::create(b, loc, inside, element, paddingValue(pad));
  }
  // tensor.empty: any content is right.
  return constant(cast<TypedAttr>(b.getZeroAttr(type.getElementType())));
}

void Emitter::write(Value scalar, int storage, ArrayRef<int64_t> shape, ArrayRef<Value> indices) {
  memref::StoreOp::create(b, loc, scalar, memory[storage], linearIndex(shape, indices));
}

SmallVector<Value> Emitter::cloneBody(Block &body, ArrayRef<Value> arguments,
                                      ArrayRef<Value> indices) {
  IRMapping map(scalars);
  map.map(body.getArguments(), arguments);
  for (Operation &op : body.without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      map.map(index.getResult(), indices[index.getDim()]);
    } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      SmallVector<Value> at =
          llvm::map_to_vector(extract.getIndices(), [&](Value v) { return map.lookup(v); });
      map.map(extract.getResult(), read(extract.getTensor(), at));
    } else {
      b.clone(op, map);
    }
  }
  return llvm::map_to_vector(body.getTerminator()->getOperands(),
                             [&](Value v) { return map.lookupOrDefault(v); });
}

bool Emitter::emitScalar(Operation &op) {
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    SmallVector<Value> at =
        llvm::map_to_vector(extract.getIndices(), [&](Value v) { return scalars.lookup(v); });
    scalars.map(extract.getResult(), read(extract.getTensor(), at));
    return true;
  }
  if (op.getNumRegions() || op.getNumResults() == 0 ||
      llvm::any_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>))
    return false;
  b.clone(op, scalars);
  return true;
}

void Emitter::copyResults() {
  auto yield = cast<mt::YieldOp>(kernel.getBody().front().getTerminator());
  for (auto [i, value] : plan.resultCopies) {
    auto type = cast<RankedTensorType>(yield.getOperand(i).getType());
    Value target = function.getArgument(4 + kernel.getArgumentTypes().size() + i);
    forIterations({type.getNumElements()}, {}, [&](ArrayRef<Value> at) {
      Value element = memref::LoadOp::create(b, loc, memory[plan.lookup(value)], at);
      memref::StoreOp::create(b, loc, element, target, at);
    });
  }
}

void Emitter::prefetch(Value memory, Value at, int cache, bool isWrite) {
  memref::PrefetchOp::create(b, loc, memory, at, isWrite, /*localityHint=*/4 - cache,
                             /*isDataCache=*/true);
}

int64_t Emitter::bytesOf(int storage) const {
  const Storage &s = plan.storages[static_cast<size_t>(storage)];
  return s.elements * ((s.elementType.getIntOrFloatBitWidth() + 7) / 8);
}

bool Emitter::isPastCaches(int storage) const {
  return plan.storages[static_cast<size_t>(storage)].kind == Storage::Kind::Result &&
         bytesOf(storage) > kLastCacheBytes;
}

void Emitter::finish() {
  b.setInsertionPointToEnd(&function.getBody().front());
  // Stores past the caches are ordered by nothing else, not by the release of a barrier either.
  if (hasStreamed)
    LLVM::CallIntrinsicOp::create(b, loc, b.getStringAttr("llvm.x86.sse.sfence"), ValueRange());
  func::ReturnOp::create(b, loc);
}

} // namespace mtc::host
