//===- FuseAttention.cpp - products, softmax and products as one kernel ---===//
//
// The scores of an attention are as many as queries times keys and are read and written several
// times; in one kernel those of some queries stay in a core's caches. The kernels of three tasks -
// products with their scale and mask, softmax, products - become one body, in which the division by
// the sum comes last: sums of (e / s) v become (sums of e v) / s. That is another order of
// roundings, so it is chosen here, per kernel and before scheduling (rule R3), and `numerics` says
// so.
//
// Three tasks stay where an elementwise op follows the values' products, where a mask differs by
// query alone or two masks by query, and above 4096 keys (softmax is not rescaled).
//
// Source: Rabe, Staats: Self-attention Does Not Need O(n^2) Memory, arXiv:2112.05682. Scores of a
// block of queries fit the caches here, so softmax needs no rescaling.
//
//===----------------------------------------------------------------------===//
#include "Structure.h"
#include "mtc/Dialect/MT/Transforms/Attention.h"
#include "mtc/Dialect/MT/Transforms/JoinTasks.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/CSE.h"

namespace mtc::mt {
#define GEN_PASS_DEF_FUSEATTENTION
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// The tasks that become one.
struct Chain {
  TaskOp scores, softmax, values;
  std::array<TaskOp, 3> tasks() const { return {scores, softmax, values}; }
};

/// Modelled: queries lie side by side in vectors, of which at most a third of the lanes may be
/// idle; scores of a vector of queries fit half a level-2 cache, and a short sum makes no scores
/// worth keeping. With 24 of 32 lanes the products take a third longer, about what softmax takes of
/// the three (AMD EPYC Zen 4: 2.8 of 10.7 ms of an encoder with 257 tokens).
bool pays(Attention &a, int64_t lanes) {
  constexpr int64_t cacheBytes = 256 << 10;
  const int64_t inVectors = llvm::divideCeil(a.queries(), lanes) * lanes;
  return 2 * inVectors <= 3 * a.queries() && 4 * lanes * a.keys() <= cacheBytes && a.keys() > 1 &&
         a.width() > 1;
}

struct FuseAttention : mtc::mt::impl::FuseAttentionBase<FuseAttention> {
  using FuseAttentionBase::FuseAttentionBase;

  void runOnOperation() override {
    if (lanes < 1) {
      getOperation().emitOpError("lanes must be positive, got ") << int64_t(lanes);
      return signalPassFailure();
    }
    SymbolTable symbols(getOperation());
    SmallVector<EntryOp> entries;
    getOperation().walk([&](EntryOp entry) { entries.push_back(entry); });
    for (EntryOp entry : entries) {
      bool changed = false;
      for (TaskOp task : llvm::to_vector(entry.getBody().front().getOps<TaskOp>()))
        if (std::optional<Chain> chain = chainTo(task, symbols))
          changed |= fuse(*chain, symbols);
      if (changed)
        numberTasks(entry);
    }
  }

  static KernelOp kernelOf(TaskOp task, SymbolTable &symbols) {
    return symbols.lookup<KernelOp>(task.getKernel());
  }

  /// The task that makes `v`, if that is its only result and nobody else reads it.
  static TaskOp onlySource(Value v, KernelKind kind, SymbolTable &symbols) {
    auto task = v.getDefiningOp<TaskOp>();
    return task && task.getNumResults() == 1 && v.hasOneUse() &&
                   kernelOf(task, symbols).getKind() == kind
               ? task
               : TaskOp();
  }

  static std::optional<Chain> chainTo(TaskOp values, SymbolTable &symbols) {
    if (kernelOf(values, symbols).getKind() != KernelKind::Contraction)
      return std::nullopt;
    for (Value v : values.getOperands())
      if (TaskOp softmax = onlySource(v, KernelKind::Rows, symbols))
        for (Value s : softmax.getOperands())
          if (TaskOp scores = onlySource(s, KernelKind::Contraction, symbols))
            return Chain{scores, softmax, values};
    return std::nullopt;
  }

  /// One task for three, if that has the form of an attention and pays.
  bool fuse(Chain chain, SymbolTable &symbols) {
    const std::array<TaskOp, 3> tasks = chain.tasks();
    JoinedKernel joined = joinKernels(tasks, "attention", KernelKind::Attention, symbols);
    KernelOp kernel = joined.kernel;
    std::optional<Attention> attention;
    if (divideLast(kernel))
      attention = readAttention(kernel);
    if (!attention || !pays(*attention, lanes)) {
      kernel.erase();
      return false;
    }
    orderTrivialOps(kernel);
    kernel.setNumerics("attention-k" + std::to_string(attention->keys()));
    replaceByTask(chain.values, joined, symbols);
    for (TaskOp old : {chain.softmax, chain.scores})
      old.erase();
    ++fused;
    return true;
  }

