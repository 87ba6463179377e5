//===- Widened.cpp - weights of f32 that are narrow numbers times a scale -===//
#include "Widened.h"
#include "Structure.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;

namespace mtc::mt {
namespace {

/// Longer expressions are no dequantization.
constexpr size_t kMaxOps = 64;

RankedTensorType typeOf(Value v) { return cast<RankedTensorType>(v.getType()); }

bool isNarrow(Type type) { return type.isF16() || type.isBF16() || type.isInteger(8); }

/// What a derived weight computes as one block, whose arguments are the weights that are no
/// expressions themselves.
struct Flat {
  Block block;
  SmallVector<WeightOp> leaves;
  Value result;
};

/// A number that elements are multiplied by, or that is subtracted from them.
struct Factor {
  Value tensor;
  AffineMap map; ///< from the dims of the element's tensor; plain dims
  Attribute constant;
  bool isSigned = true; ///< of an integer
};

/// A tensor of the block as narrow numbers, on their way to f32.
struct Form {
  Value codes; ///< of the same shape
  bool isSigned = true;
  int64_t zero = 0;
  SmallVector<Factor> factors;
};

/// What a value of an elementwise body is: codes on their way, a factor, or neither.
struct Element {
  std::optional<Form> form;
  std::optional<Factor> factor;
};

} // namespace

/// Reads one weight.
class WidenedReader {
public:
  WidenedReader(WidenedWeights &owner, WeightOp weight)
      : owner(owner), weight(weight), b(weight.getContext()), loc(weight.getLoc()) {}

  std::optional<Widened> read() {
    if (!weight.getSources() || !weight.getTensorType().getElementType().isF32() || !flatten())
      return std::nullopt;
    b.setInsertionPointToEnd(&flat.block);
    SmallVector<Operation *> ops =
        llvm::map_to_vector(flat.block, [](Operation &op) { return &op; });
    for (Operation *op : ops)
      if (op->getNumResults() == 1)
        if (std::optional<Form> form = formOf(op))
          forms.try_emplace(op->getResult(0), std::move(*form));
    auto it = forms.find(flat.result);
    return it == forms.end() ? std::nullopt : finish(it->second);
  }

private:
  //===--------------------------------------------------------------------===//
  // The expression
  //===--------------------------------------------------------------------===//

  bool flatten() {
    DenseMap<Operation *, Value> values;
    SmallVector<WeightOp> stack = {weight};
    while (!stack.empty()) {
      WeightOp w = stack.back();
      if (values.contains(w)) {
        stack.pop_back();
        continue;
      }
      if (!w.getSources()) {
        values[w] = flat.block.addArgument(w.getTensorType(), loc);
        flat.leaves.push_back(w);
        continue;
      }
      IRMapping map;
      SmallVector<WeightOp> missing;
      for (auto [name, argument] : llvm::zip(w.getSourcesAttr().getAsRange<FlatSymbolRefAttr>(),
                                             w.getBody().getArguments())) {
        auto source = owner.symbols.lookup<WeightOp>(name.getValue());
        if (auto it = values.find(source); it != values.end())
          map.map(argument, it->second);
        else
          missing.push_back(source);
      }
      if (!missing.empty()) {
        llvm::append_range(stack, llvm::reverse(missing)); // the first one first
        continue;
      }
      b.setInsertionPointToEnd(&flat.block);
      for (Operation &op : w.getBody().front().without_terminator())
        b.clone(op, map);
      values[w] = map.lookup(w.getBody().front().getTerminator()->getOperand(0));
      if (flat.block.getOperations().size() > kMaxOps)
        return false;
    }
    flat.result = values.lookup(weight);
    return true;
  }

