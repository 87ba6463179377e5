//===- MakeContentsTest.cpp - programs into a bundle's contents -----------===//
#include "mtc/Target/Bundle/MakeContents.h"
#include "mtc/Dialect/MT/IR/Register.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace mtc;

namespace {

/// Two weights, one of them derived: twice the first.
const char *const program = R"(
mt.program @set {
  mt.weight @a : tensor<2xf32> value(dense<[1.0, 2.0]> : tensor<2xf32>)
  mt.weight @b : tensor<2xf32> derive(@a) {
  ^bb0(%a: tensor<2xf32>):
    %e = tensor.empty() : tensor<2xf32>
    %s = linalg.add ins(%a, %a : tensor<2xf32>, tensor<2xf32>) outs(%e : tensor<2xf32>) -> tensor<2xf32>
    mt.yield %s : tensor<2xf32>
  }
}
)";

struct MakeContents : testing::Test {
  MakeContents() : context(mlir::MLIRContext::Threading::DISABLED) {
    mlir::DialectRegistry registry;
    registerMtcDialects(registry);
    context.appendDialectRegistry(registry);
    module = mlir::parseSourceString<mlir::ModuleOp>(program, &context);
  }

  /// The program with its weights in reverse order, behind `firstWeight` others.
  CompiledTarget compiled(const char *name, int32_t firstWeight) {
    CompiledTarget target;
    target.program = *module->getOps<mt::ProgramOp>().begin();
    for (mt::WeightOp weight : target.program.getOps<mt::WeightOp>())
      target.weights.insert(target.weights.begin(), weight);
    target.firstWeight = firstWeight;
    target.data.target = name;
    return target;
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

std::vector<float> produced(const BundleWeight &weight) {
  std::vector<uint8_t> bytes;
  Status status = weight.produce(bytes);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(int64_t(bytes.size()), weight.bytes);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Weights stand in the order that the problem counts them, targets one after the other, and bytes
// are evaluated.
TEST_F(MakeContents, ListsTheWeightsOfAllTargets) {
  ASSERT_TRUE(module);
  std::vector<CompiledTarget> targets;
  targets.push_back(compiled("host:a", 0));
  targets.push_back(compiled("host:b", 2));
  StatusOr<Contents> contents = makeContents(std::move(targets));
  ASSERT_TRUE(contents.ok()) << contents.status().message();
  ASSERT_EQ(contents->weights.size(), 4u);
  EXPECT_EQ(contents->weights[0].name, "b");
  EXPECT_EQ(produced(contents->weights[0]), (std::vector<float>{2, 4}));
  EXPECT_EQ(contents->weights[1].name, "a");
  EXPECT_EQ(produced(contents->weights[3]), (std::vector<float>{1, 2}));
  ASSERT_EQ(contents->targets.size(), 2u);
  EXPECT_EQ(contents->targets[1].target, "host:b");
}

// A target whose weights are counted from elsewhere would read another target's bytes.
TEST_F(MakeContents, RefusesWeightsCountedFromElsewhere) {
  ASSERT_TRUE(module);
  std::vector<CompiledTarget> targets;
  targets.push_back(compiled("host:a", 1));
  StatusOr<Contents> contents = makeContents(std::move(targets));
  ASSERT_FALSE(contents.ok());
  EXPECT_EQ(contents.status().message(), "the weights of target 'host:a' start at 1 instead of 0");
}

// Only values that are weights are counted anew.
TEST(ShiftWeights, LeavesOtherValuesAlone) {
  Problem problem;
  problem.entries.resize(1);
  problem.entries[0].values = {
      {ValueKind::Weight, 8, 1}, {ValueKind::Input, 8, 0}, {ValueKind::Intermediate, 8, -1}};
  shiftWeights(problem, 5);
  EXPECT_EQ(problem.entries[0].values[0].index, 6);
  EXPECT_EQ(problem.entries[0].values[1].index, 0);
  EXPECT_EQ(problem.entries[0].values[2].index, -1);
}

// A text that is too long ends at a line and says how much is missing.
TEST(CapText, CutsAtALine) {
  EXPECT_EQ(capText("ab\ncd\n", 6), "ab\ncd\n");
  EXPECT_EQ(capText("ab\ncd\nef\n", 7), "ab\ncd\n// 3 more bytes are left out\n");
  EXPECT_EQ(capText("abcdef", 4), "abcd// 2 more bytes are left out\n");
}

} // namespace
