//===- Decoded.cpp - tensors that are codes with scale and zero point -----===//
#include "Decoded.h"
#include "Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace mtc::mt {
namespace {

RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

/// The body of an elementwise op as a decoding.
class BodyReader {
public:
  explicit BodyReader(linalg::GenericOp op) : op(op), body(*op.getBody()) {}

  std::optional<Decoded> read() {
    Value y = body.getTerminator()->getOperand(0);
    if (y.getType().isF32()) {
      auto product = y.getDefiningOp<arith::MulFOp>();
      if (!product)
        return std::nullopt;
      auto number = product.getLhs().getDefiningOp<arith::SIToFPOp>();
      Value scale = product.getRhs();
      if (!number) {
        number = product.getRhs().getDefiningOp<arith::SIToFPOp>();
        scale = product.getLhs();
      }
      if (!number || !readScale(scale))
        return std::nullopt;
      y = number.getIn();
    }
    if (!y.getType().isInteger(32))
      return std::nullopt;
    if (auto difference = y.getDefiningOp<arith::SubIOp>()) {
      if (!readZero(difference.getRhs()))
        return std::nullopt;
      y = difference.getLhs();
    }
    if (!readCodes(y))
      return std::nullopt;
    return result;
  }

private:
  /// The operand behind a block argument, or null.
  OpOperand *operandOf(Value v) {
    auto argument = dyn_cast<BlockArgument>(v);
    if (!argument || argument.getOwner() != &body ||
        argument.getArgNumber() >= op.getNumDpsInputs())
      return nullptr;
    return &op->getOpOperand(argument.getArgNumber());
  }

  static bool isPlain(AffineMap map) { return plainLoops(map).size() == map.getNumResults(); }

  bool readCodes(Value v) {
    Operation *extension = v.getDefiningOp();
    if (!isa_and_nonnull<arith::ExtSIOp, arith::ExtUIOp>(extension))
      return false;
    OpOperand *operand = operandOf(extension->getOperand(0));
    if (!operand || !typeOf(operand->get()).getElementType().isInteger(8) ||
        !op.getMatchingIndexingMap(operand).isIdentity())
      return false;
    result.codes = operand->get();
    result.isSigned = isa<arith::ExtSIOp>(extension);
    return true;
  }

  bool readZero(Value v) {
    Operation *extension = v.getDefiningOp();
    bool isExtended = isa_and_nonnull<arith::ExtSIOp, arith::ExtUIOp>(extension);
    result.zeroIsSigned = !isExtended || isa<arith::ExtSIOp>(extension);
    Value number = isExtended ? extension->getOperand(0) : v;
    APInt constant;
    if (matchPattern(number, m_ConstantInt(&constant))) {
      result.zero = result.zeroIsSigned ? constant.getSExtValue()
                                        : static_cast<int64_t>(constant.getZExtValue());
      return true;
    }
    OpOperand *operand = operandOf(number);
    if (!operand || !isPlain(op.getMatchingIndexingMap(operand)))
      return false;
    result.zeroTensor = operand->get();
    result.zeroMap = op.getMatchingIndexingMap(operand);
    return true;
  }

  bool readScale(Value v) {
    FloatAttr constant;
    if (matchPattern(v, m_Constant(&constant))) {
      result.scaleConstant = constant;
      return true;
    }
    OpOperand *operand = operandOf(v);
    if (!operand || !isPlain(op.getMatchingIndexingMap(operand)))
      return false;
    result.scaleTensor = operand->get();
    result.scaleMap = op.getMatchingIndexingMap(operand);
    return true;
  }

