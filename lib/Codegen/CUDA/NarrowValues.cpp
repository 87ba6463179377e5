//===- NarrowValues.cpp - what lies between tasks as halves ---------------===//
//
// A tenant in f16 or bf16 rounds the factors of its products. Here the values next to products, and
// the weights that are factors, lie in memory in that type already: half the bytes, and factors
// that asynchronous copies can bring to shared memory as they are. Sums and epilogues stay in f32.
//
// A value is narrowed if kernels make and read it and it lies between two products of its tenant's
// precision, or next to one; not what an entry takes or gives, what control flow reads, and what is
// turned into integers (coordinates, places). All candidates are narrowed first; a kernel that
// would need a loop nest just for that gives some back, until no kernel does: so moves between two
// products are narrow on both sides. In bf16 only what products alone read is narrow: they round it
// anyway, so that no answer changes, and eight bits are too few for sums over many layers (of a
// text detector the error, norm by norm, is 0.084 so and 0.13 with all values narrow; emulated).
//
//===----------------------------------------------------------------------===//
#include "../../Dialect/MT/Transforms/DerivedWeights.h"
#include "../../Dialect/MT/Transforms/Structure.h"
#include "ContractionFrame.h"
#include "NarrowKernel.h"
#include "SensitiveValues.h"

#include "mtc/Codegen/CUDA/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::cuda {

#define GEN_PASS_DEF_NARROWCUDAVALUES
#include "mtc/Codegen/CUDA/Passes.h.inc"

namespace {

bool isView(Operation *op) { return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op); }

Value rootOf(Value v) {
  while (v.getDefiningOp() && isView(v.getDefiningOp()))
    v = v.getDefiningOp()->getOperand(0);
  return v;
}

bool isF32Tensor(Type type) { return getElementTypeOrSelf(type).isF32(); }

/// Whether numbers become integers inside: they may be places, which are exact or wrong.
bool makesIntegers(mt::KernelOp kernel) {
  return kernel
      .walk([](Operation *op) {
        return isa<arith::FPToSIOp, arith::FPToUIOp>(op) ? WalkResult::interrupt()
                                                         : WalkResult::advance();
      })
      .wasInterrupted();
}

/// The values of an entry that are narrowed.
class EntryNarrowing {
public:
  EntryNarrowing(mt::EntryOp entry, FloatType type, StringRef precision, const SymbolTable &symbols,
                 const DenseMap<StringAttr, unsigned> &uses, mt::DerivedWeights &weights)
      : type(type), weights(weights), sensitive(sensitiveValuesOf(entry, symbols).values) {
    for (auto task : entry.getBody().front().getOps<mt::TaskOp>()) {
      auto kernel = symbols.lookup<mt::KernelOp>(task.getKernel());
      const bool fits = uses.lookup(kernel.getSymNameAttr()) == 1 &&
                        kernel.getKind() != mt::KernelKind::Opaque &&
                        kernel.getKind() != mt::KernelKind::Recurrence && !makesIntegers(kernel);
      // What runs as plain loops (depthwise convolutions) rounds nothing.
      const bool isProduct = kernel.getNumerics().value_or("").rsplit('-').second == precision &&
                             succeeded(analyseContraction(kernel));
      if (fits)
        useOf[task] = {task, kernel, isProduct, {}, {}};
      if (isProduct || llvm::any_of(task.getOperands(), [&](Value v) {
            return afterProduct.contains(rootOf(v).getDefiningOp());
          }))
        afterProduct.insert(task);
    }
    for (Operation &op : llvm::reverse(entry.getBody().front()))
      if (auto use = useOf.find(&op); (use != useOf.end() && use->second.isProduct) ||
                                      llvm::any_of(op.getUsers(), [&](Operation *user) {
                                        return beforeProduct.contains(user);
                                      }))
        beforeProduct.insert(&op);
    for (auto &[task, use] : useOf) {
      for (Value result : use.task.getResults())
        if (isCandidate(result))
          candidates.insert(result);
      if (use.isProduct)
        for (unsigned number = 0; number < use.task->getNumOperands(); ++number)
          if (isFactor(use, number))
            use.factors.push_back(number);
    }
  }

