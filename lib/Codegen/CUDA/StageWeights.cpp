//===- StageWeights.cpp - products take their weights as stages need them -===//
//
// A product on tensor cores of warpgroups (sm_90a) whose second factor is a weight in every task
// gets it rounded and in chunks of 16 bytes of terms (StagedWeight.h): derived by linalg.pack, read
// through linalg.unpack. Rounding it here or on the way to shared memory gives the same bits.
//
//===----------------------------------------------------------------------===//
#include "../../Dialect/MT/Transforms/DerivedWeights.h"
#include "MmaTile.h"
#include "StagedWeight.h"
#include "Variants.h"

#include "mtc/Codegen/CUDA/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::cuda {

#define GEN_PASS_DEF_STAGECUDAWEIGHTS
#include "mtc/Codegen/CUDA/Passes.h.inc"

namespace {

/// How a weight is staged.
struct Staging {
  unsigned argument = 0;     ///< of the kernel
  linalg::GenericOp product; ///< that alone reads it
  unsigned input = 0;        ///< of the product
  int64_t termDim = 0;       ///< of the weight
  RankedTensorType rounded;  ///< the weight as the format has it

  int64_t chunk() const {
    return 8 * chunkBytes / static_cast<int64_t>(rounded.getElementTypeBitWidth());
  }
  SmallVector<int64_t> order() const { return {termDim, 1 - termDim}; }
};

Type roundedType(MmaFormat format, MLIRContext *context) {
  switch (format) {
  case MmaFormat::F16:
    return Float16Type::get(context);
  case MmaFormat::BF16:
    return BFloat16Type::get(context);
  case MmaFormat::I8:
    return IntegerType::get(context, 8);
  case MmaFormat::TF32:
    return {};
  }
  llvm_unreachable("unknown format");
}

/// What could be staged: a matrix that a product of warpgroups reads as it is, by columns and
/// terms.
std::optional<Staging> stagingOf(mt::KernelOp kernel, const CudaTarget &target) {
  FailureOr<host::Contraction> c = analyseContraction(kernel);
  if (failed(c))
    return std::nullopt;
  std::optional<MmaFormat> format = mmaFormatOf(kernel, *c);
  auto product = dyn_cast<linalg::GenericOp>(c->op.getOperation());
  if (!format || !product)
    return std::nullopt;
  FailureOr<SmallVector<mt::VariantAttr>> chosen = chooseVariants(kernel, target, /*plain=*/false);
  if (failed(chosen) || !chosen->front().getConfig().contains(groupKey))
    return std::nullopt;
  Staging staging;
  staging.product = product;
  staging.input = static_cast<unsigned>(c->vectorInput);
  auto weight = dyn_cast<BlockArgument>(product.getInputs()[staging.input]);
  Type element = roundedType(*format, kernel.getContext());
  if (!weight || weight.getOwner() != &kernel.getBody().front() || !weight.hasOneUse() || !element)
    return std::nullopt;
  staging.argument = weight.getArgNumber();
  auto type = cast<RankedTensorType>(weight.getType());
  AffineMap map = product.getIndexingMapsArray()[staging.input];
  if (type.getRank() != 2 || !map.isProjectedPermutation())
    return std::nullopt;
  staging.rounded = RankedTensorType::get(type.getShape(), element);
  auto iterators = product.getIteratorTypesArray();
  auto isTerm = [&](unsigned d) {
    return iterators[map.getDimPosition(d)] == utils::IteratorType::reduction;
  };
  if (isTerm(0) == isTerm(1))
    return std::nullopt;
  staging.termDim = isTerm(0) ? 0 : 1;
  if (type.getDimSize(staging.termDim) % staging.chunk() != 0)
    return std::nullopt;
  return staging;
}

/// The weight as the format has it.
Value roundWeight(OpBuilder &b, Location loc, Value weight, RankedTensorType type) {
  if (weight.getType() == type)
    return weight;
  Value init = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
  auto identity = b.getMultiDimIdentityMap(2);
  return linalg::GenericOp::create(
             b, loc, TypeRange{type}, ValueRange{weight}, ValueRange{init},
             ArrayRef{identity, identity},
             SmallVector<utils::IteratorType>(2, utils::IteratorType::parallel),
             [&](OpBuilder &inner, Location at, ValueRange values) {
               Value narrow = arith::TruncFOp::create(inner, at, type.getElementType(), values[0]);
               linalg::YieldOp::create(inner, at, narrow);
             })
      .getResult(0);
}

/// The kernel takes the staged weight.
void rewriteKernel(mt::KernelOp kernel, const Staging &s) {
  OpBuilder b = OpBuilder::atBlockBegin(&kernel.getBody().front());
  Location loc = kernel.getLoc();
  SmallVector<OpFoldResult> tile = {b.getIndexAttr(s.chunk())};
  RankedTensorType staged =
      linalg::PackOp::inferPackedType(s.rounded, {s.chunk()}, {s.termDim}, s.order());
  BlockArgument argument = kernel.getBody().getArgument(s.argument);
  Value init = tensor::EmptyOp::create(b, loc, s.rounded.getShape(), s.rounded.getElementType());
  argument.setType(staged);
  auto unpack = linalg::UnPackOp::create(b, loc, argument, init, {s.termDim}, tile, s.order());
  argument.replaceAllUsesExcept(unpack.getResult(), unpack);
  BlockArgument factor = s.product->getRegion(0).getArgument(s.input);
  if (factor.getType() != s.rounded.getElementType()) {
    b.setInsertionPointToStart(factor.getOwner());
    Type wide = factor.getType();
    factor.setType(s.rounded.getElementType());
    auto widened = arith::ExtFOp::create(b, loc, wide, factor);
    factor.replaceAllUsesExcept(widened, widened);
  }
  SmallVector<Type> inputs(kernel.getArgumentTypes());
  inputs[s.argument] = staged;
  kernel.setFunctionType(b.getFunctionType(inputs, kernel.getResultTypes()));
}

struct StageCudaWeights : impl::StageCudaWeightsBase<StageCudaWeights> {
  using StageCudaWeightsBase::StageCudaWeightsBase;