  /// The weight that `value` of the block is, moved and computed as it is there.
  WeightOp derive(StringRef suffix, Value value) {
    if (auto leaf = dyn_cast<BlockArgument>(value))
      return flat.leaves[leaf.getArgNumber()];
    llvm::DenseSet<Operation *> needed;
    llvm::SmallDenseSet<unsigned> used;
    SmallVector<Value> worklist = {value};
    while (!worklist.empty()) {
      Value v = worklist.pop_back_val();
      if (auto leaf = dyn_cast<BlockArgument>(v)) {
        if (leaf.getOwner() == &flat.block)
          used.insert(leaf.getArgNumber());
        continue;
      }
      Operation *op = flat.block.findAncestorOpInBlock(*v.getDefiningOp());
      if (!needed.insert(op).second)
        continue;
      llvm::append_range(worklist, op->getOperands());
      llvm::append_range(worklist, capturedValues(op));
    }
    SmallVector<WeightOp> sources;
    SmallVector<Value> leaves;
    for (BlockArgument leaf : flat.block.getArguments())
      if (used.contains(leaf.getArgNumber())) {
        sources.push_back(flat.leaves[leaf.getArgNumber()]);
        leaves.push_back(leaf);
      }
    return owner.weights.getOrCreate(loc, suffix, sources, [&](OpBuilder &own, ValueRange values) {
      IRMapping map;
      map.map(leaves, values);
      for (Operation &op : flat.block)
        if (needed.contains(&op))
          own.clone(op, map);
      return map.lookup(value);
    });
  }

  //===--------------------------------------------------------------------===//
  // Moves
  //===--------------------------------------------------------------------===//

  std::optional<Form> formOfTensor(Value v) {
    if (auto it = forms.find(v); it != forms.end())
      return it->second;
    if (isNarrow(typeOf(v).getElementType()))
      return Form{v, true, 0, {}};
    return std::nullopt;
  }

  std::optional<Form> formOf(Operation *op) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      return formOfElements(generic);
    if (!isa<linalg::TransposeOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
      return std::nullopt;
    std::optional<Form> form = formOfTensor(op->getOperand(0));
    if (!form || form->codes == op->getOperand(0))
      return std::nullopt;     // narrow numbers move by themselves
    SmallVector<int64_t> dims; // by dim of the source: that of the result, or -1
    if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
      dims.resize(transpose.getPermutation().size());
      for (auto [to, from] : llvm::enumerate(transpose.getPermutation()))
        dims[from] = to;
    } else {
      dims = placesOf(op);
    }
    MLIRContext *context = op->getContext();
    RankedTensorType to = typeOf(op->getResult(0));
    for (Factor &factor : form->factors) {
      if (!factor.tensor)
        continue;
      SmallVector<AffineExpr> exprs;
      for (AffineExpr e : factor.map.getResults()) {
        int64_t dim = dims[cast<AffineDimExpr>(e).getPosition()];
        if (dim < 0)
          return std::nullopt;
        exprs.push_back(getAffineDimExpr(dim, context));
      }
      factor.map = AffineMap::get(to.getRank(), 0, exprs, context);
    }
    form->codes = movedAs(op, form->codes, to);
    return form;
  }

  /// Where a reshape leaves each dim of its source whole, -1 where it does not.
  static SmallVector<int64_t> placesOf(Operation *op) {
    auto collapse = dyn_cast<tensor::CollapseShapeOp>(op);
    auto groups = collapse ? collapse.getReassociationIndices()
                           : cast<tensor::ExpandShapeOp>(op).getReassociationIndices();
    ArrayRef<int64_t> from = typeOf(op->getOperand(0)).getShape(),
                      to = typeOf(op->getResult(0)).getShape();
    SmallVector<int64_t> places(from.size(), -1);
    for (auto [one, many] : llvm::enumerate(groups))
      for (int64_t dim : many) {
        int64_t source = collapse ? dim : int64_t(one), target = collapse ? int64_t(one) : dim;
        if (from[source] == to[target] && (from[source] != 1 || places[source] < 0))
          places[source] = target;
      }
    return places;
  }

