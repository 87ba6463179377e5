//===- RecurrentOps.cpp - LSTM, GRU and RNN -------------------------------===//
//
// The input's part of all gates of all steps is one contraction before; what needs the state is an
// mt.recurrence, whose step is a small contraction with the state and a few generics. A direction
// is a recurrence of its own, so that two may run side by side.
//
//===----------------------------------------------------------------------===//
#include "Recurrent.h"

#include "mtc/Dialect/MT/IR/Isolate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace mtc::onnx_import {
namespace {

Value sigmoid(Scalars &s, Value x) { return s.sigmoid(x); }
Value tanh(Scalars &s, Value x) { return s.tanh(x); }
Value relu(Scalars &s, Value x) { return s.max(x, s.like(x, 0)); }
Value softsign(Scalars &s, Value x) { return s.div(x, s.add(s.like(x, 1), s.abs(x))); }
Value softplus(Scalars &s, Value x) { return s.softplus(x); }

Activation findActivation(StringRef name) {
  if (name.equals_insensitive("Sigmoid"))
    return sigmoid;
  if (name.equals_insensitive("Tanh"))
    return tanh;
  if (name.equals_insensitive("Relu"))
    return relu;
  if (name.equals_insensitive("Softsign"))
    return softsign;
  if (name.equals_insensitive("Softplus"))
    return softplus;
  return nullptr;
}

} // namespace

Value partOf(Builder &b, Value v, int64_t index, int64_t from, int64_t count) {
  auto type = cast<RankedTensorType>(v.getType());
  Shape offsets(type.getRank(), 0), sizes(type.getShape()), strides(type.getRank(), 1);
  offsets[0] = index;
  offsets[1] = from;
  sizes[0] = 1;
  sizes[1] = count;
  Value part = extractSlice(b, v, offsets, sizes, strides);
  return reshape(b, part, Shape(sizes.begin() + 1, sizes.end()));
}

FailureOr<Layer> readLayer(NodeContext &c, int64_t gates, ArrayRef<StringRef> defaults,
                           bool weightsByColumn) {
  Layer l{c, gates, 0, 0, 0, 0, 0, {}, c.inputs[0], c.intAttr("layout", 0) == 1, {}, {}};
  if (l.batchFirst)
    l.x = transpose(c.b, l.x, {1, 0, 2});
  auto x = cast<RankedTensorType>(l.x.getType());
  l.steps = x.getDimSize(0);
  l.batch = x.getDimSize(1);
  l.features = x.getDimSize(2);
  l.hidden = c.type(2).getDimSize(weightsByColumn ? 1 : 2);
  l.directions = c.type(2).getDimSize(0);
  // Every input as the first three say; null is absent.
  int64_t rows = gates * l.hidden;
  Shape state = l.batchFirst ? Shape{l.batch, l.directions, l.hidden}
                             : Shape{l.directions, l.batch, l.hidden};
  Shape wanted[] = {{l.directions, rows, l.features},
                    {l.directions, rows, l.hidden},
                    {l.directions, 2 * rows},
                    {l.batch},
                    state,
                    state,
                    {l.directions, 3 * l.hidden}};
  if (weightsByColumn)
    for (Shape &weight : MutableArrayRef(wanted).take_front(2))
      std::swap(weight[1], weight[2]);
  for (unsigned i = 1; i < c.inputs.size() && i <= std::size(wanted); ++i)
    if (c.hasInput(i) && c.type(i).getShape() != ArrayRef<int64_t>(wanted[i - 1]))
      return c.reject("the shape of input " + Twine(i));
  if (l.directions != (c.stringAttr("direction", "forward") == "bidirectional" ? 2 : 1))
    return c.reject("direction and weights do not fit");
  if (l.steps == 0)
    return c.reject("no time steps");
  if (c.attribute("clip"))
    return c.reject("clip");
  SmallVector<std::string> names;
  if (const onnx::AttributeProto *a = c.attribute("activations"))
    names.assign(a->strings().begin(), a->strings().end());
  while (names.size() < defaults.size() * l.directions)
    names.push_back(defaults[names.size() % defaults.size()].str());
  for (const std::string &name : names) {
    l.activations.push_back(findActivation(name));
    if (!l.activations.back())
      return c.reject("activation " + name);
  }
  return l;
}

