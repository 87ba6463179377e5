//===- VectorBody.cpp - scalar bodies at vector level ---------------------===//
#include "VectorBody.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::host {

bool canVectorize(Block &body) {
  return llvm::all_of(body.without_terminator(), [](Operation &op) {
    return op.getNumRegions() == 0 &&
           (isa<linalg::IndexOp, tensor::ExtractOp>(op) || op.hasTrait<OpTrait::ConstantLike>() ||
            OpTrait::hasElementwiseMappableTraits(&op));
  });
}

Value firstLanes(Emitter &e, int64_t number, int64_t lanes) {
  SmallVector<bool> bits(lanes, false);
  std::fill(bits.begin(), bits.begin() + number, true);
  auto type = VectorType::get({lanes}, e.b.getI1Type());
  return arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, bits));
}

static bool isVector(Value v) { return isa<VectorType>(v.getType()); }

Value broadcast(Emitter &e, Value v, int64_t lanes) {
  if (isVector(v))
    return v;
  return vector::BroadcastOp::create(e.b, e.loc, VectorType::get({lanes}, v.getType()), v);
}

/// One vector of all, one after the other.
static Value concatenate(Emitter &e, ArrayRef<Value> parts) {
  auto size = [](Value v) { return cast<VectorType>(v.getType()).getNumElements(); };
  Value all = parts[0];
  for (Value part : parts.drop_front())
    all = vector::ShuffleOp::create(e.b, e.loc, all, part,
                                    llvm::to_vector(llvm::seq<int64_t>(0, size(all) + size(part))));
  return all;
}

static Value zeroVector(Emitter &e, VectorType type) {
  return arith::ConstantOp::create(e.b, e.loc, cast<TypedAttr>(e.b.getZeroAttr(type)));
}

/// Every `stride`th of what whole vectors hold; the last of them ends where the last lane does, so
/// that nothing past it is read.
static Value loadApart(Emitter &e, Value memory, Value at, int64_t stride, VectorType type) {
  const int64_t count = type.getNumElements(), last = (stride - 1) * (count - 1);
  SmallVector<Value> parts;
  for (int64_t i = 0; i < stride; ++i)
    parts.push_back(vector::LoadOp::create(e.b, e.loc, type, memory,
                                           e.add(at, e.constant(std::min(i * count, last)))));
  SmallVector<int64_t> picked;
  for (int64_t lane = 0; lane < count; ++lane) {
    const int64_t place = lane * stride, part = place / count;
    picked.push_back(part * count + place - std::min(part * count, last));
  }
  Value all = concatenate(e, parts);
  return vector::ShuffleOp::create(e.b, e.loc, all, all, picked);
}

Value loadVector(Emitter &e, int storage, Value at, int64_t stride, const Lanes &lanes) {
  Value memory = e.memory[storage];
  Type element = cast<MemRefType>(memory.getType()).getElementType();
  if (stride == 0)
    return memref::LoadOp::create(e.b, e.loc, memory, at);
  auto type = VectorType::get({lanes.count}, element);
  if (stride == 1) {
    if (!lanes.mask)
      return vector::LoadOp::create(e.b, e.loc, type, memory, at);
    return vector::MaskedLoadOp::create(e.b, e.loc, type, memory, at, lanes.mask,
                                        zeroVector(e, type));
  }
  if (lanes.mask) {
    // Lanes past the end may lie past the buffer too: a gather reads only where the mask is set.
    auto indexType = VectorType::get({lanes.count}, e.b.getIndexType());
    SmallVector<Attribute> steps;
    for (int64_t i = 0; i < lanes.count; ++i)
      steps.push_back(e.b.getIndexAttr(i * stride));
    Value offsets = arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(indexType, steps));
    return vector::GatherOp::create(e.b, e.loc, type, memory, at, offsets, lanes.mask,
                                    zeroVector(e, type));
  }
  if (stride >= 2 && stride <= kNear && lanes.count >= kNear)
    return loadApart(e, memory, at, stride, type);
  SmallVector<Value> elements;
  for (int64_t i = 0; i < lanes.count; ++i)
    elements.push_back(
        memref::LoadOp::create(e.b, e.loc, memory, e.add(at, e.constant(i * stride))));
  return vector::FromElementsOp::create(e.b, e.loc, type, elements);
}