  linalg::GenericOp op;
  Block &body;
  Decoded result;
};

/// Codes that are the zero point where `pad` has 0.
Value padCodes(ImplicitLocOpBuilder &b, tensor::PadOp pad, const Decoded &x) {
  auto type = RankedTensorType::get(pad.getResultType().getShape(), b.getI8Type());
  if (!x.zeroTensor) {
    auto low = pad.getMixedLowPad(), high = pad.getMixedHighPad();
    Value zero = arith::ConstantOp::create(b, b.getI8IntegerAttr(static_cast<int8_t>(x.zero)));
    return tensor::PadOp::create(b, type, x.codes, low, high, zero);
  }
  Value empty = tensor::EmptyOp::create(b, type.getShape(), type.getElementType());
  int64_t rank = type.getRank();
  AffineMap scalar = AffineMap::get(rank, 0, b.getContext());
  Value border = linalg::GenericOp::create(
                     b, TypeRange{type}, ValueRange{x.zeroTensor}, ValueRange{empty},
                     ArrayRef<AffineMap>{scalar, b.getMultiDimIdentityMap(rank)},
                     SmallVector<utils::IteratorType>(rank, utils::IteratorType::parallel),
                     [](OpBuilder &nested, Location loc, ValueRange v) {
                       linalg::YieldOp::create(nested, loc, v[0]);
                     })
                     .getResult(0);
  SmallVector<OpFoldResult> sizes, strides(rank, b.getIndexAttr(1));
  for (int64_t size : typeOf(x.codes).getShape())
    sizes.push_back(b.getIndexAttr(size));
  return tensor::InsertSliceOp::create(b, x.codes, border, pad.getMixedLowPad(), sizes, strides);
}

/// Zero point and scale are one number each, so that they hold whatever the dims are.
bool isPerTensor(const Decoded &x) {
  return (!x.zeroTensor || x.zeroMap.getNumResults() == 0) &&
         (!x.scaleTensor || x.scaleMap.getNumResults() == 0);
}

/// The zero point is a code itself, so that it can stand for 0 around the codes.
bool hasZeroCode(const Decoded &x) {
  if (x.zeroTensor)
    return typeOf(x.zeroTensor).getElementType().isInteger(8) && x.zeroIsSigned == x.isSigned;
  return x.isSigned ? x.zero >= -128 && x.zero < 128 : x.zero >= 0 && x.zero < 256;
}

AffineMap scalarMap(AffineMap map, int64_t rank, MLIRContext *context) {
  return map ? AffineMap::get(rank, 0, context) : map;
}

} // namespace

std::optional<Decoded> decoded(ImplicitLocOpBuilder &b, Value value) {
  SmallVector<Operation *> views; // the last first
  Operation *op = value.getDefiningOp();
  while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::PadOp>(op)) {
    if (auto pad = dyn_cast<tensor::PadOp>(op)) {
      Value constant = pad.getConstantPaddingValue();
      bool isZero = constant &&
                    (matchPattern(constant, m_Zero()) || matchPattern(constant, m_AnyZeroFloat()));
      if (!isZero || !pad.getLow().empty() || !pad.getHigh().empty())
        return std::nullopt;
    }
    views.push_back(op);
    op = op->getOperand(0).getDefiningOp();
  }
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  if (!generic || !isAllParallel(generic) || generic.getNumResults() != 1 ||
      !generic.getIndexingMapsArray().back().isIdentity())
    return std::nullopt;
  std::optional<Decoded> x = BodyReader(generic).read();
  if (!x || (!views.empty() && !isPerTensor(*x)))
    return std::nullopt;
  bool isPadded = llvm::any_of(views, llvm::IsaPred<tensor::PadOp>);
  if (isPadded && !hasZeroCode(*x))
    return std::nullopt;
  for (Operation *view : llvm::reverse(views)) {
    ArrayRef<int64_t> shape = typeOf(view->getResult(0)).getShape();
    auto type = RankedTensorType::get(shape, b.getI8Type());
    if (auto pad = dyn_cast<tensor::PadOp>(view))
      x->codes = padCodes(b, pad, *x);
    else if (auto expand = dyn_cast<tensor::ExpandShapeOp>(view))
      x->codes = tensor::ExpandShapeOp::create(b, type, x->codes, expand.getReassociationIndices());
    else
      x->codes = tensor::CollapseShapeOp::create(
          b, type, x->codes, cast<tensor::CollapseShapeOp>(view).getReassociationIndices());
    x->zeroMap = scalarMap(x->zeroMap, shape.size(), b.getContext());
    x->scaleMap = scalarMap(x->scaleMap, shape.size(), b.getContext());
  }
  return x;
}

} // namespace mtc::mt
