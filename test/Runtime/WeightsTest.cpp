//===- WeightsTest.cpp - where weights lie --------------------------------===//
#include "Host/Weights.h"
#include "SampleContents.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <unistd.h>

using namespace mtc;

namespace {

class WeightsTest : public testing::Test {
protected:
  void SetUp() override { ASSERT_TRUE(writeBundle(path, test::sampleContents(2)).ok()); }
  void TearDown() override { std::filesystem::remove(path); }

  std::shared_ptr<const BundleReader> open() { return *BundleReader::open(path); }

  const std::string path = (std::filesystem::temp_directory_path() /
                            ("mtc-weights-" + std::to_string(getpid()) + ".mtb"))
                               .string();
};

} // namespace

// Copies hold the same bytes at aligned addresses that stay; equal weights have one copy.
TEST_F(WeightsTest, Copies) {
  const auto bundle = open();
  host::WeightMemory weights(*bundle, /*share=*/false, /*fewBytes=*/0);
  std::vector<uint8_t *> places;
  for (size_t i = 0; i < bundle->weightCount(); ++i) {
    const auto place = weights.find(i);
    ASSERT_TRUE(place.ok()) << place.status().message();
    const auto source = *bundle->weight(i);
    EXPECT_NE(*place, source.data());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(*place) % 64, 0u);
    EXPECT_TRUE(std::equal(source.begin(), source.end(), *place));
    places.push_back(*place);
  }
  for (size_t i = 0; i < places.size(); ++i)
    EXPECT_EQ(*weights.find(i), places[i]);
  EXPECT_EQ(places[0], places[2]) << "w2 is w0 again";
  EXPECT_NE(places[0], places[1]);
}

// Shared weights, and few ones, stay in the mapping.
TEST_F(WeightsTest, StayInTheMapping) {
  const auto bundle = open();
  host::WeightMemory shared(*bundle, /*share=*/true, /*fewBytes=*/0);
  host::WeightMemory few(*bundle, /*share=*/false, /*fewBytes=*/16 << 20);
  for (size_t i = 0; i < bundle->weightCount(); ++i) {
    EXPECT_EQ(*shared.find(i), bundle->weight(i)->data());
    EXPECT_EQ(*few.find(i), bundle->weight(i)->data());
  }
}

// A damaged weight is refused at its first use, not copied.
TEST_F(WeightsTest, Damaged) {
  auto bytes = *readFile(path);
  const auto sections = open()->sections();
  const auto weights = std::find_if(sections.begin(), sections.end(),
                                    [](const auto &s) { return s.kind == "weights"; });
  ASSERT_NE(weights, sections.end());
  bytes[weights->offset] ^= 1;
  ASSERT_TRUE(writeFile(path, {reinterpret_cast<const char *>(bytes.data()), bytes.size()}).ok());
  const auto bundle = open();
  host::WeightMemory memory(*bundle, /*share=*/false, /*fewBytes=*/0);
  const auto place = memory.find(0);
  ASSERT_FALSE(place.ok());
  EXPECT_EQ(place.status().code(), ErrorCode::BundleRefused);
}
