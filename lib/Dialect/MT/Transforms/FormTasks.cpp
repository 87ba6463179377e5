//===- FormTasks.cpp - entries become graphs of tasks ---------------------===//
//
// Each group of ops (TaskGroups.cpp) moves into an mt.kernel of its own (Outline.cpp), and an
// mt.task takes its place. Reshapes stay between tasks as views. An entry's result must lie in a
// buffer of its own that a task writes; where it is an argument, a weight or a second name of
// another result, a copy is made.
//
//===----------------------------------------------------------------------===//
#include "Structure.h"
#include "TaskGroups.h"
#include "mtc/Dialect/MT/Transforms/JoinTasks.h"
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

class Outliner {
public:
  explicit Outliner(ProgramOp program) : program(program), symbols(program) {
    Block &body = program.getBody().front();
    place = &*llvm::find_if(body, [](Operation &op) { return isa<TenantOp>(op); });
  }

  void run(EntryOp entry, bool fuse) {
    for (const TaskGroup &group : formTaskGroups(entry.getBody().front(), fuse))
      replaceByTask(entry, group);
    separateResults(entry);
    Block &body = entry.getBody().front();
    for (auto region : body.getOps<RegionTaskOp>())
      storeOperands(region);
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
      if (!isa<TaskOp, ReturnOp>(op) && op.use_empty())
        op.erase();
    sortTopologically(&body);
    numberTasks(entry);
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

  /// The factors of products may be rounded if the tenant says so: tenants that do not say the same
  /// share no such kernel.
  static std::string numericsOf(EntryOp entry, const TaskGroup &group) {
    StringRef precision = entry->getParentOfType<TenantOp>().getPrecision().value_or("f32");
    return group.kind == KernelKind::Contraction && precision != "f32"
               ? group.numerics + "-" + precision.str()
               : group.numerics;
  }

  void replaceByTask(EntryOp entry, const TaskGroup &group) {
    Block &body = entry.getBody().front();
    const std::string numerics = numericsOf(entry, group);
    std::optional<Outlined> outlined =
        outline(body, group, [&](Location loc, TypeRange inputs, TypeRange results) {
          return makeKernel(loc, group.kind, numerics, inputs, results);
        });
    if (!outlined)
      return; // nobody needs it
    llvm::DenseSet<Operation *> inside(group.ops.begin(), group.ops.end());
    OpBuilder b(entry.getContext());
    b.setInsertionPointAfter(group.ops.back());
    auto task =
        TaskOp::create(b, outlined->kernel.getLoc(), ValueRange(outlined->results).getTypes(), 0,
                       outlined->kernel.getSymName(), outlined->inputs);
    for (auto [old, renewed] : llvm::zip(outlined->results, task.getResults()))
      old.replaceUsesWithIf(renewed, [&](OpOperand &use) {
        return !inside.contains(body.findAncestorOpInBlock(*use.getOwner()));
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
