//===- ContribText.h - how the bodies of onnxruntime's operators are written -===//
//
// ContribFunctions.cpp holds the table; larger families have files of their own.
//
//===----------------------------------------------------------------------===//
#pragma once

#include "ContribFunctions.h"

#include "llvm/Support/FormatVariadic.h"

namespace mtc::onnx_import {

/// Text under construction: a node a line.
struct Text {
  const ContribCall &c;
  std::string text;
  int names = 0;

  explicit Text(const ContribCall &call) : c(call) {}
  std::string fresh() { return "t" + std::to_string(names++); }
  /// A node with one result of a new name.
  std::string node(const std::string &expression) {
    std::string name = fresh();
    text += name + " = " + expression + "\n";
    return name;
  }
  void line(const std::string &statement) { text += statement + "\n"; }
  std::string number(double v, const std::string &like) {
    std::string constant = node(llvm::formatv("Constant <value_float: float = {0}> ()", digits(v)));
    bool isFloat = c.elementType == onnx::TensorProto::FLOAT;
    return isFloat ? constant : node("CastLike (" + constant + ", " + like + ")");
  }
  std::string ints(llvm::ArrayRef<int64_t> values) {
    std::string list;
    for (int64_t v : values)
      list += (list.empty() ? "" : ", ") + std::to_string(v);
    return node("Constant <value_ints: ints = [" + list + "]> ()");
  }
  static std::string digits(double v) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.9g", v);
    return buffer;
  }
};

/// "FIRST, 1, 2, ..., COUNT - 1"
inline std::string range(const std::string &first, int64_t count) {
  std::string list = first;
  for (int64_t i = 1; i < count; ++i)
    list += ", " + std::to_string(i);
  return list;
}

// ContribAttention.cpp
std::string rotaryEmbedding(const ContribCall &c);
std::string multiHeadAttention(const ContribCall &c);
std::string packedAttention(const ContribCall &c);
// ContribQuantized.cpp
std::string dequantizeLinear(const ContribCall &c);
std::string dynamicQuantizeMatMul(const ContribCall &c);
std::string matMulIntegerToFloat(const ContribCall &c);
std::string matMulNBits(const ContribCall &c);
std::string qGemm(const ContribCall &c);
std::string qLinearAdd(const ContribCall &c);
std::string qLinearAveragePool(const ContribCall &c);
std::string qLinearConcat(const ContribCall &c);
std::string qLinearGlobalAveragePool(const ContribCall &c);
std::string qLinearLeakyRelu(const ContribCall &c);
std::string qLinearMul(const ContribCall &c);
std::string qLinearSigmoid(const ContribCall &c);
std::string quantizeLinear(const ContribCall &c);

} // namespace mtc::onnx_import
