//===- Expression.cpp - the value of a block of tensor operations ---------===//
//
// Operations are evaluated in their order, each to whole tensors; a tensor is freed after its last
// use. There is no recursion over uses, so the length of a block is no limit.
//
//===----------------------------------------------------------------------===//
#include "Expression.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/DenseMap.h"

#include <cstring>

using namespace mlir;

namespace mtc::mt {

namespace {
/// What is known of the values of a block so far.
struct State {
  llvm::DenseMap<Value, TensorBytes> tensors;
  llvm::DenseMap<Value, Attribute> scalars;
};
} // namespace

StatusOr<TensorBytes> constantBytes(ElementsAttr value) {
  auto type = dyn_cast<RankedTensorType>(value.getShapedType());
  if (!type)
    return unsupported("cannot evaluate a constant that is not a ranked tensor");
  NewTensor result(type);
  int64_t bytes = elementBytes(type.getElementType()), i = 0;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || static_cast<int64_t>(blob->getData().size()) != tensorBytes(type))
      return invalidInput("resource '" + resource.getRawHandle().getKey().str() +
                          "' of a constant is missing or has another size");
    std::memcpy(result.data, blob->getData().data(), blob->getData().size());
    return std::move(result).freeze();
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense)
    return unsupported("cannot evaluate a constant that is neither dense nor a resource");
  auto append = [&](const APInt &element) {
    uint64_t bits = element.getZExtValue();
    std::memcpy(result.data + i++ * bytes, &bits, bytes);
  };
  if (isa<FloatType>(type.getElementType()))
    for (const APFloat &element : dense.getValues<APFloat>())
      append(element.bitcastToAPInt());
  else
    for (const APInt &element : dense.getValues<APInt>())
      append(element);
  return std::move(result).freeze();
}

/// tensor.from_elements and tensor.extract outside of bodies.
static StatusOr<TensorBytes> fromElements(tensor::FromElementsOp op, const State &state) {
  SmallVector<Attribute> elements;
  for (Value v : op.getElements()) {
    Attribute element = state.scalars.lookup(v);
    if (!element)
      return unsupported("cannot evaluate an element of 'tensor.from_elements'");
    elements.push_back(element);
  }
  return constantBytes(DenseElementsAttr::get(op.getType(), elements));
}

/// Evaluates one operation into `state`.
static Status evaluateOperation(Operation &op, State &state, const Values &values) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    if (auto elements = dyn_cast<ElementsAttr>(constant.getValue())) {
      MTC_ASSIGN_OR_RETURN(state.tensors[constant], constantBytes(elements));
    } else {
      state.scalars[constant] = constant.getValue();
    }
    return okStatus();
  }
  if (isMove(&op)) {
    MTC_ASSIGN_OR_RETURN(state.tensors[op.getResult(0)], evaluateMove(&op, values));
    return okStatus();
  }
  if (auto elements = dyn_cast<tensor::FromElementsOp>(op)) {
    MTC_ASSIGN_OR_RETURN(state.tensors[elements], fromElements(elements, state));
    return okStatus();
  }
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
    if (!linalgOp.hasPureTensorSemantics() || linalgOp.hasDynamicShape())
      return unsupported("cannot evaluate '" + op.getName().getStringRef().str() +
                         "' of dynamic shape or on memrefs");
    MTC_ASSIGN_OR_RETURN(SmallVector<TensorBytes> results, evaluateLinalg(linalgOp, values));
    for (auto [value, result] : llvm::zip(op.getResults(), results))
      state.tensors[value] = result;
    return okStatus();
  }
  bool isScalar = isa<arith::ArithDialect, math::MathDialect>(op.getDialect()) &&
                  op.getNumResults() == 1 && op.getResult(0).getType().isIntOrIndexOrFloat();
  if (!isScalar)
    return unsupported("cannot evaluate '" + op.getName().getStringRef().str() + "'");
  MTC_ASSIGN_OR_RETURN(state.scalars[op.getResult(0)], evaluateScalar(&op, values));
  return okStatus();
}

StatusOr<TensorBytes> evaluateExpression(Region &body, ArrayRef<TensorBytes> arguments) {
  Block &block = body.front();
  State state;
  llvm::DenseMap<Value, Operation *> lastUse;
  for (auto [value, bytes] : llvm::zip(block.getArguments(), arguments))
    state.tensors[value] = bytes;
  // Uses inside bodies (tensor.extract) count as uses by the operation of this block.
  block.walk([&](Operation *user) {
    for (Value v : user->getOperands())
      if (v.getParentBlock() == &block)
        lastUse[v] = block.findAncestorOpInBlock(*user);
  });
  llvm::DenseMap<Operation *, SmallVector<Value>> deaths;
  for (auto [value, user] : lastUse)
    deaths[user].push_back(value);

  Values values;
  values.tensor = [&](Value v) -> const TensorBytes * {
    auto known = state.tensors.find(v);
    return known == state.tensors.end() ? nullptr : &known->second;
  };
  values.scalar = [&](Value v) { return state.scalars.lookup(v); };

  for (Operation &op : block.without_terminator()) {
    MTC_RETURN_IF_ERROR(evaluateOperation(op, state, values));
    for (Value dead : deaths.lookup(&op))
      state.tensors.erase(dead);
  }
  const TensorBytes *result = values.tensor(block.getTerminator()->getOperand(0));
  if (!result)
    return unsupported("cannot evaluate the expression's result");
  return *result;
}

} // namespace mtc::mt
