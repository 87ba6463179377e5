//===- TaskGroups.cpp - which ops of an entry form one task ---------------===//
//
// Three forms, in this order: a contraction with the padding before and the elementwise op behind
// it; a reduction or pooling with the elementwise op behind it; row operations (softmax, layer
// normalization): reductions over the innermost dims and elementwise ops that share the leading
// dims, so that a row stays in the first-level caches. Slices of rows join the elementwise op that
// reads them. What is left is a task of its own.
//
//===----------------------------------------------------------------------===//
#include "TaskGroups.h"
#include "Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace mtc::mt {

/// Intermediate values of one row must stay near the core (L1 is 48 KiB, L2 1 MiB on Zen 5).
static constexpr int64_t kMaxRowBytes = 256 << 10;
/// With fewer rows than workers have use for, this much is work for one.
static constexpr int64_t kMaxLoneRowBytes = 32 << 10;
static constexpr int64_t kManyRows = 32;

bool belongsToTask(Operation *op) {
  if (isa<GetWeightOp, ReturnOp, YieldOp, TaskOp, RegionTaskOp, tensor::ExpandShapeOp,
          tensor::CollapseShapeOp, tensor::EmptyOp, linalg::UnPackOp, arith::ConstantOp>(op))
    return false; // an unpack says how its reader finds a weight
  if (!llvm::all_of(op->getResultTypes(), [](Type t) { return isa<RankedTensorType>(t); }))
    return false; // scalars are computed where they are used
  return !(op->getNumResults() == 1 && isTrivialTensor(op->getResult(0)));
}

namespace {

/// The outer loops that all ops of a rows group share.
struct RowSpace {
  SmallVector<int64_t> sizes;
  int64_t bytes = 0; ///< of the intermediate values of a row so far
};

class Grouper {
public:
  explicit Grouper(Block &body) : body(body) {
    for (Operation &op : body)
      if (belongsToTask(&op))
        groupOf[&op] = groupOf.size();
  }

  void fuse() {
    for (Operation &op : body)
      if (auto generic = dyn_cast<linalg::GenericOp>(op); generic && isContraction(generic))
        growContraction(generic);
    for (Operation &op : body)
      if (auto generic = dyn_cast<linalg::GenericOp>(op); generic && !fixed.contains(&op))
        growRows(generic);
    for (Operation &op : llvm::reverse(body))
      if (auto generic = dyn_cast<linalg::GenericOp>(op); generic && isAllParallel(generic))
        joinConsumingRows(generic);
    for (Operation &op : body)
      if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
        joinConsumer(slice);
  }

  std::vector<TaskGroup> groups() {
    llvm::MapVector<unsigned, TaskGroup> byId;
    for (Operation &op : body)
      if (auto it = groupOf.find(&op); it != groupOf.end())
        byId[it->second].ops.push_back(&op);
    std::vector<TaskGroup> result;
    for (auto &[id, group] : byId) {
      classify(group);
      result.push_back(std::move(group));
    }
    return result;
  }

private:
  Block &body;
  DenseMap<Operation *, unsigned> groupOf;
  llvm::DenseSet<Operation *> fixed; ///< in a group that rows must not take from
  DenseMap<unsigned, RowSpace> rows; ///< by group

  static Operation *onlyUser(Value v) {
    Operation *user = nullptr;
    for (Operation *u : v.getUsers()) {
      if (user && u != user)
        return nullptr;
      user = u;
    }
    return user;
  }

  /// The ops of the entry that `op` reads from.
  SmallVector<Operation *> producers(Operation *op) {
    SmallVector<Operation *> result;
    SmallVector<Value> inputs = capturedValues(op);
    llvm::append_range(inputs, op->getOperands());
    for (Value v : inputs)
      if (Operation *producer = v.getDefiningOp())
        result.push_back(producer);
    return result;
  }

  /// A path from group `from` to group `to` leads through another group or op.
  bool pathThroughOthers(unsigned from, unsigned to) {
    DenseMap<unsigned, SmallVector<Operation *>> members;
    for (auto [op, id] : groupOf)
      members[id].push_back(op);
    SmallVector<Operation *> worklist;
    llvm::DenseSet<Operation *> seen;
    auto push = [&](Operation *op) {
      // An op stands for its whole group.
      auto it = groupOf.find(op);
      if (it == groupOf.end()) {
        if (seen.insert(op).second)
          worklist.push_back(op);
      } else {
        for (Operation *member : members[it->second])
          if (seen.insert(member).second)
            worklist.push_back(member);
      }
    };
    auto isIn = [&](Operation *op, unsigned id) {
      auto it = groupOf.find(op);
      return it != groupOf.end() && it->second == id;
    };
    for (Operation *op : members[to])
      for (Operation *p : producers(op))
        if (!isIn(p, from) && !isIn(p, to))
          push(p);
    while (!worklist.empty())
      for (Operation *p : producers(worklist.pop_back_val())) {
        if (isIn(p, from))
          return true;
        push(p);
      }
    return false;
  }

