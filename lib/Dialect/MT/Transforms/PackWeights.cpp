//===- PackWeights.cpp - contractions read their weights in panels --------===//
//
// A weight that a contraction uses as its right-hand side is stored as [N / nr][K dims][nr]: the
// inner loop then reads one panel from front to back, nr numbers at a time. The weight is derived
// by linalg.pack; the kernel takes the packed tensor and begins with linalg.unpack, which says what
// the packed bytes mean and which the emitter matches. Packing belongs to the kernel, not to its
// variants, or weights would multiply.
//
// Products of bytes are summed four at a time, so that their panels hold four neighbours along a
// reduction side by side: [N / nr][K dims, one of them / 4][nr][4].
//
//===----------------------------------------------------------------------===//
#include "DerivedWeights.h"
#include "Structure.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mtc::mt {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"
} // namespace mtc::mt

using namespace mlir;
using namespace mtc::mt;

namespace {

/// Width of a panel: two vectors, the widest register tile that leaves room for 12 to 14 rows of
/// accumulators (measured with AVX-512 on Zen 5: 14x2 reaches 95 % of peak); one for narrow
/// results.
int64_t panelWidth(int64_t n, int64_t lanes) { return n > lanes ? 2 * lanes : lanes; }

/// How the weight of a kernel is packed.
struct Packing {
  BlockArgument argument;         ///< what the contraction reads: of the kernel, or of a step
  int64_t innerDim;               ///< dim of the weight that is n
  SmallVector<int64_t> outerPerm; ///< n, then K dims as the loops run
  int64_t groupDim = -1;          ///< of the weight, in groups of four; -1: none
};

/// The reduction that four neighbouring products belong to: that along which the other operand's
/// bytes are contiguous.
std::optional<unsigned> groupLoop(linalg::GenericOp contraction, const ContractionRoles &roles) {
  auto isByte = [&](unsigned operand) {
    return cast<RankedTensorType>(contraction.getOperand(operand).getType())
        .getElementType()
        .isInteger(8);
  };
  std::optional<Product> product = productOf(contraction);
  AffineMap map = contraction.getIndexingMapsArray()[roles.a];
  Type sum = cast<RankedTensorType>(contraction.getResult(0).getType()).getElementType();
  if (!product || product->isSigned[0] == product->isSigned[1] || !isByte(0) || !isByte(1) ||
      !sum.isInteger(32) || map.getNumResults() == 0)
    return std::nullopt;
  auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
  if (!last || !llvm::is_contained(roles.k, last.getPosition()))
    return std::nullopt;
  return last.getPosition();
}

/// The argument of the kernel that an argument of its body is, or of a step inside: there only what
/// is the same in all steps. Null if it is none, or read elsewhere too.
BlockArgument kernelArgument(BlockArgument argument) {
  if (!argument || !argument.hasOneUse())
    return {};
  auto recurrence = dyn_cast<RecurrenceOp>(argument.getOwner()->getParentOp());
  if (!recurrence)
    return isa<KernelOp>(argument.getOwner()->getParentOp()) ? argument : BlockArgument();
  unsigned first = recurrence.getInputs().size() + recurrence.getStates().size();
  if (argument.getArgNumber() < first)
    return {};
  auto outer = dyn_cast<BlockArgument>(recurrence.getOperand(argument.getArgNumber()));
  return outer && outer.hasOneUse() ? outer : BlockArgument();
}

/// `isWeight` tells whether an argument is a weight in every use of the kernel.
std::optional<Packing> packingOf(linalg::GenericOp contraction,
                                 llvm::function_ref<bool(unsigned)> isWeight) {
  for (unsigned b : {1u, 0u}) {
    auto argument = dyn_cast<BlockArgument>(contraction.getOperand(b));
    auto roles = rolesOf(contraction, b);
    BlockArgument outer = kernelArgument(argument);
    if (!outer || !isWeight(outer.getArgNumber()) || !roles || !roles->batch.empty() ||
        roles->n.size() != 1)
      continue;
    AffineMap map = contraction.getIndexingMapsArray()[b];
    SmallVector<unsigned> loops = plainLoops(map);
    auto dimOf = [&](unsigned loop) { return llvm::find(loops, loop) - loops.begin(); };
    Packing packing{argument, dimOf(roles->n[0]), {dimOf(roles->n[0])}};
    if (cast<RankedTensorType>(argument.getType()).getDimSize(packing.innerDim) == 1)
      continue; // a sum of each row: no columns beside each other
    std::optional<unsigned> group = groupLoop(contraction, *roles);
    SmallVector<unsigned> k(roles->k);
    if (group && llvm::is_contained(loops, *group)) {
      packing.groupDim = dimOf(*group);
      llvm::erase(k, *group); // innermost
      k.push_back(*group);
    }
    for (unsigned loop : k)
      if (llvm::is_contained(loops, loop))
        packing.outerPerm.push_back(dimOf(loop));
    if (packing.outerPerm.size() == loops.size() && loops.size() == roles->k.size() + 1)
      return packing;
  }
  return std::nullopt;
}

struct PackWeights : mtc::mt::impl::PackWeightsBase<PackWeights> {
  using PackWeightsBase::PackWeightsBase;