  /// Narrows what can be. Returns the number of values.
  unsigned run() {
    SmallVector<Operation *> work;
    for (auto &[task, use] : useOf)
      work.push_back(task);
    while (!work.empty()) {
      KernelUse &use = useOf[work.pop_back_val()];
      const Places places = placesOf(use);
      use.narrowed = {};
      if (places.empty())
        continue;
      use.narrowed = narrowKernel(use.kernel, places, type);
      const Places &unfit = use.narrowed.unfit;
      if (unfit.empty())
        continue;
      for (unsigned number : unfit.results)
        drop(use.task.getResult(number), work);
      for (unsigned number : unfit.arguments) {
        if (llvm::is_contained(use.factors, number))
          llvm::erase(use.factors, number);
        else
          drop(rootOf(use.task.getOperand(number)), work);
      }
      work.push_back(use.task);
    }
    apply();
    return candidates.size();
  }

private:
  struct KernelUse {
    mt::TaskOp task;
    mt::KernelOp kernel;
    bool isProduct = false;
    SmallVector<unsigned> factors; ///< operands that are weights and become narrow
    NarrowedKernel narrowed;       ///< as it would be; null: as it is
  };

  /// The tasks that read a value, also through reshapes; nothing if others do, too.
  static std::optional<SmallVector<mt::TaskOp>> readersOf(Value value) {
    SmallVector<mt::TaskOp> readers;
    SmallVector<Value> views = {value};
    while (!views.empty())
      for (Operation *user : views.pop_back_val().getUsers()) {
        if (isView(user))
          views.push_back(user->getResult(0));
        else if (auto task = dyn_cast<mt::TaskOp>(user))
          readers.push_back(task);
        else
          return std::nullopt;
      }
    return readers;
  }

  bool isCandidate(Value result) const {
    if (!isF32Tensor(result.getType()) || sensitive.contains(result))
      return false;
    auto readers = readersOf(result);
    if (!readers || readers->empty())
      return false;
    Operation *maker = result.getDefiningOp();
    auto use = useOf.find(maker);
    if (use == useOf.end())
      return false;
    bool isNear = use->second.isProduct;
    for (mt::TaskOp task : *readers) {
      auto reader = useOf.find(task);
      if (reader == useOf.end())
        return false;
      isNear |= reader->second.isProduct ||
                (afterProduct.contains(maker) && beforeProduct.contains(task));
      if (type.isBF16() && !readsAsFactor(reader->second, result))
        return false;
    }
    return isNear;
  }

  /// Whether a product reads a value as a factor only, which it would round.
  static bool readsAsFactor(const KernelUse &use, Value value) {
    mt::TaskOp task = use.task;
    mt::KernelOp kernel = use.kernel;
    SmallVector<Value> views;
    for (auto [number, operand] : llvm::enumerate(task.getOperands()))
      if (rootOf(operand) == value)
        views.push_back(kernel.getBody().getArgument(number));
    while (use.isProduct && !views.empty())
      for (Operation *user : views.pop_back_val().getUsers()) {
        auto product = dyn_cast<linalg::GenericOp>(user);
        if (isView(user) || isa<tensor::PadOp>(user))
          views.push_back(user->getResult(0));
        else if (!product || !mt::isContraction(product))
          return false;
      }
    return use.isProduct;
  }

  /// A weight that the product alone reads, as it is.
  bool isFactor(const KernelUse &use, unsigned number) {
    mt::TaskOp task = use.task;
    mt::KernelOp kernel = use.kernel;
    BlockArgument argument = kernel.getBody().getArgument(number);
    if (!isF32Tensor(argument.getType()) || !weights.find(task.getOperand(number)) ||
        !argument.hasOneUse())
      return false;
    auto product = dyn_cast<linalg::GenericOp>(*argument.user_begin());
    return product && mt::isContraction(product);
  }

