//===- MathTest.cpp - accuracy of the math functions that kernels contain -===//
#include "KernelRunner.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace mtc::host;
using namespace mtc::host::test;

namespace {

constexpr int count = 1 << 16;

std::string unary(const std::string &name, const std::string &op) {
  std::string t = "tensor<" + std::to_string(count) + "xf32>";
  return "mt.kernel @" + name + " kind(elementwise) (%x: " + t + ") -> " + t + " {\n" +
         "%e = tensor.empty() : " + t + "\n" +
         "%r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], "
         "iterator_types = "
         "[\"parallel\"]} ins(%x : " +
         t + ") outs(%e : " + t + ") {\n^bb0(%a: f32, %o: f32):\n%q = " + op +
         " %a : f32\nlinalg.yield %q : f32 } -> " + t + "\nmt.yield %r : " + t + "\n}\n";
}

struct Function {
  const char *op;
  double (*reference)(double);
  float low, high;
  double maxUlp;
};

const Function functions[] = {
    {"math.exp", std::exp, -103, 88.7f, 1.1},
    {"math.log", std::log, 0, 1e30f, 1.0},
    {"math.log", std::log, 0.5f, 2, 1.1},
    {"math.tanh", std::tanh, -10, 10, 2.0},
    {"math.erf", std::erf, -4, 4, 1.5},
    {"math.erfc", std::erfc, -3, 9, 0.6},
    {"math.expm1", std::expm1, -1, 1, 0.6},
    {"math.log1p", std::log1p, -0.9f, 1, 0.6},
    {"math.sin", std::sin, -1000, 1000, 0.6},
    {"math.cos", std::cos, -1000, 1000, 0.6},
    {"math.tan", std::tan, -10, 10, 0.6},
    {"math.atan", std::atan, -20, 20, 0.6},
    {"math.asin", std::asin, -1, 1, 0.6},
    {"math.acos", std::acos, -1, 1, 0.6},
    {"math.sinh", std::sinh, -20, 20, 0.6},
    {"math.cosh", std::cosh, -20, 20, 0.6},
    {"math.asinh", std::asinh, -20, 20, 0.6},
    {"math.acosh", std::acosh, 1, 20, 0.6},
    {"math.atanh", std::atanh, -0.99f, 0.99f, 0.6},
    {"math.cbrt", std::cbrt, -20, 20, 0.6},
    {"math.exp2", std::exp2, -100, 100, 0.6},
    {"math.log2", std::log2, 0, 100, 0.6},
    {"math.log10", std::log10, 0, 100, 0.6},
    {"math.rsqrt", [](double x) { return 1 / std::sqrt(x); }, 0.01f, 100, 2.0},
    {"math.round", std::round, -100, 100, 0},
};

} // namespace

// Every function over its interesting range, in units in the last place of the f32 result.
TEST(Math, AccuracyF32) {
  std::string text;
  for (size_t i = 0; i < std::size(functions); ++i)
    text += unary("k" + std::to_string(i), functions[i].op);
  Program p(text);
  ASSERT_EQ(p.error, "");
  for (size_t i = 0; i < std::size(functions); ++i) {
    const Function &f = functions[i];
    auto buffers = p.buffers(i);
    float *x = buffers[0].as<float>(), *y = buffers[1].as<float>();
    for (int j = 0; j < count; ++j)
      x[j] = f.low + (f.high - f.low) * (x[j] + 1) / 2;
    ASSERT_EQ(p.run(i, buffers), 0);
    double worst = 0, at = 0;
    for (int j = 0; j < count; ++j) {
      double want = f.reference(x[j]);
      float rounded = static_cast<float>(want);
      double ulp = std::nextafter(std::fabs(rounded), INFINITY) - std::fabs(rounded);
      double error = std::fabs(y[j] - want) / ulp;
      if (!(error <= worst)) {
        worst = error;
        at = x[j];
      }
    }
    EXPECT_LE(worst, f.maxUlp) << f.op << " at " << at;
  }
}

// Limits and what is not a number.
TEST(Math, SpecialValuesF32) {
  Program p(unary("exp", "math.exp") + unary("log", "math.log") + unary("tanh", "math.tanh") +
            unary("erf", "math.erf") + unary("cbrt", "math.cbrt"));
  ASSERT_EQ(p.error, "");
  const float values[] = {0.0f,  -0.0f,  INFINITY, -INFINITY, NAN,
                          -1.0f, 1e-40f, 200.0f,   -200.0f,   1.0f};
  float (*references[])(float) = {std::exp, std::log, std::tanh, std::erf, std::cbrt};
  for (int k = 0; k < 5; ++k) {
    auto buffers = p.buffers(k);
    for (size_t j = 0; j < std::size(values); ++j)
      buffers[0].as<float>()[j] = values[j];
    ASSERT_EQ(p.run(k, buffers), 0);
    for (size_t j = 0; j < std::size(values); ++j) {
      float want = references[k](values[j]), got = buffers[1].as<float>()[j];
      if (std::isnan(want))
        EXPECT_TRUE(std::isnan(got)) << k << " of " << values[j];
      else if (std::isinf(want) || want == 0)
        EXPECT_EQ(got, want) << k << " of " << values[j];
      else
        EXPECT_NEAR(got, want, std::fabs(want) * 3e-7) << k << " of " << values[j];
    }
  }
}
