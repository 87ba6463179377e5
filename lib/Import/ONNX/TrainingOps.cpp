//===- TrainingOps.cpp - Adagrad, Adam, Momentum --------------------------===//
//
// ai.onnx.preview.training: a step of an optimizer for any number of tensors. The learning rate and
// the number of the step are inputs. Formulas: onnx 1.23.2,
// onnx/reference/ops/aionnx_preview_training.
//
//===----------------------------------------------------------------------===//
#include "Builders.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

/// The operands of one tensor's step: rate, step, tensor, gradient, then its state.
struct Step {
  SmallVector<Operand> operands;
  RankedTensorType type;
  int32_t onnxType, stepType;
};

/// Inputs are rate, step, then all tensors, all gradients, all of each state.
FailureOr<SmallVector<Step>> stepsOf(NodeContext &c, unsigned states) {
  unsigned each = 2 + states, count = (c.inputs.size() - 2) / each;
  if (c.inputs.size() < 2 + each || (c.inputs.size() - 2) % each ||
      c.resultTypes.size() != count * (1 + states))
    return c.reject("its inputs and outputs are not " + Twine(each) + " per tensor");
  SmallVector<Step> steps;
  for (unsigned t = 0; t < count; ++t) {
    Step step{{}, c.type(2 + t), c.inputTypes[2 + t], c.inputTypes[1]};
    for (unsigned i : {0u, 1u})
      step.operands.push_back(Operand(reshape(c.b, c.inputs[i], {})));
    for (unsigned k = 0; k < each; ++k) {
      if (c.type(2 + k * count + t) != step.type)
        return c.reject("tensors, gradients and states differ in shape or type");
      step.operands.push_back(c.inputs[2 + k * count + t]);
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

Value power(Scalars &s, Value base, Value exponent) {
  return math::PowFOp::create(s.b, base, exponent);
}

/// The number of the step as the tensors' type.
Value stepNumber(Scalars &s, const Step &step, Value t) {
  return s.cast(t, step.stepType, step.onnxType);
}

/// gradient + norm_coefficient * x
Value regularized(NodeContext &c, Scalars &s, Value x, Value gradient) {
  return s.add(s.mul(x, s.like(x, c.floatAttr("norm_coefficient", 0))), gradient);
}

/// The rate as the tensors' type.
Value rateAs(NodeContext &c, Scalars &s, const Step &step, Value rate) {
  return s.cast(rate, c.inputTypes[0], step.onnxType);
}

Results adagrad(NodeContext &c) {
  FailureOr<SmallVector<Step>> steps = stepsOf(c, 1);
  if (failed(steps))
    return failure();
  double decay = c.floatAttr("decay_factor", 0), epsilon = c.floatAttr("epsilon", 1e-6f);
  SmallVector<Value> tensors, squares;
  for (Step &step : *steps) {
    Value square = mapElements(c.b, step.type, step.operands, [&](Scalars &s, ValueRange v) {
      Value g = regularized(c, s, v[2], v[3]);
      return s.add(v[4], s.mul(g, g));
    });
    squares.push_back(square);
    step.operands.back() = square;
    tensors.push_back(mapElements(c.b, step.type, step.operands, [&](Scalars &s, ValueRange v) {
      Value g = regularized(c, s, v[2], v[3]), one = s.like(g, 1);
      Value t = stepNumber(s, step, v[1]);
      Value rate = s.div(rateAs(c, s, step, v[0]), s.add(one, s.mul(t, s.like(t, decay))));
      return s.sub(v[2], s.div(s.mul(rate, g), s.add(s.sqrt(v[4]), s.like(g, epsilon))));
    }));
  }
  tensors.append(squares);
  return tensors;
}

Results adam(NodeContext &c) {
  FailureOr<SmallVector<Step>> steps = stepsOf(c, 2);
  if (failed(steps))
    return failure();
  double alpha = c.floatAttr("alpha", 0.9f), beta = c.floatAttr("beta", 0.999f);
  double epsilon = c.floatAttr("epsilon", 1e-6f), after = c.floatAttr("norm_coefficient_post", 0);
  SmallVector<Value> tensors, averages, squares;
  auto blend = [](Scalars &s, double share, Value old, Value fresh) {
    return s.add(s.mul(old, s.like(old, share)), s.mul(fresh, s.like(fresh, 1 - share)));
  };
  for (Step &step : *steps) {
    averages.push_back(mapElements(c.b, step.type, step.operands, [&](Scalars &s, ValueRange v) {
      return blend(s, alpha, v[4], regularized(c, s, v[2], v[3]));
    }));
    squares.push_back(mapElements(c.b, step.type, step.operands, [&](Scalars &s, ValueRange v) {
      Value g = regularized(c, s, v[2], v[3]);
      return blend(s, beta, v[5], s.mul(g, g));
    }));
    SmallVector<Operand> operands{step.operands[0], step.operands[1], step.operands[2],
                                  Operand(averages.back()), Operand(squares.back())};
    tensors.push_back(mapElements(c.b, step.type, operands, [&](Scalars &s, ValueRange v) {
      Value t = stepNumber(s, step, v[1]), one = s.like(v[2], 1), rate = rateAs(c, s, step, v[0]);
      // The first steps' averages are short of their limits by 1 - factor ^ t.
      Value isLater = s.less(s.like(t, 0), t), safe = s.select(isLater, t, one);
      Value squareShort = s.sub(one, power(s, s.like(t, beta), safe));
      Value averageShort = s.sub(one, power(s, s.like(t, alpha), safe));
      Value corrected = s.div(s.mul(rate, s.sqrt(squareShort)), averageShort);
      rate = s.select(isLater, corrected, rate);
      Value move = s.div(v[3], s.add(s.sqrt(v[4]), s.like(t, epsilon)));
      return s.mul(s.sub(v[2], s.mul(rate, move)), s.like(t, 1 - after));
    }));
  }
  tensors.append(averages);
  tensors.append(squares);
  return tensors;
}

Results momentum(NodeContext &c) {
  FailureOr<SmallVector<Step>> steps = stepsOf(c, 1);
  if (failed(steps))
    return failure();
  double alpha = c.floatAttr("alpha", 0), beta = c.floatAttr("beta", 0);
  bool isNesterov = c.stringAttr("mode", "standard") == "nesterov";
  SmallVector<Value> tensors, velocities;
  for (Step &step : *steps) {
    Value velocity = mapElements(c.b, step.type, step.operands, [&](Scalars &s, ValueRange v) {
      Value g = regularized(c, s, v[2], v[3]), t = stepNumber(s, step, v[1]);
      Value share = s.select(s.less(s.like(t, 0), t), s.like(t, beta), s.like(t, 1));
      return s.add(s.mul(v[4], s.like(g, alpha)), s.mul(share, g));
    });
    velocities.push_back(velocity);
    step.operands.back() = velocity;
    tensors.push_back(mapElements(c.b, step.type, step.operands, [&](Scalars &s, ValueRange v) {
      Value move = v[4];
      if (isNesterov)
        move = s.add(regularized(c, s, v[2], v[3]), s.mul(move, s.like(move, alpha)));
      return s.sub(v[2], s.mul(rateAs(c, s, step, v[0]), move));
    }));
  }
  tensors.append(velocities);
  return tensors;
}

constexpr const char *domain = "ai.onnx.preview.training";

const OpRow rows[] = {
    {domain, "Adagrad", 1, adagrad, "f32 f64", ""},
    {domain, "Adam", 1, adam, "f32 f64", ""},
    {domain, "Momentum", 1, momentum, "f32 f64", "standard and nesterov"},
};

} // namespace

ArrayRef<OpRow> trainingOps() { return rows; }

} // namespace mtc::onnx_import
