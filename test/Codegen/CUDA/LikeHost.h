//===- LikeHost.h - CUDA kernels against plain loops of the host ----------===//
#pragma once

#include "EmulatedProgram.h"

#include <gtest/gtest.h>

#include <cmath>

namespace mtc::cuda::test {

/// Runs a kernel three times in the emulator, with other grids, ranges of tiles, seeds and so other
/// orders of blocks and threads: the answers are bitwise equal (rule R3) and those of plain loops
/// of the host. `tolerance` is relative to the largest value of a result; with `integers` all
/// operands are integers from -4 to 4, and a `config` takes the place of the chosen one.
inline void expectLikeHost(const std::string &text, const std::string &emitter,
                           double tolerance = 2e-6, bool plain = false, bool integers = false,
                           const std::string &config = "") {
  host::test::Program host(text, "host:x86-64-v3,cores=2", /*plain=*/true);
  ASSERT_EQ(host.error, "");
  EmulatedProgram gpu(text, plain, "cuda:sm_90a", config);
  ASSERT_EQ(gpu.error, "");
  EXPECT_EQ(gpu.emitter(), emitter);

  const size_t arguments = gpu.kernel().getArgumentTypes().size();
  auto operands = [&] {
    std::vector<Buffer> buffers = host.buffers(0);
    for (size_t i = 0; integers && i < arguments; ++i)
      for (size_t e = 0; e < buffers[i].size() / 4; ++e)
        buffers[i].as<float>()[e] = std::round(4 * buffers[i].as<float>()[e]);
    return buffers;
  };
  std::vector<Buffer> wanted = operands();
  ASSERT_EQ(host.run(0, wanted), 0);
  std::vector<std::vector<Buffer>> got;
  for (auto [parts, blocks] : {std::pair(1, 1), {3, 2}, {1, 5}}) {
    got.push_back(operands());
    Status status = gpu.run(got.back(), parts, blocks, 17 * parts + blocks);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  for (size_t i = arguments; i < wanted.size(); ++i) {
    for (size_t other = 1; other < got.size(); ++other)
      EXPECT_EQ(std::memcmp(got[0][i].data(), got[other][i].data(), wanted[i].size()), 0)
          << "result " << i << " depends on the order of blocks";
    double largest = 0, error = 0;
    for (size_t e = 0; e < wanted[i].size() / 4; ++e) {
      double w = wanted[i].as<float>()[e], g = got[0][i].as<float>()[e];
      if (std::isnan(w) && std::isnan(g))
        continue;
      ASSERT_FALSE(std::isnan(g) || std::isnan(w)) << "element " << e;
      largest = std::max(largest, std::abs(w));
      error = std::max(error, std::abs(w - g));
    }
    EXPECT_LE(error, tolerance * largest) << "result " << i;
  }
}

} // namespace mtc::cuda::test
