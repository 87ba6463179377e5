//===- InferNode.cpp - where libonnx's inference falls short --------------===//
//
// A few inference functions of onnx 1.23.2 contradict their operator's text or its reference
// implementation, or give no shape though all they need is known. What they read is mended before,
// what they leave open is filled in after.
//
//===----------------------------------------------------------------------===//
#include "Fold.h"
#include "Steps.h"

#include <cmath>
#include <limits>

namespace mtc::onnx_import {

/// onesided of STFT is 1 where absent; inference takes 0.
static void giveDefault(onnx::NodeProto &node, const char *name, int64_t value) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return;
  onnx::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(onnx::AttributeProto::INT);
  attribute.set_i(value);
}

void mendBeforeInference(onnx::NodeProto &node, KnownInputs &known) {
  if (!node.domain().empty() && node.domain() != "ai.onnx")
    return;
  if (node.op_type() == "STFT")
    giveDefault(node, "onesided", 1);
  // Function bodies (AffineGrid's) and exporters give Range limits of shape [1].
  if (node.op_type() == "Range")
    for (auto &[name, tensor] : known.tensors)
      if (tensor->dims_size() == 1 && tensor->dims(0) == 1) {
        known.owned.push_back(*tensor);
        known.owned.back().clear_dims();
        tensor = &known.owned.back();
      }
}

/// The shape that MaxUnpool's third input gives.
static void unpooledShape(const onnx::NodeProto &node, const KnownInputs &known,
                          onnx::TypeProto &type) {
  if (node.input_size() < 3)
    return;
  auto it = known.tensors.find(node.input(2));
  std::optional<SmallTensor> shape =
      it == known.tensors.end() ? std::nullopt : decodeSmall(*it->second);
  if (!shape || shape->isFloat() || !type.has_tensor_type() || type.tensor_type().has_shape())
    return;
  auto *dims = type.mutable_tensor_type()->mutable_shape();
  for (int64_t dim : shape->ints)
    dims->add_dim()->set_dim_value(dim);
}

using fold::attribute;

/// A type for an output that has no shape yet.
static void giveShape(std::vector<onnx::TypeProto> &outputs, size_t i, int32_t type,
                      llvm::ArrayRef<int64_t> shape) {
  if (i >= outputs.size() || (outputs[i].has_tensor_type() && outputs[i].tensor_type().has_shape()))
    return;
  auto *tensor = outputs[i].mutable_tensor_type();
  tensor->set_elem_type(type);
  auto *dims = tensor->mutable_shape();
  for (int64_t dim : shape)
    dims->add_dim()->set_dim_value(dim);
}

/// Scores per row of a linear model or support vector machine.
static int64_t scoreCount(const onnx::NodeProto &node) {
  const onnx::AttributeProto *targets = attribute(node, "targets");
  if (node.op_type() == "LinearRegressor" && targets)
    return targets->i();
  // A decision for each pair of classes; both sides of a single one.
  const onnx::AttributeProto *classes = attribute(node, "vectors_per_class");
  const onnx::AttributeProto *probabilities = attribute(node, "prob_a");
  int64_t count = node.op_type() == "SVMClassifier" && classes ? classes->ints_size() : 1;
  if (count < 3 || (probabilities && probabilities->floats_size()))
    return count;
  return count * (count - 1) / 2;
}

/// Operators of ai.onnx.ml without an inference function of shapes.
static void rowShapes(const onnx::NodeProto &node, const ResolvedEntry &entry,
                      std::vector<onnx::TypeProto> &outputs) {
  const std::string &op = node.op_type();
  auto dims = node.input_size() ? entry.staticDims(node.input(0)) : std::nullopt;
  auto give = [&](size_t i, int32_t type, llvm::ArrayRef<int64_t> shape) {
    giveShape(outputs, i, type, shape);
  };
  if (!dims)
    return;
  int64_t rows = dims->size() > 1 ? (*dims)[0] : 1;
  if (op == "Scaler" || op == "Normalizer") {
    give(0, onnx::TensorProto::FLOAT, *dims);
  } else if (op == "Imputer") {
    give(0, entry.typeOf(node.input(0)), *dims);
  } else if (op == "LinearRegressor" || op == "SVMRegressor") {
    give(0, onnx::TensorProto::FLOAT, {rows, scoreCount(node)});
  } else if (op == "SVMClassifier") {
    give(0, onnx::TensorProto::INT64, {rows});
    give(1, onnx::TensorProto::FLOAT, {rows, scoreCount(node)});
  } else if (op == "TreeEnsembleClassifier" || op == "LinearClassifier") {
    const onnx::AttributeProto *labels = attribute(node, "classlabels_int64s");
    labels = labels ? labels : attribute(node, "classlabels_ints");
    if (labels) {
      give(0, onnx::TensorProto::INT64, {rows});
      give(1, onnx::TensorProto::FLOAT, {rows, labels->ints_size()});
    }
  } else if (op == "FeatureVectorizer") {
    int64_t width = 0;
    if (const onnx::AttributeProto *widths = attribute(node, "inputdimensions"))
      for (int64_t w : widths->ints())
        width += std::clamp<int64_t>(w, 0, INT32_MAX);
    give(0, onnx::TensorProto::FLOAT, {rows, width});
  }
}

