//===- JoinMoves.cpp - moves that their readers can do without ------------===//
//
// Padding before pooling and a concatenation of channels before a convolution read and write whole
// images only to put them elsewhere. Emitters of contractions need neither: they skip what a window
// sees of the padding, and take the terms of a sum from several tensors. Slices and transpositions
// are an offset and strides for the emitter of elementwise operations and of other moves, so that
// chains of moves become one. Whether a reader can is asked of the analysis that its emission
// repeats, so that none falls back to plain loops by it.
//
// Predicted and measured: lib/Codegen/outcomes.md.
//
//===----------------------------------------------------------------------===//
#include "mtc/Codegen/Host/Passes.h"

#include "Contraction.h"
#include "MatrixTiles.h"
#include "Nest.h"
#include "Winograd.h"

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
      bool changed = false;
      for (Operation *op = &entry.getBody().front().front(), *next; op; op = next) {
        auto move = dyn_cast<mt::TaskOp>(op);
        const bool isJoined =
            move && onlyMoves(kernelOf(move, symbols)) && joinReaders(move, symbols);
        next = op->getNextNode(); // not a reader that was replaced
        if (isJoined)
          op->erase();
        changed |= isJoined;
      }
      if (changed)
        mt::numberTasks(entry);
    }
  }

  static mt::KernelOp kernelOf(mt::TaskOp task, SymbolTable &symbols) {
    return symbols.lookup<mt::KernelOp>(task.getKernel());
  }

  /// What makes the only result of a kernel; null if it has several.
  static Operation *lastOf(mt::KernelOp kernel) {
    OperandRange results = kernel.getBody().front().getTerminator()->getOperands();
    return results.size() == 1 ? results[0].getDefiningOp() : nullptr;
  }

  /// Whether all that the kernel does is a move that readers may take over: padding or a
  /// concatenation of its arguments, or slices and transpositions of one.
  bool onlyMoves(mt::KernelOp kernel) {
    Operation *last = lastOf(kernel);
    if (isa_and_nonnull<tensor::PadOp, tensor::ConcatOp>(last)) {
      const bool isWanted = isa<tensor::PadOp>(last) ? pads : concatenations;
      return isWanted && llvm::all_of(last->getOperands(), llvm::IsaPred<BlockArgument>);
    }
    return views && isa_and_nonnull<tensor::ExtractSliceOp, linalg::TransposeOp>(last) &&
           llvm::all_of(
               kernel.getBody().front().without_terminator(),
               llvm::IsaPred<tensor::EmptyOp, tensor::ExtractSliceOp, linalg::TransposeOp>);
  }

  /// Readers of a transposition read no more than all of it together: what lies far apart is read
  /// as slowly as it was moved. And steps of a recurrence that take a slice each stay of one
  /// kernel.
  static bool paysForReaders(mt::TaskOp move, ArrayRef<mt::TaskOp> readers, SymbolTable &symbols) {
    constexpr int64_t manySlices = 8;
    mt::KernelOp kernel = kernelOf(move, symbols);
    if (!kernel.getBody().getOps<tensor::ExtractSliceOp>().empty() &&
        std::distance(move.getOperand(0).use_begin(), move.getOperand(0).use_end()) > manySlices)
      return false;
    if (kernel.getBody().getOps<linalg::TransposeOp>().empty())
      return true;
    auto elements = [](Value v) { return cast<RankedTensorType>(v.getType()).getNumElements(); };
    int64_t read = 0;
    for (mt::TaskOp reader : readers) {
      mt::KernelOp moved = kernelOf(reader, symbols);
      if (moved.getKind() != mt::KernelKind::Move)
        return false;
      const bool isSlice = isa_and_nonnull<tensor::ExtractSliceOp>(lastOf(moved));
      read += elements(isSlice ? reader.getResult(0) : move.getResult(0));
    }
    return read <= elements(move.getResult(0));
  }

  /// Whether an emitter reads what was joined without making it first.
  static bool readsInPlace(mt::KernelOp kernel) {
    FailureOr<Contraction> c = analyseContraction(kernel);
    if (succeeded(c) ? !c->splitParts || succeeded(analyseMatrix(kernel))
                     : succeeded(analyseWinograd(kernel)))
      return true;
    if (kernel.getKind() != mt::KernelKind::Move && kernel.getKind() != mt::KernelKind::Elementwise)
      return false;
    Operation *last = lastOf(kernel);
    for (Operation &op : kernel.getBody().front().without_terminator())
      if (&op != last &&
          isa<tensor::PadOp, tensor::ConcatOp, tensor::ExtractSliceOp, linalg::TransposeOp>(op) &&
          !isView(&op))
        return false;
    constexpr int64_t anyLanes = 16;
    return succeeded(analyseRows(kernel, anyLanes));
  }

  /// Puts `move` into all tasks that read its result, unless one of them cannot take it. The task
  /// stays.
  bool joinReaders(mt::TaskOp move, SymbolTable &symbols) {
    SmallVector<mt::TaskOp> readers;
    for (Operation *user : move->getUsers()) {
      auto reader = dyn_cast<mt::TaskOp>(user);
      if (!reader || llvm::is_contained(readers, reader))
        return false;
      readers.push_back(reader);
    }
    if (readers.empty() || !paysForReaders(move, readers, symbols))
      return false;
    llvm::sort(readers, [](mt::TaskOp a, mt::TaskOp b) { return a->isBeforeInBlock(b); });
    SmallVector<mt::JoinedKernel> kernels;
    for (mt::TaskOp reader : readers) {
      mt::KernelOp alone = kernelOf(reader, symbols);
      kernels.push_back(
          mt::joinKernels({move, reader}, alone.getSymName(), alone.getKind(), symbols));
      kernels.back().kernel.setNumerics(alone.getNumerics());
    }
    if (!llvm::all_of(kernels, [](auto &joined) { return readsInPlace(joined.kernel); })) {
      for (mt::JoinedKernel &joined : kernels)
        joined.kernel.erase();
      return false;
    }
    for (auto [i, reader] : llvm::enumerate(readers)) {
      const SmallVector<Value> gone(reader.getResults());
      mt::TaskOp task = mt::replaceByTask(reader, kernels[i], symbols);
      for (mt::JoinedKernel &later :
           llvm::drop_begin(kernels, i + 1)) // may read what this one makes
        for (Value &input : later.inputs)
          if (auto at = llvm::find(gone, input); at != gone.end())
            input = task.getResult(at - gone.begin());
    }
    ++joined;
    return true;
  }
};

} // namespace
} // namespace mtc::host
