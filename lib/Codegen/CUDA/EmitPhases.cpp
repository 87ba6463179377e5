//===- EmitPhases.cpp - kernels as one phase per loop nest ----------------===//
//
// What the host runs as plain loops, with the iterations of each nest spread over threads: a thread
// computes one element, and the loops that must stay in order run inside it. Of a large elementwise
// nest a thread computes as many neighbours as 16 bytes hold, so that LLVM's vectorizer of loads
// and stores makes one access of theirs. Whatever a kernel holds, this compiles it; a nest of few
// elements with long sums is slow. A nest that reads another's result is a later phase, so nothing
// here waits for another block.
//
// Source: CUDA C++ best practices guide, "Coalesced access to global memory" (transactions of a
// warp); PTX ISA 9.0, 9.7.9.8 (ld: vectors of up to 128 bits).
//
//===----------------------------------------------------------------------===//
#include "EmitPhases.h"

#include "ThreadEmitter.h"

using namespace mlir;

namespace mtc::cuda {
namespace {

class PhaseEmitter : public ThreadEmitter {
public:
  PhaseEmitter(ModuleOp module, mt::KernelOp kernel, const host::BufferPlan &plan, StringRef name,
               PhaseCut cut, int64_t wanted)
      : ThreadEmitter(module, kernel, plan, name, cut.threads), cut(cut), wanted(wanted) {}

  /// One call, one phase: only the code of the wanted one is emitted.
  void forIterations(ArrayRef<int64_t> extents, ArrayRef<bool> sequential,
                     function_ref<void(ArrayRef<Value>)> body) override {
    SmallVector<int64_t> spread, inOrder;
    int64_t total = 1;
    for (auto [i, extent] : llvm::enumerate(extents)) {
      bool stays = !sequential.empty() && sequential[i];
      (stays ? inOrder : spread).push_back(extent);
      total *= stays ? 1 : extent;
    }
    const int64_t width = inOrder.empty() ? neighboursOf(spread, total) : 1;
    widest = std::max(widest, width);
    if (width > 1)
      spread.back() /= width;
    total /= width;
    tiles.push_back(std::max<int64_t>(1, llvm::divideCeil(total, threads)));
    if (static_cast<int64_t>(tiles.size()) - 1 != wanted)
      return;
    forTiles([&](Value tile) {
      Value flat = add(mul(tile, threads), thread);
      when(less(flat, total), [&] {
        SmallVector<Value> at = delinearize(flat, spread);
        if (width > 1) {
          Value first = mul(at.back(), width);
          for (int64_t i = 0; i < width; ++i) {
            at.back() = add(first, constant(i));
            body(at);
          }
          return;
        }
        forNest(inOrder, [&](ArrayRef<Value> inner) {
          SmallVector<Value> indices;
          size_t next = 0, nextInner = 0;
          for (size_t i = 0; i < extents.size(); ++i)
            indices.push_back(!sequential.empty() && sequential[i] ? inner[nextInner++]
                                                                   : at[next++]);
          body(indices);
        });
      });
    });
  }

  LogicalResult emitAll() {
    for (Operation &op : kernel.getBody().front().without_terminator())
      if (failed(emitByLoops(op)))
        return failure();
    copyResults();
    finish();
    return success();
  }

  SmallVector<int64_t> tiles;
  int64_t widest = 1;

private:
  /// Elements side by side that a thread computes: those of the cut, or so many that all threads
  /// of a GPU still have some.
  int64_t neighboursOf(ArrayRef<int64_t> extents, int64_t total) {
    constexpr int64_t accessBytes = 16, fewThreads = 64 << 10;
    int64_t largest = 1;
    for (TypeRange types :
         {TypeRange(kernel.getArgumentTypes()), TypeRange(kernel.getResultTypes())})
      for (Type type : types)
        largest = std::max(largest, host::elementBytes(getElementTypeOrSelf(type)));
    int64_t width = cut.width > 0 ? cut.width : std::min<int64_t>(8, accessBytes / largest);
    while (width > 1 && (extents.empty() || extents.back() % width != 0 ||
                         (cut.width == 0 && total / width < fewThreads)))
      width /= 2;
    return std::max<int64_t>(1, width);
  }

  PhaseCut cut;
  int64_t wanted;
};

} // namespace

FailureOr<Phases> analysePhases(mt::KernelOp kernel, PhaseCut cut) {
  FailureOr<host::BufferPlan> plan = host::planBuffers(kernel);
  if (failed(plan))
    return failure();
  Phases phases{std::move(*plan), {}, 1};
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  PhaseEmitter emitter(*module, kernel, phases.plan, "count", cut, /*wanted=*/-1);
  if (failed(emitter.emitAll()))
    return failure();
  phases.tiles = emitter.tiles;
  phases.width = emitter.widest;
  if (phases.tiles.empty()) // results of any content
    phases.tiles.push_back(1);
  return phases;
}

LogicalResult emitPhase(ModuleOp module, mt::KernelOp kernel, const Phases &phases, int64_t phase,
                        StringRef name, PhaseCut cut) {
  return PhaseEmitter(module, kernel, phases.plan, name, cut, phase).emitAll();
}

} // namespace mtc::cuda
