//===- EvaluateEntry.h - the results of an entry, without generated code --===//
//
// Evaluates an entry of any phase up to tasks with the evaluator of weights: kernels are inlined,
// weights become arguments, control flow is followed. Slow, and independent of the code generator:
// what the passes' tests compare.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "mtc/Dialect/MT/Evaluation/Evaluate.h"
#include "mtc/Dialect/MT/Transforms/Recurrences.h"

#include "mlir/IR/IRMapping.h"

#include <cstring>

namespace mtc::mt {

class EntryEvaluation {
public:
  explicit EntryEvaluation(ProgramOp program) : weights(program), symbols(program) {}

  StatusOr<std::vector<TensorBytes>> resultsOf(EntryOp entry, llvm::ArrayRef<TensorBytes> inputs) {
    using namespace mlir;
    Region region;
    Block *block = new Block();
    region.push_back(block);
    OpBuilder b(entry.getContext());
    b.setInsertionPointToEnd(block);
    std::vector<TensorBytes> arguments(inputs.begin(), inputs.end());
    IRMapping map;
    auto addArgument = [&](Value value, const TensorBytes &bytes) {
      arguments.push_back(bytes);
      map.map(value, block->addArgument(value.getType(), value.getLoc()));
    };
    auto evaluate = [&](Value value) {
      YieldOp yield = YieldOp::create(b, value.getLoc(), map.lookup(value));
      StatusOr<TensorBytes> bytes = evaluateExpression(region, arguments);
      yield.erase();
      return bytes;
    };
    for (BlockArgument a : entry.getBody().getArguments())
      map.map(a, block->addArgument(a.getType(), a.getLoc()));
    std::vector<TensorBytes> results;
    for (Operation &op : entry.getBody().front()) {
      if (auto get = dyn_cast<GetWeightOp>(op)) {
        MTC_ASSIGN_OR_RETURN(TensorBytes bytes,
                             weights.bytesOf(symbols.lookup<WeightOp>(get.getWeight())));
        addArgument(get.getResult(), bytes);
      } else if (auto task = dyn_cast<TaskOp>(op)) {
        auto kernel = symbols.lookup<KernelOp>(task.getKernel());
        IRMapping inner;
        for (auto [parameter, operand] :
             llvm::zip(kernel.getBody().getArguments(), task.getOperands()))
          inner.map(parameter, map.lookup(operand));
        for (Operation &o : kernel.getBody().front().without_terminator())
          clone(b, o, inner);
        Operation *yield = kernel.getBody().front().getTerminator();
        for (auto [result, value] : llvm::zip(task.getResults(), yield->getOperands()))
          map.map(result, inner.lookup(value));
      } else if (auto task = dyn_cast<RegionTaskOp>(op)) {
        llvm::DenseMap<Value, TensorBytes> operands;
        for (Value operand : op.getOperands()) {
          MTC_ASSIGN_OR_RETURN(operands[operand], evaluate(operand));
        }
        MTC_ASSIGN_OR_RETURN(std::vector<TensorBytes> values, resultsOf(task, operands));
        for (auto [result, bytes] : llvm::zip(task.getResults(), values))
          addArgument(result, bytes);
      } else if (isa<ReturnOp>(op)) {
        for (Value value : op.getOperands()) {
          MTC_ASSIGN_OR_RETURN(TensorBytes bytes, evaluate(value));
          results.push_back(bytes);
        }
      } else {
        clone(b, op, map);
      }
    }
    return results;
  }

private:
  /// A clone that the evaluator of weights knows: recurrences become their steps.
  static void clone(mlir::OpBuilder &b, mlir::Operation &op, mlir::IRMapping &map) {
    mlir::Operation *copy = b.clone(op, map);
    if (!mlir::isa<RecurrenceOp>(copy))
      return;
    auto results = unrollRecurrence(mlir::cast<RecurrenceOp>(copy));
    for (auto [old, renewed] : llvm::zip(op.getResults(), results))
      map.map(old, renewed);
  }

  using Operands = llvm::DenseMap<mlir::Value, TensorBytes>;

  StatusOr<std::vector<TensorBytes>> resultsOf(RegionTaskOp op, const Operands &operands) {
    using namespace mlir;
    auto tenant = op->getParentOfType<TenantOp>();
    auto body = [&](size_t i) {
      auto name = cast<FlatSymbolRefAttr>(op.getBodies()[i]);
      return cast<EntryOp>(SymbolTable::lookupSymbolIn(tenant, name));
    };
    auto bytesOf = [&](Value value) { return operands.lookup(value); };
    std::vector<TensorBytes> captured = collect(op.getCaptured(), operands);
    bool condition = bytesOf(op.getCondition()).data[0] != 0;
    if (op.getKind() == RegionKind::If)
      return resultsOf(body(condition ? 0 : 1), captured);

    int64_t trips;
    std::memcpy(&trips, bytesOf(op.getTrips()).data.data(), sizeof(trips));
    std::vector<TensorBytes> state = collect(op.getCarried(), operands);
    state.insert(state.begin(), bytesOf(op.getCondition()));
    size_t stacked = op.getNumResults() - op.getCarried().size();
    std::vector<std::vector<uint8_t>> stacks(stacked);
    for (int64_t trip = 0; trip < trips && state[0].data[0]; ++trip) {
      if (trip == static_cast<int64_t>(op.getMaxTrips()))
        return invalidInput("the loop does not end");
      auto number = std::make_shared<int64_t>(trip);
      std::vector<TensorBytes> inputs = {
          {cast<RankedTensorType>(body(0).getArgumentTypes()[0]),
           {reinterpret_cast<const uint8_t *>(number.get()), sizeof(trip)},
           number}};
      inputs.insert(inputs.end(), state.begin(), state.end());
      for (Value scanned : op.getScanned()) {
        TensorBytes all = bytesOf(scanned);
        size_t bytes = all.data.size() / all.type.getDimSize(0);
        inputs.push_back(
            {RankedTensorType::get(all.type.getShape().drop_front(), all.type.getElementType()),
             all.data.slice(trip * bytes, bytes), all.owner});
      }
      inputs.insert(inputs.end(), captured.begin(), captured.end());
      MTC_ASSIGN_OR_RETURN(std::vector<TensorBytes> next, resultsOf(body(0), inputs));
      for (size_t i = 0; i < stacked; ++i)
        stacks[i].insert(stacks[i].end(), next[state.size() + i].data.begin(),
                         next[state.size() + i].data.end());
      next.resize(state.size());
      state = std::move(next);
    }
    std::vector<TensorBytes> results(state.begin() + 1, state.end());
    for (size_t i = 0; i < stacked; ++i) {
      auto owner = std::make_shared<std::vector<uint8_t>>(std::move(stacks[i]));
      results.push_back(
          {cast<RankedTensorType>(op.getResult(results.size()).getType()), *owner, owner});
    }
    return results;
  }

  static std::vector<TensorBytes> collect(mlir::ValueRange values, const Operands &operands) {
    std::vector<TensorBytes> bytes;
    for (mlir::Value value : values)
      bytes.push_back(operands.lookup(value));
    return bytes;
  }

  Evaluation weights;
  mlir::SymbolTable symbols;
};

/// The bytes of result `index` of `entry`, or why they cannot be had.
inline StatusOr<TensorBytes> evaluateEntry(ProgramOp program, EntryOp entry,
                                           llvm::ArrayRef<TensorBytes> inputs, unsigned index) {
  MTC_ASSIGN_OR_RETURN(std::vector<TensorBytes> results,
                       EntryEvaluation(program).resultsOf(entry, inputs));
  return results[index];
}

} // namespace mtc::mt
