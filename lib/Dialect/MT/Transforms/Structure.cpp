//===- Structure.cpp - what the ops of the model phase compute ------------===//
#include "Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;

namespace mtc::mt {

std::optional<Product> productOf(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return std::nullopt;
  Block &body = *op.getBody();
  Product product{{true, true}};
  Value factors[2] = {body.getArgument(0), body.getArgument(1)};
  SmallVector<Operation *> rest;
  for (Operation &inner : body.without_terminator()) {
    auto argument = inner.getNumOperands() == 1 ? dyn_cast<BlockArgument>(inner.getOperand(0))
                                                : BlockArgument();
    if (!isa<arith::ExtSIOp, arith::ExtUIOp>(inner) || !argument || argument.getOwner() != &body ||
        argument.getArgNumber() > 1) {
      rest.push_back(&inner);
      continue;
    }
    product.isSigned[argument.getArgNumber()] = isa<arith::ExtSIOp>(inner);
    factors[argument.getArgNumber()] = inner.getResult(0);
  }
  if (rest.size() != 2 || !isa<arith::MulFOp, arith::MulIOp>(rest[0]) ||
      !isa<arith::AddFOp, arith::AddIOp>(rest[1]))
    return std::nullopt;
  auto isPair = [](Operation *o, Value x, Value y) {
    return (o->getOperand(0) == x && o->getOperand(1) == y) ||
           (o->getOperand(0) == y && o->getOperand(1) == x);
  };
  Value sum = rest[1]->getResult(0);
  bool isProduct = isPair(rest[0], factors[0], factors[1]) &&
                   isPair(rest[1], body.getArgument(2), rest[0]->getResult(0)) &&
                   body.getTerminator()->getOperand(0) == sum;
  return isProduct ? std::optional(product) : std::nullopt;
}

bool isContraction(linalg::GenericOp op) { return productOf(op).has_value(); }

bool isAllParallel(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && generic.getNumParallelLoops() == generic.getNumLoops() &&
         llvm::none_of(generic.getDpsInitsMutable(),
                       [&](OpOperand &init) { return generic.payloadUsesValueFromOperand(&init); });
}

bool readsWindow(linalg::GenericOp op) {
  for (OpOperand *input : op.getDpsInputOperands())
    for (AffineExpr e : op.getMatchingIndexingMap(input).getResults())
      if (!isa<AffineDimExpr>(e))
        return true;
  return false;
}

SmallVector<unsigned> plainLoops(AffineMap map) {
  SmallVector<unsigned> loops;
  for (AffineExpr e : map.getResults())
    if (auto d = dyn_cast<AffineDimExpr>(e))
      loops.push_back(d.getPosition());
  return loops;
}

std::optional<ContractionRoles> rolesOf(linalg::GenericOp op, unsigned b) {
  ContractionRoles roles;
  roles.b = b;
  roles.a = 1 - b;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<unsigned> inB = plainLoops(maps[b]), inOut = plainLoops(maps[2]);
  if (inB.size() != maps[b].getNumResults() || inOut.size() != maps[2].getNumResults())
    return std::nullopt;
  SmallVector<utils::IteratorType> types = op.getIteratorTypesArray();
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    if (types[loop] == utils::IteratorType::reduction) {
      roles.k.push_back(loop);
      continue;
    }
    bool ofA = maps[roles.a].isFunctionOfDim(loop), ofB = llvm::is_contained(inB, loop);
    (ofA && ofB ? roles.batch : ofB ? roles.n : roles.m).push_back(loop);
  }
  return roles;
}

SmallVector<Value> capturedValues(Operation *op) {
  llvm::SetVector<Value> values;
  if (op->getNumRegions())
    getUsedValuesDefinedAbove(op->getRegions(), values);
  return SmallVector<Value>(values.begin(), values.end());
}

bool isTrivialTensor(Value value) {
  Operation *op = value.getDefiningOp();
  if (auto fill = dyn_cast_or_null<linalg::FillOp>(op))
    return fill.getInputs()[0].getDefiningOp<arith::ConstantOp>() &&
           fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>();
  return isa_and_nonnull<tensor::EmptyOp>(op);
}

int64_t byteSize(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  unsigned bits = tensor.getElementType().isIndex() ? 64 : tensor.getElementTypeBitWidth();
  return tensor.getNumElements() * ((bits + 7) / 8);
}

} // namespace mtc::mt
