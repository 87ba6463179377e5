//===- CheckNode.cpp - attributes that nobody else checks -----------------===//
//
// libonnx's schemas check that attributes are there and of the right kind, not their values: some
// of its inference functions index dims by an unchecked axis or divide by a stride (onnx 1.23.2: a
// LayerNormalization with axis 2^63 - 1 crashes it). Handlers rely on these checks, too.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/ADT/Twine.h"

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

/// The values an attribute may have whatever the shapes are.
struct Bounds {
  int64_t low = INT64_MIN, high = INT64_MAX;
};

Bounds boundsOf(llvm::StringRef name, const ImportLimits &limits) {
  constexpr int64_t large = INT32_MAX;
  int64_t rank = limits.maxRank;
  return llvm::StringSwitch<Bounds>(name)
      .Cases({"axis", "axes", "batch_axis", "time_axis", "perm", "batch_dims"}, {-rank - 1, rank})
      .Cases({"kernel_shape", "strides", "dilations", "group", "blocksize"}, {1, large})
      .Cases({"output_shape", "output_padding", "hidden_size", "num_outputs"}, {0, large})
      .Case("pads", {-large, large})
      .Default({});
}

/// The last axis of a tensor of `rank` that `op` accepts; it counts gaps where it adds or splits
/// dims.
int64_t lastAxis(llvm::StringRef op, int64_t rank) {
  bool gaps = op == "Flatten" || op == "OneHot" || op == "Unsqueeze";
  return gaps ? rank : rank - 1;
}

} // namespace

std::string checkAttributes(const onnx::NodeProto &node, const ImportLimits &limits) {
  auto wrong = [](const onnx::AttributeProto &a, int64_t value) {
    return (Twine("attribute '") + a.name() + "' is " + Twine(value) + ", out of range").str();
  };
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    Bounds bounds = boundsOf(attribute.name(), limits);
    if (attribute.has_i() && (attribute.i() < bounds.low || attribute.i() > bounds.high))
      return wrong(attribute, attribute.i());
    for (int64_t value : attribute.ints())
      if (value < bounds.low || value > bounds.high)
        return wrong(attribute, value);
  }
  return "";
}

std::string checkRank(const onnx::NodeProto &node, int input, int64_t rank) {
  // x, w, r, b, sequence_lens, initial_h, initial_c, peepholes
  constexpr int64_t recurrent[] = {3, 3, 3, 2, 1, 3, 3, 2};
  llvm::StringRef op = node.op_type();
  if ((op == "LSTM" || op == "GRU" || op == "RNN") && rank != recurrent[input])
    return ("input " + Twine(input) + " has rank " + Twine(rank) + ", wanted " +
            Twine(recurrent[input]))
        .str();
  return "";
}

std::string checkAxis(const onnx::NodeProto &node, int64_t rank) {
  llvm::StringRef op = node.op_type();
  // Per-tensor quantization ignores its axis; control flow has axes of other values.
  if (op == "QuantizeLinear" || op == "DequantizeLinear" || op == "Scan")
    return "";
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (!llvm::StringRef(attribute.name()).ends_with("axis") || !attribute.has_i())
      continue;
    int64_t last = lastAxis(op, rank);
    if (attribute.i() < -last - 1 || attribute.i() > last)
      return (attribute.name() + " " + Twine(attribute.i()) + " of a tensor of rank " + Twine(rank))
          .str();
  }
  return "";
}

} // namespace mtc::onnx_import
