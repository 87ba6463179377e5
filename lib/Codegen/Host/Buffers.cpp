//===- Buffers.cpp - where the tensors of a kernel's body live ------------===//
#include "Buffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::host {

int64_t elementBytes(Type type) {
  if (type.isIndex())
    return 8;
  return std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8);
}

SmallVector<int64_t> rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

bool isVirtual(Operation *op) {
  if (!isa<linalg::UnPackOp>(op)) {
    auto pad = dyn_cast<tensor::PadOp>(op);
    // Only a constant padding value can be named wherever the pad is read.
    if (!pad || !pad.getConstantPaddingValue())
      return false;
  }
  return llvm::all_of(op->getUsers(), [](Operation *user) { return isa<linalg::LinalgOp>(user); });
}

bool isStatic(tensor::ExtractSliceOp slice) {
  return llvm::none_of(slice.getStaticOffsets(), ShapedType::isDynamic) &&
         llvm::none_of(slice.getStaticStrides(), ShapedType::isDynamic);
}

bool isView(Operation *op) {
  while (isa_and_nonnull<tensor::ExtractSliceOp, linalg::TransposeOp>(op)) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(op);
    if (slice && !isStatic(slice))
      return false;
    const bool onlyRead = llvm::all_of(op->getUses(), [](OpOperand &use) {
      auto structured = dyn_cast<linalg::LinalgOp>(use.getOwner());
      return (structured && structured.isDpsInput(&use)) ||
             isa<tensor::ConcatOp, tensor::ExtractSliceOp>(use.getOwner());
    });
    Value source = op->getOperand(0);
    if (!onlyRead || isa<BlockArgument>(source))
      return onlyRead;
    op = source.getDefiningOp();
  }
  return false;
}

namespace {

bool isReshape(Operation *op) {
  return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op);
}

class Planner {
public:
  Planner(mt::KernelOp kernel, int64_t rows, bool useVirtual)
      : kernel(kernel), block(kernel.getBody().front()), rows(rows), useVirtual(useVirtual) {}

  FailureOr<BufferPlan> run() {
    for (auto [i, arg] : llvm::enumerate(block.getArguments()))
      bind(arg, Storage::Kind::Argument, i);
    for (Operation &op : block)
      order[&op] = static_cast<int>(order.size());
    for (Operation &op : block.without_terminator())
      if (failed(place(op)))
        return failure();
    placeResults();
    placeScratch();
    return std::move(plan);
  }

private:
  int bind(Value v, Storage::Kind kind, int64_t index = 0) {
    auto type = cast<RankedTensorType>(v.getType());
    Storage s;
    s.kind = kind;
    s.index = index;
    s.elementType = type.getElementType();
    s.elements = type.getNumElements();
    plan.storages.push_back(s);
    return plan.storageOf[v] = static_cast<int>(plan.storages.size()) - 1;
  }

