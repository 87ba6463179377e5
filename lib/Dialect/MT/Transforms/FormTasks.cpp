//===- FormTasks.cpp - entries become graphs of tasks ---------------------===//
//
// Each group of ops (TaskGroups.cpp) moves into an mt.kernel of its own, and an mt.task takes its
// place. What costs nothing is repeated inside: constants, empty tensors, fills. Reshapes stay
// between tasks as views. An entry's result must lie in a buffer of its own that a task writes;
// where it is an argument, a weight or a second name of another result, a copy is made.
//
//===----------------------------------------------------------------------===//
#include "Structure.h"
#include "TaskGroups.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace mtc::mt {
#define GEN_PASS_DEF_FORMTASKS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// The ONNX nodes' names, each once.
Location locationOf(ArrayRef<Operation *> ops, MLIRContext *context) {
  llvm::SetVector<Location> locs;
  for (Operation *op : ops) {
    if (auto fused = dyn_cast<FusedLoc>(op->getLoc()))
      locs.insert(fused.getLocations().begin(), fused.getLocations().end());
    else
      locs.insert(op->getLoc());
  }
  return FusedLoc::get(locs.getArrayRef(), Attribute(), context);
}

class Outliner {
public:
  explicit Outliner(ProgramOp program) : program(program), symbols(program) {
    Block &body = program.getBody().front();
    place = &*llvm::find_if(body, [](Operation &op) { return isa<TenantOp>(op); });
  }

  void run(EntryOp entry, bool fuse) {
    for (const TaskGroup &group : formTaskGroups(entry, fuse))
      outline(entry, group);
    separateResults(entry);
    Block &body = entry.getBody().front();
    for (auto region : body.getOps<RegionTaskOp>())
      storeOperands(region);
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (!isa<TaskOp, ReturnOp>(op) && op.use_empty())
        op.erase();
    sortTopologically(&body);
    int64_t id = 0;
    for (Operation &op : body)
      if (auto task = dyn_cast<TaskOp>(op))
        task.setId(id++);
      else if (auto region = dyn_cast<RegionTaskOp>(op))
        region.setId(id++);
  }

private:
  ProgramOp program;
  SymbolTable symbols;
  Operation *place; ///< the first tenant: kernels stand before it
  int64_t number = 0;

  KernelOp makeKernel(Location loc, KernelKind kind, StringRef numerics, TypeRange inputs,
                      TypeRange results) {
    OpBuilder b(place);
    std::string name = (stringifyKernelKind(kind) + "_" + Twine(number++)).str();
    auto kernel = KernelOp::create(b, loc, name, kind, b.getFunctionType(inputs, results));
    kernel.setNumerics(numerics);
    symbols.insert(kernel);
    return kernel;
  }

  void outline(EntryOp entry, const TaskGroup &group) {
    // Inputs in order of use, and what is repeated inside.
    llvm::SetVector<Value> inputs;
    llvm::SetVector<Operation *> inside(group.ops.begin(), group.ops.end());
    llvm::SetVector<Operation *> repeated;
    SmallVector<Operation *> worklist = llvm::to_vector(llvm::reverse(group.ops));
    while (!worklist.empty()) {
      Operation *op = worklist.pop_back_val();
      SmallVector<Value> reads = llvm::to_vector(op->getOperands());
      llvm::append_range(reads, capturedValues(op));
      for (Value v : reads) {
        Operation *producer = v.getDefiningOp();
        if (producer && inside.contains(producer))
          continue;
        bool isCheap =
            producer && !belongsToTask(producer) &&
            !isa<GetWeightOp, TaskOp, RegionTaskOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(
                producer);
        if (!isCheap)
          inputs.insert(v);
        else if (repeated.insert(producer))
          worklist.push_back(producer);
      }
    }
    SmallVector<Operation *> ops = repeated.takeVector();
    llvm::append_range(ops, group.ops);
    llvm::sort(ops, [](Operation *x, Operation *y) { return x->isBeforeInBlock(y); });
    SmallVector<Value> results;
    for (Operation *op : group.ops)
      for (Value result : op->getResults())
        if (llvm::any_of(result.getUsers(), [&](Operation *user) {
              return !inside.contains(entry.getBody().front().findAncestorOpInBlock(*user));
            }))
          results.push_back(result);
    if (results.empty())
      return; // nobody needs it

    Location loc = locationOf(group.ops, program.getContext());
    KernelOp kernel =
        makeKernel(loc, group.kind, group.numerics, ValueRange(inputs.getArrayRef()).getTypes(),
                   ValueRange(results).getTypes());
    OpBuilder b = OpBuilder::atBlockEnd(&kernel.getBody().front());
    IRMapping map;
    map.map(inputs.getArrayRef(), kernel.getBody().getArguments());
    for (Operation *op : ops)
      b.clone(*op, map);
    YieldOp::create(b, loc, llvm::map_to_vector(results, [&](Value v) { return map.lookup(v); }));

    b.setInsertionPointAfter(group.ops.back());
    auto task = TaskOp::create(b, loc, ValueRange(results).getTypes(), 0, kernel.getSymName(),
                               inputs.getArrayRef());
    for (auto [old, renewed] : llvm::zip(results, task.getResults()))
      old.replaceUsesWithIf(renewed, [&](OpOperand &use) {
        return !inside.contains(entry.getBody().front().findAncestorOpInBlock(*use.getOwner()));
      });
  }

