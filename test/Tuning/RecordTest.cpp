//===- RecordTest.cpp - records as lines of text --------------------------===//
#include "mtc/Tuning/Record.h"

#include <gtest/gtest.h>

namespace mtc {
namespace {

const std::string kKernel = "9f31";

TimeRecord timeOf(std::string config, int64_t ns, int32_t samples) {
  TimeRecord record;
  record.key = {kKernel, std::move(config), 2, "high", "CPU \"quoted\""};
  record.ns = ns;
  record.samples = samples;
  return record;
}

TuningRecords example() {
  TuningRecords records;
  records.times = {timeOf("rows rows=4", 1234, 9), timeOf("rows rows=8", 0, 0)};
  records.times[0].halves = {1230, 1240};
  records.times[0].code = "04c1";
  records.times[1].failure = "takes more than 20 s to compile";
  records.kernels = {{kKernel, {{"flops", 1e9}, {"third", 1.0 / 3}}}};
  records.searches = {{kKernel, "CPU", 16, 7}};
  return records;
}

// What is printed is read back, to the last bit.
TEST(Record, RoundTrip) {
  const std::string text = printHeader("mtc 1") + printRecords(example());
  auto records = parseRecords(text, "mtc 1", "a.jsonl");
  ASSERT_TRUE(records.ok()) << records.status().message();
  EXPECT_EQ(records->times.size(), 2u);
  EXPECT_EQ(records->times[0].key, example().times[0].key);
  EXPECT_EQ(records->times[0].halves, example().times[0].halves);
  EXPECT_EQ(records->times[0].code, "04c1");
  EXPECT_EQ(records->kernels[0].features.at("third"), 1.0 / 3);
  EXPECT_EQ(printHeader("mtc 1") + printRecords(*records), text);
}

// Logs are appended to, each run with a header of its own.
TEST(Record, FilesCanBeConcatenated) {
  const std::string once = printHeader("mtc 1") + printRecords(example());
  auto records = parseRecords(once + once, "mtc 1", "a.jsonl");
  ASSERT_TRUE(records.ok());
  EXPECT_EQ(records->times.size(), 4u);
  EXPECT_FALSE(parseRecords(printHeader("mtc 9") + once, "mtc 1", "a.jsonl").ok());
  EXPECT_TRUE(parseRecords(printHeader("mtc 9") + once, "", "a.jsonl").ok());
}

void expectRefused(const std::string &text, const std::string &message) {
  auto records = parseRecords(text, "mtc 1", "a.jsonl");
  ASSERT_FALSE(records.ok()) << text;
  EXPECT_EQ(records.status().code(), ErrorCode::InvalidInput);
  EXPECT_EQ(records.status().message(), "tuning records 'a.jsonl', line " + message);
}

// Every way in which a line can be wrong, each named with its line.
TEST(Record, WhatIsRefused) {
  const std::string header = printHeader("mtc 1");
  expectRefused(printHeader("mtc 0"), "1: is of compiler 'mtc 0', this is 'mtc 1'");
  expectRefused(printRecords(example()),
                "1: stands before the line that says which compiler it is of");
  expectRefused(header + "[]\n", "2: is no JSON object");
  expectRefused(header + "{\"type\":\"time\"", "2: is cut short");
  expectRefused(header + "{\"type\":\"rumour\"}\n",
                "2: type 'rumour' is unknown; known: tuning, kernel, time, failure, search");
  expectRefused(header + "{\"type\":\"search\",\"kernel\":\"\"}\n", "2: 'kernel' must be a text");
  expectRefused(header + "{\"type\":\"kernel\",\"kernel\":\"k\",\"features\":{\"a\":\"b\"}}\n",
                "2: 'a' must be a number");
  const std::string time = "{\"type\":\"time\",\"kernel\":\"k\",\"config\":\"c\",\"granules\":";
  const std::string rest = ",\"neighbour\":\"none\",\"device\":\"d\",\"ns\":";
  expectRefused(header + time + "0" + rest + "5,\"samples\":1}\n",
                "2: 'granules' must be 1 to 64, not 0");
  expectRefused(header + time + "1" + rest + "-5,\"samples\":1}\n",
                "2: 'ns' must be 1 to 9223372036854775807, not -5");
  expectRefused(header + time + "1" + rest + "1.5,\"samples\":1}\n",
                "2: 'ns' must be a whole number");
  expectRefused(header + time + "1" + rest + "18446744073709551615,\"samples\":1}\n",
                "2: 'ns' must be a smaller number");
  for (const char *halves : {"7", "[7]", "[7,0]", "[7,1.5]", "[7,1e300]"})
    expectRefused(header + time + "1" + rest + "5,\"samples\":4,\"halves\":" + halves + "}\n",
                  "2: 'halves' must be two times");
  expectRefused(header + time + "1" + rest + "5,\"samples\":4,\"code\":5}\n",
                "2: 'code' must be a text");
  expectRefused("{\"type\":\"tuning\",\"version\":2,\"compiler\":\"mtc 1\"}\n",
                "1: 'version' must be 1 to 1, not 2");
}

// More samples win, then the shorter time; a failure is replaced by any time.
TEST(Record, TheBetterOfTwo) {
  EXPECT_TRUE(isBetter(timeOf("c", 20, 9), timeOf("c", 10, 3)));
  EXPECT_TRUE(isBetter(timeOf("c", 10, 3), timeOf("c", 20, 3)));
  EXPECT_TRUE(isBetter(timeOf("c", 10, 1), timeOf("c", 0, 0)));
  EXPECT_FALSE(isBetter(timeOf("c", 10, 1), timeOf("c", 10, 1)));
}

} // namespace
} // namespace mtc
