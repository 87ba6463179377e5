//===- FoldMoves.cpp - reshapes, slices and the like of small constants ---===//
#include "Fold.h"

#include "llvm/ADT/STLExtras.h"

#include <numeric>

using llvm::ArrayRef;
using T = onnx::TensorProto;

namespace mtc::onnx_import::fold {

static Result reshaped(const SmallTensor &x, Shape dims) {
  if (product(dims) != x.size())
    return std::nullopt;
  SmallTensor out = x;
  out.dims = std::move(dims);
  return out;
}

Result reshape(const onnx::NodeProto &node, const SmallTensor &x, const SmallTensor &shape) {
  Shape dims(shape.ints.begin(), shape.ints.end());
  int64_t known = 1, free = -1;
  bool zeroIsZero = intAttribute(node, "allowzero", 0) != 0;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && !zeroIsZero) {
      if (i >= x.dims.size())
        return std::nullopt;
      dims[i] = x.dims[i];
    }
    if (dims[i] < -1 || dims[i] > maxFoldedElements || (dims[i] == -1 && free >= 0))
      return std::nullopt;
    if (dims[i] == -1)
      free = static_cast<int64_t>(i);
    else if ((known *= dims[i]) > maxFoldedElements)
      return std::nullopt;
  }
  if (free >= 0) {
    if (known == 0 || x.size() % known)
      return std::nullopt;
    dims[free] = x.size() / known;
  }
  return reshaped(x, dims);
}

Result squeeze(const SmallTensor &x, const SmallTensor *axes) {
  Shape dims;
  auto set = axes ? axisSet(axes->ints, x.dims.size()) : std::set<int64_t>();
  if (!set)
    return std::nullopt;
  for (size_t i = 0; i < x.dims.size(); ++i)
    if (axes ? !set->count(i) : x.dims[i] != 1)
      dims.push_back(x.dims[i]);
  return reshaped(x, dims);
}

Result unsqueeze(const SmallTensor &x, const SmallTensor &axes) {
  size_t rank = x.dims.size() + axes.ints.size();
  auto set = axisSet(axes.ints, rank);
  if (!set || set->size() != axes.ints.size())
    return std::nullopt;
  Shape dims;
  for (size_t i = 0, from = 0; i < rank; ++i)
    dims.push_back(set->count(i) ? 1 : x.dims[from++]);
  return reshaped(x, dims);
}

Result gather(const onnx::NodeProto &node, const SmallTensor &x, const SmallTensor &indices) {
  auto axis = axisOf(intAttribute(node, "axis", 0), x.dims.size());
  if (!axis)
    return std::nullopt;
  int64_t size = x.dims[*axis];
  for (int64_t i : indices.ints)
    if (i < -size || i >= size)
      return std::nullopt;
  Shape dims(x.dims.begin(), x.dims.begin() + *axis);
  dims.append(indices.dims.begin(), indices.dims.end());
  dims.append(x.dims.begin() + *axis + 1, x.dims.end());
  size_t inner = indices.dims.size();
  return gatherElements(x, dims, [&](ArrayRef<int64_t> at) {
    int64_t position = indices.ints[broadcastIndex(indices.dims, at.slice(*axis, inner))];
    int64_t index = 0;
    for (size_t d = 0; d < x.dims.size(); ++d) {
      int64_t i = static_cast<int64_t>(d) < *axis    ? at[d]
                  : static_cast<int64_t>(d) == *axis ? (position < 0 ? position + size : position)
                                                     : at[d + inner - 1];
      index = index * x.dims[d] + i;
    }
    return index;
  });
}

Result concat(const onnx::NodeProto &node, ArrayRef<const SmallTensor *> parts) {
  const SmallTensor &first = *parts.front();
  auto axis = axisOf(intAttribute(node, "axis", 0), first.dims.size());
  if (!axis)
    return std::nullopt;
  Shape dims = first.dims;
  dims[*axis] = 0;
  for (const SmallTensor *part : parts) {
    if (part->type != first.type || part->dims.size() != dims.size())
      return std::nullopt;
    for (size_t d = 0; d < dims.size(); ++d)
      if (static_cast<int64_t>(d) != *axis && part->dims[d] != dims[d])
        return std::nullopt;
    dims[*axis] += part->dims[*axis];
  }
  Result out = make(first.type, dims);
  if (!out)
    return out;
  int64_t start = 0;
  for (const SmallTensor *part : parts) {
    forEachPosition(part->dims, [&](int64_t i, ArrayRef<int64_t> at) {
      Shape to(at.begin(), at.end());
      to[*axis] += start;
      copyElement(*part, i, *out, broadcastIndex(dims, to));
    });
    start += part->dims[*axis];
  }
  return out;
}

