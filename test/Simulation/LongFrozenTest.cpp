//===- LongFrozenTest.cpp - results on frozen problems that take minutes --===//
#include "Compare.h"

#include <gtest/gtest.h>

using namespace mtc;
using namespace mtc::test;

namespace {

// What joint promises at batch 8: never worse than one tenant after the other, and no tenant much
// slower than with streams. In half precision S2 needs launches of several for that: dnsmos_sig
// runs beside eight recurrent tenants of tiny tasks, whose own launches would hold a granule each.
TEST(Frozen, JointAtBatchEight) {
  Gains f32 = *gainsOf("gpu-f32", 8), f16 = *gainsOf("gpu-f16", 8);
  EXPECT_LE(std::max(f32.worstOverSequential, f16.worstOverSequential), 1.02);
  EXPECT_LE(std::max(f32.worstAgainstStreams, f16.worstAgainstStreams), 1.2);
}

} // namespace
