//===- CheckNode.cpp - attributes that nobody else checks -----------------===//
//
// libonnx's schemas check that attributes are there and of the right kind, not their values: some
// of its inference functions index dims by an unchecked axis or divide by a stride (onnx 1.23.2: a
// LayerNormalization with axis 2^63 - 1 crashes it). Handlers rely on these checks, too.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"

#include "llvm/ADT/StringExtras.h"
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
      .Cases({"output_shape", "output_padding", "hidden_size"}, {0, large})
      .Case("pads", {-large, large})
      .Default({});
}

/// The last axis of a tensor of `rank` that `op` accepts; it counts gaps where it adds or splits
/// dims.
int64_t lastAxis(llvm::StringRef op, int64_t rank) {
  bool gaps = op == "Flatten" || op == "OneHot" || op == "Unsqueeze";
  return gaps ? rank : rank - 1;
}

/// Terms of letters with at most one ellipsis each, separated by commas, then perhaps "->" and a
/// term without repeated letters (onnx 1.23.2 crashes on "......").
bool isEquation(llvm::StringRef text) {
  std::string packed = llvm::join(llvm::split(text, ' '), "");
  auto [inputs, output] = llvm::StringRef(packed).split("->");
  auto isTerm = [](llvm::StringRef term, bool repeats) {
    auto [before, after] = term.split("...");
    std::string letters = (before + after).str();
    if (!llvm::all_of(letters, [](char c) { return llvm::isAlpha(c); }))
      return false;
    llvm::sort(letters);
    return repeats || llvm::adjacent_find(letters) == letters.end();
  };
  return llvm::all_of(llvm::split(inputs, ','),
                      [&](llvm::StringRef term) { return isTerm(term, /*repeats=*/true); }) &&
         isTerm(output, /*repeats=*/false);
}

} // namespace

std::string checkAttributes(const onnx::NodeProto &node, const ImportLimits &limits) {
  auto wrong = [](const onnx::AttributeProto &a, int64_t value) {
    return (Twine("attribute '") + a.name() + "' is " + Twine(value) + ", out of range").str();
  };
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (node.op_type() == "Einsum" && attribute.name() == "equation" && !isEquation(attribute.s()))
      return "attribute 'equation' is not an equation of letters";
    // libonnx would make as many results as it says.
    if (attribute.name() == "num_outputs" && attribute.has_i() &&
        attribute.i() != node.output_size())
      return (Twine("attribute 'num_outputs' is ") + Twine(attribute.i()) + ", the node has " +
              Twine(node.output_size()) + " outputs")
          .str();
    Bounds bounds = boundsOf(attribute.name(), limits);
    if (attribute.has_i() && (attribute.i() < bounds.low || attribute.i() > bounds.high))
      return wrong(attribute, attribute.i());
    for (int64_t value : attribute.ints())
      if (value < bounds.low || value > bounds.high)
        return wrong(attribute, value);
  }
  return "";
}

/// What is wrong with a dim that is taken apart into `count` parts, `times` times, if nothing would
/// be left: then no handler sees the node (other remainders are theirs to report).
static std::string checkParts(const onnx::NodeProto &node, llvm::StringRef count, int64_t dim,
                              int times) {
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (attribute.name() != count || attribute.i() < 1)
      continue;
    for (int64_t rest = dim; times-- > 0; rest /= attribute.i())
      if (rest > 0 && rest < attribute.i())
        return (Twine("a dim of ") + Twine(dim) + " cannot be divided by its " + count + " " +
                Twine(attribute.i()))
            .str();
  }
  return "";
}

std::string checkInput(const onnx::NodeProto &node, int input, llvm::ArrayRef<int64_t> dims) {
  // x, w, r, b, sequence_lens, initial_h, initial_c, peepholes
  constexpr int64_t recurrent[] = {3, 3, 3, 2, 1, 3, 3, 2};
  llvm::StringRef op = node.op_type();
  int64_t rank = static_cast<int64_t>(dims.size());
  if (op == "DepthToSpace" && rank == 4)
    return checkParts(node, "blocksize", dims[1], 2);
  if (op == "Attention" && rank == 3 && input < 3)
    return checkParts(node, input == 0 ? "q_num_heads" : "kv_num_heads", dims[2], 1);
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