Result slice(ArrayRef<const SmallTensor *> in) {
  const SmallTensor &x = *in[0];
  auto given = [&](size_t i) { return i < in.size() ? in[i] : nullptr; };
  size_t count = in[1]->ints.size();
  Shape dims = x.dims, start(x.dims.size(), 0), step(x.dims.size(), 1);
  for (size_t i = 0; i < count; ++i) {
    if (in[2]->ints.size() != count || (given(3) && in[3]->ints.size() != count) ||
        (given(4) && in[4]->ints.size() != count))
      return std::nullopt;
    auto axis = axisOf(given(3) ? in[3]->ints[i] : static_cast<int64_t>(i), x.dims.size());
    int64_t by = given(4) ? in[4]->ints[i] : 1;
    if (!axis || by == 0 || by == INT64_MIN)
      return std::nullopt;
    int64_t size = x.dims[*axis], from = in[1]->ints[i], to = in[2]->ints[i];
    from = from < 0 ? from + size : from;
    to = to < 0 ? to + size : to;
    int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
    from = std::clamp(from, by > 0 ? 0 : std::min<int64_t>(0, high), high);
    to = std::clamp(to, low, high);
    int64_t span = by > 0 ? to - from : from - to, stride = by > 0 ? by : -by;
    dims[*axis] = span <= 0 ? 0 : (span - 1) / stride + 1;
    start[*axis] = from;
    step[*axis] = by;
  }
  return gatherElements(x, dims, [&](ArrayRef<int64_t> at) {
    int64_t index = 0;
    for (size_t d = 0; d < at.size(); ++d)
      index = index * x.dims[d] + start[d] + at[d] * step[d];
    return index;
  });
}

Result transpose(const onnx::NodeProto &node, const SmallTensor &x) {
  size_t rank = x.dims.size();
  Shape permutation(rank), dims(rank), strides(rank, 1);
  std::iota(permutation.rbegin(), permutation.rend(), 0);
  if (const onnx::AttributeProto *perm = attribute(node, "perm"))
    permutation.assign(perm->ints().begin(), perm->ints().end());
  auto set = axisSet(permutation, rank);
  if (permutation.size() != rank || !set || set->size() != rank)
    return std::nullopt;
  for (size_t d = rank; d-- > 1;)
    strides[d - 1] = strides[d] * x.dims[d];
  for (size_t d = 0; d < rank; ++d)
    dims[d] = x.dims[*axisOf(permutation[d], rank)];
  return gatherElements(x, dims, [&](ArrayRef<int64_t> at) {
    int64_t index = 0;
    for (size_t d = 0; d < rank; ++d)
      index += at[d] * strides[*axisOf(permutation[d], rank)];
    return index;
  });
}

Result expand(const SmallTensor &x, const SmallTensor &shape) {
  Shape wanted(shape.ints.begin(), shape.ints.end());
  std::optional<Shape> dims = broadcast(x.dims, wanted);
  if (!dims || !countElements(*dims, maxFoldedElements))
    return std::nullopt;
  return gatherElements(x, *dims, [&](ArrayRef<int64_t> at) { return broadcastIndex(x.dims, at); });
}

Result tile(const SmallTensor &x, const SmallTensor &repeats) {
  if (repeats.ints.size() != x.dims.size())
    return std::nullopt;
  Shape dims = x.dims;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (repeats.ints[d] < 0 || repeats.ints[d] > maxFoldedElements)
      return std::nullopt;
    dims[d] *= repeats.ints[d];
  }
  if (!countElements(dims, maxFoldedElements))
    return std::nullopt;
  return gatherElements(x, dims, [&](ArrayRef<int64_t> at) {
    int64_t index = 0;
    for (size_t d = 0; d < at.size(); ++d)
      index = index * x.dims[d] + at[d] % x.dims[d];
    return index;
  });
}

std::optional<std::vector<SmallTensor>> split(const onnx::NodeProto &node, const SmallTensor &x,
                                              const SmallTensor *sizes) {
  auto axis = axisOf(intAttribute(node, "axis", 0), x.dims.size());
  int64_t count = node.output_size(), start = 0;
  if (!axis || (sizes && static_cast<int64_t>(sizes->ints.size()) != count))
    return std::nullopt;
  int64_t whole = x.dims[*axis], even = (whole + count - 1) / count;
  std::vector<SmallTensor> parts;
  for (int64_t i = 0; i < count; ++i) {
    int64_t size = sizes ? sizes->ints[i] : std::min(even, whole - start);
    if (size < 0 || size > whole - start)
      return std::nullopt;
    Shape dims = x.dims;
    dims[*axis] = size;
    Result part = gatherElements(x, dims, [&](ArrayRef<int64_t> at) {
      Shape from(at.begin(), at.end());
      from[*axis] += start;
      return broadcastIndex(x.dims, from);
    });
    if (!part)
      return std::nullopt;
    parts.push_back(std::move(*part));
    start += size;
  }
  return parts;
}

} // namespace mtc::onnx_import::fold