  /// Puts `op`'s group into `target`, unless other groups would then lie in a cycle.
  bool merge(Operation *op, unsigned target) {
    unsigned id = groupOf.lookup(op);
    if (id == target)
      return true;
    if (pathThroughOthers(id, target) || pathThroughOthers(target, id))
      return false;
    for (auto &[member, group] : groupOf)
      if (group == id)
        group = target;
    return true;
  }

  /// The elementwise op behind `op`, if it runs over exactly the elements of `op`'s result.
  linalg::GenericOp epilogueOf(linalg::GenericOp op) {
    if (op.getNumResults() != 1)
      return {};
    auto next = dyn_cast_or_null<linalg::GenericOp>(onlyUser(op.getResult(0)));
    if (!next || !isAllParallel(next) || fixed.contains(next))
      return {};
    for (OpOperand &operand : next->getOpOperands())
      if ((operand.get() == op.getResult(0) || next.isDpsInit(&operand)) &&
          !next.getMatchingIndexingMap(&operand).isIdentity())
        return {};
    if (llvm::is_contained(capturedValues(next), op.getResult(0)))
      return {};
    return next;
  }

  /// Products with one column: emitters sum along rows there, which must lie in memory with their
  /// padding.
  static bool hasOneColumn(linalg::GenericOp op) {
    for (unsigned b : {1u, 0u})
      if (auto roles = rolesOf(op, b); roles && op.getOperand(b).getDefiningOp<GetWeightOp>()) {
        SmallVector<int64_t> ranges = op.getStaticLoopRanges();
        auto isOne = [&](unsigned loop) { return ranges[loop] == 1; };
        return llvm::all_of(roles->n, isOne) && llvm::all_of(roles->batch, isOne);
      }
    return false;
  }

  void growContraction(linalg::GenericOp op) {
    unsigned id = groupOf.lookup(op);
    fixed.insert(op);
    for (Value input : op.getInputs()) {
      auto pad = input.getDefiningOp<tensor::PadOp>();
      if (pad && !hasOneColumn(op) && onlyUser(pad.getResult()) == op &&
          pad.getConstantPaddingValue() &&
          (matchPattern(pad.getConstantPaddingValue(), m_AnyZeroFloat()) ||
           matchPattern(pad.getConstantPaddingValue(), m_Zero())) &&
          merge(pad, id)) {
        fixed.insert(pad);
        break;
      }
    }
    if (linalg::GenericOp next = epilogueOf(op); next && merge(next, id))
      fixed.insert(next);
  }

  //===--------------------------------------------------------------------===//
  // Rows
  //===--------------------------------------------------------------------===//

  /// The first `count` results are the loops 0, 1, ..., and no later result uses those.
  static bool leads(AffineMap map, unsigned count) {
    if (map.getNumResults() < count)
      return false;
    for (auto [i, e] : llvm::enumerate(map.getResults())) {
      auto loop = dyn_cast<AffineDimExpr>(e);
      if (!loop || (i < count ? loop.getPosition() != i : loop.getPosition() < count))
        return false;
    }
    return true;
  }

  /// `op` runs over the rows of `space`, and reads members of the group row by row.
  bool fits(linalg::GenericOp op, ArrayRef<int64_t> sizes, unsigned group) {
    unsigned count = sizes.size();
    SmallVector<int64_t> ranges = op.getStaticLoopRanges();
    if (ranges.size() < count || ArrayRef<int64_t>(ranges).take_front(count) != sizes)
      return false;
    auto types = op.getIteratorTypesArray();
    for (unsigned i = 0; i < count; ++i)
      if (types[i] != utils::IteratorType::parallel)
        return false;
    for (OpOperand &operand : op->getOpOperands()) {
      bool isInit = op.isDpsInit(&operand);
      Operation *producer = operand.get().getDefiningOp();
      auto it = groupOf.find(producer);
      bool isMember = producer && it != groupOf.end() && it->second == group;
      if ((isInit || isMember) && !leads(op.getMatchingIndexingMap(&operand), count))
        return false;
    }
    for (Value captured : capturedValues(op)) // a gather reads any row
      if (auto it = groupOf.find(captured.getDefiningOp());
          captured.getDefiningOp() && it != groupOf.end() && it->second == group)
        return false;
    return true;
  }

  static int64_t rowBytes(linalg::GenericOp op, unsigned count) {
    int64_t bytes = 0;
    for (Type type : op.getResultTypes()) {
      auto tensor = cast<RankedTensorType>(type);
      bytes += byteSize(tensor) /
               std::max<int64_t>(1, llvm::product_of(tensor.getShape().take_front(count)));
    }
    return bytes;
  }