  void runOnOperation() override {
    if (lanes < 1) {
      getOperation().emitOpError("lanes must be positive, got ") << int64_t(lanes);
      return signalPassFailure();
    }
    DerivedWeights weights(getOperation());
    DenseMap<StringAttr, SmallVector<TaskOp>> uses;
    getOperation().walk([&](TaskOp task) { uses[task.getKernelAttr().getAttr()].push_back(task); });
    for (auto kernel : getOperation().getBody().getOps<KernelOp>()) {
      ArrayRef<TaskOp> tasks = uses[kernel.getSymNameAttr()];
      auto isWeight = [&](unsigned argument) {
        return llvm::all_of(
            tasks, [&](TaskOp task) { return bool(weights.find(task.getOperand(argument))); });
      };
      for (linalg::GenericOp contraction : contractionsOf(kernel))
        if (std::optional<Packing> packing = packingOf(contraction, isWeight))
          pack(kernel, *packing, tasks, weights);
    }
    weights.eraseUnused();
  }

  /// The one contraction of a kernel, or all those of a recurrence.
  static SmallVector<linalg::GenericOp> contractionsOf(KernelOp kernel) {
    SmallVector<linalg::GenericOp> all;
    kernel.getBody().walk([&](linalg::GenericOp op) {
      if (isContraction(op))
        all.push_back(op);
    });
    if (kernel.getKind() != KernelKind::Recurrence && all.size() > 1)
      all.clear();
    return all;
  }

  void pack(KernelOp kernel, const Packing &packing, ArrayRef<TaskOp> tasks,
            DerivedWeights &weights) {
    BlockArgument argument = packing.argument, outer = kernelArgument(argument);
    auto type = cast<RankedTensorType>(argument.getType());
    int64_t nr = panelWidth(type.getDimSize(packing.innerDim), lanes);
    SmallVector<int64_t> tiles = {nr}, tiled = {packing.innerDim};
    if (packing.groupDim >= 0) {
      tiles.push_back(4);
      tiled.push_back(packing.groupDim);
    }
    RankedTensorType packed =
        linalg::PackOp::inferPackedType(type, tiles, tiled, packing.outerPerm);
    Builder attributes(kernel.getContext());
    SmallVector<OpFoldResult> tile = llvm::map_to_vector(
        tiles, [&](int64_t size) -> OpFoldResult { return attributes.getIndexAttr(size); });
    weights.replace(
        tasks, outer.getArgNumber(), "packed", [&](OpBuilder &b, Location loc, Value value) {
          Value zero = arith::ConstantOp::create(b, loc, b.getZeroAttr(packed.getElementType()));
          Value init = tensor::EmptyOp::create(b, loc, packed.getShape(), packed.getElementType());
          return linalg::PackOp::create(b, loc, value, init, tiled, tile, zero, packing.outerPerm)
              .getResult();
        });
    OpBuilder b = OpBuilder::atBlockBegin(argument.getOwner());
    Location loc = kernel.getLoc();
    Value init = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    argument.setType(packed);
    outer.setType(packed);
    auto unpack = linalg::UnPackOp::create(b, loc, argument, init, tiled, tile, packing.outerPerm);
    argument.replaceAllUsesExcept(unpack.getResult(), unpack);
    SmallVector<Type> inputs(kernel.getArgumentTypes());
    inputs[outer.getArgNumber()] = packed;
    kernel.setFunctionType(attributes.getFunctionType(inputs, kernel.getResultTypes()));
  }
};

} // namespace