void storeVector(Emitter &e, Value value, int storage, Value at, int64_t stride,
                 const Lanes &lanes) {
  Value memory = e.memory[storage];
  value = broadcast(e, value, lanes.count);
  if (stride != 1) {
    for (int64_t i = 0; i < lanes.count; ++i) {
      assert(!lanes.mask && "vectors are stored apart only where they are whole");
      Value element = vector::ExtractOp::create(e.b, e.loc, value, ArrayRef<int64_t>{i});
      memref::StoreOp::create(e.b, e.loc, element, memory, e.add(at, e.constant(i * stride)));
    }
    return;
  }
  if (lanes.mask)
    vector::MaskedStoreOp::create(e.b, e.loc, memory, at, lanes.mask, value);
  else
    vector::StoreOp::create(e.b, e.loc, value, memory, at);
}

void storeResult(Emitter &e, Value value, int storage, Value at, const Lanes &lanes,
                 bool isAligned) {
  constexpr int64_t lineBytes = 64;
  const int64_t bits = e.plan.storages[storage].elementType.getIntOrFloatBitWidth();
  if (!isAligned || lanes.mask || lanes.count * bits % (8 * lineBytes) || !e.isPastCaches(storage))
    return storeVector(e, value, storage, at, 1, lanes);
  e.noteStreamed();
  vector::StoreOp::create(e.b, e.loc, broadcast(e, value, lanes.count), e.memory[storage],
                          ValueRange(at), /*nontemporal=*/true, llvm::MaybeAlign(lineBytes));
}

Value joinVectors(Emitter &e, SmallVector<Value> parts) {
  while (parts.size() > 1) { // pairs, then pairs of pairs
    SmallVector<int64_t> all = llvm::to_vector(
        llvm::seq<int64_t>(0, 2 * cast<VectorType>(parts[0].getType()).getNumElements()));
    SmallVector<Value> joined;
    for (size_t i = 0; i < parts.size(); i += 2)
      joined.push_back(vector::ShuffleOp::create(e.b, e.loc, parts[i], parts[i + 1], all));
    parts = joined;
  }
  return parts[0];
}

Value interleave(Emitter &e, ArrayRef<Value> parts) {
  const int64_t count = parts.size();
  const int64_t lanes = cast<VectorType>(parts[0].getType()).getNumElements();
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < count * lanes; ++i)
    order.push_back(i % count * lanes + i / count);
  Value all = concatenate(e, parts);
  return vector::ShuffleOp::create(e.b, e.loc, all, all, order);
}

Value partOf(Emitter &e, Value joined, int64_t i, int64_t lanes) {
  return vector::ExtractStridedSliceOp::create(e.b, e.loc, joined, ArrayRef<int64_t>{i * lanes},
                                               ArrayRef<int64_t>{lanes}, ArrayRef<int64_t>{1});
}

/// tensor.extract: a scalar load, a contiguous vector load where the last index counts lanes, else
/// a gather.
static Value extract(Emitter &e, tensor::ExtractOp op, IRMapping &map, int64_t vectorDim,
                     const Lanes &lanes) {
  SmallVector<Value> at =
      llvm::map_to_vector(op.getIndices(), [&](Value v) { return map.lookup(v); });
  auto type = cast<RankedTensorType>(op.getTensor().getType());
  int storage = e.plan.lookup(op.getTensor());
  if (llvm::none_of(at, isVector) || storage < 0)
    return e.read(op.getTensor(), at);
  SmallVector<int64_t> strides = rowMajorStrides(type.getShape());

  auto last =
      op.getIndices().empty() ? nullptr : op.getIndices().back().getDefiningOp<linalg::IndexOp>();
  if (last && static_cast<int64_t>(last.getDim()) == vectorDim &&
      llvm::none_of(ArrayRef(at).drop_back(), isVector)) {
    at.back() = vector::ExtractOp::create(e.b, e.loc, at.back(), ArrayRef<int64_t>{0});
    return loadVector(e, storage, e.linearIndex(type.getShape(), at), 1, lanes);
  }
  Value offset = e.constant(0), offsets;
  for (auto [v, stride] : llvm::zip_equal(at, strides)) {
    if (!isVector(v)) {
      offset = e.add(offset, e.mul(v, stride));
      continue;
    }
    Value factor = broadcast(e, e.constant(stride), lanes.count);
    Value term = arith::MulIOp::create(e.b, e.loc, v, factor);
    offsets = offsets ? Value(arith::AddIOp::create(e.b, e.loc, offsets, term)) : term;
  }
  auto vectorType = VectorType::get({lanes.count}, type.getElementType());
  Value mask = lanes.mask;
  if (!mask)
    mask = arith::ConstantOp::create(
        e.b, e.loc, DenseElementsAttr::get(VectorType::get({lanes.count}, e.b.getI1Type()), true));
  return vector::GatherOp::create(e.b, e.loc, vectorType, e.memory[storage], offset, offsets, mask,
                                  zeroVector(e, vectorType));
}

