//===- EmitPlain.cpp - kernels as plain loops -----------------------------===//
//
// Every operation of the body becomes a loop nest over whole tensors, in order. Slow and obvious:
// the reference when an optimized kernel is in doubt, and what a kernel falls back to.
//
//===----------------------------------------------------------------------===//
#include "Emitter.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::host {

static ArrayRef<int64_t> shapeOf(Value v) { return cast<RankedTensorType>(v.getType()).getShape(); }

void Emitter::copy(Value source, int storage) {
  if (plan.lookup(source) == storage)
    return;
  Operation *def = source.getDefiningOp();
  if (plan.lookup(source) < 0 && def && isa<tensor::EmptyOp>(def))
    return;
  forIterations(shapeOf(source), {},
                [&](ArrayRef<Value> at) { write(read(source, at), storage, shapeOf(source), at); });
}

/// The arguments of the body at loop indices `indices`: elements of the inputs, and `results`.
SmallVector<Value> Emitter::arguments(linalg::LinalgOp op, ArrayRef<Value> indices,
                                      ArrayRef<Value> results) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<Value> values;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    BlockArgument argument = op.getBlock()->getArgument(operand->getOperandNumber());
    if (op.isScalar(operand))
      values.push_back(scalars.lookup(operand->get()));
    else if (argument.use_empty()) // gives a shape only
      values.push_back(constant(cast<TypedAttr>(b.getZeroAttr(argument.getType()))));
    else
      values.push_back(read(operand->get(), evaluate(maps[operand->getOperandNumber()], indices)));
  }
  llvm::append_range(values, results);
  return values;
}

void Emitter::emitStructured(linalg::LinalgOp op) {
  Block &body = *op.getBlock();
  for (auto [i, init] : llvm::enumerate(op.getDpsInits()))
    if (op.payloadUsesValueFromOperand(op.getDpsInitOperand(i)))
      copy(init, plan.lookup(op->getResult(i)));

  if (emitSum(op))
    return;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<bool> sequential =
      llvm::map_to_vector(op.getIteratorTypesArray(), [](utils::IteratorType type) {
        return type != utils::IteratorType::parallel;
      });
  forIterations(op.getStaticLoopRanges(), sequential, [&](ArrayRef<Value> indices) {
    SmallVector<Value> soFar;
    for (auto [i, result] : llvm::enumerate(op->getResults())) {
      int64_t operand = op.getNumDpsInputs() + i;
      if (body.getArgument(operand).use_empty())
        soFar.push_back(
            constant(cast<TypedAttr>(b.getZeroAttr(body.getArgument(operand).getType()))));
      else
        soFar.push_back(
            memref::LoadOp::create(b, loc, memory[plan.lookup(result)],
                                   linearIndex(shapeOf(result), evaluate(maps[operand], indices))));
    }
    SmallVector<Value> yielded = cloneBody(body, arguments(op, indices, soFar), indices);
    for (auto [i, value] : llvm::enumerate(yielded)) {
      Value result = op->getResult(i);
      AffineMap map = maps[op.getNumDpsInputs() + i];
      write(value, plan.lookup(result), shapeOf(result), evaluate(map, indices));
    }
  });
}

void Emitter::emitFill(Value scalar, Value tensor) {
  int64_t elements = cast<RankedTensorType>(tensor.getType()).getNumElements();
  forIterations({elements}, {}, [&](ArrayRef<Value> at) {
    memref::StoreOp::create(b, loc, scalar, memory[plan.lookup(tensor)], at);
  });
}

