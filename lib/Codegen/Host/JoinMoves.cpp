//===- JoinMoves.cpp - moves that their readers can do without ------------===//
//
// Padding before pooling and a concatenation of channels before a convolution read and write whole
// images only to put them elsewhere. Emitters of contractions need neither: they skip what a window
// sees of the padding, and take the terms of a sum from several tensors. Whether a reader can is
// asked of the analysis that its emission repeats, so that none falls back to plain loops by it.
//
// Predicted and measured: lib/Codegen/README.md.
//
//===----------------------------------------------------------------------===//
#include "mtc/Codegen/Host/Passes.h"

#include "Contraction.h"

#include "mtc/Dialect/MT/Transforms/JoinTasks.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::host {

#define GEN_PASS_DEF_JOINMOVES
#include "mtc/Codegen/Host/Passes.h.inc"

namespace {

struct JoinMoves : impl::JoinMovesBase<JoinMoves> {
  using JoinMovesBase::JoinMovesBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<mt::EntryOp> entries;
    getOperation().walk([&](mt::EntryOp entry) { entries.push_back(entry); });
    for (mt::EntryOp entry : entries) {
      SmallVector<mt::TaskOp> moves;
      for (auto task : entry.getBody().front().getOps<mt::TaskOp>())
        if (onlyMoves(symbols.lookup<mt::KernelOp>(task.getKernel())))
          moves.push_back(task);
      bool changed = false;
      for (mt::TaskOp move : moves)
        changed |= join(move, symbols);
      if (changed)
        mt::numberTasks(entry);
    }
  }

  /// Whether all that the kernel does is a move of its arguments that readers may take over.
  bool onlyMoves(mt::KernelOp kernel) {
    OperandRange results = kernel.getBody().front().getTerminator()->getOperands();
    Operation *op = results.size() == 1 ? results[0].getDefiningOp() : nullptr;
    const bool isWanted = (pads && isa_and_nonnull<tensor::PadOp>(op)) ||
                          (concatenations && isa_and_nonnull<tensor::ConcatOp>(op));
    return isWanted && llvm::all_of(op->getOperands(), llvm::IsaPred<BlockArgument>);
  }

  /// Puts `move` into all tasks that read its result, unless one of them cannot take it.
  bool join(mt::TaskOp move, SymbolTable &symbols) {
    SmallVector<mt::TaskOp> readers;
    for (Operation *user : move->getUsers()) {
      auto reader = dyn_cast<mt::TaskOp>(user);
      if (!reader || llvm::is_contained(readers, reader))
        return false;
      readers.push_back(reader);
    }
    llvm::sort(readers, [](mt::TaskOp a, mt::TaskOp b) { return a->isBeforeInBlock(b); });
    SmallVector<mt::JoinedKernel> kernels;
    for (mt::TaskOp reader : readers) {
      auto alone = symbols.lookup<mt::KernelOp>(reader.getKernel());
      kernels.push_back(
          mt::joinKernels({move, reader}, alone.getSymName(), alone.getKind(), symbols));
      kernels.back().kernel.setNumerics(alone.getNumerics());
    }
    const bool allCan = llvm::all_of(kernels, [](const mt::JoinedKernel &joined) {
      return succeeded(analyseContraction(joined.kernel));
    });
    if (kernels.empty() || !allCan) {
      for (mt::JoinedKernel &joined : kernels)
        joined.kernel.erase();
      return false;
    }
    for (auto [reader, joined] : llvm::zip_equal(readers, kernels))
      mt::replaceByTask(reader, joined, symbols);
    move.erase();
    ++joined;
    return true;
  }
};

} // namespace
} // namespace mtc::host