/// Whether half a unit in the last place does not matter: the quotient is not cut to an integer or
/// compared.
static bool isRoundedAnyway(arith::DivFOp op) {
  return llvm::none_of(op->getUsers(), [](Operation *user) {
    return isa<math::FloorOp, math::CeilOp, math::TruncOp, math::RoundOp, math::RoundEvenOp,
               arith::FPToSIOp, arith::FPToUIOp, arith::CmpFOp>(user);
  });
}

SmallVector<Value> cloneVectorBody(Emitter &e, Block &body, ArrayRef<Value> arguments,
                                   ArrayRef<Value> indices, int64_t vectorDim, const Lanes &lanes) {
  IRMapping map(e.scalars);
  map.map(body.getArguments(), arguments);
  for (Operation &op : body.without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      Value i = indices[index.getDim()];
      if (static_cast<int64_t>(index.getDim()) == vectorDim) {
        SmallVector<Attribute> steps;
        for (int64_t l = 0; l < lanes.count; ++l)
          steps.push_back(e.b.getIndexAttr(l));
        auto type = VectorType::get({lanes.count}, e.b.getIndexType());
        Value iota = arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, steps));
        i = arith::AddIOp::create(e.b, e.loc, broadcast(e, i, lanes.count), iota);
      }
      map.map(index.getResult(), i);
      continue;
    }
    if (auto read = dyn_cast<tensor::ExtractOp>(op)) {
      map.map(read.getResult(), extract(e, read, map, vectorDim, lanes));
      continue;
    }
    bool varies =
        llvm::any_of(op.getOperands(), [&](Value v) { return isVector(map.lookupOrDefault(v)); });
    if (!varies) {
      e.b.clone(op, map);
      continue;
    }
    if (auto divide = dyn_cast<arith::DivFOp>(op)) {
      Value by = map.lookupOrDefault(divide.getRhs());
      if (!isVector(by) && by.getType().isF32() && isRoundedAnyway(divide)) {
        // One division for all lanes: softmax and normalization divide rows by a number.
        Value one = e.constant(cast<TypedAttr>(e.b.getFloatAttr(by.getType(), 1.0)));
        Value inverse = broadcast(e, arith::DivFOp::create(e.b, e.loc, one, by), lanes.count);
        map.map(divide.getResult(),
                arith::MulFOp::create(e.b, e.loc, map.lookup(divide.getLhs()), inverse));
        continue;
      }
    }
    SmallVector<Value> operands;
    for (Value v : op.getOperands())
      operands.push_back(broadcast(e, map.lookupOrDefault(v), lanes.count));
    SmallVector<Type> types;
    for (Type t : op.getResultTypes())
      types.push_back(VectorType::get({lanes.count}, t));
    Operation *clone =
        Operation::create(e.loc, op.getName(), types, operands, op.getAttrDictionary(),
                          op.getPropertiesStorage(), BlockRange(), 0);
    e.b.insert(clone);
    map.map(op.getResults(), clone->getResults());
  }
  return llvm::map_to_vector(body.getTerminator()->getOperands(),
                             [&](Value v) { return map.lookupOrDefault(v); });
}

Value widen(Emitter &e, Value v, Type element, bool isSigned, int64_t zero, int64_t lanes) {
  OpBuilder &b = e.b;
  Type from = getElementTypeOrSelf(v);
  if (from == element)
    return v;
  auto like = [&](Type to) {
    return isa<VectorType>(v.getType()) ? Type(VectorType::get({lanes}, to)) : to;
  };
  if (isa<FloatType>(from))
    return arith::ExtFOp::create(b, e.loc, like(element), v);
  Type wide = isa<FloatType>(element) ? b.getI32Type() : element;
  if (from != wide)
    v = isSigned ? Value(arith::ExtSIOp::create(b, e.loc, like(wide), v))
                 : Value(arith::ExtUIOp::create(b, e.loc, like(wide), v));
  if (zero) {
    Value subtracted = e.constant(cast<TypedAttr>(b.getIntegerAttr(wide, zero)));
    if (isa<VectorType>(v.getType()))
      subtracted = broadcast(e, subtracted, lanes);
    v = arith::SubIOp::create(b, e.loc, v, subtracted);
  }
  return wide == element ? v : Value(arith::SIToFPOp::create(b, e.loc, like(element), v));
}

} // namespace mtc::host
