//===- Fold.h - the parts of foldNode -------------------------------------===//
#pragma once

#include "Steps.h"

namespace mtc::onnx_import::fold {

/// A computed tensor, or nullopt when the computation is left to run time.
using Result = std::optional<SmallTensor>;
using Shape = llvm::SmallVector<int64_t>;

const onnx::AttributeProto *attribute(const onnx::NodeProto &node, const char *name);
int64_t intAttribute(const onnx::NodeProto &node, const char *name, int64_t otherwise);

/// A tensor of a type and shape, zeros; nullopt if it would be too large or is not foldable.
Result make(int32_t type, llvm::ArrayRef<int64_t> dims);
void copyElement(const SmallTensor &from, int64_t i, SmallTensor &to, int64_t j);
int64_t product(llvm::ArrayRef<int64_t> dims);
std::optional<Shape> broadcast(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b);
/// Where a position of a broadcast result lies in an operand of `dims`.
int64_t broadcastIndex(llvm::ArrayRef<int64_t> dims, llvm::ArrayRef<int64_t> at);
/// `axis` counted from the front; nullopt if it is out of range.
std::optional<int64_t> axisOf(int64_t axis, size_t rank);
std::optional<std::set<int64_t>> axisSet(llvm::ArrayRef<int64_t> axes, size_t rank);

/// Visits all positions of `dims` in row-major order.
template <typename Visit> void forEachPosition(llvm::ArrayRef<int64_t> dims, Visit visit) {
  Shape at(dims.size(), 0);
  for (int64_t n = product(dims), i = 0; i < n; ++i) {
    visit(i, llvm::ArrayRef<int64_t>(at));
    for (int64_t d = static_cast<int64_t>(dims.size()) - 1; d >= 0 && ++at[d] == dims[d]; --d)
      at[d] = 0;
  }
}

/// A tensor of shape `dims`, each element the one of `x` at the index that `from` gives.
template <typename From>
Result gatherElements(const SmallTensor &x, llvm::ArrayRef<int64_t> dims, From from) {
  Result out = make(x.type, dims);
  if (out)
    forEachPosition(
        dims, [&](int64_t i, llvm::ArrayRef<int64_t> at) { copyElement(x, from(at), *out, i); });
  return out;
}

// FoldElementwise.cpp
std::optional<int64_t> intBinary(llvm::StringRef op, int32_t type, int64_t a, int64_t b, bool fmod);
Result unary(const onnx::NodeProto &node, const SmallTensor &x);
Result binary(const onnx::NodeProto &node, const SmallTensor &a, const SmallTensor &b);
Result cast(const onnx::NodeProto &node, const SmallTensor &x);
Result where(const SmallTensor &condition, const SmallTensor &a, const SmallTensor &b);

// FoldMoves.cpp
Result reshape(const onnx::NodeProto &node, const SmallTensor &x, const SmallTensor &shape);
Result squeeze(const SmallTensor &x, const SmallTensor *axes);
Result unsqueeze(const SmallTensor &x, const SmallTensor &axes);
Result gather(const onnx::NodeProto &node, const SmallTensor &x, const SmallTensor &indices);
Result concat(const onnx::NodeProto &node, llvm::ArrayRef<const SmallTensor *> parts);
Result slice(llvm::ArrayRef<const SmallTensor *> in);
Result transpose(const onnx::NodeProto &node, const SmallTensor &x);
Result expand(const SmallTensor &x, const SmallTensor &shape);
Result tile(const SmallTensor &x, const SmallTensor &repeats);
std::optional<std::vector<SmallTensor>> split(const onnx::NodeProto &node, const SmallTensor &x,
                                              const SmallTensor *sizes);

} // namespace mtc::onnx_import::fold