namespace {

/// x[steps, batch, features] * w[rows, features]' -> [steps, batch, rows]
Value project(Builder &b, Value x, Value w) {
  auto type = cast<RankedTensorType>(x.getType());
  int64_t rows = cast<RankedTensorType>(w.getType()).getDimSize(0);
  return contract(b, {type.getDimSize(0), type.getDimSize(1), rows, type.getDimSize(2)}, {0, 1, 2},
                  x, selectDims(b, 4, {0, 1, 3}), w, selectDims(b, 4, {2, 3}));
}

/// h[batch, hidden] * r[rows, hidden]' -> [batch, rows]
Value recur(Builder &b, Value h, Value r) {
  auto type = cast<RankedTensorType>(h.getType());
  int64_t rows = cast<RankedTensorType>(r.getType()).getDimSize(0);
  return contract(b, {type.getDimSize(0), rows, type.getDimSize(1)}, {0, 1}, h,
                  selectDims(b, 3, {0, 2}), r, selectDims(b, 3, {1, 2}));
}

Value addTo(Builder &b, Value x, Value y) {
  return mapElements(b, cast<RankedTensorType>(x.getType()), {x, y},
                     [](Scalars &s, ValueRange v) { return s.add(v[0], v[1]); });
}

/// Columns [from, from + count) of a matrix.
Value columns(Builder &b, Value m, int64_t from, int64_t count) {
  return takeRange(b, m, 1, from, 1, count);
}

/// For each step and batch row whether its sequence still runs, [steps, batch]; null without
/// lengths.
Value runningRows(Layer &l) {
  Value lengths = l.c.input(4);
  if (!lengths)
    return {};
  Builder &b = l.c.b;
  int32_t type = l.c.inputTypes[4];
  return mapElements(b, tensorType({l.steps, l.batch}, b.getI8Type()), {lengths},
                     ArrayRef<AffineMap>{selectDims(b, 2, {1})}, [&](Scalars &s, ValueRange v) {
                       Value length = s.cast(v[0], type, onnx::TensorProto::INT64);
                       return s.less(s.position(0, length.getType()), length);
                     });
}

/// What a step keeps where the sequence of a batch row has ended: the old state, and 0 in Y.
Value maskedBy(Layer &l, Value running, Value now, Value otherwise) {
  if (!running)
    return now;
  Builder &b = l.c.b;
  SmallVector<Operand> operands{running, now};
  SmallVector<AffineMap> maps{selectDims(b, 2, {0}), selectDims(b, 2, {0, 1})};
  if (otherwise) {
    operands.push_back(otherwise);
    maps.push_back(maps[1]);
  }
  return mapElements(b, l.stateType(), operands, maps, [&](Scalars &s, ValueRange v) {
    return s.select(s.isTrue(v[0]), v[1], otherwise ? v[2] : s.like(v[1], 0));
  });
}

/// The states after a step from those before: h, and c for an LSTM.
using Step = function_ref<SmallVector<Value>(Value inputGates, ArrayRef<Value> states)>;

/// Runs one direction; appends its Y [steps, 1, batch, hidden] and returns the last states.
SmallVector<Value> runSteps(Layer &l, bool reverse, Value inputGates, ArrayRef<Value> states,
                            Value &y, Step step) {
  Builder &b = l.c.b;
  SmallVector<Value> inputs{inputGates};
  if (Value running = runningRows(l))
    inputs.push_back(running);
  SmallVector<Type> results{
      tensorType({l.steps, l.batch, l.hidden}, l.stateType().getElementType())};
  results.append(states.size(), l.stateType());
  auto op = mt::RecurrenceOp::create(b, results, inputs, states, ValueRange(), reverse);
  {
    OpBuilder::InsertionGuard guard(b);
    Block *body = b.createBlock(&op.getBody());
    for (Value input : inputs) {
      auto type = cast<RankedTensorType>(input.getType());
      body->addArgument(tensorType(type.getShape().drop_front(), type.getElementType()),
                        op.getLoc());
    }
    for (Value state : states)
      body->addArgument(state.getType(), op.getLoc());
    SmallVector<Value> before(body->getArguments().drop_front(inputs.size()));
    Value running = inputs.size() > 1 ? Value(body->getArgument(1)) : Value();
    SmallVector<Value> next = step(body->getArgument(0), before);
    SmallVector<Value> yielded{maskedBy(l, running, next[0], {})};
    for (auto [now, old] : llvm::zip(next, before))
      yielded.push_back(maskedBy(l, running, now, old));
    mt::YieldOp::create(b, yielded);
  }
  mt::isolate(op);
  y = reshape(b, op.getResult(0), {l.steps, 1, l.batch, l.hidden});
  return SmallVector<Value>(op.getResults().drop_front());
}

/// The layer's results from each direction's Y and last states.
SmallVector<Value> finish(Layer &l, ArrayRef<Value> ys, ArrayRef<SmallVector<Value>> finals) {
  NodeContext &c = l.c;
  SmallVector<Value> results;
  auto emit = [&](Value v, ArrayRef<int64_t> toBatchFirst) {
    if (l.batchFirst)
      v = transpose(c.b, v, toBatchFirst);
    results.push_back(v);
  };
  for (size_t i = 0; i < c.resultTypes.size(); ++i) {
    if (!c.resultTypes[i]) {
      results.push_back(Value());
    } else if (i == 0) {
      emit(concat(c.b, ys, 1), {2, 0, 1, 3});
    } else {
      SmallVector<Value> parts;
      for (const SmallVector<Value> &states : finals)
        parts.push_back(reshape(c.b, states[i - 1], {1, l.batch, l.hidden}));
      emit(concat(c.b, parts, 0), {1, 0, 2});
    }
  }
  return results;
}

/// One direction: input gates [steps, batch, gates * hidden] with their bias, the recurrent weight
/// (null where the layer multiplies by its own) and its bias (or null), and the first state(s).
struct Direction {
  Value inputGates, recurrent, recurrentBias;
  SmallVector<Value> states;
};

Direction readDirection(Layer &l, int64_t d, unsigned stateCount) {
  NodeContext &c = l.c;
  Builder &b = c.b;
  int64_t rows = l.gates * l.hidden;
  Direction dir;
  if (l.project) {
    dir.inputGates = l.project(d, l.x);
  } else {
    dir.inputGates = project(b, l.x, partOf(b, c.inputs[1], d, 0, rows));
    dir.recurrent = partOf(b, c.inputs[2], d, 0, rows);
  }
  if (c.hasInput(3)) {
    Value bias = partOf(b, c.inputs[3], d, 0, rows);
    dir.inputGates = addTo(b, dir.inputGates, bias);
    dir.recurrentBias = partOf(b, c.inputs[3], d, rows, rows);
  }
  for (unsigned k = 0; k < stateCount; ++k) {
    if (!c.hasInput(5 + k)) {
      dir.states.push_back(fill(b, l.stateType(), numberAttr(l.stateType().getElementType(), 0)));
      continue;
    }
    Value first = c.inputs[5 + k];
    if (l.batchFirst)
      first = transpose(b, first, {1, 0, 2});
    dir.states.push_back(partOf(b, first, d, 0, l.batch));
  }
  return dir;
}

/// Runs all directions with the step that `makeStep` builds for one.
Results
runLayer(Layer &l, unsigned stateCount,
         function_ref<SmallVector<Value>(int64_t, Direction &, Value, ArrayRef<Value>)> step) {
  if (!l.c.type(0).getElementType().isF32())
    return l.c.reject("element types other than f32");
  bool firstReverse = l.c.stringAttr("direction", "forward") == "reverse";
  SmallVector<Value> ys;
  SmallVector<SmallVector<Value>> finals;
  for (int64_t d = 0; d < l.directions; ++d) {
    Direction dir = readDirection(l, d, stateCount);
    Value y;
    finals.push_back(
        runSteps(l, d == 1 || firstReverse, dir.inputGates, dir.states, y,
                 [&](Value gates, ArrayRef<Value> states) { return step(d, dir, gates, states); }));
    ys.push_back(y);
  }
  return finish(l, ys, finals);
}

} // namespace

