//===- StagedWeight.cpp - weights that lie in memory as stages need them --===//
#include "StagedWeight.h"

#include "../Host/Buffers.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace mtc::cuda {

/// Whether `unpack` takes a matrix apart as the header says, without padding.
static bool isStaged(linalg::UnPackOp unpack) {
  auto packed = dyn_cast<RankedTensorType>(unpack.getSource().getType());
  auto plain = dyn_cast<RankedTensorType>(unpack.getResult().getType());
  if (!packed || !plain || plain.getRank() != 2 || packed.getRank() != 3 ||
      !packed.hasStaticShape() || packed.getNumElements() != plain.getNumElements() ||
      unpack.getInnerDimsPos().size() != 1 || !unpack->hasOneUse())
    return false;
  const int64_t terms = unpack.getInnerDimsPos().front();
  ArrayRef<int64_t> order = unpack.getOuterDimsPerm();
  const bool termsFirst = order.empty() ? terms == 0 : order.front() == terms;
  return termsFirst &&
         unpack.getStaticInnerTiles().front() * host::elementBytes(packed.getElementType()) ==
             chunkBytes;
}

PlainKernel::PlainKernel(mt::KernelOp kernel) : original(kernel) {
  for (auto unpack : kernel.getBody().front().getOps<linalg::UnPackOp>()) {
    auto source = dyn_cast<BlockArgument>(unpack.getSource());
    if (!source || !source.hasOneUse() || !isStaged(unpack))
      continue;
    argument = source.getArgNumber();
    IRMapping map;
    copy = cast<mt::KernelOp>(kernel->clone(map));
    BlockArgument plain = copy->getBody().getArgument(argument);
    Type type = unpack.getResult().getType();
    plain.setType(type);
    auto unpacked = cast<linalg::UnPackOp>(*plain.user_begin());
    unpacked.getResult().replaceAllUsesWith(plain);
    unpacked->erase();
    SmallVector<Type> inputs(copy->getArgumentTypes());
    inputs[argument] = type;
    copy->setFunctionType(FunctionType::get(kernel.getContext(), inputs, copy->getResultTypes()));
    return;
  }
}

} // namespace mtc::cuda