  static bool isView(Operation *op) {
    return isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op);
  }

  static Value rootOf(Value v) {
    while (isView(v.getDefiningOp()))
      v = v.getDefiningOp()->getOperand(0);
    return v;
  }

  /// Operands of a region lie in memory, also those that kernels would make inside.
  void storeOperands(RegionTaskOp region) {
    for (OpOperand &operand : region->getOpOperands()) {
      Value root = rootOf(operand.get());
      if (!isTrivialTensor(root))
        continue;
      IRMapping map;
      map.map(root, copy(region, root));
      SmallVector<Operation *> views;
      for (Value v = operand.get(); v != root; v = v.getDefiningOp()->getOperand(0))
        views.push_back(v.getDefiningOp());
      OpBuilder b(region);
      for (Operation *view : llvm::reverse(views))
        b.clone(*view, map);
      operand.set(map.lookup(operand.get()));
    }
  }

  /// Copies results that are not the only name of a task's result.
  void separateResults(EntryOp entry) {
    Operation *terminator = entry.getBody().front().getTerminator();
    llvm::DenseSet<Value> written;
    for (OpOperand &operand : terminator->getOpOperands()) {
      Value root = rootOf(operand.get());
      if (isa_and_nonnull<TaskOp, RegionTaskOp>(root.getDefiningOp()) &&
          written.insert(root).second)
        continue;
      operand.set(copy(terminator, operand.get()));
    }
  }

  Value copy(Operation *before, Value value) {
    Location loc = value.getLoc();
    auto type = cast<RankedTensorType>(value.getType());
    bool isArgument = !isTrivialTensor(value);
    SmallVector<Value> inputs;
    if (isArgument)
      inputs.push_back(value);
    KernelOp kernel =
        makeKernel(loc, KernelKind::Elementwise, "exact", ValueRange(inputs).getTypes(), type);
    OpBuilder b = OpBuilder::atBlockEnd(&kernel.getBody().front());
    Value source;
    if (isArgument) {
      source = kernel.getBody().getArgument(0);
    } else {
      IRMapping map;
      if (auto fill = value.getDefiningOp<linalg::FillOp>()) {
        b.clone(*fill.getInputs()[0].getDefiningOp(), map);
        b.clone(*fill.getOutputs()[0].getDefiningOp(), map);
      }
      source = b.clone(*value.getDefiningOp(), map)->getResult(0);
    }
    Value empty = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
    auto yieldInput = [](OpBuilder &nested, Location l, ValueRange args) {
      linalg::YieldOp::create(nested, l, args[0]);
    };
    auto copied = linalg::GenericOp::create(
        b, loc, TypeRange(type), source, ValueRange(empty), ArrayRef<AffineMap>{identity, identity},
        SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
        yieldInput);
    YieldOp::create(b, loc, copied.getResults());
    b.setInsertionPoint(before);
    return TaskOp::create(b, loc, TypeRange(type), 0, kernel.getSymName(), inputs).getResult(0);
  }
};

struct FormTasks : mtc::mt::impl::FormTasksBase<FormTasks> {
  using FormTasksBase::FormTasksBase;
  void runOnOperation() override {
    SmallVector<EntryOp> entries;
    getOperation().walk([&](EntryOp entry) { entries.push_back(entry); });
    if (entries.empty())
      return;
    Outliner outliner(getOperation());
    for (EntryOp entry : entries)
      outliner.run(entry, fuse);
  }
};

} // namespace
