//===- SearchTest.cpp - candidates, halving, choice -----------------------===//
#include "mtc/Tuning/Search.h"
#include "mtc/Tuning/Candidates.h"
#include "mtc/Tuning/Report.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mtc {
namespace {

Config numbered(int64_t n) { return {"rows", {{"rows", {n}, true}}}; }

std::vector<Config> spaceOf(int64_t count) {
  std::vector<Config> space;
  for (int64_t i = 1; i <= count; ++i)
    space.push_back(numbered(i));
  return space;
}

// The best of the model for one granule and for all, the default first, some of the rest; equal
// seeds give equal candidates, other seeds others.
TEST(Search, Candidates) {
  auto rank = [](const Config &config, int32_t granules) {
    const auto n = double(config.numbers[0].values[0]);
    return granules == 1 ? n : 100 - n;
  };
  auto choose = [&](uint64_t seed) {
    return chooseCandidates(spaceOf(100), numbered(50), 12, 4, seed, rank);
  };
  const std::vector<Config> chosen = choose(1);
  ASSERT_EQ(chosen.size(), 12u);
  EXPECT_EQ(chosen[0], numbered(50));
  EXPECT_EQ(chosen[1], numbered(1));
  EXPECT_EQ(chosen[2], numbered(100));
  for (size_t i = 0; i < chosen.size(); ++i)
    EXPECT_EQ(std::count(chosen.begin(), chosen.end(), chosen[i]), 1);
  auto drawn = [&](int64_t percent) {
    return chooseCandidates(spaceOf(100), numbered(50), 12, 4, 1, rank, percent);
  };
  EXPECT_EQ(drawn(25), chosen);
  EXPECT_EQ(drawn(0)[11], numbered(6));
  EXPECT_NE(drawn(100)[1], numbered(1));
  EXPECT_EQ(choose(1), chosen);
  EXPECT_NE(choose(2), chosen);
  EXPECT_EQ(chooseCandidates(spaceOf(3), numbered(2), 12, 4, 1, rank).size(), 3u);
  EXPECT_EQ(chooseCandidates({}, numbered(2), 12, 4, 1, rank).size(), 1u);
  EXPECT_TRUE(chooseCandidates(spaceOf(3), numbered(2), 0, 4, 1, rank).empty());
}

// With all to be left nobody drops out; every other turn is a half.
TEST(Search, Equally) {
  HalvingOptions options;
  options.lastSamples = 12;
  options.leave = 9;
  auto sample = [](size_t candidate, int32_t count) -> StatusOr<std::vector<int64_t>> {
    return std::vector<int64_t>(size_t(count), 100 + int64_t(candidate));
  };
  auto results = halve(9, options, sample);
  ASSERT_TRUE(results.ok());
  for (const HalvedCandidate &result : *results)
    EXPECT_EQ(result.samples.size(), 12u);
  const int64_t samples[] = {5, 6, 7, 15, 16, 17, 4, 8, 9};
  EXPECT_EQ(halvesOf(samples, 3), (std::array<int64_t, 2>{5, 15}));
  EXPECT_EQ(halvesOf(std::span(samples, 3), 3), (std::array<int64_t, 2>{0, 0}));
}

// Steps follow the weights within the limits; all are used while kernels have configs left.
TEST(Search, Steps) {
  const double weights[] = {1, 10, 100};
  const int64_t wide[] = {100, 100, 100}, narrow[] = {3, 3, 3};
  const std::vector<int64_t> split = splitSteps(60, weights, wide);
  EXPECT_EQ(split[0] + split[1] + split[2], 60);
  EXPECT_GE(split[0], 2);
  EXPECT_LT(split[0], split[1]);
  EXPECT_LT(split[1], split[2]);
  EXPECT_EQ(splitSteps(60, weights, narrow), (std::vector<int64_t>{3, 3, 3}));
  EXPECT_EQ(splitSteps(3, weights, wide), (std::vector<int64_t>{0, 0, 3}));
  EXPECT_EQ(splitSteps(0, weights, wide), (std::vector<int64_t>{0, 0, 0}));
}

// The fastest is among those that are sampled to the end, and so is candidate 0; the slow ones are
// sampled least.
TEST(Search, Halving) {
  constexpr size_t count = 16;
  int64_t taken = 0;
  auto results = halve(count, {}, [&](size_t candidate, int32_t samples) {
    taken += samples;
    // The noise is larger than the first differences.
    std::vector<int64_t> ns;
    for (int32_t i = 0; i < samples; ++i)
      ns.push_back(1000 + int64_t((candidate * 7 + 3) % count) * 50 + (taken * 37) % 60);
    return StatusOr<std::vector<int64_t>>(ns);
  });
  ASSERT_TRUE(results.ok());
  size_t best = 0;
  for (size_t i = 0; i < count; ++i)
    if ((i * 7 + 3) % count == 0)
      best = i;
  EXPECT_EQ((*results)[best].samples.size(), 15u);
  EXPECT_EQ((*results)[0].samples.size(), 15u);
  EXPECT_EQ(std::count_if(results->begin(), results->end(),
                          [](const HalvedCandidate &c) { return c.samples.size() == 3; }),
            8);
  EXPECT_LT(taken, int64_t(count) * 15 / 2);
}

// An error while measuring ends the search; no candidates are no error.
TEST(Search, HalvingFails) {
  EXPECT_FALSE(halve(3, {}, [](size_t, int32_t) {
                 return StatusOr<std::vector<int64_t>>(internalError("lost"));
               }).ok());
  EXPECT_TRUE(halve(0, {}, nullptr).ok());
}

TimeRecord timeOf(std::string config, int32_t granules, std::string neighbour, int64_t ns) {
  return {{"k", std::move(config), granules, std::move(neighbour), "d"}, ns, ns ? 9 : 0, ""};
}

bool all(const std::string &) { return true; }

// Another config on one core, where the neighbour counts, than on both.
TEST(Search, ChoosesByShare) {
  const std::vector<TimeRecord> records = {
      timeOf("a", 1, "none", 100), timeOf("a", 1, "high", 400), timeOf("a", 2, "none", 80),
      timeOf("b", 1, "none", 110), timeOf("b", 1, "high", 200), timeOf("b", 2, "none", 90),
      timeOf("c", 1, "none", 140), timeOf("c", 1, "high", 300), timeOf("c", 2, "none", 60),
      timeOf("d", 2, "none", 1),   timeOf("e", 1, "none", 0)};
  auto usable = [](const std::string &config) { return config != "d"; };
  const std::vector<ChosenVariant> chosen = chooseVariants(records, "a", 2, usable);
  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_EQ(chosen[0].config, "b");
  EXPECT_EQ(chosen[1].config, "c");
  ASSERT_EQ(chosen[0].times.size(), 2u);
  EXPECT_EQ(chosen[0].times[0].ns, 110);
  EXPECT_EQ(chosen[0].times[1].ns, 90);
  EXPECT_EQ(chosen[0].times[0].origin, TimeOrigin::Measured);
  // What is not faster on more granules is not listed for them.
  const std::vector<TimeRecord> flat = {timeOf("a", 1, "none", 100), timeOf("a", 2, "none", 120)};
  EXPECT_EQ(chooseVariants(flat, "a", 2, all)[0].times.size(), 1u);
}

// Flushed caches count on every share; loaded neighbours, which are measured on one core only, do
// not keep a config from being chosen on two of four.
TEST(Search, ChoosesForColdCaches) {
  std::vector<TimeRecord> records;
  for (int32_t granules : {1, 2, 4})
    for (const char *config : {"a", "b"}) {
      const bool isFirst = *config == 'a';
      records.push_back(timeOf(config, granules, "none", (isFirst ? 100 : 110) / granules));
      records.push_back(timeOf(config, granules, kFlushed, (isFirst ? 200 : 150) / granules));
    }
  records.push_back(timeOf("a", 1, "high", 100));
  records.push_back(timeOf("b", 1, "high", 100));
  const std::vector<ChosenVariant> chosen = chooseVariants(records, "a", 4, all);
  ASSERT_EQ(chosen.size(), 1u);
  EXPECT_EQ(chosen[0].config, "b");
  EXPECT_EQ(chosen[0].times.size(), 3u);
  std::erase_if(records, [](const TimeRecord &r) { return r.key.neighbour == kFlushed; });
  EXPECT_EQ(chooseVariants(records, "a", 4, all)[0].config, "a");
}

// Noise does not replace the default: it must be beaten by more than the margin.
TEST(Search, KeepsTheDefaultWithinTheMargin) {
  std::vector<TimeRecord> records = {timeOf("a", 1, "none", 100), timeOf("b", 1, "none", 99)};
  EXPECT_EQ(chooseVariants(records, "a", 1, all)[0].config, "a");
  records[1].ns = 90;
  EXPECT_EQ(chooseVariants(records, "a", 1, all)[0].config, "b");
  EXPECT_TRUE(chooseVariants({}, "a", 1, all).empty());
  const std::vector<TimeRecord> failed = {timeOf("a", 1, "none", 0)};
  EXPECT_TRUE(chooseVariants(failed, "a", 1, all).empty());
}

// A time of few samples is not compared with one of many, however short it is.
TEST(Search, FewSamplesDoNotCount) {
  std::vector<TimeRecord> records = {timeOf("a", 1, "none", 100), timeOf("b", 1, "none", 50)};
  records[1].samples = 3;
  EXPECT_EQ(chooseVariants(records, "a", 1, all)[0].config, "a");
}

// Gains, cross table and text of two kernels: the second is best in another config on each share.
TEST(Search, Report) {
  TuningRecords records;
  records.times = {timeOf("a", 1, "none", 100), timeOf("b", 1, "none", 50),
                   timeOf("a", 2, "none", 40), timeOf("b", 2, "none", 80)};
  const std::vector<TunedKernel> kernels = {tunedKernel("k", "gemm", "a", 3, records),
                                            tunedKernel("other", "none", "a", 1, records)};
  EXPECT_EQ(kernels[0].best({1, "none"}), "b");
  EXPECT_EQ(kernels[0].best({2, "none"}), "a");
  EXPECT_EQ(kernels[1].best({1, "none"}), "");
  const std::vector<ShareGain> gains = gainsOf(kernels);
  ASSERT_EQ(gains.size(), 2u);
  EXPECT_EQ(gains[0].defaultNs, 300);
  EXPECT_EQ(gains[0].tunedNs, 150);
  EXPECT_DOUBLE_EQ(gains[0].geomean, 2);
  EXPECT_DOUBLE_EQ(gains[1].geomean, 1);
  const std::vector<CrossCell> cells = crossTable(kernels);
  ASSERT_EQ(cells.size(), 4u);
  EXPECT_DOUBLE_EQ(cells[0].geomean, 1);
  EXPECT_DOUBLE_EQ(cells[1].geomean, 2); // tuned for one, run on two
  EXPECT_DOUBLE_EQ(cells[2].worst, 2);
  const std::string text = tuningTable(kernels, "host", "CPU");
  EXPECT_NE(text.find("| gemm | 3 | 2 | 0.1, 0.1, b | 0.0, 0.0, a |"), std::string::npos) << text;
}

// The text in a bundle, and what is wrong with others.
TEST(Search, CandidatesText) {
  const Candidates candidates = {"host",
                                 "mtc 1",
                                 {{"9f", {"plain", "rows rows=[1]"}, 2}, {"", {}, 0}},
                                 {{"9f", {{"flops", 2}}}},
                                 7};
  const std::string text =
      printCandidates({"cuda", "mtc 1", {}, {}, 0}) + printCandidates(candidates);
  auto read = parseCandidates(text, "host");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(printCandidates(*read), printCandidates(candidates));
  EXPECT_EQ(parseCandidates(text, "other").status().message(),
            "the bundle's tuning text has no target 'other'");
  EXPECT_EQ(parseCandidates("noise\n", "host").status().code(), ErrorCode::BundleRefused);
  EXPECT_EQ(parseCandidates("{\"target\":\"host\"}\n", "host").status().message(),
            "the bundle's tuning text is damaged");
}

} // namespace
} // namespace mtc
