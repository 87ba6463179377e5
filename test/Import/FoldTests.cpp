//===- FoldTests.cpp - operators on small constants -----------------------===//
//
// The conformance tests of each operator run the handlers; here are the corners where folding
// must agree with run time or leave the node to it.
//
//===----------------------------------------------------------------------===//
#include "TestModel.h"

#include <cmath>
#include <limits>

namespace mtc::onnx_import {
namespace {

using T = onnx::TensorProto;

SmallTensor ints(std::vector<int64_t> values, int32_t type = T::INT64) {
  SmallTensor t{type, {static_cast<int64_t>(values.size())}, std::move(values), {}};
  return t;
}
SmallTensor scalar(int64_t value, int32_t type = T::INT64) { return {type, {}, {value}, {}}; }
SmallTensor floats(std::vector<double> values) {
  SmallTensor t{T::FLOAT, {static_cast<int64_t>(values.size())}, {}, std::move(values)};
  return t;
}

onnx::NodeProto node(const std::string &op, std::map<std::string, int64_t> attributes = {}) {
  onnx::NodeProto n;
  n.set_op_type(op);
  n.add_output("y");
  for (const auto &[name, value] : attributes) {
    onnx::AttributeProto &a = *n.add_attribute();
    a.set_name(name);
    a.set_type(onnx::AttributeProto::INT);
    a.set_i(value);
  }
  return n;
}

std::optional<SmallTensor> fold(const onnx::NodeProto &n, std::vector<SmallTensor> inputs) {
  llvm::SmallVector<const SmallTensor *> pointers;
  for (const SmallTensor &input : inputs)
    pointers.push_back(&input);
  auto results = foldNode(n, pointers);
  return results ? std::optional((*results)[0]) : std::nullopt;
}

// min / -1 traps on the CPU; it wraps, as at run time. Division by zero is left to run time.
TEST(Fold, DivisionCorners) {
  int64_t min = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(fold(node("Div"), {scalar(min), scalar(-1)})->ints[0], min);
  EXPECT_EQ(fold(node("Mod"), {scalar(min), scalar(-1)})->ints[0], 0);
  EXPECT_EQ(fold(node("Div"), {scalar(INT32_MIN, T::INT32), scalar(-1, T::INT32)})->ints[0],
            INT32_MIN);
  EXPECT_FALSE(fold(node("Div"), {scalar(1), scalar(0)}));
  EXPECT_FALSE(fold(node("Mod"), {scalar(1), scalar(0)}));
  EXPECT_EQ(fold(node("Div"), {scalar(-7), scalar(2)})->ints[0], -3);
  EXPECT_EQ(fold(node("Mod"), {scalar(-7), scalar(2)})->ints[0], 1);
  EXPECT_EQ(fold(node("Mod", {{"fmod", 1}}), {scalar(-7), scalar(2)})->ints[0], -1);
  EXPECT_EQ(fold(node("Div"), {scalar(-2, T::UINT64), scalar(2, T::UINT64)})->ints[0], INT64_MAX);
}

// Integers wrap to their type.
TEST(Fold, Wrapping) {
  EXPECT_EQ(fold(node("Add"), {scalar(INT64_MAX), scalar(1)})->ints[0], INT64_MIN);
  EXPECT_EQ(fold(node("Mul"), {scalar(200, T::UINT8), scalar(2, T::UINT8)})->ints[0], 144);
  EXPECT_EQ(fold(node("Neg"), {scalar(INT64_MIN)})->ints[0], INT64_MIN);
  EXPECT_EQ(fold(node("Abs"), {scalar(INT64_MIN)})->ints[0], INT64_MIN);
}

// Casts of NaN, infinity and numbers that do not fit are left to run time; the others truncate.
TEST(Fold, Casts) {
  double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  for (double value : {nan, infinity, -infinity, 3e9, -3e9, 1e30})
    EXPECT_FALSE(fold(node("Cast", {{"to", T::INT32}}), {floats({value})})) << value;
  EXPECT_FALSE(fold(node("Cast", {{"to", T::UINT8}}), {floats({-1})}));
  EXPECT_FALSE(fold(node("Cast", {{"to", T::UINT64}}), {floats({-1})}));
  EXPECT_FALSE(fold(node("Cast", {{"to", T::INT64}}), {floats({9.3e18})}));
  EXPECT_EQ(fold(node("Cast", {{"to", T::INT64}}), {floats({-2.7})})->ints[0], -2);
  EXPECT_EQ(fold(node("Cast", {{"to", T::BOOL}}), {floats({0.5})})->ints[0], 1);
  EXPECT_EQ(fold(node("Cast", {{"to", T::INT8}}), {scalar(300)})->ints[0], 44);
  EXPECT_EQ(fold(node("Cast", {{"to", T::FLOAT}}), {scalar(16777217)})->floats[0], 16777216.0);
  EXPECT_FALSE(fold(node("Cast", {{"to", T::STRING}}), {scalar(1)}));
  EXPECT_FALSE(fold(node("Cast", {{"to", 99}}), {scalar(1)}));
}

// Slices clamp as ONNX says, with limits far outside and negative steps.
TEST(Fold, Slices) {
  SmallTensor x = ints({0, 1, 2, 3, 4});
  auto slice = [&](int64_t start, int64_t end, int64_t step) {
    return fold(node("Slice"), {x, ints({start}), ints({end}), ints({0}), ints({step})});
  };
  EXPECT_EQ(slice(1, INT64_MAX, 2)->ints, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(slice(-2, INT64_MAX, 1)->ints, (std::vector<int64_t>{3, 4}));
  EXPECT_EQ(slice(INT64_MAX, INT64_MIN, -1)->ints, (std::vector<int64_t>{4, 3, 2, 1, 0}));
  EXPECT_EQ(slice(3, -100, -2)->ints, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(slice(INT64_MIN, INT64_MAX, INT64_MAX)->ints, (std::vector<int64_t>{0}));
  EXPECT_TRUE(slice(4, 2, 1)->ints.empty());
  EXPECT_FALSE(slice(0, 5, 0));
  EXPECT_FALSE(fold(node("Slice"), {x, ints({0}), ints({1}), ints({1})}));
}

// Sizes that would not fit stay unfolded instead of being allocated.
TEST(Fold, Caps) {
  EXPECT_FALSE(fold(node("ConstantOfShape"), {ints({1 << 20, 1 << 20})}));
  EXPECT_FALSE(fold(node("ConstantOfShape"), {ints({-1})}));
  EXPECT_FALSE(fold(node("Range"), {scalar(0), scalar(INT64_MAX), scalar(1)}));
  EXPECT_FALSE(fold(node("Range"), {scalar(0), scalar(4), scalar(0)}));
  EXPECT_EQ(fold(node("Range"), {scalar(INT64_MAX), scalar(INT64_MIN), scalar(INT64_MIN)})->ints,
            (std::vector<int64_t>{INT64_MAX, -1}));
  EXPECT_FALSE(fold(node("Expand"), {scalar(1), ints({INT64_MAX, INT64_MAX})}));
  EXPECT_FALSE(fold(node("Tile"), {ints({1, 2}), ints({INT64_MAX})}));
  EXPECT_FALSE(fold(node("Reshape"), {ints({1, 2}), ints({INT64_MAX, 2})}));
}

// Indices outside and axes out of range are left to the checks of run time and schema.
TEST(Fold, OutOfRange) {
  EXPECT_FALSE(fold(node("Gather"), {ints({1, 2}), scalar(2)}));
  EXPECT_FALSE(fold(node("Gather", {{"axis", 1}}), {ints({1, 2}), scalar(0)}));
  EXPECT_EQ(fold(node("Gather"), {ints({1, 2}), scalar(-1)})->ints[0], 2);
  EXPECT_FALSE(fold(node("Unsqueeze"), {ints({1, 2}), ints({3})}));
  EXPECT_FALSE(fold(node("Unsqueeze"), {ints({1, 2}), ints({0, 0})}));
  EXPECT_FALSE(fold(node("Concat", {{"axis", 1}}), {ints({1}), ints({2})}));
  EXPECT_FALSE(fold(node("Squeeze"), {ints({1, 2}), ints({0})}));
}

// f32 arithmetic rounds to f32, as at run time.
TEST(Fold, FloatRounding) {
  SmallTensor tenth = floats({static_cast<double>(0.1f)}),
              third = floats({static_cast<double>(1.0f / 3)});
  EXPECT_EQ(fold(node("Mul"), {tenth, third})->floats[0], static_cast<double>(0.1f * (1.0f / 3)));
  EXPECT_EQ(fold(node("Sqrt"), {tenth})->floats[0], static_cast<double>(std::sqrt(0.1f)));
}

// What exporters expand masks and positions with.
TEST(Fold, Moves) {
  SmallTensor x{T::INT64, {2, 3}, {1, 2, 3, 4, 5, 6}, {}};
  EXPECT_EQ(fold(node("Transpose"), {x})->ints, (std::vector<int64_t>{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(fold(node("Gather", {{"axis", 1}}), {x, ints({2, 0})})->ints,
            (std::vector<int64_t>{3, 1, 6, 4}));
  EXPECT_EQ(fold(node("Concat", {{"axis", -1}}), {x, x})->ints,
            (std::vector<int64_t>{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  EXPECT_EQ(fold(node("ReduceProd", {{"keepdims", 0}}), {x, ints({1})})->ints,
            (std::vector<int64_t>{6, 120}));
  EXPECT_EQ(fold(node("NonZero"), {ints({0, 3, 0, 4})})->ints, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(fold(node("Tile"), {ints({1, 2}), ints({2})})->ints,
            (std::vector<int64_t>{1, 2, 1, 2}));
  EXPECT_EQ(fold(node("Expand"), {ints({1, 2}), ints({2, 1})})->ints,
            (std::vector<int64_t>{1, 2, 1, 2}));
  EXPECT_EQ(fold(node("Where"), {ints({1, 0}, T::BOOL), ints({5, 6}), scalar(7)})->ints,
            (std::vector<int64_t>{5, 7}));
}

} // namespace
} // namespace mtc::onnx_import