  LogicalResult place(Operation &op) {
    if (isa<tensor::EmptyOp>(op) || (useVirtual && isVirtual(&op)))
      return success();
    if (isReshape(&op) || (!useVirtual && isView(&op))) {
      int source = plan.lookup(op.getOperand(0));
      if (source >= 0)
        plan.storageOf[op.getResult(0)] = source;
      return success(); // a reshaped tensor.empty is as empty
    }
    if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
      if (!isa<RankedTensorType>(constant.getType()))
        return success();
      auto value = dyn_cast<DenseElementsAttr>(constant.getValue());
      if (!value)
        return op.emitOpError("holds a tensor that is not dense");
      plan.storages[bind(constant, Storage::Kind::Constant)].value = value;
      return success();
    }
    if (llvm::none_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>) &&
        op.getNumRegions() == 0)
      return success(); // a scalar
    if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
      if (!structured.hasPureTensorSemantics())
        return op.emitOpError("is not on tensors");
      for (auto [i, result] : llvm::enumerate(op.getResults()))
        placeDestination(op, structured.getDpsInitOperand(i)->get(), result);
      return success();
    }
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
      placeDestination(op, insert.getDest(), insert.getResult());
      return success();
    }
    if (isa<mt::RecurrenceOp>(op)) {
      for (Value result : op.getResults())
        if (!result.use_empty())
          bind(result, Storage::Kind::Scratch);
      return success();
    }
    if (isa<linalg::PackOp, linalg::UnPackOp, tensor::PadOp, tensor::ConcatOp,
            tensor::ExtractSliceOp, tensor::SplatOp, tensor::FromElementsOp>(op)) {
      bind(op.getResult(0), Storage::Kind::Scratch);
      return success();
    }
    return op.emitOpError("cannot be part of a host kernel");
  }

  /// The result takes over the destination's storage when nobody else reads that any more.
  void placeDestination(Operation &op, Value destination, Value result) {
    int storage = plan.lookup(destination);
    if (storage >= 0 && plan.storages[storage].kind == Storage::Kind::Scratch &&
        !readBesides(op, destination, storage)) {
      plan.storageOf[result] = storage;
      return;
    }
    bind(result, Storage::Kind::Scratch);
  }

  /// Whether the storage is read by `op` other than as `destination`, or after it.
  bool readBesides(Operation &op, Value destination, int storage) {
    int uses = 0;
    for (auto &[value, s] : plan.storageOf) {
      if (s != storage)
        continue;
      for (OpOperand &use : value.getUses()) {
        Operation *user = block.findAncestorOpInBlock(*use.getOwner());
        if (user == &op)
          ++uses;
        else if (order[user] > order[&op] || (useVirtual && isVirtual(user)))
          return true;
      }
    }
    return uses != 1;
  }

  void placeResults() {
    auto yield = cast<mt::YieldOp>(block.getTerminator());
    for (auto [i, value] : llvm::enumerate(yield.getOperands())) {
      int storage = plan.lookup(value);
      if (storage < 0)
        continue; // tensor.empty: any content is right
      if (plan.storages[storage].kind == Storage::Kind::Scratch) {
        plan.storages[storage].kind = Storage::Kind::Result;
        plan.storages[storage].index = i;
      } else {
        plan.resultCopies.emplace_back(i, value);
      }
    }
  }

  /// Storages that an operand is read from, through virtual operations.
  void rootsOf(Value v, SmallVectorImpl<int> &roots) {
    while (plan.lookup(v) < 0) {
      Operation *def = v.getDefiningOp();
      if (!def || !useVirtual || !isVirtual(def))
        return;
      v = def->getOperand(0);
    }
    roots.push_back(plan.lookup(v));
  }

  /// First fit by lifetime, 64-byte aligned.
  void placeScratch() {
    size_t n = plan.storages.size();
    SmallVector<int> first(n, INT_MAX), last(n, -1);
    for (Operation &op : block) {
      SmallVector<int> touched;
      op.walk([&](Operation *inner) {
        for (Value v : inner->getOperands())
          if (isa<RankedTensorType>(v.getType()))
            rootsOf(v, touched);
      });
      for (Value v : op.getResults())
        if (int s = plan.lookup(v); s >= 0)
          touched.push_back(s);
      for (int s : touched) {
        first[s] = std::min(first[s], order[&op]);
        last[s] = std::max(last[s], order[&op]);
      }
    }
    SmallVector<int> placed;
    for (size_t i = 0; i < n; ++i) {
      Storage &s = plan.storages[i];
      if (s.kind != Storage::Kind::Scratch)
        continue;
      int64_t bytes = scratchSize(s), offset = 0;
      bool moved = true;
      while (moved) {
        moved = false;
        for (int p : placed) {
          const Storage &other = plan.storages[p];
          if (first[p] > last[i] || first[i] > last[p])
            continue;
          int64_t end = other.scratchOffset + scratchSize(other);
          if (offset < end && other.scratchOffset < offset + bytes) {
            offset = end;
            moved = true;
          }
        }
      }
      s.scratchOffset = offset;
      placed.push_back(static_cast<int>(i));
      plan.scratchBytes = std::max(plan.scratchBytes, offset + bytes);
    }
  }

  int64_t scratchSize(const Storage &s) const {
    // A vector's width of slack: the last vector of a row may be stored whole.
    return llvm::alignTo(s.elements / rows * elementBytes(s.elementType), 64);
  }

  mt::KernelOp kernel;
  Block &block;
  int64_t rows;
  bool useVirtual;
  BufferPlan plan;
  llvm::DenseMap<Operation *, int> order;
};

} // namespace

bool linearForm(AffineExpr expr, MutableArrayRef<int64_t> coefficients, int64_t &constant,
                int64_t scale) {
  if (auto d = dyn_cast<AffineDimExpr>(expr)) {
    coefficients[d.getPosition()] += scale;
    return true;
  }
  if (auto c = dyn_cast<AffineConstantExpr>(expr)) {
    constant += scale * c.getValue();
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (expr.getKind() == AffineExprKind::Add)
    return linearForm(binary.getLHS(), coefficients, constant, scale) &&
           linearForm(binary.getRHS(), coefficients, constant, scale);
  auto factor = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return expr.getKind() == AffineExprKind::Mul && factor &&
         linearForm(binary.getLHS(), coefficients, constant, scale * factor.getValue());
}

FailureOr<BufferPlan> planBuffers(mt::KernelOp kernel, int64_t rows, bool useVirtual) {
  return Planner(kernel, rows, useVirtual).run();
}

} // namespace mtc::host