LogicalResult Emitter::emitMove(Operation &op) {
  Value result = op.getResult(0);
  int storage = plan.lookup(result);
  ArrayRef<int64_t> shape = shapeOf(result);
  auto offsetBy = [&](ArrayRef<Value> at, ArrayRef<int64_t> offsets, ArrayRef<int64_t> strides) {
    SmallVector<Value> to;
    for (auto [i, offset, stride] : llvm::zip_equal(at, offsets, strides))
      to.push_back(add(mul(i, stride), constant(offset)));
    return to;
  };
  auto isStatic = [](ArrayRef<int64_t> values) {
    return llvm::none_of(values, ShapedType::isDynamic);
  };

  if (auto concat = dyn_cast<tensor::ConcatOp>(op)) {
    SmallVector<int64_t> offsets(shape.size(), 0), ones(shape.size(), 1);
    for (Value input : concat.getInputs()) {
      forIterations(shapeOf(input), {}, [&](ArrayRef<Value> at) {
        write(read(input, at), storage, shape, offsetBy(at, offsets, ones));
      });
      offsets[concat.getDim()] += shapeOf(input)[concat.getDim()];
    }
    return success();
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    if (!isStatic(slice.getStaticOffsets()) || !isStatic(slice.getStaticStrides()))
      return op.emitOpError("is not static");
    llvm::SmallBitVector dropped = slice.getDroppedDims();
    forIterations(slice.getStaticSizes(), {}, [&](ArrayRef<Value> at) {
      SmallVector<Value> kept;
      for (auto [d, i] : llvm::enumerate(at))
        if (!dropped[d])
          kept.push_back(i);
      write(
          read(slice.getSource(), offsetBy(at, slice.getStaticOffsets(), slice.getStaticStrides())),
          storage, shape, kept);
    });
    return success();
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    if (!isStatic(insert.getStaticOffsets()) || !isStatic(insert.getStaticStrides()))
      return op.emitOpError("is not static");
    copy(insert.getDest(), storage);
    llvm::SmallBitVector dropped = insert.getDroppedDims();
    forIterations(insert.getStaticSizes(), {}, [&](ArrayRef<Value> at) {
      SmallVector<Value> kept;
      for (auto [d, i] : llvm::enumerate(at))
        if (!dropped[d])
          kept.push_back(i);
      write(read(insert.getSource(), kept), storage, shape,
            offsetBy(at, insert.getStaticOffsets(), insert.getStaticStrides()));
    });
    return success();
  }
  if (auto pad = dyn_cast<tensor::PadOp>(op)) {
    if (!isStatic(pad.getStaticLow()) || !isStatic(pad.getStaticHigh()) ||
        !pad.getConstantPaddingValue())
      return op.emitOpError("is not static with a constant value");
    emitFill(paddingValue(pad), result);
    // Negative padding crops: copy only what is inside the result.
    SmallVector<int64_t> extents, from, to, ones(shape.size(), 1);
    for (auto [d, low] : llvm::enumerate(pad.getStaticLow())) {
      from.push_back(std::max<int64_t>(0, -low));
      to.push_back(std::max<int64_t>(0, low));
      extents.push_back(std::max<int64_t>(
          0, std::min(pad.getSourceType().getDimSize(d) - from.back(), shape[d] - to.back())));
    }
    forIterations(extents, {}, [&](ArrayRef<Value> at) {
      write(read(pad.getSource(), offsetBy(at, from, ones)), storage, shape,
            offsetBy(at, to, ones));
    });
    return success();
  }
  if (isa<linalg::UnPackOp>(op)) {
    auto unpack = cast<linalg::UnPackOp>(op);
    ArrayRef<int64_t> source = shapeOf(unpack.getSource());
    forIterations(shape, {}, [&](ArrayRef<Value> at) {
      SmallVector<Value> outer(at), inner;
      for (auto [dim, tile] :
           llvm::zip_equal(unpack.getInnerDimsPos(), unpack.getStaticInnerTiles())) {
        outer[dim] = arith::DivUIOp::create(b, loc, at[dim], constant(tile));
        inner.push_back(arith::RemUIOp::create(b, loc, at[dim], constant(tile)));
      }
      SmallVector<Value> from(outer);
      for (auto [to, perm] : llvm::enumerate(unpack.getOuterDimsPerm()))
        from[to] = outer[perm];
      llvm::append_range(from, inner);
      assert(from.size() == source.size());
      write(read(unpack.getSource(), from), storage, shape, at);
    });
    return success();
  }
  if (auto pack = dyn_cast<linalg::PackOp>(op)) {
    // result[outer..., inner...] = source[outer * tile + inner], the padding value past its end
    ArrayRef<int64_t> source = shapeOf(pack.getSource());
    forIterations(shape, {}, [&](ArrayRef<Value> at) {
      SmallVector<Value> from(at.take_front(source.size()));
      for (auto [to, perm] : llvm::enumerate(pack.getOuterDimsPerm()))
        from[perm] = at[to];
      Value inside = constant(b.getBoolAttr(true));
      for (auto [i, dim] : llvm::enumerate(pack.getInnerDimsPos())) {
        Value index = add(mul(from[dim], pack.getStaticInnerTiles()[i]), at[source.size() + i]);
        Value ok =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ult, index, constant(source[dim]));
        inside = arith::AndIOp::create(b, loc, inside, ok);
        from[dim] = arith::SelectOp::create(b, loc, ok, index, constant(0));
      }
      Value element = read(pack.getSource(), from);
      Value padding = pack.getPaddingValue() ? scalars.lookup(pack.getPaddingValue()) : element;
      write(arith::SelectOp::create(b, loc, inside, element, padding), storage, shape, at);
    });
    return success();
  }
  if (auto splat = dyn_cast<tensor::SplatOp>(op)) {
    emitFill(scalars.lookup(splat.getInput()), result);
    return success();
  }
  if (auto elements = dyn_cast<tensor::FromElementsOp>(op)) {
    forIterations({1}, {}, [&](ArrayRef<Value>) {
      for (auto [i, v] : llvm::enumerate(elements.getElements()))
        memref::StoreOp::create(b, loc, scalars.lookup(v), memory[storage], constant(i));
    });
    return success();
  }
  return op.emitOpError("cannot be part of a host kernel");
}

LogicalResult Emitter::emitByLoops(Operation &op) {
  if (emitScalar(op))
    return success();
  if ((isVirtual(&op) && plan.lookup(op.getResult(0)) < 0) ||
      isa<tensor::EmptyOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp,
          arith::ConstantOp>(op))
    return success();
  if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
    emitStructured(structured);
    return success();
  }
  return emitMove(op);
}

LogicalResult emitPlain(Emitter &e) {
  Value isFirst =
      arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq, e.phase, e.constant(0));
  Value hasZero = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::eq, e.lo, e.constant(0));
  Value notEmpty = arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::sgt, e.hi, e.lo);
  Value run = arith::AndIOp::create(e.b, e.loc, arith::AndIOp::create(e.b, e.loc, isFirst, hasZero),
                                    notEmpty);
  auto branch = scf::IfOp::create(e.b, e.loc, run, /*withElseRegion=*/false);
  e.b.setInsertionPointToStart(branch.thenBlock());
  for (Operation &op : e.kernel.getBody().front().without_terminator())
    if (failed(e.emitByLoops(op)))
      return failure();
  e.copyResults();
  e.finish();
  return success();
}

} // namespace mtc::host
