//===- FoldElementwise.cpp - arithmetic on small constants ----------------===//
//
// Integers wrap and min / -1 is min, as at run time. What has no answer that run time would agree
// with is left to it: division by zero, NaN in Max, casts out of range.
//
//===----------------------------------------------------------------------===//
#include "Fold.h"

#include "llvm/ADT/STLExtras.h"

#include <cmath>

using llvm::ArrayRef;
using T = onnx::TensorProto;

namespace mtc::onnx_import::fold {

static double roundTo(int32_t type, double value) {
  return type == T::FLOAT ? static_cast<double>(static_cast<float>(value)) : value;
}

static bool isSigned(int32_t type) {
  return type == T::INT8 || type == T::INT16 || type == T::INT32 || type == T::INT64;
}

static std::optional<double> floatBinary(llvm::StringRef op, double a, double b) {
  if (op == "Add")
    return a + b;
  if (op == "Sub")
    return a - b;
  if (op == "Mul")
    return a * b;
  if (op == "Div")
    return a / b;
  if (op == "Pow")
    return std::pow(a, b);
  if (std::isnan(a) || std::isnan(b))
    return std::nullopt;
  if (op == "Max")
    return std::max(a, b);
  if (op == "Min")
    return std::min(a, b);
  return std::nullopt;
}

std::optional<int64_t> intBinary(llvm::StringRef op, int32_t type, int64_t a, int64_t b,
                                 bool fmod) {
  auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  if (op == "Add")
    return static_cast<int64_t>(ua + ub);
  if (op == "Sub")
    return static_cast<int64_t>(ua - ub);
  if (op == "Mul")
    return static_cast<int64_t>(ua * ub);
  bool big = type == T::UINT64;
  if (op == "Div" || op == "Mod") {
    if (b == 0)
      return std::nullopt;
    if (big)
      return static_cast<int64_t>(op == "Div" ? ua / ub : ua % ub);
    if (b == -1 && isSigned(type)) // INT64_MIN / -1 traps
      return op == "Div" ? static_cast<int64_t>(-ua) : 0;
    if (op == "Div")
      return a / b;
    int64_t rest = a % b;
    return !fmod && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  bool less = big ? ua < ub : a < b;
  if (op == "Max")
    return less ? b : a;
  if (op == "Min")
    return less ? a : b;
  if (op == "And")
    return a && b;
  if (op == "Or")
    return a || b;
  if (op == "Xor")
    return !a != !b;
  return std::nullopt;
}

static std::optional<bool> compare(llvm::StringRef op, bool less, bool equal, bool ordered) {
  if (op == "Equal")
    return equal;
  if (op == "Less")
    return less;
  if (op == "LessOrEqual")
    return less || equal;
  if (op == "Greater")
    return ordered && !less && !equal;
  if (op == "GreaterOrEqual")
    return ordered && !less;
  return std::nullopt;
}

static bool isComparison(llvm::StringRef op) {
  return compare(op, false, false, false).has_value();
}

Result binary(const onnx::NodeProto &node, const SmallTensor &a, const SmallTensor &b) {
  std::optional<Shape> dims = broadcast(a.dims, b.dims);
  bool pow = node.op_type() == "Pow" && a.isFloat();
  if (!dims || (a.type != b.type && !pow) || product(*dims) == 0)
    return std::nullopt; // without elements, any operator would do
  bool comparison = isComparison(node.op_type());
  Result out = make(comparison ? static_cast<int32_t>(T::BOOL) : a.type, *dims);
  if (!out)
    return out;
  bool fmod = intAttribute(node, "fmod", 0) != 0, ok = true;
  forEachPosition(*dims, [&](int64_t i, ArrayRef<int64_t> at) {
    int64_t ia = broadcastIndex(a.dims, at), ib = broadcastIndex(b.dims, at);
    if (a.isFloat()) {
      double x = a.floats[ia], y = b.isFloat() ? b.floats[ib] : static_cast<double>(b.ints[ib]);
      if (comparison) {
        out->ints[i] = *compare(node.op_type(), x < y, x == y, x == x && y == y);
      } else if (auto value = floatBinary(node.op_type(), x, y)) {
        out->floats[i] = roundTo(a.type, *value);
      } else {
        ok = false;
      }
      return;
    }
    int64_t x = a.ints[ia], y = b.ints[ib];
    if (comparison) {
      bool less = a.type == T::UINT64 ? static_cast<uint64_t>(x) < static_cast<uint64_t>(y) : x < y;
      out->ints[i] = *compare(node.op_type(), less, x == y, true);
    } else if (auto value = intBinary(node.op_type(), a.type, x, y, fmod)) {
      out->ints[i] = wrapInteger(a.type, *value);
    } else {
      ok = false;
    }
  });
  return ok ? out : std::nullopt;
}

Result unary(const onnx::NodeProto &node, const SmallTensor &x) {
  Result out = make(x.type, x.dims);
  if (!out || x.size() == 0)
    return std::nullopt;
  const std::string &op = node.op_type();
  for (int64_t i = 0; i < x.size(); ++i) {
    if (!x.isFloat()) {
      int64_t v = x.ints[i];
      auto negated = static_cast<int64_t>(-static_cast<uint64_t>(v));
      if (op == "Not")
        out->ints[i] = !v;
      else if (op == "Neg" || (op == "Abs" && isSigned(x.type) && v < 0))
        out->ints[i] = wrapInteger(x.type, negated);
      else if (op == "Abs")
        out->ints[i] = v;
      else
        return std::nullopt;
      continue;
    }
    double v = x.floats[i], &r = out->floats[i];
    if (op == "Neg")
      r = -v;
    else if (op == "Abs")
      r = std::fabs(v);
    else if (op == "Floor")
      r = std::floor(v);
    else if (op == "Ceil")
      r = std::ceil(v);
    else if (op == "Round")
      r = std::nearbyint(v);
    else if (op == "Sqrt")
      r = roundTo(x.type, std::sqrt(v));
    else
      return std::nullopt;
  }
  return out;
}

Result cast(const onnx::NodeProto &node, const SmallTensor &x) {
  int32_t to = static_cast<int32_t>(intAttribute(node, "to", 0));
  Result out = make(to, x.dims);
  if (!out)
    return out;
  for (int64_t i = 0; i < x.size(); ++i) {
    if (x.isFloat() && out->isFloat()) {
      out->floats[i] = roundTo(to, x.floats[i]);
    } else if (x.isFloat()) {
      double v = std::trunc(x.floats[i]);
      if (to == T::BOOL) {
        out->ints[i] = x.floats[i] != 0;
        continue;
      }
      if (!(v > -9e18 && v < 9e18) || wrapInteger(to, static_cast<int64_t>(v)) != v ||
          (to == T::UINT64 && v < 0))
        return std::nullopt;
      out->ints[i] = static_cast<int64_t>(v);
    } else if (out->isFloat()) {
      if (x.type == T::UINT64)
        return std::nullopt;
      // Straight to f32: by way of f64 it would round twice.
      out->floats[i] =
          to == T::FLOAT ? static_cast<float>(x.ints[i]) : static_cast<double>(x.ints[i]);
    } else {
      out->ints[i] = wrapInteger(to, x.ints[i]);
    }
  }
  return out;
}

Result where(const SmallTensor &condition, const SmallTensor &a, const SmallTensor &b) {
  std::optional<Shape> values = broadcast(a.dims, b.dims);
  std::optional<Shape> dims = values ? broadcast(condition.dims, *values) : std::nullopt;
  if (!dims || a.type != b.type || condition.type != T::BOOL)
    return std::nullopt;
  Result out = make(a.type, *dims);
  if (out)
    forEachPosition(*dims, [&](int64_t i, ArrayRef<int64_t> at) {
      bool first = condition.ints[broadcastIndex(condition.dims, at)] != 0;
      const SmallTensor &from = first ? a : b;
      copyElement(from, broadcastIndex(from.dims, at), *out, i);
    });
  return out;
}

} // namespace mtc::onnx_import::fold
