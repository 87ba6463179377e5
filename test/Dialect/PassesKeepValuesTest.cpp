//===- PassesKeepValuesTest.cpp - a model before and after each pass ------===//
//
// The entries of small models that hold every form the passes rewrite, evaluated before and after
// each pass of the pipeline on the same pseudo-random inputs.
//
//===----------------------------------------------------------------------===//
#include "EvaluateEntry.h"
#include "mtc/Dialect/MT/IR/Register.h"
#include "mtc/Dialect/MT/Transforms/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

using namespace mlir;
using namespace mtc;
using namespace mtc::mt;

namespace {

/// Floats in (-1, 1), or any bytes, from a linear congruential generator (constants of Numerical
/// Recipes).
TensorBytes randomTensor(Type type, uint32_t seed) {
  auto tensor = cast<RankedTensorType>(type);
  if (tensor.getElementType().isInteger(8)) {
    auto bytes = std::make_shared<std::vector<uint8_t>>(tensor.getNumElements());
    for (uint8_t &x : *bytes) {
      seed = seed * 1664525u + 1013904223u;
      x = seed >> 24;
    }
    return {tensor, *bytes, bytes};
  }
  auto data = std::make_shared<std::vector<float>>(tensor.getNumElements());
  for (float &x : *data) {
    seed = seed * 1664525u + 1013904223u;
    x = float(int32_t(seed)) / 2147483648.0f;
  }
  return {tensor,
          {reinterpret_cast<const uint8_t *>(data->data()), data->size() * sizeof(float)},
          data};
}

std::vector<float> valuesOf(EntryOp entry, unsigned index) {
  std::vector<TensorBytes> inputs;
  for (auto [i, type] : llvm::enumerate(entry.getArgumentTypes()))
    inputs.push_back(randomTensor(type, i + 1));
  StatusOr<TensorBytes> bytes =
      evaluateEntry(entry->getParentOfType<ProgramOp>(), entry, inputs, index);
  EXPECT_TRUE(bytes.ok()) << (bytes.ok() ? "" : bytes.status().message());
  if (!bytes.ok())
    return {};
  std::vector<float> values(bytes->data.size() / sizeof(float));
  std::memcpy(values.data(), bytes->data.data(), bytes->data.size());
  return values;
}

class PassesKeepValues : public testing::TestWithParam<const char *> {};

// After every pass the results differ from the unoptimized ones by rounding only: 1e-6 of their
// norm; minimal filtering rounds more, 2e-5 at most.
TEST_P(PassesKeepValues, afterEachPass) {
  DialectRegistry registry;
  registerMtcDialects(registry);
  MLIRContext context(registry);
  std::string path = std::string(MTC_TEST_DIR "/Inputs/") + GetParam();
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(path, &context);
  ASSERT_TRUE(module);
  auto entryOf = [&] {
    EntryOp entry;
    module->walk([&](EntryOp e) { entry = e; });
    return entry;
  };
  unsigned results = entryOf().getResultTypes().size();
  std::vector<std::vector<float>> expected;
  for (unsigned i = 0; i < results; ++i)
    expected.push_back(valuesOf(entryOf(), i));

  using Make = std::unique_ptr<Pass> (*)();
  const std::pair<const char *, Make> passes[] = {
      {"mt-narrow-contractions", [] { return createNarrowContractions(); }},
      {"mt-fold-weights", [] { return createFoldWeights(); }},
      {"mt-fold-scales", [] { return createFoldScales(); }},
      {"mt-propagate-layout", [] { return createPropagateLayout(); }},
      {"mt-fuse-elementwise", [] { return createFuseElementwise(); }},
      {"mt-gather-one-hots", [] { return createGatherOneHots(); }},
      {"mt-narrow-weights", [] { return createNarrowWeights(); }},
      {"mt-form-tasks", [] { return createFormTasks(); }},
      {"mt-fuse-attention", [] { return createFuseAttention({1}); }},
      {"mt-use-winograd", [] { return createUseWinograd(); }},
      {"mt-pack-weights", [] { return createPackWeights(); }},
      {"mt-share-kernels", [] { return createShareKernels(); }},
  };
  double bound = 1e-6;
  bool hasAttention = false;
  for (auto [name, make] : passes) {
    PassManager manager(&context);
    manager.nest<ProgramOp>().addPass(make());
    ASSERT_TRUE(succeeded(manager.run(*module))) << name;
    module->walk([&](KernelOp kernel) {
      if (kernel.getNumerics().value_or("").starts_with("winograd"))
        bound = 2e-5;
      hasAttention |= kernel.getKind() == KernelKind::Attention;
    });
    for (unsigned i = 0; i < results; ++i) {
      std::vector<float> got = valuesOf(entryOf(), i);
      ASSERT_EQ(got.size(), expected[i].size()) << name;
      double difference = 0, norm = 0;
      for (size_t j = 0; j < got.size(); ++j) {
        difference += std::pow(double(got[j]) - expected[i][j], 2);
        norm += std::pow(double(expected[i][j]), 2);
      }
      EXPECT_GT(norm, 0) << name;
      EXPECT_LE(std::sqrt(difference), bound * std::sqrt(norm)) << name << ", result " << i;
    }
  }
  EXPECT_EQ(hasAttention, llvm::StringRef(GetParam()) == "attention.mlir");
}

INSTANTIATE_TEST_SUITE_P(Models, PassesKeepValues,
                         testing::Values("convolutions.mlir", "attention.mlir", "winograd.mlir",
                                         "quantized.mlir", "narrow.mlir", "control-flow.mlir",
                                         "one-hots.mlir"),
                         [](const auto &info) {
                           std::string name = llvm::StringRef(info.param).split('.').first.str();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
