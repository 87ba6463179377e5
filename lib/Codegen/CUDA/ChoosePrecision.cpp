//===- ChoosePrecision.cpp - which products are rounded as asked ----------===//
//
// A tenant's precision is a promise about its answers and a permission for each of its products.
// Here those give it back whose rounding would be magnified (SensitiveValues.h), and as many others
// as the promise asks for (PrecisionBudget.h). Kernels say so by their class of numerics, before
// anything is scheduled (rule R3).
//
//===----------------------------------------------------------------------===//
#include "../../Dialect/MT/Transforms/Structure.h"
#include "ContractionFrame.h"
#include "PrecisionBudget.h"
#include "SensitiveValues.h"

#include "mtc/Codegen/CUDA/Passes.h"
#include "mtc/Dialect/MT/Transforms/CountOperations.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;

namespace mtc::cuda {

#define GEN_PASS_DEF_CHOOSECUDAPRECISION
#include "mtc/Codegen/CUDA/Passes.h.inc"

namespace {

Precision precisionOf(mt::KernelOp kernel) {
  return precisionNamed(kernel.getNumerics().value_or("").rsplit('-').second)
      .value_or(Precision::F32);
}

void setPrecision(mt::KernelOp kernel, Precision precision) {
  StringRef base = kernel.getNumerics()->rsplit('-').first;
  kernel.setNumerics(precision == Precision::F32 ? base.str()
                                                 : (base + "-" + nameOf(precision)).str());
}

/// The products of an entry.
class EntryPrecision {
public:
  EntryPrecision(mt::EntryOp entry, Precision asked, const SymbolTable &symbols)
      : entry(entry), asked(asked), symbols(symbols) {}

  /// The kernels of products with the precision that each should have.
  SmallVector<std::pair<mt::KernelOp, Precision>> run() {
    addProducts();
    countBehind();
    fitPrecision(products, asked);
    SmallVector<std::pair<mt::KernelOp, Precision>> result;
    for (auto [task, number] : numbers)
      result.push_back({kernelOf(cast<mt::TaskOp>(task)), products[number].precision});
    return result;
  }

private:
  mt::KernelOp kernelOf(mt::TaskOp task) const {
    return symbols.lookup<mt::KernelOp>(task.getKernel());
  }

  /// The weight that the product of a task reads; null if it reads none.
  static Value weightOf(mt::TaskOp task) {
    Value weight;
    for (Value operand : task.getOperands()) {
      while (operand.getDefiningOp() &&
             !isa<mt::TaskOp, mt::GetWeightOp>(operand.getDefiningOp()) &&
             operand.getDefiningOp()->getNumOperands() == 1)
        operand = operand.getDefiningOp()->getOperand(0);
      auto get = operand.getDefiningOp<mt::GetWeightOp>();
      if (get && (!weight || sizeOf(operand) > sizeOf(weight)))
        weight = operand;
    }
    return weight;
  }
  static int64_t sizeOf(Value v) { return cast<RankedTensorType>(v.getType()).getNumElements(); }

  void addProducts() {
    const SensitiveValues sensitive = sensitiveValuesOf(entry, symbols);
    llvm::DenseMap<Attribute, unsigned> ofWeight;
    for (auto task : entry.getBody().front().getOps<mt::TaskOp>()) {
      mt::KernelOp kernel = kernelOf(task);
      // What runs as plain loops rounds nothing, bytes are exact.
      FailureOr<host::Contraction> c = failure();
      if (precisionOf(kernel) == asked)
        c = analyseContraction(kernel);
      if (failed(c) || isOfBytes(*c))
        continue;
      unsigned number = static_cast<unsigned>(products.size());
      const bool isExact = sensitive.products.contains(task);
      if (Value weight = weightOf(task); weight && !isExact) {
        Attribute name = weight.getDefiningOp<mt::GetWeightOp>().getWeightAttr();
        number = ofWeight.try_emplace(name, number).first->second;
      }
      if (number == products.size())
        products.push_back({0, 0, 0, isExact ? Precision::F32 : asked});
      RoundedProduct &product = products[number];
      product.flops += static_cast<double>(mt::flopsOf(kernel));
      for (Value v : llvm::concat<Value>(SmallVector<Value>(task.getOperands()),
                                         SmallVector<Value>(task.getResults())))
        product.bytes += static_cast<double>(mt::byteSize(v.getType()));
      numbers[task] = number;
    }
  }

  void countBehind() {
    llvm::DenseMap<Operation *, llvm::BitVector> behind;
    for (Operation &op : llvm::reverse(entry.getBody().front())) {
      llvm::BitVector all(static_cast<unsigned>(products.size()));
      for (Operation *user : op.getUsers()) {
        all |= behind.find(user)->second;
        if (auto number = numbers.find(user); number != numbers.end())
          all.set(number->second);
      }
      if (auto number = numbers.find(&op); number != numbers.end()) {
        llvm::BitVector others = all;
        others.reset(number->second);
        RoundedProduct &product = products[number->second];
        product.behind = std::max<int64_t>(product.behind, others.count());
      }
      behind.try_emplace(&op, std::move(all));
    }
  }

  mt::EntryOp entry;
  Precision asked;
  const SymbolTable &symbols;
  SmallVector<RoundedProduct> products;
  llvm::MapVector<Operation *, unsigned> numbers; ///< of the products of tasks
};

struct ChooseCudaPrecision : impl::ChooseCudaPrecisionBase<ChooseCudaPrecision> {
  using ChooseCudaPrecisionBase::ChooseCudaPrecisionBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    // A kernel of several tasks is as precise as the one that asks for most.
    llvm::MapVector<Operation *, Precision> chosen;
    getOperation().walk([&](mt::EntryOp entry) {
      auto tenant = entry->getParentOfType<mt::TenantOp>();
      const auto asked = precisionNamed(tenant.getPrecision().value_or("f32"));
      if (!asked || *asked == Precision::F32 || tenant.getNumerics() == "relaxed")
        return;
      for (auto [kernel, precision] : EntryPrecision(entry, *asked, symbols).run()) {
        Precision &now = chosen.try_emplace(kernel, precision).first->second;
        now = roundoffOf(precision) < roundoffOf(now) ? precision : now;
      }
    });
    for (auto [op, precision] : chosen)
      if (auto kernel = cast<mt::KernelOp>(op); precision != precisionOf(kernel)) {
        setPrecision(kernel, precision);
        ++count;
      }
  }
};

} // namespace
} // namespace mtc::cuda