/// Keys, values and scores that Attention gives besides its result; libonnx infers them for a cache
/// only.
static void attentionShapes(const onnx::NodeProto &node, const ResolvedEntry &entry,
                            std::vector<onnx::TypeProto> &outputs) {
  llvm::SmallVector<int64_t> dims[3];
  for (int i = 0; i < 3; ++i) {
    auto known = i < node.input_size() ? entry.staticDims(node.input(i)) : std::nullopt;
    if (!known || (known->size() != 3 && known->size() != 4))
      return;
    dims[i] = *known;
    const onnx::AttributeProto *heads = attribute(node, i ? "kv_num_heads" : "q_num_heads");
    if (dims[i].size() == 3) { // heads before positions
      if (!heads || heads->i() < 1)
        return;
      dims[i] = {dims[i][0], heads->i(), dims[i][1], dims[i][2] / heads->i()};
    }
  }
  if (node.input_size() > 4 && !node.input(4).empty()) {
    auto past = entry.staticDims(node.input(4));
    if (!past || past->size() != 4)
      return;
    dims[1][2] += (*past)[2];
    dims[2][2] += (*past)[2];
  }
  giveShape(outputs, 1, entry.typeOf(node.input(1)), dims[1]);
  giveShape(outputs, 2, entry.typeOf(node.input(2)), dims[2]);
  giveShape(outputs, 3, entry.typeOf(node.input(0)),
            {dims[0][0], dims[0][1], dims[0][2], dims[1][2]});
}

/// The count of a Range, which libonnx computes in 64 bits that overflow, or divides by zero for.
static std::string rangeShape(const onnx::NodeProto &node, const KnownInputs &known,
                              onnx::TypeProto &type) {
  std::optional<SmallTensor> numbers[3];
  for (int i = 0; i < 3; ++i) {
    auto it = known.tensors.find(node.input(i));
    numbers[i] = it == known.tensors.end() ? std::nullopt : decodeSmall(*it->second);
    if (!numbers[i] || numbers[i]->size() != 1 || numbers[i]->type != numbers[0]->type)
      return "";
  }
  auto &[start, limit, delta] = numbers;
  auto *shape = type.mutable_tensor_type()->mutable_shape();
  if (start->isFloat()) {
    double steps = (limit->floats[0] - start->floats[0]) / delta->floats[0];
    if (delta->floats[0] == 0 || !std::isfinite(steps) || steps > 0x1p62)
      return "a Range whose count is no number";
    return "";
  }
  if (delta->ints[0] == 0)
    return "a Range with a step of 0";
  __int128 by = delta->ints[0], span = __int128(limit->ints[0]) - start->ints[0];
  __int128 count = (span < 0) == (by < 0) ? span / by + (span % by != 0) : 0;
  shape->clear_dim();
  shape->add_dim()->set_dim_value(
      static_cast<int64_t>(std::min<__int128>(count, std::numeric_limits<int64_t>::max())));
  return "";
}

std::string mendAfterInference(const onnx::NodeProto &node, const KnownInputs &known,
                               const ResolvedEntry &entry, std::vector<onnx::TypeProto> &outputs) {
  if (node.op_type() == "MaxUnpool" && node.domain().empty() && !outputs.empty())
    unpooledShape(node, known, outputs[0]);
  if (node.op_type() == "Attention" && node.domain().empty())
    attentionShapes(node, entry, outputs);
  if (node.domain() == "ai.onnx.ml")
    rowShapes(node, entry, outputs);
  if (node.op_type() == "Range" && node.domain().empty() && node.input_size() == 3)
    return rangeShape(node, known, outputs[0]);
  return "";
}

} // namespace mtc::onnx_import
