//===- EmitRecurrence.cpp - a loop of calls -------------------------------===//
//
// Slices are copied into the scratch and out of it: their place moves from step to step, that of
// the calls' arguments does not. It is some 60 vectors a step of 128 hidden units, of 2 us.
//
//===----------------------------------------------------------------------===//
#include "Recurrence.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace mtc::host {
namespace {

class RecurrenceEmitter {
public:
  RecurrenceEmitter(Emitter &e, const Recurrence &r, ArrayRef<std::string> symbols,
                    const HostTarget &target)
      : e(e), b(e.b), r(r), op(r.op), body(op.getBody().front()), symbols(symbols), target(target) {
  }

  LogicalResult emit() {
    for (Value v : body.getArguments())
      memory[v] = slot(v);
    for (const StepCall &call : r.calls)
      for (Value v : call.kernel.results)
        memory[v] = slot(v);
    // One tile: the whole sequence.
    auto tile = scf::ForOp::create(b, e.loc, e.lo, e.hi, e.constant(1));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(tile.getBody());
    for (Operation &other : e.kernel.getBody().front().without_terminator())
      if (&other != op && failed(e.emitByLoops(other)))
        return failure();
    emitSteps();
    e.copyResults();
    return success();
  }

private:
  Value view(int64_t offset, MemRefType type) {
    return memref::ViewOp::create(b, e.loc, type, e.scratch, e.constant(offset), ValueRange());
  }

  /// Memory of a value of the body.
  Value slot(Value v) {
    auto type = cast<RankedTensorType>(v.getType());
    if (auto it = r.slots.find(v); it != r.slots.end())
      return view(it->second, MemRefType::get({type.getNumElements()}, type.getElementType()));
    return outer(op.getOperand(cast<BlockArgument>(v).getArgNumber()));
  }

  /// Memory of an operand or result of the recurrence; null: any content is right, or nobody reads
  /// it.
  Value outer(Value v) {
    int storage = r.plan.lookup(v);
    return storage < 0 ? Value() : e.memory[storage];
  }

  /// Copies as many elements as `like` has.
  void copy(Value from, Value fromBase, Value to, Value toBase, Value like) {
    auto type = cast<RankedTensorType>(like.getType());
    int64_t count = type.getNumElements();
    int64_t lanes = target.vectorBytes / elementBytes(type.getElementType());
    auto vector = VectorType::get({lanes}, type.getElementType());
    int64_t whole = count / lanes;
    if (whole)
      e.forNest({whole}, [&](ArrayRef<Value> at) {
        Value i = e.mul(at[0], lanes);
        Value v = vector::LoadOp::create(b, e.loc, vector, from, e.add(fromBase, i));
        vector::StoreOp::create(b, e.loc, v, to, e.add(toBase, i));
      });
    if (count % lanes)
      e.forNest({count % lanes}, [&](ArrayRef<Value> at) {
        Value i = e.add(at[0], e.constant(whole * lanes));
        Value v = memref::LoadOp::create(b, e.loc, from, e.add(fromBase, i));
        memref::StoreOp::create(b, e.loc, v, to, e.add(toBase, i));
      });
  }

  void emitSteps() {
    Value zero = e.constant(0);
    size_t inputs = op.getInputs().size();
    ArrayRef<BlockArgument> arguments = body.getArguments();
    for (auto [k, first] : llvm::enumerate(op.getStates()))
      if (Value from = outer(first))
        copy(from, zero, memory.lookup(arguments[inputs + k]), zero, first);

    auto loop = scf::ForOp::create(b, e.loc, zero, e.constant(op.getSteps()), e.constant(1));
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(loop.getBody());
      Value step = loop.getInductionVar();
      if (op.getReverse())
        step = arith::SubIOp::create(b, e.loc, e.constant(op.getSteps() - 1), step);
      emitStep(step);
    }
    for (auto [k, last] : llvm::enumerate(op.getResults().drop_front(op.getNumOutputs())))
      if (Value to = outer(last))
        copy(memory.lookup(arguments[inputs + k]), zero, to, zero, last);
  }

  void emitStep(Value step) {
    Value zero = e.constant(0);
    auto offset = [&](Value slice) {
      return e.mul(step, cast<RankedTensorType>(slice.getType()).getNumElements());
    };
    for (auto [input, slice] : llvm::zip(op.getInputs(), body.getArguments()))
      if (Value from = outer(input); from && !slice.use_empty())
        copy(from, offset(slice), memory.lookup(slice), zero, slice);
    for (auto [call, symbol] : llvm::zip_equal(r.calls, symbols))
      emitCall(call, symbol);
    size_t outputs = op.getNumOutputs(), inputs = op.getInputs().size();
    for (auto [k, value] : llvm::enumerate(body.getTerminator()->getOperands())) {
      Value from = memory.lookup(withoutReshapes(value));
      if (k < outputs) {
        if (Value to = outer(op.getResult(k)))
          copy(from, zero, to, offset(value), value);
      } else if (Value state = body.getArgument(inputs + k - outputs); state != value) {
        copy(from, zero, memory.lookup(state), zero, value);
      }
    }
  }

  void emitCall(const StepCall &call, StringRef symbol) {
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(
        e.function, b.getStringAttr(symbol + ".body"));
    auto scratch = cast<MemRefType>(callee.getFunctionType().getInput(3));
    for (auto [phase, tiles] : llvm::enumerate(call.choice.tiles)) {
      SmallVector<Value> arguments = {e.constant(static_cast<int64_t>(phase)), e.constant(0),
                                      e.constant(tiles), view(r.callScratch, scratch)};
      for (Value v : llvm::concat<const Value>(call.kernel.inputs, call.kernel.results))
        arguments.push_back(memory.lookup(withoutReshapes(v)));
      func::CallOp::create(b, e.loc, callee, arguments);
    }
  }

  Emitter &e;
  OpBuilder &b;
  const Recurrence &r;
  mt::RecurrenceOp op;
  Block &body;
  ArrayRef<std::string> symbols;
  const HostTarget &target;
  llvm::DenseMap<Value, Value> memory; ///< of the body's values that are no reshapes
};

} // namespace

LogicalResult emitRecurrence(Emitter &e, const Recurrence &r, ArrayRef<std::string> symbols,
                             const HostTarget &target) {
  if (failed(RecurrenceEmitter(e, r, symbols, target).emit()))
    return failure();
  e.finish();
  return success();
}

} // namespace mtc::host