  Value movedAs(Operation *op, Value codes, RankedTensorType to) {
    Type element = typeOf(codes).getElementType();
    RankedTensorType type = to.clone(element);
    if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
      Value init = tensor::EmptyOp::create(b, loc, type.getShape(), element);
      return linalg::TransposeOp::create(b, loc, codes, init, transpose.getPermutation())
          ->getResult(0);
    }
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
      return tensor::ExpandShapeOp::create(b, loc, type, codes, expand.getReassociationIndices());
    return tensor::CollapseShapeOp::create(
        b, loc, type, codes, cast<tensor::CollapseShapeOp>(op).getReassociationIndices());
  }

  //===--------------------------------------------------------------------===//
  // Elementwise
  //===--------------------------------------------------------------------===//

  std::optional<Form> formOfElements(linalg::GenericOp op) {
    if (!isAllParallel(op) || op.getNumResults() != 1 ||
        !op.getIndexingMapsArray().back().isIdentity())
      return std::nullopt;
    Block &body = *op.getBody();
    DenseMap<Value, Element> elements;
    for (OpOperand *input : op.getDpsInputOperands()) {
      AffineMap map = op.getMatchingIndexingMap(input);
      Value v = input->get();
      Element &element = elements[body.getArgument(input->getOperandNumber())];
      if (!isa<RankedTensorType>(v.getType()) || plainLoops(map).size() != map.getNumResults())
        continue;
      element.factor = Factor{v, map, {}, true};
      if (!map.isIdentity())
        continue;
      element.form = formOfTensor(v);
    }
    for (Operation &inner : body.without_terminator())
      if (inner.getNumResults() == 1)
        elements[inner.getResult(0)] = elementOf(&inner, elements);
    Element y = elements.lookup(body.getTerminator()->getOperand(0));
    bool isDone = y.form && (typeOf(op.getResult(0)).getElementType().isF32() ||
                             typeOf(op.getResult(0)).getElementType().isInteger(32));
    return isDone ? y.form : std::nullopt;
  }

  static Element lookUp(Value v, const DenseMap<Value, Element> &elements) {
    Attribute constant;
    if (matchPattern(v, m_Constant(&constant)))
      return {std::nullopt, Factor{{}, {}, constant, true}};
    return elements.lookup(v);
  }

  Element elementOf(Operation *op, const DenseMap<Value, Element> &elements) {
    auto at = [&](unsigned i) { return lookUp(op->getOperand(i), elements); };
    Type to = op->getResult(0).getType();
    if (isa<arith::ExtFOp, arith::ExtSIOp, arith::ExtUIOp, arith::SIToFPOp, arith::UIToFPOp>(op))
      return widened(op, at(0), to);
    if (isa<arith::SubIOp>(op) && to.isInteger(32))
      return {withoutZero(at(0).form, at(1).factor), std::nullopt};
    if (!isa<arith::MulFOp>(op) || !to.isF32())
      return {};
    Element x = at(0), y = at(1);
    if (!x.form)
      std::swap(x, y);
    if (!x.form || !y.factor || y.form)
      return {};
    x.form->factors.push_back(*y.factor);
    return {x.form, std::nullopt};
  }

  static Element widened(Operation *op, Element x, Type to) {
    Type from = op->getOperand(0).getType();
    bool isUnsigned = isa<arith::ExtUIOp, arith::UIToFPOp>(op);
    bool isExact = isa<FloatType>(to) ? to.isF32() : to.isInteger(32);
    if (!isExact || (isa<arith::UIToFPOp>(op) && !from.isInteger(8)))
      return {};
    if (x.form && isNarrow(from))
      x.form->isSigned = !isUnsigned;
    // A factor is converted when it is used; integers are zero points.
    if (x.factor && (isa<FloatType>(from) || isa<IntegerType>(to)))
      x.factor->isSigned = !isUnsigned;
    else
      x.factor.reset();
    return x;
  }

  /// Codes minus a zero point: a number that is kept, or one that depends on the place. Those are
  /// mostly 0, else differences of 16 bits are stored.
  std::optional<Form> withoutZero(std::optional<Form> x, const std::optional<Factor> &zero) {
    if (!x || !zero || x->zero || !x->factors.empty() ||
        !typeOf(x->codes).getElementType().isInteger(8))
      return std::nullopt;
    if (auto constant = dyn_cast_or_null<IntegerAttr>(zero->constant)) {
      x->zero = zero->isSigned ? constant.getValue().getSExtValue()
                               : static_cast<int64_t>(constant.getValue().getZExtValue());
      return x;
    }
    if (!zero->tensor || !typeOf(zero->tensor).getElementType().isInteger(8))
      return std::nullopt; // differences of bytes fit 16 bits
    Value root = zero->tensor;
    while (isa_and_nonnull<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(root.getDefiningOp()))
      root = root.getDefiningOp()->getOperand(0);
    if (auto leaf = dyn_cast<BlockArgument>(root);
        leaf && owner.isZero(flat.leaves[leaf.getArgNumber()]))
      return x;
    RankedTensorType type = typeOf(x->codes).clone(b.getIntegerType(16));
    Value init = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
    auto extend = [&](OpBuilder &inner, Value v, bool isSigned) -> Value {
      if (v.getType().isInteger(32))
        return v;
      Type wide = inner.getI32Type();
      return isSigned ? Value(arith::ExtSIOp::create(inner, loc, wide, v))
                      : Value(arith::ExtUIOp::create(inner, loc, wide, v));
    };
    bool isSigned = x->isSigned, zeroIsSigned = zero->isSigned;
    x->codes =
        linalg::GenericOp::create(
            b, loc, TypeRange(type), ValueRange{x->codes, zero->tensor}, ValueRange(init),
            ArrayRef<AffineMap>{identity, zero->map, identity},
            SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
            [&](OpBuilder &inner, Location at, ValueRange v) {
              Value difference = arith::SubIOp::create(inner, at, extend(inner, v[0], isSigned),
                                                       extend(inner, v[1], zeroIsSigned));
              Value code = arith::TruncIOp::create(inner, at, inner.getI16Type(), difference);
              linalg::YieldOp::create(inner, at, code);
            })
            .getResult(0);
    x->isSigned = true;
    return x;
  }

  //===--------------------------------------------------------------------===//
  // The answer
  //===--------------------------------------------------------------------===//

  std::optional<Widened> finish(Form form) {
    Widened w;
    if (!form.isSigned && form.zero == 128) { // signed codes around 0
      form.codes = changedSigns(form.codes);
      form.isSigned = true;
      form.zero = 0;
    }
    w.isSigned = form.isSigned;
    w.zero = form.zero;
    llvm::SmallBitVector dims(typeOf(form.codes).getRank());
    bool hasTensor = false;
    float constant = 1;
    for (const Factor &factor : form.factors) {
      if (factor.tensor) {
        Type type = typeOf(factor.tensor).getElementType();
        if (!type.isF32() && !type.isF16() && !type.isBF16())
          return std::nullopt;
        hasTensor = true;
        for (AffineExpr e : factor.map.getResults())
          dims.set(cast<AffineDimExpr>(e).getPosition());
        continue;
      }
      auto number = dyn_cast<FloatAttr>(factor.constant);
      if (!number)
        return std::nullopt;
      constant *= number.getValue().convertToFloat();
    }
    for (int dim : dims.set_bits())
      w.scaleDims.push_back(dim);
    w.codes = derive("narrow", form.codes);
    if (hasTensor)
      w.scale = derive("scale", productOf(form.factors, w.scaleDims));
    else if (!form.factors.empty())
      w.scaleConstant = b.getF32FloatAttr(constant);
    return w;
  }

  Value changedSigns(Value codes) {
    RankedTensorType type = typeOf(codes);
    AffineMap identity = b.getMultiDimIdentityMap(type.getRank());
    Value init = tensor::EmptyOp::create(b, loc, type.getShape(), type.getElementType());
    return linalg::GenericOp::create(
               b, loc, TypeRange(type), ValueRange(codes), ValueRange(init),
               ArrayRef<AffineMap>{identity, identity},
               SmallVector<utils::IteratorType>(type.getRank(), utils::IteratorType::parallel),
               [](OpBuilder &inner, Location at, ValueRange v) {
                 Value top =
                     arith::ConstantOp::create(inner, at, inner.getI8IntegerAttr(int8_t(-128)));
                 linalg::YieldOp::create(inner, at,
                                         arith::XOrIOp::create(inner, at, v[0], top).getResult());
               })
        .getResult(0);
  }

  /// The product of all factors along `dims`.
  Value productOf(ArrayRef<Factor> factors, ArrayRef<int64_t> dims) {
    ArrayRef<int64_t> whole = weight.getTensorType().getShape();
    MLIRContext *context = weight.getContext();
    SmallVector<AffineExpr> places(whole.size(), getAffineConstantExpr(0, context));
    SmallVector<int64_t> shape;
    for (int64_t dim : dims) {
      places[dim] = getAffineDimExpr(shape.size(), context);
      shape.push_back(whole[dim]);
    }
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    for (const Factor &factor : factors)
      if (factor.tensor) {
        inputs.push_back(factor.tensor);
        maps.push_back(factor.map.replaceDimsAndSymbols(places, {}, shape.size(), 0));
      }
    maps.push_back(b.getMultiDimIdentityMap(shape.size()));
    auto type = RankedTensorType::get(shape, b.getF32Type());
    Value init = tensor::EmptyOp::create(b, loc, shape, b.getF32Type());
    return linalg::GenericOp::create(
               b, loc, TypeRange(type), inputs, ValueRange(init), maps,
               SmallVector<utils::IteratorType>(shape.size(), utils::IteratorType::parallel),
               [&](OpBuilder &inner, Location at, ValueRange v) {
                 Value product;
                 unsigned input = 0;
                 for (const Factor &factor : factors) {
                   Value number;
                   if (factor.tensor) {
                     number = v[input++];
                     if (!number.getType().isF32())
                       number = arith::ExtFOp::create(inner, at, inner.getF32Type(), number);
                   } else {
                     number = arith::ConstantOp::create(
                         inner, at,
                         inner.getF32FloatAttr(
                             cast<FloatAttr>(factor.constant).getValue().convertToFloat()));
                   }
                   product =
                       product ? Value(arith::MulFOp::create(inner, at, product, number)) : number;
                 }
                 linalg::YieldOp::create(inner, at, product);
               })
        .getResult(0);
  }

  WidenedWeights &owner;
  WeightOp weight;
  OpBuilder b;
  Location loc;
  Flat flat;
  DenseMap<Value, Form> forms;
};

