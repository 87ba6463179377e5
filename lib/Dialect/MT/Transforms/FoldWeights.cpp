//===- FoldWeights.cpp - compute on weights when compiling ----------------===//
//
// Ops that depend on weights and scalar constants alone become `derive`d weights, which are
// evaluated once when the bundle is written. Expressions grow as far as intermediate results have
// no other use. A result that is much larger than what it is computed from (a broadcast) stays in
// the program: bytes in the bundle and from memory cost more than the arithmetic.
//
//===----------------------------------------------------------------------===//
#include "DerivedWeights.h"
#include "Structure.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mtc::mt {
#define GEN_PASS_DEF_FOLDWEIGHTS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

constexpr int64_t kLargeBytes = 1 << 20;
constexpr int64_t kMaxGrowth = 4;

/// The forms that the evaluator of derived weights knows.
bool canEvaluate(Operation *op) {
  return isa<linalg::GenericOp, linalg::TransposeOp, tensor::PadOp, tensor::ConcatOp,
             tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::ExpandShapeOp,
             tensor::CollapseShapeOp>(op);
}

/// One entry: which ops are constant, and the weights that replace them.
class EntryFolder {
public:
  EntryFolder(EntryOp entry, DerivedWeights &weights)
      : body(entry.getBody().front()), weights(weights) {}

  void run() {
    for (Operation &op : body)
      if (isConstant(&op))
        constant.push_back(&op);
    llvm::DenseSet<Operation *> set(constant.begin(), constant.end());
    for (Operation *op : constant)
      if (isRoot(op, set))
        for (OpResult result : op->getResults())
          if (!result.use_empty())
            replace(result);
    for (Operation *op : llvm::reverse(constant))
      if (op->use_empty())
        op->erase();
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (isa<GetWeightOp, tensor::EmptyOp>(op) && op.use_empty())
        op.erase();
  }

private:
  Block &body;
  DerivedWeights &weights;
  SmallVector<Operation *> constant;
  DenseMap<Value, int64_t> sourceBytes; ///< of every constant value

  bool isConstant(Operation *op) {
    if (isa<GetWeightOp>(op)) {
      sourceBytes[op->getResult(0)] = byteSize(op->getResult(0).getType());
      return false;
    }
    if (!canEvaluate(op))
      return false;
    int64_t from = 0, to = 0;
    SmallVector<Value> inputs = capturedValues(op);
    llvm::append_range(inputs, op->getOperands());
    for (Value input : inputs) {
      if (isTrivialTensor(input) || input.getDefiningOp<arith::ConstantOp>())
        continue;
      auto it = sourceBytes.find(input);
      if (it == sourceBytes.end())
        return false;
      from += it->second;
    }
    for (Type type : op->getResultTypes())
      to += byteSize(type);
    if (to > kLargeBytes && to > kMaxGrowth * from)
      return false;
    for (Value result : op->getResults())
      sourceBytes[result] = from;
    return true;
  }

  /// Something else uses the results, or more than one op of an expression does.
  bool isRoot(Operation *op, const llvm::DenseSet<Operation *> &set) {
    llvm::DenseSet<Operation *> users;
    for (Operation *user : op->getUsers())
      users.insert(body.findAncestorOpInBlock(*user));
    return users.size() > 1 || (!users.empty() && !set.contains(*users.begin()));
  }

  void replace(OpResult root) {
    // The expression: everything between the root and weights, in program order.
    llvm::SetVector<Operation *> slice;
    SmallVector<Operation *> worklist = {root.getOwner()};
    llvm::SetVector<Operation *> reads;
    while (!worklist.empty()) {
      Operation *op = worklist.pop_back_val();
      if (!slice.insert(op))
        continue;
      SmallVector<Value> inputs = capturedValues(op);
      llvm::append_range(inputs, op->getOperands());
      for (Value input : inputs) {
        Operation *producer = input.getDefiningOp();
        if (isa<GetWeightOp>(producer))
          reads.insert(producer);
        else
          worklist.push_back(producer);
      }
    }
    auto inOrder = [](llvm::SetVector<Operation *> &set) {
      SmallVector<Operation *> ops = set.takeVector();
      llvm::sort(ops, [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
      return ops;
    };
    SmallVector<Operation *> ops = inOrder(slice);
    llvm::MapVector<StringRef, WeightOp> sources;
    SmallVector<Operation *> gets = inOrder(reads);
    for (Operation *get : gets) {
      WeightOp weight = weights.find(get->getResult(0));
      sources.insert({weight.getSymName(), weight});
    }
    auto values = llvm::map_to_vector(sources, [](auto &s) { return s.second; });
    Location loc = root.getLoc();
    WeightOp derived =
        weights.getOrCreate(loc, "folded", values, [&](OpBuilder &b, ValueRange arguments) {
          IRMapping map;
          for (Operation *get : gets) {
            StringRef name = cast<GetWeightOp>(get).getWeight();
            map.map(get->getResult(0), arguments[sources.find(name) - sources.begin()]);
          }
          for (Operation *op : ops)
            b.clone(*op, map);
          return map.lookup(Value(root));
        });
    OpBuilder b(root.getOwner());
    Value value = DerivedWeights::get(b, loc, derived);
    root.replaceAllUsesWith(value);
  }
};

struct FoldWeights : mtc::mt::impl::FoldWeightsBase<FoldWeights> {
  void runOnOperation() override {
    DerivedWeights weights(getOperation());
    getOperation().walk([&](EntryOp entry) { EntryFolder(entry, weights).run(); });
    weights.eraseUnused();
  }
};

} // namespace
