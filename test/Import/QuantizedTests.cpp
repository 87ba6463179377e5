//===- QuantizedTests.cpp - quantized operators against plain loops -------===//
#include "EvaluateModel.h"

#include <cmath>
#include <random>

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

/// Codes of u8 with their scale and zero point, as DynamicQuantizeLinear makes them.
struct Codes {
  std::vector<int> codes;
  float scale;
  int zeroPoint;
};

Codes quantize(const std::vector<float> &x) {
  float least = 0, most = 0;
  for (float v : x) {
    least = std::min(least, v);
    most = std::max(most, v);
  }
  Codes q{{}, (most - least) / 255, 0};
  auto limit = [](float v) { return v != v ? 0 : int(std::clamp(v, 0.0f, 255.0f)); };
  q.zeroPoint = limit(std::nearbyint((0 - least) / q.scale));
  for (float v : x)
    q.codes.push_back(limit(std::nearbyint(v / q.scale) + float(q.zeroPoint)));
  return q;
}

constexpr int64_t steps = 3, batch = 2, features = 5, hidden = 4, gates = 4 * hidden;

struct Weights {
  std::vector<int8_t> codes; ///< [rows, gates]
  std::vector<float> scales; ///< one or one per column
  std::vector<int8_t> zeroPoints;
  int at(int64_t row, int64_t column) const {
    return codes[row * gates + column] - zeroPoints[zeroPoints.size() > 1 ? column : 0];
  }
  float scale(int64_t column) const { return scales[scales.size() > 1 ? column : 0]; }
};

/// x[rows, depth] times weights.
std::vector<float> multiply(const std::vector<float> &x, int64_t depth, const Weights &w) {
  Codes q = quantize(x);
  std::vector<float> y;
  for (size_t row = 0; row < x.size() / depth; ++row)
    for (int64_t column = 0; column < gates; ++column) {
      int sum = 0;
      for (int64_t k = 0; k < depth; ++k)
        sum += (q.codes[row * depth + k] - q.zeroPoint) * w.at(k, column);
      y.push_back(float(sum) * (q.scale * w.scale(column)));
    }
  return y;
}

float sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

/// Y of a forward layer, zero first states.
std::vector<float> runLstm(const std::vector<float> &x, const Weights &w, const Weights &r,
                           const std::vector<float> &bias) {
  std::vector<float> input = multiply(x, features, w), h(batch * hidden), c(batch * hidden), y;
  for (int64_t t = 0; t < steps; ++t) {
    std::vector<float> own = multiply(h, hidden, r);
    for (int64_t n = 0; n < batch; ++n)
      for (int64_t j = 0; j < hidden; ++j) {
        auto gate = [&](int64_t g) {
          int64_t column = g * hidden + j;
          return input[(t * batch + n) * gates + column] + bias[column] + own[n * gates + column] +
                 bias[gates + column];
        };
        float &cell = c[n * hidden + j];
        cell = sigmoid(gate(2)) * cell + sigmoid(gate(0)) * std::tanh(gate(3));
        h[n * hidden + j] = sigmoid(gate(1)) * std::tanh(cell);
      }
    y.insert(y.end(), h.begin(), h.end());
  }
  return y;
}

template <typename Number>
void addWeight(onnx::GraphProto &graph, const std::string &name, int32_t type,
               std::vector<int64_t> dims, const std::vector<Number> &numbers) {
  T &w = *graph.add_initializer();
  w.set_name(name);
  w.set_data_type(type);
  for (int64_t dim : dims)
    w.add_dims(dim);
  auto bytes = bytesOf(numbers);
  w.set_raw_data(bytes.data(), bytes.size());
}

// The state of every step is quantized by its range, the input once; scales and zero points of the
// weights are per tensor or per column.
TEST(Quantized, DynamicQuantizeLstm) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  auto codes = [&](size_t count) {
    std::vector<int8_t> v(count);
    for (int8_t &code : v)
      code = int8_t(random());
    return v;
  };
  auto floats = [&](size_t count, float scale) {
    std::vector<float> v(count);
    for (float &f : v)
      f = normal(random) * scale;
    return v;
  };
  for (int64_t columns : {int64_t(1), gates}) {
    Weights w{codes(features * gates), {}, codes(columns)},
        r{codes(hidden * gates), {}, codes(columns)};
    for (int64_t i = 0; i < columns; ++i) {
      w.scales.push_back(0.01f + 0.0001f * float(i));
      r.scales.push_back(0.02f - 0.0001f * float(i));
    }
    std::vector<float> x = floats(steps * batch * features, 1), bias = floats(2 * gates, 0.3f);

    onnx::ModelProto model;
    model.set_ir_version(10);
    model.add_opset_import()->set_version(17);
    onnx::OperatorSetIdProto &microsoft = *model.add_opset_import();
    microsoft.set_domain("com.microsoft");
    microsoft.set_version(1);
    onnx::GraphProto &graph = *model.mutable_graph();
    graph.set_name("g");
    addInput(graph, "x", {steps, batch, features});
    addWeight(graph, "w", T::INT8, {1, features, gates}, w.codes);
    addWeight(graph, "r", T::INT8, {1, hidden, gates}, r.codes);
    addWeight(graph, "b", T::FLOAT, {1, 2 * gates}, bias);
    std::vector<int64_t> dims =
        columns == 1 ? std::vector<int64_t>{1} : std::vector<int64_t>{1, gates};
    addWeight(graph, "ws", T::FLOAT, dims, w.scales);
    addWeight(graph, "wz", T::INT8, dims, w.zeroPoints);
    addWeight(graph, "rs", T::FLOAT, dims, r.scales);
    addWeight(graph, "rz", T::INT8, dims, r.zeroPoints);
    onnx::NodeProto &node =
        addNode(graph, "DynamicQuantizeLSTM",
                {"x", "w", "r", "b", "", "", "", "", "ws", "wz", "rs", "rz"}, "y");
    node.set_domain("com.microsoft");
    onnx::AttributeProto &size = *node.add_attribute();
    size.set_name("hidden_size");
    size.set_type(onnx::AttributeProto::INT);
    size.set_i(hidden);
    graph.add_output()->set_name("y");

    std::vector<float> got = numbersIn<float>(outputOf(model, {bytesOf(x)}));
    std::vector<float> wanted = runLstm(x, w, r, bias);
    ASSERT_EQ(got.size(), wanted.size());
    for (size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(got[i], wanted[i], 1e-6) << columns << " " << i;
  }
}

} // namespace
} // namespace mtc::onnx_import