std::optional<Widened> WidenedWeights::find(WeightOp weight) {
  return WidenedReader(*this, weight).read();
}

bool WidenedWeights::isZero(WeightOp weight) {
  constexpr int64_t kMaxBytes = 1 << 20;
  if (tensorBytes(weight.getTensorType()) > kMaxBytes)
    return false;
  if (!evaluation)
    evaluation = std::make_unique<Evaluation>(program);
  StatusOr<TensorBytes> bytes = evaluation->bytesOf(weight);
  return bytes.ok() && llvm::all_of(bytes->data, [](uint8_t byte) { return byte == 0; });
}

Value WidenedWeights::widen(OpBuilder &b, Location loc, Value code, const Widened &w) {
  Type wide = b.getF32Type();
  if (isa<FloatType>(code.getType()))
    return arith::ExtFOp::create(b, loc, wide, code);
  if (!w.zero)
    return w.isSigned ? Value(arith::SIToFPOp::create(b, loc, wide, code))
                      : Value(arith::UIToFPOp::create(b, loc, wide, code));
  Value integer = w.isSigned ? Value(arith::ExtSIOp::create(b, loc, b.getI32Type(), code))
                             : Value(arith::ExtUIOp::create(b, loc, b.getI32Type(), code));
  Value zero = arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(int32_t(w.zero)));
  integer = arith::SubIOp::create(b, loc, integer, zero);
  return arith::SIToFPOp::create(b, loc, wide, integer);
}

} // namespace mtc::mt
