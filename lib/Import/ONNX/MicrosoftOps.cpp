//===- MicrosoftOps.cpp - operators of the domain com.microsoft -----------===//
//
// onnxruntime's tools write operators of their own into models; libonnx has no schemas for them, so
// those that are compiled have one here, which inference uses as any other. Source:
// https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
//
//===----------------------------------------------------------------------===//
#include "Quantized.h"
#include "Recurrent.h"
#include "Steps.h"

#include <onnx/defs/schema.h>
#include <onnx/defs/shape_inference.h>

using namespace mlir;

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

constexpr const char *domain = "com.microsoft";

//===----------------------------------------------------------------------===//
// DynamicQuantizeLSTM
//===----------------------------------------------------------------------===//

/// Inputs of DynamicQuantizeLSTM beyond those of LSTM.
enum : unsigned { WeightScale = 8, WeightZero = 9, RecurrentScale = 10, RecurrentZero = 11 };

/// One direction's scale or zero point: one number, or one per column.
Value parameterOf(Layer &l, unsigned input, int64_t direction) {
  Builder &b = l.c.b;
  Value v = l.c.inputs[input];
  RankedTensorType type = l.c.type(input);
  if (type.getRank() == 2)
    return partOf(b, v, direction, 0, type.getDimSize(1));
  return reshape(b, extractSlice(b, v, {direction}, {1}, {1}), {});
}

/// x, quantized by its own range, times a direction's integer weight [features, columns].
Value multiply(Layer &l, Value x, int64_t direction, unsigned weight, unsigned scale,
               unsigned zero) {
  NodeContext &c = l.c;
  Builder &b = c.b;
  int32_t weightType = c.inputTypes[weight];
  Quantized q = quantizeDynamically(b, x);
  auto toInteger = [&](Value v, Value zeroPoint, int32_t type) {
    RankedTensorType result =
        tensorType(cast<RankedTensorType>(v.getType()).getShape(), b.getI32Type());
    return mapElements(b, result, {v, zeroPoint}, [&](Scalars &s, ValueRange e) {
      return s.sub(s.cast(e[0], type, T::INT32), s.cast(e[1], type, T::INT32));
    });
  };
  RankedTensorType type = c.type(weight);
  Value w = partOf(b, c.inputs[weight], direction, 0, type.getDimSize(1));
  Value sum = multiplyMatrices(b, toInteger(q.codes, q.zeroPoint, T::UINT8),
                               toInteger(w, parameterOf(l, zero, direction), weightType));
  RankedTensorType result =
      tensorType(cast<RankedTensorType>(sum.getType()).getShape(), b.getF32Type());
  return mapElements(b, result, {sum, q.scale, parameterOf(l, scale, direction)},
                     [](Scalars &s, ValueRange e) {
                       return s.mul(s.cast(e[0], T::INT32, T::FLOAT), s.mul(e[1], e[2]));
                     });
}

/// An LSTM whose input, and whose state at each step, are quantized by their range. As in
/// onnxruntime, the range of the input is that of all steps together.
Results dynamicQuantizeLstm(NodeContext &c) {
  FailureOr<Layer> layer = readLayer(c, 4, {"Sigmoid", "Tanh", "Tanh"}, /*weightsByColumn=*/true);
  if (failed(layer))
    return failure();
  Layer &l = *layer;
  Shape perTensor{l.directions}, perColumn{l.directions, 4 * l.hidden};
  for (unsigned i : {WeightScale, WeightZero, RecurrentScale, RecurrentZero})
    if (c.type(i).getShape() != ArrayRef<int64_t>(perTensor) &&
        c.type(i).getShape() != ArrayRef<int64_t>(perColumn))
      return c.reject("the shape of input " + Twine(i));
  l.project = [&l](int64_t d, Value x) { return multiply(l, x, d, 1, WeightScale, WeightZero); };
  l.recur = [&l](int64_t d, Value h) {
    return multiply(l, h, d, 2, RecurrentScale, RecurrentZero);
  };
  return runLstm(l);
}

void inferLstm(onnx::InferenceContext &context) {
  for (size_t i = 0; i < context.getNumOutputs(); ++i)
    onnx::propagateElemTypeFromInputToOutput(context, 0, i);
  if (!onnx::hasNInputShapes(context, 3))
    return;
  const auto &x = onnx::getInputShape(context, 0), &r = onnx::getInputShape(context, 2);
  if (x.dim_size() != 3 || r.dim_size() != 3)
    fail_shape_inference("X and R need rank 3");
  onnx::TensorShapeProto y, state;
  *y.add_dim() = x.dim(0);
  *y.add_dim() = r.dim(0);
  *y.add_dim() = x.dim(1);
  *y.add_dim() = r.dim(1);
  *state.add_dim() = r.dim(0);
  *state.add_dim() = x.dim(1);
  *state.add_dim() = r.dim(1);
  for (size_t i = 0; i < context.getNumOutputs(); ++i)
    onnx::updateOutputShape(context, i, i == 0 ? y : state);
}

onnx::OpSchema dynamicQuantizeLstmSchema() {
  using onnx::OpSchema;
  using Kind = onnx::AttributeProto;
  OpSchema schema("DynamicQuantizeLSTM", __FILE__, __LINE__);
  schema.SetDomain(domain).SinceVersion(1);
  const char *required[] = {"X", "W", "R"};
  const char *optional[] = {"B", "sequence_lens", "initial_h", "initial_c", "P"};
  int input = 0;
  for (const char *name : required)
    schema.Input(input++, name, "", *name == 'X' ? "T" : "T2");
  for (const char *name : optional)
    schema.Input(input++, name, "", *name == 's' ? "T1" : "T", OpSchema::Optional);
  for (const char *name : {"W_scale", "W_zero_point", "R_scale", "R_zero_point"})
    schema.Input(input++, name, "", std::string_view(name).ends_with("scale") ? "T" : "T2");
  int output = 0;
  for (const char *name : {"Y", "Y_h", "Y_c"})
    schema.Output(output++, name, "", "T", OpSchema::Optional);
  schema.Attr("direction", "", Kind::STRING, std::string("forward"))
      .Attr("hidden_size", "", Kind::INT, false)
      .Attr("activations", "", Kind::STRINGS, false)
      .Attr("activation_alpha", "", Kind::FLOATS, false)
      .Attr("activation_beta", "", Kind::FLOATS, false)
      .Attr("clip", "", Kind::FLOAT, false)
      .Attr("input_forget", "", Kind::INT, static_cast<int64_t>(0))
      .TypeConstraint("T", {"tensor(float)"}, "")
      .TypeConstraint("T1", {"tensor(int32)"}, "")
      .TypeConstraint("T2", {"tensor(uint8)", "tensor(int8)"}, "")
      .TypeAndShapeInferenceFunction(inferLstm);
  schema.Finalize();
  return schema;
}

//===----------------------------------------------------------------------===//
// The family
//===----------------------------------------------------------------------===//

const OpRow rows[] = {
    {domain, "DynamicQuantizeLSTM", 1, dynamicQuantizeLstm, "f32, weights i8 u8", ""},
};

} // namespace

ArrayRef<OpRow> microsoftOps() { return rows; }

const onnx::OpSchema *findSchema(const std::string &domainName, const std::string &op,
                                 int64_t version) {
  if (domainName != domain)
    return onnx::OpSchemaRegistry::Schema(op, static_cast<int>(version), domainName);
  static const onnx::OpSchema lstm = dynamicQuantizeLstmSchema(); // constant once made
  return op == lstm.Name() && version >= lstm.SinceVersion() ? &lstm : nullptr;
}

} // namespace mtc::onnx_import