  void runOnOperation() override {
    mt::ProgramOp program = getOperation();
    StatusOr<CudaTarget> target = resolve(program.getTarget().value_or("").str());
    if (!target.ok()) {
      program.emitOpError(target.status().message());
      return signalPassFailure();
    }
    mt::DerivedWeights weights(program);
    DenseMap<StringAttr, SmallVector<mt::TaskOp>> uses;
    program.walk([&](mt::TaskOp task) { uses[task.getKernelAttr().getAttr()].push_back(task); });
    for (auto kernel : program.getBody().getOps<mt::KernelOp>()) {
      ArrayRef<mt::TaskOp> tasks = uses[kernel.getSymNameAttr()];
      std::optional<Staging> staging = stagingOf(kernel, *target);
      if (!staging || !llvm::all_of(tasks, [&](mt::TaskOp task) {
            return bool(weights.find(task.getOperand(staging->argument)));
          }))
        continue;
      // Whether a tile fits says the kernel as it would be.
      OwningOpRef<mt::KernelOp> trial = cast<mt::KernelOp>(kernel->clone());
      std::optional<Staging> ofTrial = stagingOf(*trial, *target);
      rewriteKernel(*trial, *ofTrial);
      FailureOr<SmallVector<mt::VariantAttr>> chosen =
          chooseVariants(*trial, *target, /*plain=*/false);
      if (failed(chosen) || !chosen->front().getConfig().contains(stagedKey))
        continue;
      weights.replace(
          tasks, staging->argument, "staged",
          [&](OpBuilder &b, Location loc, Value value) { return packed(b, loc, value, *staging); });
      rewriteKernel(kernel, *staging);
    }
    weights.eraseUnused();
  }

  static Value packed(OpBuilder &b, Location loc, Value weight, const Staging &s) {
    weight = roundWeight(b, loc, weight, s.rounded);
    SmallVector<OpFoldResult> tile = {b.getIndexAttr(s.chunk())};
    RankedTensorType type =
        linalg::PackOp::inferPackedType(s.rounded, {s.chunk()}, {s.termDim}, s.order());
    Value init = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    return linalg::PackOp::create(b, loc, weight, init, {s.termDim}, tile, std::nullopt, s.order())
        .getResult();
  }
};

} // namespace
} // namespace mtc::cuda
