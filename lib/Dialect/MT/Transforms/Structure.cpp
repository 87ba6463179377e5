//===- Structure.cpp - what the ops of the model phase compute ------------===//
#include "Structure.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;

namespace mtc::mt {

/// Reads how a factor of a product comes from argument `number`; counts the operations on the way.
static bool readFactor(Value v, unsigned number, Product &product, unsigned &count) {
  const bool isF32 = v.getType().isF32();
  product.isSigned[number] = true;
  product.zero[number] = 0;
  auto step = [&](Operation *op) {
    ++count;
    return op->getOperand(0);
  };
  if (isF32) {
    if (auto widen = v.getDefiningOp<arith::ExtFOp>())
      v = step(widen);
    else if (Operation *op = v.getDefiningOp();
             isa_and_nonnull<arith::SIToFPOp, arith::UIToFPOp>(op)) {
      product.isSigned[number] = isa<arith::SIToFPOp>(op);
      v = step(op);
      APInt zero;
      auto difference = v.getDefiningOp<arith::SubIOp>();
      if (difference && v.getType().isInteger(32) && product.isSigned[number] &&
          matchPattern(difference.getRhs(), m_ConstantInt(&zero))) {
        product.zero[number] = zero.getSExtValue();
        v = step(difference);
      }
    }
  }
  if (Operation *op = v.getDefiningOp();
      product.isSigned[number] && isa_and_nonnull<arith::ExtSIOp, arith::ExtUIOp>(op)) {
    product.isSigned[number] = isa<arith::ExtSIOp>(op);
    v = step(op);
  }
  auto argument = dyn_cast<BlockArgument>(v);
  const bool fits = !isF32 || !v.getType().isInteger() || v.getType().getIntOrFloatBitWidth() <= 16;
  return argument && argument.getArgNumber() == number && fits;
}

std::optional<Product> productOf(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || op.getNumReductionLoops() == 0)
    return std::nullopt;
  Block &body = *op.getBody();
  Operation *sum = body.getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp, arith::AddIOp>(sum))
    return std::nullopt;
  Value accumulator = body.getArgument(2);
  Operation *product = sum->getOperand(sum->getOperand(0) == accumulator).getDefiningOp();
  if (!isa_and_nonnull<arith::MulFOp, arith::MulIOp>(product) ||
      !llvm::is_contained(sum->getOperands(), accumulator))
    return std::nullopt;
  const unsigned all = llvm::count_if(body.without_terminator(), [](Operation &inner) {
    return !inner.hasTrait<OpTrait::ConstantLike>();
  });
  for (unsigned left : {0u, 1u}) {
    Product found;
    unsigned count = 2;
    if (readFactor(product->getOperand(left), 0, found, count) &&
        readFactor(product->getOperand(1 - left), 1, found, count) && count == all)
      return found;
  }
  return std::nullopt;
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

void fuseIntoUser(RewriterBase &b, Value result) {
  auto producer = result.getDefiningOp<linalg::GenericOp>();
  if (!isAllParallel(producer) || !result.hasOneUse())
    return;
  OpOperand &use = *result.use_begin();
  auto next = dyn_cast<linalg::GenericOp>(use.getOwner());
  if (!next || !isAllParallel(next) || !next.getMatchingIndexingMap(&use).isIdentity())
    return;
  b.setInsertionPoint(next);
  FailureOr<linalg::ElementwiseOpFusionResult> fused = linalg::fuseElementwiseOps(b, &use);
  if (failed(fused))
    return;
  for (auto [old, renewed] : fused->replacements)
    old.replaceAllUsesWith(renewed);
  // Indices of loops that stayed what they were.
  fused->fusedOp->walk([&](affine::AffineApplyOp apply) {
    if (auto dim = dyn_cast<AffineDimExpr>(apply.getAffineMap().getResult(0)))
      b.replaceOp(apply, apply.getDimOperands()[dim.getPosition()]);
  });
  fused->fusedOp->walk([&](linalg::IndexOp index) {
    if (index->use_empty())
      b.eraseOp(index);
  });
  next.erase();
  producer.erase();
}

} // namespace mtc::mt
