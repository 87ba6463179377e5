// Prices of kernels: fitted, leaned on, printed and read again.
#include "mtc/Tuning/HostModel.h"

#include <gtest/gtest.h>

using namespace mtc;

namespace {

KernelAmounts amounts(const std::string &family, double arithmetic, double bytes) {
  KernelAmounts a;
  a.family = family;
  a[Amount::Start] = 1;
  a[Amount::Arithmetic] = arithmetic;
  a[Amount::Bytes] = bytes;
  return a;
}

/// A machine on which an operation takes 0.3 ns and a byte 0.02 ns, and a start 500 ns.
double trueNs(const KernelAmounts &a) {
  return 500 + 0.3 * a.counts[static_cast<size_t>(Amount::Arithmetic)] +
         0.02 * a.counts[static_cast<size_t>(Amount::Bytes)];
}

std::vector<HostSample> samplesOf(const std::string &family) {
  std::vector<HostSample> samples;
  for (int i = 1; i <= 40; ++i) {
    HostSample sample;
    sample.amounts = amounts(family, 1e3 * i * i, 2e5 * ((i * 7) % 40 + 1));
    sample.ns = trueNs(sample.amounts);
    sample.set = i % 2 ? "odd" : "even";
    samples.push_back(sample);
  }
  return samples;
}

HostModel machine() {
  HostModel model;
  model.cpu = "Test CPU 1";
  model.date = "2026-11-23";
  model.cores = 2;
  model.l2Bytes = 1 << 20;
  model.l3Bytes = 32 << 20;
  model.flopsPerNs = 100;
  model.coreBytesPerNs = 16;
  model.bytesPerNs = 30;
  model.launchNs = 50;
  model.barrierNs = 300;
  return model;
}

} // namespace

// Prices that made the times are found again, whatever set is held out.
TEST(HostModel, FindsPricesThatMadeTheTimes) {
  HostModel model = machine();
  ASSERT_TRUE(fitPrices(samplesOf("contraction"), model).ok());
  EXPECT_LT(model.heldOutError, 0.03);
  EXPECT_EQ(model.samples, 40);
  KernelAmounts seen = amounts("contraction", 1e6, 3e6);
  auto ns = learnedNs(model, seen);
  ASSERT_TRUE(ns.has_value());
  EXPECT_NEAR(static_cast<double>(*ns), 50 + trueNs(seen), 0.05 * trueNs(seen));
}

// Of samples that scatter around a price the sum is met, not the fastest of them: errors relative
// to measured times would predict half of it here.
TEST(HostModel, SumsOfScatteredTimesAreNotTooLow) {
  std::vector<HostSample> samples = samplesOf("contraction");
  double measured = 0, predicted = 0;
  for (size_t i = 0; i < samples.size(); ++i)
    measured += samples[i].ns *= i % 4 < 2 ? 0.4 : 1.6;
  HostModel model = machine();
  ASSERT_TRUE(fitPrices(samples, model).ok());
  for (const HostSample &sample : samples)
    predicted += static_cast<double>(*learnedNs(model, sample.amounts) - model.launchNs);
  EXPECT_NEAR(predicted / measured, 1, 0.1);
}

// What a run of the entry pushed out of a level is read from below; weights that stay cost nothing
// but their way from the nearest level.
TEST(HostModel, BytesAreChargedToTheLevelTheyComeFrom) {
  KernelAmounts small, large;
  addTraffic(machine(), {.weightBytes = 1e5, .otherBytes = 2e5, .reuseBytes = 9e5}, small);
  EXPECT_EQ(small[Amount::Bytes], 3e5);
  EXPECT_EQ(small[Amount::WeightsPastL2], 0);
  EXPECT_EQ(small[Amount::BytesPastL2], 0);
  const double mib = 1 << 20;
  addTraffic(machine(), {.weightBytes = mib, .otherBytes = mib, .reuseBytes = 64 * mib}, large);
  EXPECT_EQ(large[Amount::WeightsPastL2], mib * 63 / 64);
  EXPECT_EQ(large[Amount::WeightsPastL3], mib / 2);
  EXPECT_EQ(large[Amount::BytesPastL2], mib / 2);
  EXPECT_EQ(large[Amount::BytesPastL3], 0);
}

// A family that was not measured leans on its group; what has no group is not priced.
TEST(HostModel, UnknownFamiliesLeanOnTheirGroup) {
  HostModel model = machine();
  ASSERT_TRUE(fitPrices(samplesOf("contraction"), model).ok());
  EXPECT_EQ(learnedNs(model, amounts("contraction_bytes", 1e6, 1e6)),
            learnedNs(model, amounts("contraction", 1e6, 1e6)));
  EXPECT_FALSE(learnedNs(model, amounts("rows", 1e6, 1e6)).has_value());
  EXPECT_TRUE(learnedTimes(model, amounts("rows", 1e6, 1e6), {}, {4}, 2).empty());
}

// A price never gets negative: times that fall with the bytes give them no price.
TEST(HostModel, PricesAreNotNegative) {
  std::vector<HostSample> samples = samplesOf("rows");
  for (HostSample &sample : samples)
    sample.ns = 1e7 - sample.amounts.counts[static_cast<size_t>(Amount::Bytes)];
  HostModel model = machine();
  ASSERT_TRUE(fitPrices(samples, model).ok());
  for (double price : model.prices.at("rows"))
    EXPECT_GE(price, 0);
}