Results runLstm(Layer &l) {
  NodeContext &c = l.c;
  Builder &b = c.b;
  if (c.intAttr("input_forget", 0))
    return c.reject("input_forget");
  int64_t h = l.hidden;
  return runLayer(l, 2, [&](int64_t d, Direction &dir, Value gates, ArrayRef<Value> states) {
    Activation f = l.activations[3 * d], g = l.activations[3 * d + 1],
               out = l.activations[3 * d + 2];
    Value own = l.recur ? l.recur(d, states[0]) : recur(b, states[0], dir.recurrent);
    Value sum = addTo(b, own, gates);
    if (dir.recurrentBias)
      sum = addTo(b, sum, dir.recurrentBias);
    Value gi = columns(b, sum, 0, h), go = columns(b, sum, h, h);
    Value gf = columns(b, sum, 2 * h, h), gc = columns(b, sum, 3 * h, h);
    SmallVector<Operand> operands{gi, gf, gc, states[1]}, last{go};
    bool peephole = c.hasInput(7);
    if (peephole) {
      operands.push_back(partOf(b, c.inputs[7], d, 0, h));
      operands.push_back(partOf(b, c.inputs[7], d, 2 * h, h));
    }
    Value cell = mapElements(b, l.stateType(), operands, [&](Scalars &s, ValueRange v) {
      Value i = peephole ? s.add(v[0], s.mul(v[4], v[3])) : v[0];
      Value forget = peephole ? s.add(v[1], s.mul(v[5], v[3])) : v[1];
      return s.add(s.mul(f(s, forget), v[3]), s.mul(f(s, i), g(s, v[2])));
    });
    last.push_back(cell);
    if (peephole)
      last.push_back(partOf(b, c.inputs[7], d, h, h));
    Value hidden = mapElements(b, l.stateType(), last, [&](Scalars &s, ValueRange v) {
      Value o = peephole ? s.add(v[0], s.mul(v[2], v[1])) : v[0];
      return s.mul(f(s, o), out(s, v[1]));
    });
    return SmallVector<Value>{hidden, cell};
  });
}

