//===- ShareKernels.cpp - equal kernels become one ------------------------===//
//
// Tenants of one family (backbones, tokenizers' transformers) have many equal layers; a kernel
// compiled, tuned and measured once serves them all. Candidates are found by a hash over types and
// operation names, equality is MLIR's structural equivalence, which ignores locations.
//
//===----------------------------------------------------------------------===//
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/IR/OperationSupport.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;

namespace mtc::mt {

#define GEN_PASS_DEF_SHAREKERNELS
#include "mtc/Dialect/MT/Transforms/Passes.h.inc"

namespace {

/// A kernel's attributes without its name.
static DictionaryAttr attributesOf(KernelOp kernel) {
  NamedAttrList attributes(kernel->getAttrDictionary());
  attributes.erase(kernel.getSymNameAttrName());
  return attributes.getDictionary(kernel.getContext());
}

/// Equal for equal kernels. Not stable between processes: only used to find candidates.
static llvm::hash_code hashOf(KernelOp kernel) {
  llvm::hash_code hash = llvm::hash_value(attributesOf(kernel).getAsOpaquePointer());
  kernel.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    hash = llvm::hash_combine(hash, op->getName(), op->getAttrDictionary(), op->getResultTypes(),
                              op->getNumOperands());
  });
  return hash;
}

static bool areEqual(KernelOp a, KernelOp b) {
  return attributesOf(a) == attributesOf(b) &&
         OperationEquivalence::isRegionEquivalentTo(&a.getBody(), &b.getBody(),
                                                    OperationEquivalence::IgnoreLocations);
}

struct ShareKernels : impl::ShareKernelsBase<ShareKernels> {
  void runOnOperation() override {
    ProgramOp program = getOperation();
    llvm::DenseMap<size_t, SmallVector<KernelOp, 1>> candidates;
    llvm::DenseMap<StringAttr, KernelOp> kept;
    SmallVector<KernelOp> kernels(program.getBody().getOps<KernelOp>());
    for (KernelOp kernel : kernels) {
      SmallVector<KernelOp, 1> &bucket = candidates[static_cast<size_t>(hashOf(kernel))];
      KernelOp *equal =
          llvm::find_if(bucket, [&](KernelOp other) { return areEqual(kernel, other); });
      bool isNew = equal == bucket.end();
      kept[kernel.getSymNameAttr()] = isNew ? kernel : *equal;
      if (isNew)
        bucket.push_back(kernel);
      else
        ++merged;
    }

    llvm::DenseMap<Operation *, unsigned> uses;
    program.walk([&](TaskOp task) {
      auto found = kept.find(task.getKernelAttr().getAttr());
      if (found == kept.end())
        return;
      task.setKernelAttr(FlatSymbolRefAttr::get(found->second.getSymNameAttr()));
      ++uses[found->second];
    });
    for (KernelOp kernel : kernels)
      if (!uses.lookup(kernel)) {
        ++erased;
        kernel.erase();
      }
  }
};

} // namespace
} // namespace mtc::mt
