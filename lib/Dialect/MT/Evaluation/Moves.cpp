//===- Moves.cpp - operations that only move elements ---------------------===//
//
// Each is a strided copy into new memory, a fill, or no work at all (reshapes share the bytes). A
// pack is a copy of the source padded to full tiles, seen with its tiles as dimensions; an unpack
// is the reverse.
//
//===----------------------------------------------------------------------===//
#include "Expression.h"
#include "Lanes.h"
#include "Strided.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstdlib>
#include <cstring>

using namespace mlir;

namespace mtc::mt {

NewTensor::NewTensor(RankedTensorType type, bool zero) : type(type) {
  size_t size = std::max<int64_t>(tensorBytes(type), 1);
  // calloc gives untouched pages for free, which is all that most tensor.empty need.
  data = static_cast<uint8_t *>(zero ? std::calloc(size, 1) : std::malloc(size));
  if (!data)
    llvm::report_bad_alloc_error("a weight's bytes");
  owner = std::shared_ptr<void>(data, std::free);
}

NewTensor NewTensor::copyOf(const TensorBytes &source) {
  NewTensor copy(source.type);
  if (!source.data.empty())
    std::memcpy(copy.data, source.data.data(), source.data.size());
  return copy;
}

TensorBytes NewTensor::freeze() && {
  ArrayRef<uint8_t> bytes(data, tensorBytes(type));
  return {type, bytes, std::move(owner)};
}

/// Fills with a scalar.
static Status fillWith(NewTensor &tensor, Value scalar, const Values &values) {
  Attribute constant = values.scalar(scalar);
  if (!constant && !matchPattern(scalar, m_Constant(&constant)))
    return unsupported("cannot evaluate the value that fills a tensor");
  MTC_ASSIGN_OR_RETURN(Format format, Format::of(tensor.type.getElementType()));
  alignas(8) uint8_t bytes[8];
  storeScalar(format, constant, bytes);
  fillElements(format.bytes(), bytes, tensor.type.getNumElements(), tensor.data);
  return okStatus();
}

/// Copies all of `source` into `target` at `offsets`, with `steps` between its elements.
static void place(const TensorBytes &source, ArrayRef<int64_t> shape, NewTensor &target,
                  ArrayRef<int64_t> offsets, ArrayRef<int64_t> steps) {
  SmallVector<int64_t> strides = rowMajorStrides(target.type.getShape());
  int64_t bytes = elementBytes(target.type.getElementType()), offset = 0;
  for (size_t d = 0; d < strides.size(); ++d) {
    offset += offsets[d] * strides[d];
    strides[d] *= steps.empty() ? 1 : steps[d];
  }
  copyStrided(bytes, shape, source.data.data(), rowMajorStrides(shape),
              target.data + offset * bytes, strides);
}

/// Copies a part of `source` with `offsets` and `steps` to all of `target`, which has the shape
/// `shape`.
static void take(const TensorBytes &source, ArrayRef<int64_t> shape, NewTensor &target,
                 ArrayRef<int64_t> offsets, ArrayRef<int64_t> steps) {
  SmallVector<int64_t> strides = rowMajorStrides(source.type.getShape());
  int64_t bytes = elementBytes(target.type.getElementType()), offset = 0;
  for (size_t d = 0; d < strides.size(); ++d) {
    offset += offsets[d] * strides[d];
    strides[d] *= steps.empty() ? 1 : steps[d];
  }
  copyStrided(bytes, shape, source.data.data() + offset * bytes, strides, target.data,
              rowMajorStrides(shape));
}

/// The dimensions of a packed tensor as strides of the unpacked one, which has full tiles.
static SmallVector<int64_t> packedStrides(ArrayRef<int64_t> unpacked, ArrayRef<int64_t> perm,
                                          ArrayRef<int64_t> dimsPos, ArrayRef<int64_t> tiles) {
  SmallVector<int64_t> strides = rowMajorStrides(unpacked), outer(strides), result;
  for (auto [pos, tile] : llvm::zip(dimsPos, tiles))
    outer[pos] *= tile;
  for (size_t d = 0; d < outer.size(); ++d)
    result.push_back(outer[perm.empty() ? d : perm[d]]);
  for (int64_t pos : dimsPos)
    result.push_back(strides[pos]);
  return result;
}

/// The shape of the unpacked tensor padded to full tiles.
static SmallVector<int64_t> paddedShape(ArrayRef<int64_t> shape, ArrayRef<int64_t> dimsPos,
                                        ArrayRef<int64_t> tiles) {
  SmallVector<int64_t> padded(shape);
  for (auto [pos, tile] : llvm::zip(dimsPos, tiles))
    padded[pos] = llvm::divideCeil(shape[pos], tile) * tile;
  return padded;
}

static StatusOr<TensorBytes> evaluatePack(linalg::PackOp op, const Values &values) {
  TensorBytes source = *values.tensor(op.getSource());
  SmallVector<int64_t> tiles = op.getStaticTiles();
  SmallVector<int64_t> padded = paddedShape(source.type.getShape(), op.getInnerDimsPos(), tiles);
  if (padded != source.type.getShape()) {
    NewTensor full(source.type.clone(padded), /*zero=*/true);
    if (op.getPaddingValue())
      MTC_RETURN_IF_ERROR(fillWith(full, op.getPaddingValue(), values));
    place(source, source.type.getShape(), full, SmallVector<int64_t>(padded.size(), 0), {});
    source = std::move(full).freeze();
  }
  NewTensor result(cast<RankedTensorType>(op.getDest().getType()));
  copyStrided(elementBytes(result.type.getElementType()), result.type.getShape(),
              source.data.data(),
              packedStrides(padded, op.getOuterDimsPerm(), op.getInnerDimsPos(), tiles),
              result.data, rowMajorStrides(result.type.getShape()));
  return std::move(result).freeze();
}

static StatusOr<TensorBytes> evaluateUnpack(linalg::UnPackOp op, const Values &values) {
  const TensorBytes &source = *values.tensor(op.getSource());
  SmallVector<int64_t> tiles = op.getStaticTiles();
  auto type = cast<RankedTensorType>(op.getDest().getType());
  SmallVector<int64_t> padded = paddedShape(type.getShape(), op.getInnerDimsPos(), tiles);
  NewTensor full(type.clone(padded));
  copyStrided(elementBytes(type.getElementType()), source.type.getShape(), source.data.data(),
              rowMajorStrides(source.type.getShape()), full.data,
              packedStrides(padded, op.getOuterDimsPerm(), op.getInnerDimsPos(), tiles));
  TensorBytes unpacked = std::move(full).freeze();
  if (padded == type.getShape())
    return unpacked;
  NewTensor result(type);
  take(unpacked, type.getShape(), result, SmallVector<int64_t>(padded.size(), 0), {});
  return std::move(result).freeze();
}

static StatusOr<TensorBytes> evaluatePad(tensor::PadOp op, const Values &values) {
  Value padding = op.getConstantPaddingValue();
  if (!padding)
    return unsupported("cannot evaluate 'tensor.pad' with a computed padding");
  const TensorBytes &source = *values.tensor(op.getSource());
  NewTensor result(op.getResultType());
  MTC_RETURN_IF_ERROR(fillWith(result, padding, values));
  place(source, source.type.getShape(), result, op.getStaticLow(), {});
  return std::move(result).freeze();
}

static StatusOr<TensorBytes> evaluateConcat(tensor::ConcatOp op, const Values &values) {
  NewTensor result(op.getResultType());
  SmallVector<int64_t> offsets(result.type.getRank(), 0);
  for (Value input : op.getInputs()) {
    const TensorBytes &source = *values.tensor(input);
    place(source, source.type.getShape(), result, offsets, {});
    offsets[op.getDim()] += source.type.getShape()[op.getDim()];
  }
  return std::move(result).freeze();
}

/// Same bytes, another type.
static TensorBytes reinterpret(const TensorBytes &source, Type type) {
  return {cast<RankedTensorType>(type), source.data, source.owner};
}

bool isMove(Operation *op) {
  return isa<tensor::EmptyOp, tensor::PadOp, tensor::ConcatOp, tensor::ExtractSliceOp,
             tensor::InsertSliceOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp,
             tensor::SplatOp, linalg::FillOp, linalg::TransposeOp, linalg::PackOp,
             linalg::UnPackOp>(op);
}

StatusOr<TensorBytes> evaluateMove(Operation *op, const Values &values) {
  using Result = StatusOr<TensorBytes>;
  auto resultType = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  bool isStatic = resultType && resultType.hasStaticShape();
  for (Value operand : op->getOperands())
    isStatic &= !isa<TensorType>(operand.getType()) || values.tensor(operand);
  // Offsets, sizes and low padding that are values appear as index operands.
  bool hasIndexOperands =
      llvm::any_of(op->getOperands(), [](Value v) { return v.getType().isIndex(); });
  if (!isStatic || hasIndexOperands)
    return unsupported("cannot evaluate '" + op->getName().getStringRef().str() +
                       "' of dynamic shape or position");
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case<tensor::EmptyOp>(
          [&](auto) -> Result { return NewTensor(resultType, /*zero=*/true).freeze(); })
      .Case<tensor::PadOp>([&](auto pad) { return evaluatePad(pad, values); })
      .Case<tensor::ConcatOp>([&](auto concat) { return evaluateConcat(concat, values); })
      .Case<linalg::PackOp>([&](auto pack) { return evaluatePack(pack, values); })
      .Case<linalg::UnPackOp>([&](auto unpack) { return evaluateUnpack(unpack, values); })
      .Case<tensor::ExtractSliceOp>([&](auto slice) -> Result {
        NewTensor result(resultType);
        take(*values.tensor(slice.getSource()), slice.getStaticSizes(), result,
             slice.getStaticOffsets(), slice.getStaticStrides());
        return std::move(result).freeze();
      })
      .Case<tensor::InsertSliceOp>([&](auto slice) -> Result {
        NewTensor result = NewTensor::copyOf(*values.tensor(slice.getDest()));
        place(*values.tensor(slice.getSource()), slice.getStaticSizes(), result,
              slice.getStaticOffsets(), slice.getStaticStrides());
        return std::move(result).freeze();
      })
      .Case<linalg::FillOp, tensor::SplatOp>([&](auto) -> Result {
        NewTensor result(resultType);
        MTC_RETURN_IF_ERROR(fillWith(result, op->getOperand(0), values));
        return std::move(result).freeze();
      })
      .Case<linalg::TransposeOp>([&](linalg::TransposeOp transpose) -> Result {
        const TensorBytes &source = *values.tensor(transpose.getInput());
        SmallVector<int64_t> strides = rowMajorStrides(source.type.getShape()), permuted;
        for (int64_t d : transpose.getPermutation())
          permuted.push_back(strides[d]);
        NewTensor result(resultType);
        copyStrided(elementBytes(resultType.getElementType()), resultType.getShape(),
                    source.data.data(), permuted, result.data,
                    rowMajorStrides(resultType.getShape()));
        return std::move(result).freeze();
      })
      .Default([&](Operation *) -> Result { // expand, collapse, cast
        return reinterpret(*values.tensor(op->getOperand(0)), resultType);
      });
}

} // namespace mtc::mt
