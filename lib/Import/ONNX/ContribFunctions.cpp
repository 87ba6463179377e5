//===- ContribFunctions.cpp - onnxruntime's operators as function bodies --===//
//
// onnxruntime's optimizers and exporters write operators of their own (com.microsoft, and some in
// the default domain) that are compositions of standard ones. Each has a body here, as text in
// ONNX's own syntax, written for one call: its attributes, which inputs it has and their shapes are
// known. Inputs are i0, i1, ..., outputs o0, o1, ... Source:
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
//
//===----------------------------------------------------------------------===//
#include "ContribText.h"

#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FormatVariadic.h"

#include <onnx/defs/function.h>

#include <cmath>

using llvm::formatv;
using llvm::StringRef;

namespace mtc::onnx_import {
namespace {

using Body = std::string (*)(const ContribCall &);

//===----------------------------------------------------------------------===//
// Products and activations
//===----------------------------------------------------------------------===//

/// A Transpose of the last two dims.
std::string swapLast(Text &t, int input) {
  auto dims = t.c.dims(input);
  std::string perm;
  int64_t rank = int64_t(dims.size());
  for (int64_t d = 0; d < rank; ++d) {
    int64_t from = d < rank - 2 ? d : 2 * rank - 3 - d;
    perm += (d ? ", " : "") + std::to_string(from);
  }
  return t.node(formatv("Transpose <perm = [{0}]> (i{1})", perm, input));
}

std::string fusedMatMul(const ContribCall &c) {
  Text t(c);
  if (c.intAttr("transBatchA", 0) || c.intAttr("transBatchB", 0))
    return c.reject("transposed batches");
  std::string a = "i0", b = "i1";
  if (c.intAttr("transA", 0) && c.dims(0).size() > 1)
    a = swapLast(t, 0);
  if (c.intAttr("transB", 0) && c.dims(1).size() > 1)
    b = swapLast(t, 1);
  double alpha = c.floatAttr("alpha", 1);
  std::string product = t.node("MatMul (" + a + ", " + b + ")");
  if (alpha != 1)
    product = t.node("Mul (" + product + ", " + t.number(alpha, product) + ")");
  t.line("o0 = Identity (" + product + ")");
  return t.text;
}

std::string gelu(const ContribCall &) { return "o0 = Gelu (i0)"; }
std::string biasGelu(const ContribCall &) { return "x = Add (i0, i1) o0 = Gelu (x)"; }

std::string fastGelu(const ContribCall &c) {
  return std::string(c.has(1) ? "x = Add (i0, i1) " : "x = Identity (i0) ") +
         "o0 = Gelu <approximate = \"tanh\"> (x)";
}

std::string quickGelu(const ContribCall &c) {
  Text t(c);
  std::string scaled = t.node("Mul (i0, " + t.number(c.floatAttr("alpha", 1.702f), "i0") + ")");
  t.line("o0 = Mul (i0, " + t.node("Sigmoid (" + scaled + ")") + ")");
  return t.text;
}

/// Appends an activation of FusedConv and FusedGemm; its parameters are those of the operator.
std::string activate(Text &t, const std::string &x, llvm::ArrayRef<float> parameters) {
  std::string op = t.c.stringAttr("activation", "");
  auto at = [&](size_t i, double otherwise) {
    return Text::digits(i < parameters.size() ? parameters[i] : otherwise);
  };
  if (op.empty())
    return x;
  if (op == "Relu" || op == "Tanh" || op == "Sigmoid" || op == "Softplus" || op == "Softsign")
    return t.node(op + " (" + x + ")");
  if (op == "LeakyRelu")
    return t.node("LeakyRelu <alpha: float = " + at(0, 0.01) + "> (" + x + ")");
  if (op == "Elu")
    return t.node("Elu <alpha: float = " + at(0, 1) + "> (" + x + ")");
  if (op == "HardSigmoid")
    return t.node("HardSigmoid <alpha: float = " + at(0, 0.2) + ", beta: float = " + at(1, 0.5) +
                  "> (" + x + ")");
  if (op == "Clip" && parameters.size() == 2)
    return t.node("Clip (" + x + ", " + t.number(parameters[0], x) + ", " +
                  t.number(parameters[1], x) + ")");
  t.c.reject("activation " + op);
  return x;
}

std::string fusedConv(const ContribCall &c) {
  Text t(c);
  std::string x = t.node("Conv <auto_pad: string = @auto_pad, dilations: ints = @dilations, group: "
                         "int = @group, kernel_shape: ints = @kernel_shape, pads: ints = @pads, "
                         "strides: ints = @strides> (i0, i1" +
                         std::string(c.has(2) ? ", i2)" : ")"));
  if (c.has(3))
    x = t.node("Add (" + x + ", i3)");
  t.line("o0 = Identity (" + activate(t, x, c.floatsAttr("activation_params")) + ")");
  return t.text;
}

std::string fusedGemm(const ContribCall &c) {
  Text t(c);
  std::string x = t.node("Gemm <alpha: float = @alpha, beta: float = @beta, transA: int = @transA, "
                         "transB: int = @transB> (i0, i1" +
                         std::string(c.has(2) ? ", i2)" : ")"));
  llvm::SmallVector<float> parameters{c.floatAttr("activation_alpha", 0.01f),
                                      c.floatAttr("activation_beta", 0.5f)};
  t.line("o0 = Identity (" + activate(t, x, parameters) + ")");
  return t.text;
}

//===----------------------------------------------------------------------===//
// Normalizations
//===----------------------------------------------------------------------===//

/// 1 / sqrt(mean of squares + epsilon) along the last dims.
void inverseRoot(Text &t, const std::string &x, const std::string &output, double epsilon) {
  std::string squares = t.node("Mul (" + x + ", " + x + ")");
  std::string mean = t.node("ReduceMean (" + squares + ", " + t.ints({-1}) + ")");
  std::string sum = t.node("Add (" + mean + ", " + t.number(epsilon, x) + ")");
  t.line(output + " = Reciprocal (" + t.node("Sqrt (" + sum + ")") + ")");
}

std::string simplifiedLayerNormalization(const ContribCall &c) {
  Text t(c);
  double epsilon = c.floatAttr("epsilon", 1e-5f);
  int64_t axis = c.intAttr("axis", -1);
  t.line(formatv("o0 = RMSNormalization <axis = {0}, epsilon: float = {1}> (i0, i1)", axis,
                 Text::digits(epsilon)));
  if (c.wants(1)) {
    if (axis != -1 && axis != int64_t(c.dims(0).size()) - 1)
      return c.reject("the deviation over more than the last dim");
    inverseRoot(t, "i0", "o1", epsilon);
  }
  return t.text;
}

std::string skipSimplifiedLayerNormalization(const ContribCall &c) {
  Text t(c);
  double epsilon = c.floatAttr("epsilon", 1e-5f);
  std::string x = t.node("Add (i0, i1)");
  if (c.has(3))
    x = t.node("Add (" + x + ", i3)");
  t.line(formatv("o0 = RMSNormalization <axis = -1, epsilon: float = {0}> ({1}, i2)",
                 Text::digits(epsilon), x));
  if (c.wants(1))
    return c.reject("the mean of a normalization without one");
  if (c.wants(2))
    inverseRoot(t, x, "o2", epsilon);
  if (c.wants(3))
    t.line("o3 = Identity (" + x + ")");
  return t.text;
}

std::string skipLayerNormalization(const ContribCall &c) {
  Text t(c);
  std::string x = t.node("Add (i0, i1)");
  if (c.has(4))
    x = t.node("Add (" + x + ", i4)");
  t.line(formatv("o0{0}{1} = LayerNormalization <axis = -1, epsilon: float = {2}> ({3}, i2{4})",
                 c.wants(1) || c.wants(2) ? ", o1" : "", c.wants(2) ? ", o2" : "",
                 Text::digits(c.floatAttr("epsilon", 1e-5f)), x, c.has(3) ? ", i3" : ""));
  if (c.wants(3))
    t.line("o3 = Identity (" + x + ")");
  return t.text;
}

/// Inputs: ids, segments, word, position and segment embeddings, gamma, beta, mask, positions.
std::string embedLayerNormalization(const ContribCall &c) {
  Text t(c);
  auto ids = c.dims(0);
  if (ids.size() != 2 || !c.has(2) || !c.has(3) || !c.has(5) || !c.has(6))
    return c.reject("ids that are not batch x positions");
  std::string x = t.node("Gather (i2, i0)"), places;
  if (c.has(8))
    places = t.node("Gather (i3, i8)");
  else
    places =
        t.node("Slice (i3, " + t.ints({0}) + ", " + t.ints({ids[1]}) + ", " + t.ints({0}) + ")");
  x = t.node("Add (" + x + ", " + places + ")");
  if (c.has(1) && c.has(4))
    x = t.node("Add (" + x + ", " + t.node("Gather (i4, i1)") + ")");
  t.line(formatv("o0 = LayerNormalization <axis = -1, epsilon: float = {0}> ({1}, i5, i6)",
                 Text::digits(c.floatAttr("epsilon", 1e-12f)), x));
  if (c.wants(1)) {
    if (c.has(7)) {
      std::string on = t.node("Cast <to = 6> (i7)");
      t.line("o1 = ReduceSum <keepdims = 0> (" + on + ", " + t.ints({1}) + ")");
    } else { // nobody is masked
      t.line(formatv("o1 = Constant <value = int32[{0}] {{{1}}> ()", ids[0], [&] {
        std::string zeros = "0";
        for (int64_t i = 1; i < ids[0]; ++i)
          zeros += ", 0";
        return zeros;
      }()));
    }
  }
  if (c.wants(2))
    t.line("o2 = Identity (" + x + ")");
  return t.text;
}

//===----------------------------------------------------------------------===//
// Others
//===----------------------------------------------------------------------===//

std::string expandDims(const ContribCall &c) {
  Text t(c);
  t.line("o0 = Unsqueeze (i0, " +
         t.node("Cast <to = 7> (" + t.node("Reshape (i1, " + t.ints({1}) + ")") + ")") + ")");
  return t.text;
}

/// onnxruntime's optimizer writes this one into models whose opset does not have it yet.
std::string layerNormalization(const ContribCall &c) {
  return formatv("o0{0}{1} = LayerNormalization <axis: int = @axis, epsilon: float = @epsilon, "
                 "stash_type: int = @stash_type> (i0, i1{2})",
                 c.wants(1) || c.wants(2) ? ", o1" : "", c.wants(2) ? ", o2" : "",
                 c.has(2) ? ", i2" : "");
}

std::string trilu(const ContribCall &c) {
  return c.has(1) ? "o0 = Trilu <upper: int = @upper> (i0, i1)"
                  : "o0 = Trilu <upper: int = @upper> (i0)";
}
std::string gatherND(const ContribCall &) { return "o0 = GatherND (i0, i1)"; }

std::string gridSample(const ContribCall &c) {
  std::string mode = c.stringAttr("mode", "bilinear");
  return formatv("o0 = GridSample <mode = \"{0}\", padding_mode = \"{1}\", align_corners = {2}> "
                 "(i0, i1)",
                 mode == "bilinear"  ? "linear"
                 : mode == "bicubic" ? "cubic"
                                     : mode,
                 c.stringAttr("padding_mode", "zeros"), c.intAttr("align_corners", 0));
}

struct Row {
  const char *domain, *name;
  int inputs; ///< at least
  Body body;
  const char *notes;
};

constexpr const char *microsoft = "com.microsoft";

const Row rows[] = {
    {"", "LayerNormalization", 2, layerNormalization, "in models of opsets before 17"},
    {"", "SimplifiedLayerNormalization", 2, simplifiedLayerNormalization, ""},
    {microsoft, "Attention", 2, packedAttention, "no rotary embedding, no shared cache"},
    {microsoft, "BiasGelu", 2, biasGelu, ""},
    {microsoft, "DequantizeLinear", 2, dequantizeLinear, ""},
    {microsoft, "DynamicQuantizeMatMul", 3, dynamicQuantizeMatMul, ""},
    {microsoft, "EmbedLayerNormalization", 7, embedLayerNormalization, ""},
    {microsoft, "ExpandDims", 2, expandDims, ""},
    {microsoft, "FastGelu", 1, fastGelu, ""},
    {microsoft, "FusedConv", 2, fusedConv, ""},
    {microsoft, "FusedGemm", 2, fusedGemm, ""},
    {microsoft, "FusedMatMul", 2, fusedMatMul, "no transposed batches"},
    {microsoft, "GatherND", 2, gatherND, ""},
    {microsoft, "Gelu", 1, gelu, ""},
    {microsoft, "GridSample", 2, gridSample, ""},
    {microsoft, "MatMulIntegerToFloat", 4, matMulIntegerToFloat, ""},
    {microsoft, "MatMulNBits", 3, matMulNBits, "4 bits; the weight is expanded"},
    {microsoft, "MultiHeadAttention", 1, multiHeadAttention, "3-D inputs, no shared cache"},
    {microsoft, "QGemm", 5, qGemm, ""},
    {microsoft, "QLinearAdd", 7, qLinearAdd, ""},
    {microsoft, "QLinearAveragePool", 4, qLinearAveragePool, "channels first"},
    {microsoft, "QLinearConcat", 5, qLinearConcat, ""},
    {microsoft, "QLinearGlobalAveragePool", 4, qLinearGlobalAveragePool, "channels first"},
    {microsoft, "QLinearLeakyRelu", 4, qLinearLeakyRelu, ""},
    {microsoft, "QLinearMul", 7, qLinearMul, ""},
    {microsoft, "QLinearSigmoid", 4, qLinearSigmoid, ""},
    {microsoft, "QuantizeLinear", 2, quantizeLinear, ""},
    {microsoft, "QuickGelu", 1, quickGelu, ""},
    {microsoft, "RotaryEmbedding", 4, rotaryEmbedding, "no packed batches"},
    {microsoft, "SkipLayerNormalization", 3, skipLayerNormalization, ""},
    {microsoft, "SkipSimplifiedLayerNormalization", 3, skipSimplifiedLayerNormalization, ""},
    {microsoft, "Trilu", 1, trilu, ""},
};

} // namespace

const onnx::AttributeProto *ContribCall::attribute(const char *name) const {
  for (const onnx::AttributeProto &a : node.attribute())
    if (a.name() == name)
      return &a;
  return nullptr;
}
int64_t ContribCall::extent(int input, int axis) const {
  llvm::SmallVector<int64_t> shape = dims(input);
  int64_t place = axis < 0 ? axis + int64_t(shape.size()) : axis;
  return place >= 0 && place < int64_t(shape.size()) ? shape[place] : -1;
}
int64_t ContribCall::intAttr(const char *name, int64_t otherwise) const {
  const onnx::AttributeProto *a = attribute(name);
  return a ? a->i() : otherwise;
}
float ContribCall::floatAttr(const char *name, float otherwise) const {
  const onnx::AttributeProto *a = attribute(name);
  return a ? a->f() : otherwise;
}
std::string ContribCall::stringAttr(const char *name, const char *otherwise) const {
  const onnx::AttributeProto *a = attribute(name);
  return a ? a->s() : otherwise;
}
llvm::SmallVector<int64_t> ContribCall::intsAttr(const char *name) const {
  const onnx::AttributeProto *a = attribute(name);
  return a ? llvm::SmallVector<int64_t>(a->ints().begin(), a->ints().end())
           : llvm::SmallVector<int64_t>();
}
llvm::SmallVector<float> ContribCall::floatsAttr(const char *name) const {
  const onnx::AttributeProto *a = attribute(name);
  return a ? llvm::SmallVector<float>(a->floats().begin(), a->floats().end())
           : llvm::SmallVector<float>();
}
std::string ContribCall::reject(const std::string &reason) const {
  if (problem.empty())
    problem = reason;
  return "";
}

bool isContribFunction(const std::string &domain, const std::string &op) {
  return llvm::any_of(rows, [&](const Row &row) { return row.domain == domain && row.name == op; });
}

std::optional<onnx::FunctionProto> contribFunction(const ContribCall &call,
                                                   const std::string &domain) {
  const Row *row = llvm::find_if(
      rows, [&](const Row &r) { return r.domain == domain && r.name == call.node.op_type(); });
  if (call.node.input_size() < row->inputs)
    call.reject(formatv("it has {0} inputs, wanted {1}", call.node.input_size(), row->inputs));
  std::string text = call.problem.empty() ? row->body(call) : "";
  if (!call.problem.empty())
    return std::nullopt;
  onnx::FunctionProto function;
  function.set_name(row->name);
  for (int i = 0; i < call.node.input_size(); ++i)
    function.add_input("i" + std::to_string(i));
  for (int i = 0; i < call.node.output_size(); ++i)
    function.add_output("o" + std::to_string(i));
  try {
    onnx::FunctionBuilder(function).Add(text.c_str());
  } catch (const std::exception &e) {
    call.reject(e.what());
    return std::nullopt;
  }
  return function;
}

std::string contribTable() {
  std::string table;
  for (const Row &row : rows)
    table += "| " + std::string(row.domain) + (*row.domain ? "::" : "") + row.name + " | " +
             row.notes + " |\n";
  return table;
}

} // namespace mtc::onnx_import
