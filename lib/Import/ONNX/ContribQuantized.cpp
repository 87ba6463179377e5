//===- ContribQuantized.cpp - onnxruntime's quantized operators -----------===//
//
// Element by element they compute on real numbers between a DequantizeLinear and a QuantizeLinear;
// products stay sums of integers.
//
//===----------------------------------------------------------------------===//
#include "ContribText.h"

using llvm::formatv;

namespace mtc::onnx_import {

/// The real numbers of input `value`, with its scale and zero point.
static std::string real(Text &t, int value, int scale, int zero) {
  return t.node(formatv("DequantizeLinear (i{0}, i{1}{2})", value, scale,
                        t.c.has(zero) ? formatv(", i{0}", zero).str() : std::string()));
}

/// Output 0 from real numbers.
static std::string quantized(Text &t, const std::string &x, int scale, int zero) {
  t.line(formatv("o0 = QuantizeLinear ({0}, i{1}{2})", x, scale,
                 t.c.has(zero) ? formatv(", i{0}", zero).str() : std::string()));
  return t.text;
}

std::string dequantizeLinear(const ContribCall &c) {
  return formatv("o0 = DequantizeLinear <axis: int = @axis> (i0, i1{0})", c.has(2) ? ", i2" : "");
}
std::string quantizeLinear(const ContribCall &c) {
  return formatv("o0 = QuantizeLinear <axis: int = @axis> (i0, i1{0})", c.has(2) ? ", i2" : "");
}

static std::string elementwise(const ContribCall &c, const char *op) {
  Text t(c);
  std::string a = real(t, 0, 1, 2), b = real(t, 3, 4, 5);
  return quantized(t, t.node(formatv("{0} ({1}, {2})", op, a, b)), 6, 7);
}
std::string qLinearAdd(const ContribCall &c) { return elementwise(c, "Add"); }
std::string qLinearMul(const ContribCall &c) { return elementwise(c, "Mul"); }

static std::string activation(const ContribCall &c, const std::string &op) {
  Text t(c);
  return quantized(t, t.node(op + " (" + real(t, 0, 1, 2) + ")"), 3, 4);
}
std::string qLinearSigmoid(const ContribCall &c) { return activation(c, "Sigmoid"); }
std::string qLinearLeakyRelu(const ContribCall &c) {
  return activation(c, "LeakyRelu <alpha: float = @alpha>");
}
std::string qLinearGlobalAveragePool(const ContribCall &c) {
  return c.intAttr("channels_last", 0) ? c.reject("channels last")
                                       : activation(c, "GlobalAveragePool");
}
std::string qLinearAveragePool(const ContribCall &c) {
  if (c.intAttr("channels_last", 0))
    return c.reject("channels last");
  return activation(c, "AveragePool <auto_pad: string = @auto_pad, ceil_mode: int = @ceil_mode, "
                       "count_include_pad: int = @count_include_pad, kernel_shape: ints = "
                       "@kernel_shape, pads: ints = @pads, strides: ints = @strides>");
}

/// Inputs: scale and zero point of the result, then value, scale, zero point of each part.
std::string qLinearConcat(const ContribCall &c) {
  Text t(c);
  std::string parts;
  for (int i = 2; i + 1 < c.node.input_size(); i += 3)
    parts += (parts.empty() ? "" : ", ") + real(t, i, i + 1, i + 2);
  return quantized(t, t.node(formatv("Concat <axis = {0}> ({1})", c.intAttr("axis", 0), parts)), 0,
                   1);
}

/// Inputs: a, its scale and zero point, b, ..., c, scale and zero point of the result. The product
/// of integers, with c on its scale, times the scales and alpha.
std::string qGemm(const ContribCall &c) {
  Text t(c);
  auto operand = [&](int value, int zero, const char *flag) {
    std::string name = "i" + std::to_string(value), zeroName = "i" + std::to_string(zero);
    if (c.intAttr(flag, 0))
      name = t.node("Transpose <perm = [1, 0]> (" + name + ")");
    return std::pair(name, c.has(zero) ? zeroName : std::string());
  };
  auto [a, aZero] = operand(0, 2, "transA");
  auto [b, bZero] = operand(3, 5, "transB");
  std::string zeros = bZero.empty() && aZero.empty() ? "" : ", " + aZero;
  zeros += bZero.empty() ? "" : ", " + bZero;
  std::string sum = t.node("MatMulInteger (" + a + ", " + b + zeros + ")");
  if (c.has(6))
    sum = t.node("Add (" + sum + ", i6)");
  std::string y =
      t.node("Mul (" + t.node("Cast <to = 1> (" + sum + ")") + ", " + t.node("Mul (i1, i4)") + ")");
  double alpha = c.floatAttr("alpha", 1);
  if (alpha != 1)
    y = t.node("Mul (" + y + ", " +
               t.node("Constant <value_float: float = " + Text::digits(alpha) + "> ()") + ")");
  if (c.has(7))
    return quantized(t, y, 7, 8);
  t.line("o0 = Identity (" + y + ")");
  return t.text;
}

/// Inputs: a, b, scales of a and b, zero points of a and b, bias.
std::string matMulIntegerToFloat(const ContribCall &c) {
  Text t(c);
  std::string zeros = c.has(5)   ? std::string(", ") + (c.has(4) ? "i4" : "") + ", i5"
                      : c.has(4) ? ", i4"
                                 : "";
  std::string sum = t.node("Cast <to = 1> (" + t.node("MatMulInteger (i0, i1" + zeros + ")") + ")");
  std::string y = t.node("Mul (" + sum + ", " + t.node("Mul (i2, i3)") + ")");
  t.line(c.has(6) ? "o0 = Add (" + y + ", i6)" : "o0 = Identity (" + y + ")");
  return t.text;
}

/// Inputs: a (quantized by its own range), b, its scale and zero point, bias.
std::string dynamicQuantizeMatMul(const ContribCall &c) {
  Text t(c);
  std::string codes = t.fresh(), scale = t.fresh(), zero = t.fresh();
  t.line(codes + ", " + scale + ", " + zero + " = DynamicQuantizeLinear (i0)");
  std::string sum =
      t.node("MatMulInteger (" + codes + ", i1, " + zero + (c.has(3) ? ", i3)" : ")"));
  std::string y = t.node("Mul (" + t.node("Cast <to = 1> (" + sum + ")") + ", " +
                         t.node("Mul (" + scale + ", i2)") + ")");
  t.line(c.has(4) ? "o0 = Add (" + y + ", i4)" : "o0 = Identity (" + y + ")");
  return t.text;
}

/// Two numbers of 4 bits a byte, the lower first: the last dim doubles, then is cut to `count`.
static std::string unpacked(Text &t, const std::string &bytes, llvm::ArrayRef<int64_t> shape) {
  auto byte = [&](int value) {
    return t.node(formatv("Constant <value = uint8[1] {{{0}}> ()", value));
  };
  std::string last = t.ints({-1});
  std::string low = t.node("BitwiseAnd (" + bytes + ", " + byte(15) + ")");
  std::string high = t.node("BitShift <direction = \"RIGHT\"> (" + bytes + ", " + byte(4) + ")");
  std::string pairs =
      t.node("Concat <axis = -1> (" + t.node("Unsqueeze (" + low + ", " + last + ")") + ", " +
             t.node("Unsqueeze (" + high + ", " + last + ")") + ")");
  return t.node("CastLike (" + t.node("Reshape (" + pairs + ", " + t.ints(shape) + ")") + ", i2)");
}

/// The first `count` of the last dim.
static std::string cut(Text &t, const std::string &x, int64_t count) {
  return t.node("Slice (" + x + ", " + t.ints({0}) + ", " + t.ints({count}) + ", " + t.ints({-1}) +
                ")");
}

/// Inputs: a, codes [n, blocks, bytes], scales by n and block, zero points by n and block (packed
/// as the codes, or numbers of the scales' type), groups, bias.
std::string matMulNBits(const ContribCall &c) {
  Text t(c);
  int64_t k = c.intAttr("K", 0), n = c.intAttr("N", 0), block = c.intAttr("block_size", 32);
  if (c.intAttr("bits", 4) != 4 || k < 1 || n < 1 || block < 2 || c.has(4))
    return c.reject("not 4 bits, or an order of groups");
  int64_t blocks = (k + block - 1) / block;
  if (c.dims(1) != llvm::ArrayRef<int64_t>({n, blocks, block / 2}))
    return c.reject("codes of another shape than [N, blocks, bytes]");
  std::string codes = unpacked(t, "i1", {n, blocks, block});
  std::string shape = t.ints({n, blocks, 1}), zero;
  if (!c.has(3)) {
    zero = t.node("CastLike (" + t.node("Constant <value_float: float = 8> ()") + ", i2)");
  } else if (int64_t bytes = (blocks + 1) / 2;
             c.extent(3, -1) == bytes || c.extent(3, 0) == n * bytes) {
    std::string rows = t.node("Reshape (i3, " + t.ints({n, bytes}) + ")");
    zero = t.node("Reshape (" + cut(t, unpacked(t, rows, {n, 2 * bytes}), blocks) + ", " + shape +
                  ")");
  } else {
    zero = t.node("CastLike (" + t.node("Reshape (i3, " + shape + ")") + ", i2)");
  }
  std::string scaled = t.node("Mul (" + t.node("Sub (" + codes + ", " + zero + ")") + ", " +
                              t.node("Reshape (i2, " + shape + ")") + ")");
  std::string rows = t.node("Reshape (" + scaled + ", " + t.ints({n, blocks * block}) + ")");
  if (blocks * block != k)
    rows = cut(t, rows, k);
  std::string y = t.node("MatMul (i0, " + t.node("Transpose <perm = [1, 0]> (" + rows + ")") + ")");
  t.line(c.has(5) ? "o0 = Add (" + y + ", i5)" : "o0 = Identity (" + y + ")");
  return t.text;
}

} // namespace mtc::onnx_import