  /// Starts a group at a reduction, or joins one whose rows the op continues.
  void growRows(linalg::GenericOp op) {
    for (Operation *producer : producers(op)) {
      auto it = groupOf.find(producer);
      if (it == groupOf.end() || !rows.contains(it->second))
        continue;
      if (tryJoin(op, it->second))
        return;
    }
    if (op.getNumReductionLoops() == 0)
      return;
    unsigned count = op.getNumParallelLoops();
    SmallVector<int64_t> sizes = op.getStaticLoopRanges();
    sizes.truncate(count);
    bool isRowForm = !readsWindow(op) && fits(op, sizes, groupOf.lookup(op));
    for (OpOperand *input : op.getDpsInputOperands())
      if (op.getMatchingIndexingMap(input).getNumResults() == op.getNumLoops())
        isRowForm &= op.getMatchingIndexingMap(input).isIdentity();
    if (isRowForm) {
      rows[groupOf.lookup(op)] = {sizes, rowBytes(op, count)};
      return;
    }
    fixed.insert(op);
    if (linalg::GenericOp next = epilogueOf(op); next && merge(next, groupOf.lookup(op)))
      fixed.insert(next);
  }

  bool tryJoin(linalg::GenericOp op, unsigned group) {
    RowSpace &space = rows.find(group)->second;
    if (!fits(op, space.sizes, group))
      return false;
    int64_t bytes = rowBytes(op, space.sizes.size());
    if (space.bytes + bytes > kMaxRowBytes || !merge(op, group))
      return false;
    space.bytes += bytes;
    return true;
  }

  /// An elementwise op before a rows group that alone uses it.
  void joinConsumingRows(linalg::GenericOp op) {
    if (fixed.contains(op) || rows.contains(groupOf.lookup(op)) || op->use_empty())
      return;
    std::optional<unsigned> group;
    for (OpOperand &use : op->getUses()) {
      auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
      if (!user || user->getBlock() != &body)
        return;
      unsigned id = groupOf.lookup(user);
      auto it = rows.find(id);
      if (it == rows.end() || (group && *group != id) ||
          !leads(user.getMatchingIndexingMap(&use), it->second.sizes.size()))
        return;
      group = id;
    }
    tryJoin(op, *group);
  }

  /// A slice of every row (a gate of a recurrent cell, half of a gated unit) that one elementwise
  /// op reads is taken where it is read. A slice of the rows is not: each step of a recurrence
  /// takes another one, and its kernel would no longer be the same in all steps.
  void joinConsumer(tensor::ExtractSliceOp slice) {
    auto user = dyn_cast_or_null<linalg::GenericOp>(onlyUser(slice.getResult()));
    if (!user || user->getBlock() != &body || !isAllParallel(user) || fixed.contains(user) ||
        rows.contains(groupOf.lookup(user)) || slice.getDroppedDims().any() ||
        slice.getSource().getDefiningOp<GetWeightOp>() || user.getNumResults() != 1)
      return;
    ArrayRef<int64_t> from = slice.getSourceType().getShape(), to = slice.getType().getShape();
    unsigned count = 0;
    while (count < to.size() && from[count] == to[count])
      ++count;
    auto resultType = cast<RankedTensorType>(user.getResult(0).getType());
    if (count == 0 || resultType.getShape().size() < count ||
        resultType.getShape().take_front(count) != to.take_front(count))
      return;
    for (OpOperand &operand : user->getOpOperands())
      if ((operand.get() == slice.getResult() || user.isDpsInit(&operand)) &&
          !leads(user.getMatchingIndexingMap(&operand), count))
        return;
    int64_t all = byteSize(slice.getType()), rowCount = llvm::product_of(to.take_front(count));
    if (all <= kMaxLoneRowBytes || (rowCount >= kManyRows && all / rowCount <= kMaxLoneRowBytes))
      merge(slice, groupOf.lookup(user));
  }

  static void classify(TaskGroup &group) {
    int64_t longest = 0;
    bool contraction = false, onlyElementwise = true, onlyMoves = true;
    for (Operation *op : group.ops) {
      if (isa<RecurrenceOp>(op)) {
        group.kind = KernelKind::Recurrence;
        group.numerics = "recurrence";
        return;
      }
      auto generic = dyn_cast<linalg::GenericOp>(op);
      onlyElementwise &= isAllParallel(op) || isa<tensor::ExtractSliceOp>(op);
      onlyMoves &= isa<linalg::TransposeOp, tensor::PadOp, tensor::ConcatOp, tensor::ExtractSliceOp,
                       tensor::InsertSliceOp, linalg::FillOp>(op);
      if (!generic || generic.getNumReductionLoops() == 0)
        continue;
      contraction |= isContraction(generic);
      int64_t length = 1;
      for (auto [type, size] :
           llvm::zip(generic.getIteratorTypesArray(), generic.getStaticLoopRanges()))
        length *= type == utils::IteratorType::reduction ? size : 1;
      longest = std::max(longest, length);
    }
    if (contraction) {
      group.kind = KernelKind::Contraction;
      group.numerics = "contraction-k" + std::to_string(longest);
    } else if (longest) {
      group.kind = KernelKind::Rows;
      group.numerics = "rows-r" + std::to_string(longest);
    } else if (onlyMoves) {
      group.kind = KernelKind::Move;
    } else if (onlyElementwise) {
      group.kind = KernelKind::Elementwise;
    }
  }
};

} // namespace

std::vector<TaskGroup> formTaskGroups(Block &body, bool fuse) {
  Grouper grouper(body);
  if (fuse)
    grouper.fuse();
  return grouper.groups();
}

} // namespace mtc::mt
