//===- EmitResults.cpp - what becomes of a contraction's sums -------------===//
#include "EmitResults.h"

using namespace mlir;

namespace mtc::host {
namespace {

using Address = llvm::function_ref<Value(int64_t operand, const Piece &)>;
using LanesOf = llvm::function_ref<Lanes(int64_t j)>;

/// What the epilogue reads of an input for `pieces`: a number, or all their vectors in one.
Value epilogueInput(Emitter &e, const Contraction &c, int64_t lanes, int64_t operand,
                    ArrayRef<Piece> pieces, Address address, LanesOf lanesOf) {
  bool isNumber = c.stride(operand, c.n) == 0 && (pieces.size() == 1 || !c.stride(operand, c.m));
  SmallVector<Value> parts;
  for (const Piece &piece : isNumber ? pieces.take_front() : pieces)
    parts.push_back(loadVector(e, c.operands[operand].storage, address(operand, piece),
                               c.stride(operand, c.n), lanesOf(piece.j)));
  if (!isNumber)
    for (Value &part : parts)
      part = broadcast(e, part, lanes);
  return joinVectors(e, parts);
}

} // namespace

void emitResults(Emitter &e, const Contraction &c, int64_t lanes, Value accumulator,
                 ArrayRef<Piece> pieces, Address address, LanesOf lanesOf) {
  OpBuilder &b = e.b;
  const auto count = static_cast<int64_t>(pieces.size()) * lanes;
  Lanes all = pieces.size() == 1 ? lanesOf(pieces[0].j) : Lanes{count, nullptr};
  linalg::LinalgOp ep = c.epilogue;
  SmallVector<Value> results = {accumulator};
  if (ep) {
    SmallVector<Value> arguments;
    for (int64_t i = 0; i < c.epilogueInputs; ++i) {
      const Operand &o = c.operands[c.inputs + i];
      if (o.storage == -2)
        arguments.push_back(accumulator);
      else if (o.scalar)
        arguments.push_back(e.scalars.lookup(o.scalar));
      else if (o.storage < 0)
        arguments.push_back(
            e.constant(cast<TypedAttr>(b.getZeroAttr(ep.getBlock()->getArgument(i).getType()))));
      else
        arguments.push_back(epilogueInput(e, c, lanes, c.inputs + i, pieces, address, lanesOf));
    }
    for (OpOperand &init : ep.getDpsInitsMutable())
      arguments.push_back(e.constant(cast<TypedAttr>(
          b.getZeroAttr(ep.getBlock()->getArgument(init.getOperandNumber()).getType()))));
    results = cloneVectorBody(e, *ep.getBlock(), arguments, {}, -1, all);
  }
  for (auto [i, value] : llvm::enumerate(results))
    for (auto [p, piece] : llvm::enumerate(pieces)) {
      Value part = value;
      if (pieces.size() > 1 && isa<VectorType>(value.getType()))
        part = partOf(e, value, static_cast<int64_t>(p), lanes);
      int64_t operand = c.output(i);
      const int storage = c.operands[operand].storage;
      storeResult(e, part, storage, address(operand, piece), lanesOf(piece.j),
                  c.isAligned(operand, lanes));
    }
}

} // namespace mtc::host