  /// (e / s) v summed up becomes e v summed up, divided by s. False if the last op is no sum of
  /// products of quotients of rows.
  static bool divideLast(KernelOp kernel) {
    Operation *yield = kernel.getBody().front().getTerminator();
    auto values = yield->getOperand(0).getDefiningOp<linalg::GenericOp>();
    if (!values || !isContraction(values))
      return false;
    for (unsigned operand : {0u, 1u}) {
      auto quotient = values.getOperand(operand).getDefiningOp<linalg::GenericOp>();
      if (!quotient || !isAllParallel(quotient) || quotient.getNumDpsInputs() != 2 ||
          quotient.getNumResults() != 1 || !quotient.getResult(0).hasOneUse())
        continue;
      SmallVector<AffineMap> maps = quotient.getIndexingMapsArray();
      const unsigned dividend = maps[0].isIdentity() ? 0 : 1;
      if (!maps[dividend].isIdentity() || !maps[2].isIdentity())
        continue;
      std::optional<bool> guarded = quotientGuard(quotient, dividend);
      AffineMap sums = resultMap(values, operand, maps[1 - dividend]);
      if (!guarded || !sums)
        continue;
      OpBuilder b(yield);
      Value sum = quotient.getOperand(1 - dividend);
      values->setOperand(operand, quotient.getOperand(dividend));
      yield->setOperand(0, quotientOf(b, values, sum, sums, *guarded));
      eraseUnused(kernel.getBody().front());
      return true;
    }
    return false;
  }

  /// Whether the body is x / y (false), or 0 where that is no number (true); else nothing. Rows of
  /// exponentials hold a quotient that is no number only if their sum is none.
  static std::optional<bool> quotientGuard(linalg::GenericOp op, unsigned dividend) {
    Block &body = *op.getBody();
    Value last = body.getTerminator()->getOperand(0);
    auto select = last.getDefiningOp<arith::SelectOp>();
    if (select) {
      auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
      last = select.getFalseValue();
      if (!compare || compare.getPredicate() != arith::CmpFPredicate::UNO ||
          compare.getLhs() != last || compare.getRhs() != last ||
          !matchPattern(select.getTrueValue(), m_AnyZeroFloat()))
        return std::nullopt;
    }
    auto divide = last.getDefiningOp<arith::DivFOp>();
    if (!divide || divide.getLhs() != body.getArgument(dividend) ||
        divide.getRhs() != body.getArgument(1 - dividend))
      return std::nullopt;
    return bool(select);
  }

  /// What reads for the dims of the sums' result what `map` reads for those of their operand; null
  /// if it reads others.
  static AffineMap resultMap(linalg::GenericOp op, unsigned operand, AffineMap map) {
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    SmallVector<AffineExpr> dims;
    for (AffineExpr e : map.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(e);
      if (!dim)
        return {};
      AffineExpr loop = maps[operand].getResult(dim.getPosition());
      auto at = llvm::find(maps[2].getResults(), loop);
      if (!isa<AffineDimExpr>(loop) || at == maps[2].getResults().end())
        return {};
      dims.push_back(getAffineDimExpr(at - maps[2].getResults().begin(), op.getContext()));
    }
    return AffineMap::get(maps[2].getNumResults(), 0, dims, op.getContext());
  }

  static Value quotientOf(OpBuilder &b, linalg::GenericOp values, Value sum, AffineMap sums,
                          bool guarded) {
    Location loc = values.getLoc();
    auto type = cast<RankedTensorType>(values.getResult(0).getType());
    AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
    Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
    Value empty = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    auto body = [&](OpBuilder &inner, Location at, ValueRange v) {
      Value result = arith::DivFOp::create(inner, at, v[0], v[1]);
      if (guarded) {
        Value none = arith::CmpFOp::create(inner, at, arith::CmpFPredicate::UNO, v[1], v[1]);
        result = arith::SelectOp::create(inner, at, none, zero, result);
      }
      linalg::YieldOp::create(inner, at, result);
    };
    return linalg::GenericOp::create(
               b, loc, TypeRange(type), ValueRange{values.getResult(0), sum}, ValueRange(empty),
               ArrayRef<AffineMap>{identity, sums, identity},
               SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
               body)
        .getResult(0);
  }

  static void eraseUnused(Block &block) {
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        op.erase();
  }

  /// Constants and fills once, each before the first op that reads it, so that equal attentions are
  /// equal kernels.
  static void orderTrivialOps(KernelOp kernel) {
    IRRewriter rewriter(kernel.getContext());
    DominanceInfo dominance(kernel);
    eliminateCommonSubExpressions(rewriter, dominance, kernel);
    llvm::DenseSet<Operation *> placed;
    auto place = [&](Value v, Operation *before) {
      Operation *op = v.getDefiningOp();
      if (op && !isa<linalg::GenericOp>(op) && placed.insert(op).second)
        op->moveBefore(before);
    };
    for (auto op : llvm::to_vector(kernel.getBody().front().getOps<linalg::GenericOp>())) {
      SmallVector<Value> reads = capturedValues(op);
      llvm::append_range(reads, op->getOperands());
      for (Value v : reads) {
        if (auto fill = v.getDefiningOp<linalg::FillOp>(); fill && !placed.contains(fill))
          for (Value inner : fill->getOperands())
            place(inner, op);
        place(v, op);
      }
    }
  }
};

} // namespace
