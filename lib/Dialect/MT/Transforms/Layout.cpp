//===- Layout.cpp - tensors stored in a permuted order of their dims ------===//
#include "Layout.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::mt {

Layout identityLayout(int64_t rank) { return llvm::to_vector(llvm::seq<int64_t>(0, rank)); }

bool isIdentity(ArrayRef<int64_t> layout) {
  return llvm::all_of(llvm::enumerate(layout),
                      [](auto d) { return int64_t(d.index()) == d.value(); });
}

SmallVector<int64_t> physicalShape(ArrayRef<int64_t> shape, ArrayRef<int64_t> layout) {
  return llvm::map_to_vector(layout, [&](int64_t d) { return shape[d]; });
}

RankedTensorType physicalType(Type type, ArrayRef<int64_t> layout) {
  auto tensor = cast<RankedTensorType>(type);
  return tensor.clone(physicalShape(tensor.getShape(), layout));
}

AffineMap physicalMap(AffineMap map, ArrayRef<int64_t> layout) {
  auto exprs = llvm::map_to_vector(layout, [&](int64_t d) { return map.getResult(d); });
  return AffineMap::get(map.getNumDims(), map.getNumSymbols(), exprs, map.getContext());
}

static SmallVector<int64_t> withoutUnits(ArrayRef<int64_t> shape, ArrayRef<int64_t> layout) {
  SmallVector<int64_t> dims;
  llvm::copy_if(layout, std::back_inserter(dims), [&](int64_t d) { return shape[d] != 1; });
  return dims;
}

bool sameBytes(ArrayRef<int64_t> shape, ArrayRef<int64_t> x, ArrayRef<int64_t> y) {
  return withoutUnits(shape, x) == withoutUnits(shape, y);
}

std::optional<Layout> mergedLayout(ArrayRef<int64_t> shape, ArrayRef<int64_t> layout,
                                   ArrayRef<ReassociationIndices> groups) {
  SmallVector<int64_t> groupOf(layout.size());
  for (auto [g, dims] : llvm::enumerate(groups))
    for (int64_t d : dims)
      groupOf[d] = g;
  Layout merged;
  int64_t previous = -1;
  for (int64_t d : withoutUnits(shape, layout)) {
    if (!merged.empty() && merged.back() == groupOf[d]) {
      if (d < previous)
        return std::nullopt;
    } else if (llvm::is_contained(merged, groupOf[d])) {
      return std::nullopt;
    } else {
      merged.push_back(groupOf[d]);
    }
    previous = d;
  }
  // Groups of size 1 keep their logical place as far as possible.
  for (int64_t g = 0; g < int64_t(groups.size()); ++g)
    if (!llvm::is_contained(merged, g)) {
      auto place = llvm::find_if(merged, [&](int64_t other) { return other > g; });
      merged.insert(place, g);
    }
  return merged;
}

Layout splitLayout(ArrayRef<int64_t> layout, ArrayRef<ReassociationIndices> groups, int64_t rank) {
  if (groups.empty()) // rank 0: every dim has size 1
    return identityLayout(rank);
  Layout split;
  for (int64_t g : layout)
    llvm::append_range(split, groups[g]);
  return split;
}

Value viewAs(OpBuilder &b, Location loc, Value value, ArrayRef<int64_t> shape) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getShape() == shape)
    return value;
  RankedTensorType target = type.clone(shape);
  if (type.getRank() != target.getRank()) {
    if (auto groups = getReassociationIndicesForReshape(type, target))
      return type.getRank() > target.getRank()
                 ? Value(tensor::CollapseShapeOp::create(b, loc, target, value, *groups))
                 : Value(tensor::ExpandShapeOp::create(b, loc, target, value, *groups));
  }
  // Through one dim; at least one side has a rank other than 1.
  auto all = [](int64_t rank) {
    SmallVector<ReassociationIndices> groups;
    if (rank)
      groups.push_back(llvm::to_vector(llvm::seq<int64_t>(0, rank)));
    return groups;
  };
  RankedTensorType flat = type.clone({type.getNumElements()});
  if (type.getRank() == 0)
    value = tensor::ExpandShapeOp::create(b, loc, flat, value, ArrayRef<ReassociationIndices>{});
  else if (type.getRank() > 1)
    value = tensor::CollapseShapeOp::create(b, loc, flat, value, all(type.getRank()));
  if (target.getRank() == 0)
    return tensor::CollapseShapeOp::create(b, loc, target, value, ArrayRef<ReassociationIndices>{});
  if (target.getRank() == 1)
    return value;
  return tensor::ExpandShapeOp::create(b, loc, target, value, all(target.getRank()));
}

Value changeLayout(OpBuilder &b, Location loc, DerivedWeights &weights, Value value,
                   ArrayRef<int64_t> shape, ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  if (from == to)
    return value;
  SmallVector<int64_t> target = physicalShape(shape, to);
  auto permutation = llvm::map_to_vector(
      to, [&](int64_t d) { return int64_t(llvm::find(from, d) - from.begin()); });
  auto transpose = [&](OpBuilder &nested, Value v) -> Value {
    if (sameBytes(shape, from, to))
      return viewAs(nested, loc, v, target);
    Value init = tensor::EmptyOp::create(nested, loc, target, getElementTypeOrSelf(v));
    return linalg::TransposeOp::create(nested, loc, v, init, permutation).getResult()[0];
  };
  if (WeightOp weight = weights.find(value)) {
    WeightOp derived =
        weights.getOrCreate(loc, "permuted", weight, [&](OpBuilder &nested, ValueRange values) {
          return transpose(nested, values.front());
        });
    return DerivedWeights::get(b, loc, derived);
  }
  return transpose(b, value);
}

} // namespace mtc::mt