Results lstm(NodeContext &c) {
  FailureOr<Layer> layer = readLayer(c, 4, {"Sigmoid", "Tanh", "Tanh"});
  if (failed(layer))
    return failure();
  return runLstm(*layer);
}

/// Gates z, r, h.
Results gru(NodeContext &c) {
  FailureOr<Layer> layer = readLayer(c, 3, {"Sigmoid", "Tanh"});
  if (failed(layer))
    return failure();
  Layer &l = *layer;
  Builder &b = c.b;
  int64_t h = l.hidden;
  bool resetsAfter = c.intAttr("linear_before_reset", 0);
  return runLayer(l, 1, [&](int64_t d, Direction &dir, Value gates, ArrayRef<Value> states) {
    Activation f = l.activations[2 * d], g = l.activations[2 * d + 1];
    Value old = states[0];
    auto biasOf = [&](int64_t from, int64_t count) -> Value {
      return dir.recurrentBias ? takeRange(b, dir.recurrentBias, 0, from, 1, count) : Value();
    };
    auto withBias = [&](Value v, Value bias) { return bias ? addTo(b, v, bias) : v; };
    auto rows = [&](int64_t from, int64_t count) {
      return takeRange(b, dir.recurrent, 0, from, 1, count);
    };
    int64_t together = resetsAfter ? 3 * h : 2 * h; // rows that multiply the plain state
    Value own = withBias(recur(b, old, rows(0, together)), biasOf(0, together));
    RankedTensorType state = l.stateType();
    auto gate = [&](int64_t from) {
      return mapElements(b, state, {columns(b, own, from, h), columns(b, gates, from, h)},
                         [&](Scalars &s, ValueRange v) { return f(s, s.add(v[0], v[1])); });
    };
    Value z = gate(0), r = gate(h), candidate;
    if (resetsAfter) {
      candidate = mapElements(b, state, {columns(b, own, 2 * h, h), r},
                              [](Scalars &s, ValueRange v) { return s.mul(v[0], v[1]); });
    } else {
      Value reset = mapElements(b, state, {r, old},
                                [](Scalars &s, ValueRange v) { return s.mul(v[0], v[1]); });
      candidate = withBias(recur(b, reset, rows(2 * h, h)), biasOf(2 * h, h));
    }
    Value next = mapElements(b, state, {candidate, columns(b, gates, 2 * h, h), z, old},
                             [&](Scalars &s, ValueRange v) {
                               Value fresh = g(s, s.add(v[0], v[1]));
                               Value keep = s.sub(s.like(v[2], 1), v[2]);
                               return s.add(s.mul(keep, fresh), s.mul(v[2], v[3]));
                             });
    return SmallVector<Value>{next};
  });
}

Results rnn(NodeContext &c) {
  FailureOr<Layer> layer = readLayer(c, 1, {"Tanh"});
  if (failed(layer))
    return failure();
  Layer &l = *layer;
  Builder &b = c.b;
  return runLayer(l, 1, [&](int64_t d, Direction &dir, Value gates, ArrayRef<Value> states) {
    SmallVector<Operand> operands{recur(b, states[0], dir.recurrent), gates};
    if (dir.recurrentBias)
      operands.push_back(dir.recurrentBias);
    Value next = mapElements(b, l.stateType(), operands, [&](Scalars &s, ValueRange v) {
      Value sum = s.add(v[0], v[1]);
      return l.activations[d](s, v.size() > 2 ? s.add(sum, v[2]) : sum);
    });
    return SmallVector<Value>{next};
  });
}

} // namespace mtc::onnx_import
