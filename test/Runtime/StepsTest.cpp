//===- StepsTest.cpp - plans cut into graphs by contexts ------------------===//
#include "CUDA/Steps.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::gpu;

namespace {

std::vector<Command> commandsWith(const std::vector<std::vector<int32_t>> &waits) {
  std::vector<Command> commands(waits.size());
  for (size_t c = 0; c < waits.size(); ++c)
    commands[c].waits = waits[c];
  return commands;
}

// What never waits for another context is one step.
TEST(Steps, OnePerContext) {
  const auto steps = cutByContexts(commandsWith({{}, {}, {0}, {1}}), {0, 1, 0, 1});
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps[0].commands, (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(steps[1].commands, (std::vector<int32_t>{1, 3}));
  EXPECT_TRUE(steps[0].after.empty());
  EXPECT_TRUE(steps[1].after.empty());
}

// Contexts that wait for each other in turn are cut where they do; a step waits for steps before
// it.
TEST(Steps, CutWhereContextsWait) {
  // 0 and 1 of a and b; 2 of a behind both, 3 of b behind 2, 4 of b behind 1 alone.
  const auto steps = cutByContexts(commandsWith({{}, {}, {0, 1}, {2}, {1}}), {7, 8, 7, 8, 8});
  ASSERT_EQ(steps.size(), 4u);
  EXPECT_EQ(steps[0].commands, (std::vector<int32_t>{0}));
  EXPECT_EQ(steps[1].commands, (std::vector<int32_t>{1, 4}));
  EXPECT_EQ(steps[2].commands, (std::vector<int32_t>{2}));
  EXPECT_EQ(steps[2].after, (std::vector<int32_t>{1}));
  EXPECT_EQ(steps[3].commands, (std::vector<int32_t>{3}));
  EXPECT_EQ(steps[3].context, 8);
  EXPECT_EQ(steps[3].after, (std::vector<int32_t>{2}));
}

TEST(Steps, Nothing) { EXPECT_TRUE(cutByContexts({}, {}).empty()); }

} // namespace