// Tiles are whole: three of them take two cores as long as four; one tile gains nothing.
TEST(HostModel, SplitsTilesAmongCores) {
  HostModel model = machine();
  model.prices["rows"] = {0, 0, 1};
  const KernelAmounts a = amounts("rows", 60'000, 0);
  const auto three = learnedTimes(model, a, {}, {3}, 2);
  ASSERT_EQ(three.size(), 2u);
  EXPECT_EQ(three[0].ns, 60'050);
  EXPECT_EQ(three[1].ns, 40'350);
  EXPECT_EQ(three[1].origin, TimeOrigin::Learned);
  EXPECT_EQ(learnedTimes(model, a, {}, {4}, 2)[1].ns, 30'350);
  EXPECT_EQ(learnedTimes(model, a, {}, {1}, 2).size(), 1u);
  EXPECT_EQ(learnedTimes(model, a, {}, {2, 2}, 2)[1].ns, 30'650);
}

// What cores cost each other is found again: a barrier from short tasks, splitting and neighbours
// from long ones; tenants that fit the last cache do not pay for neighbours.
TEST(HostModel, FindsWhatCoresCostEachOther) {
  const double mib = 1 << 20;
  std::vector<HostSample> samples;
  for (int i = 1; i <= 20; ++i) {
    HostSample sample;
    sample.amounts.family = "rows";
    sample.ns = i * 1e6;
    sample.part = 0.5;
    sample.allNs = 1.1 * (50 + 0.5 * sample.ns + 700);
    sample.traffic.reuseBytes = (i % 2 ? 64 : 4) * mib;
    sample.besideNs = sample.ns * (i % 2 ? 1.2 : 1.5);
    samples.push_back(sample);
  }
  for (int i = 1; i <= 9; ++i) { // noise on both sides of the barrier
    HostSample sample;
    sample.ns = 4'000 * i;
    sample.part = 0.5;
    sample.allNs = 50 + 0.5 * sample.ns + 700 + 50 * (i - 5);
    samples.push_back(sample);
  }
  HostModel model = machine();
  fitShares(samples, model);
  EXPECT_EQ(model.barrierNs, 700);
  EXPECT_NEAR(model.shares.split, 0.1, 0.002);
  EXPECT_NEAR(model.shares.residual, 0.2, 0.003);
  EXPECT_NEAR(model.sharesOf.at("rows").split, 0.1, 0.002);

  model.sharesOf["rows"].residual = 0.2;
  model.prices["rows"] = {0, 0, 1};
  const KernelAmounts a = amounts("rows", 60'000, 0);
  EXPECT_EQ(learnedTimes(model, a, {.reuseBytes = 64 * mib}, {1}, 2)[0].ns, 72'050);
  EXPECT_EQ(learnedTimes(model, a, {.reuseBytes = 4 * mib}, {1}, 2)[0].ns, 60'050);
  EXPECT_EQ(learnedTimes(model, a, {.reuseBytes = 64 * mib}, {1}, 1)[0].ns, 60'050);

  fitShares({}, model); // nothing is known anew
  EXPECT_EQ(model.barrierNs, 700);
  EXPECT_EQ(model.sharesOf.at("rows").residual, 0.2);
  StatusOr<HostModel> again = parseHostModel(printHostModel(model));
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(again->sharesOf.at("rows").residual, 0.2);
}

// What is printed reads back as the same text.
TEST(HostModel, TextRoundTrip) {
  HostModel model = machine();
  ASSERT_TRUE(fitPrices(samplesOf("contraction_window"), model).ok());
  const std::string text = printHostModel(model);
  StatusOr<HostModel> again = parseHostModel(text);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ(printHostModel(*again), text);
  EXPECT_EQ(again->cpu, "Test CPU 1");
}

// What is no host model is refused with the line in question.
TEST(HostModel, RefusesOtherTexts) {
  const std::string text = printHostModel(machine());
  auto message = [](const std::string &wrong) {
    const StatusOr<HostModel> model = parseHostModel(wrong);
    return model.ok() ? "accepted" : model.status().message();
  };
  EXPECT_NE(message("problem 1\n").find("line 1 is 'problem 1'; wanted 'mtc-host-model 1'"),
            std::string::npos);
  EXPECT_NE(message(text + "price rows arithmetic -1\n").find("price rows arithmetic -1"),
            std::string::npos);
  EXPECT_NE(message(text + "price rows wonders 1\n").find("wonders"), std::string::npos);
  EXPECT_NE(message(text + "colour 3\n").find("colour 3"), std::string::npos);
  EXPECT_NE(message("mtc-host-model 1\ncores 2\n").find("no line 'l2_bytes'"), std::string::npos);
  std::string nan = text;
  nan.replace(nan.find("flops_per_ns 100"), 16, "flops_per_ns nan");
  EXPECT_NE(message(nan).find("flops_per_ns nan"), std::string::npos);
}

// Nothing measured, or a time that cannot be, is an error.
TEST(HostModel, RefusesSenselessSamples) {
  HostModel model = machine();
  EXPECT_EQ(fitPrices({}, model).message(), "no kernel was measured");
  std::vector<HostSample> samples = samplesOf("rows");
  samples[3].ns = 0;
  EXPECT_NE(fitPrices(samples, model).message().find("took 0 ns; wanted more than 0"),
            std::string::npos);
}
