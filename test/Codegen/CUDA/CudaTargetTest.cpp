//===- CudaTargetTest.cpp - targets by name -------------------------------===//
#include "mtc/Codegen/CUDA/CudaTarget.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::cuda;

namespace {

// The resolved name says all that was chosen and resolves to itself.
TEST(CudaTarget, Resolves) {
  for (auto [text, name, gpu, units] :
       {std::tuple("cuda:sm_90a", "cuda:sm_90a,units=132", "h200", 132),
        {"cuda:sm_90a,gpu=h100", "cuda:sm_90a,gpu=h100,units=132", "h100", 132},
        {"cuda:sm_90a,units=16", "cuda:sm_90a,units=16", "h200", 16},
        {"cuda:sm_90a,staged,units=16", "cuda:sm_90a,units=16,staged", "h200", 16},
        {"cuda:sm_90a,maps=off,staged", "cuda:sm_90a,units=132,staged,maps=off", "h200", 132},
        {"cuda:sm_90a,maps=on", "cuda:sm_90a,units=132", "h200", 132},
        {"cuda:sm_80", "cuda:sm_80,units=108", "a100", 108}}) {
    auto target = resolve(text);
    ASSERT_TRUE(target.ok()) << target.status().message();
    EXPECT_EQ(target->name, name);
    EXPECT_EQ(target->gpu.name, std::string(gpu));
    EXPECT_EQ(target->gpu.units, units);
    auto again = resolve(target->name);
    ASSERT_TRUE(again.ok()) << again.status().message();
    EXPECT_EQ(again->name, name);
    EXPECT_EQ(again->maps, target->maps);
  }
  EXPECT_TRUE(resolve("cuda:sm_90a")->maps);
  EXPECT_FALSE(resolve("cuda:sm_90a,maps=off")->maps);
  EXPECT_FALSE(resolve("cuda:sm_80")->maps);
}

TEST(CudaTarget, Refuses) {
  auto message = [](const char *text) { return resolve(text).status().message(); };
  EXPECT_EQ(
      message("cuda"),
      "target 'cuda': must be 'cuda:ARCHITECTURE[,gpu=NAME][,units=N][,staged][,maps=on|off]'; "
      "known architectures: sm_90a, sm_80, sm_89");
  EXPECT_EQ(message("cuda:sm_70"), "target 'cuda:sm_70': unknown architecture 'sm_70'; known "
                                   "architectures: sm_90a, sm_80, sm_89");
  EXPECT_EQ(message("cuda:sm_80,gpu=h100"), "target 'cuda:sm_80,gpu=h100': gpu 'h100' is of "
                                            "architecture 'sm_90a', not 'sm_80'");
  EXPECT_EQ(message("cuda:sm_80,gpu=v100"),
            "target 'cuda:sm_80,gpu=v100': unknown GPU 'v100'; known: h200, h100, a100, l4");
  EXPECT_EQ(message("cuda:sm_80,staged"),
            "target 'cuda:sm_80,staged': staged weights are for sm_90a, got 'sm_80'");
  EXPECT_EQ(message("cuda:sm_89,maps=off"),
            "target 'cuda:sm_89,maps=off': tensor maps are for sm_90a, got 'sm_89'");
  EXPECT_EQ(message("cuda:sm_90a,units=7"),
            "target 'cuda:sm_90a,units=7': units must be 8 to 512, got 7");
  EXPECT_EQ(message("cuda:sm_90a,cores=2"),
            "target 'cuda:sm_90a,cores=2': got 'cores=2', wanted gpu=NAME, units=N, staged, "
            "maps=on or maps=off");
}

} // namespace