  Places placesOf(const KernelUse &use) const {
    mt::TaskOp task = use.task;
    Places places;
    places.arguments = use.factors;
    for (auto [number, operand] : llvm::enumerate(task.getOperands()))
      if (candidates.contains(rootOf(operand)))
        places.arguments.push_back(static_cast<unsigned>(number));
    for (auto [number, result] : llvm::enumerate(task.getResults()))
      if (candidates.contains(result))
        places.results.push_back(static_cast<unsigned>(number));
    return places;
  }

  /// The value stays as it is: who makes and reads it is tried again.
  void drop(Value value, SmallVector<Operation *> &work) {
    if (!candidates.remove(value))
      return;
    const auto readers = readersOf(value);
    for (mt::TaskOp task : *readers)
      work.push_back(task);
    work.push_back(value.getDefiningOp());
  }

  void apply() {
    for (Value value : candidates) {
      SmallVector<Value> views = {value};
      while (!views.empty()) {
        Value v = views.pop_back_val();
        auto shape = cast<RankedTensorType>(v.getType()).getShape();
        v.setType(RankedTensorType::get(shape, type));
        for (Operation *user : v.getUsers())
          if (isView(user))
            views.push_back(user->getResult(0));
      }
    }
    for (auto &[task, use] : useOf) {
      if (!use.narrowed.kernel)
        continue;
      mt::KernelOp from = *use.narrowed.kernel;
      use.kernel.getBody().takeBody(from.getBody());
      use.kernel.setFunctionType(from.getFunctionType());
      for (unsigned number : use.factors)
        weights.replace(
            {use.task}, number, stringOf(type),
            [&](OpBuilder &b, Location loc, Value v) { return narrowWeight(b, loc, v); });
    }
  }

  static StringRef stringOf(FloatType type) { return type.isF16() ? "f16" : "bf16"; }

  Value narrowWeight(OpBuilder &b, Location loc, Value weight) const {
    auto shape = cast<RankedTensorType>(weight.getType()).getShape();
    Value init = tensor::EmptyOp::create(b, loc, shape, type);
    AffineMap identity = b.getMultiDimIdentityMap(shape.size());
    return linalg::GenericOp::create(
               b, loc, init.getType(), weight, init, ArrayRef{identity, identity},
               SmallVector<utils::IteratorType>(shape.size(), utils::IteratorType::parallel),
               [&](OpBuilder &inner, Location at, ValueRange v) {
                 linalg::YieldOp::create(inner, at, narrowed(inner, at, v[0], type));
               })
        .getResult(0);
  }

  FloatType type;
  mt::DerivedWeights &weights;
  llvm::DenseSet<Value> sensitive;
  llvm::MapVector<Operation *, KernelUse> useOf;
  /// Products, and what depends on one or leads to one.
  llvm::DenseSet<Operation *> afterProduct, beforeProduct;
  llvm::SetVector<Value> candidates;
};

struct NarrowCudaValues : impl::NarrowCudaValuesBase<NarrowCudaValues> {
  using NarrowCudaValuesBase::NarrowCudaValuesBase;

  void runOnOperation() override {
    mt::ProgramOp program = getOperation();
    SymbolTable symbols(program);
    mt::DerivedWeights weights(program);
    DenseMap<StringAttr, unsigned> uses;
    program.walk([&](mt::TaskOp task) { ++uses[task.getKernelAttr().getAttr()]; });
    program.walk([&](mt::EntryOp entry) {
      StringRef precision = entry->getParentOfType<mt::TenantOp>().getPrecision().value_or("f32");
      if (precision == "f16")
        count += EntryNarrowing(entry, Float16Type::get(&getContext()), precision, symbols, uses,
                                weights)
                     .run();
      else if (precision == "bf16")
        count += EntryNarrowing(entry, BFloat16Type::get(&getContext()), precision, symbols, uses,
                                weights)
                     .run();
    });
    weights.eraseUnused();
  }
};

} // namespace
} // namespace mtc::cuda
