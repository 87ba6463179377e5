//===- TextTest.cpp - quantities, percent encoding, hashes, device rows ---===//
#include "mtc/Support/Text.h"
#include "mtc/Support/DeviceTable.h"
#include "mtc/Support/Hash.h"
#include "mtc/Support/Percent.h"

#include <gtest/gtest.h>

#include <set>

using namespace mtc;

namespace {

template <typename T> std::string messageOf(const StatusOr<T> &value) {
  return value.ok() ? "ok" : value.status().message();
}

// Durations have a unit and are rounded to whole nanoseconds.
TEST(Text, Durations) {
  EXPECT_EQ(*parseDurationNs("60ms"), 60'000'000);
  EXPECT_EQ(*parseDurationNs("1.5s"), 1'500'000'000);
  EXPECT_EQ(*parseDurationNs("0.25us"), 250);
  EXPECT_EQ(*parseDurationNs("7ns"), 7);
  EXPECT_EQ(*parseDurationNs("2min"), 120'000'000'000);
  EXPECT_EQ(messageOf(parseDurationNs("60")),
            "duration '60' has no unit; known: ns, us, ms, s, min");
  EXPECT_EQ(messageOf(parseDurationNs("60 ms")),
            "duration '60 ms' has unknown unit ' ms'; known: ns, us, ms, s, min");
  for (const char *text : {"", "ms", "-1ms", "0s", "infs", "nans", "0x10ms"})
    EXPECT_NE(messageOf(parseDurationNs(text)), "ok") << text;
  EXPECT_EQ(messageOf(parseDurationNs("-1ms")),
            "duration '-1ms' is not a positive number with a unit, e.g. 60ms");
  EXPECT_EQ(messageOf(parseDurationNs("1e30s")),
            "duration '1e30s' is out of range; wanted 1 ns to 292 years");
  EXPECT_EQ(messageOf(parseDurationNs("0.1ns")),
            "duration '0.1ns' is out of range; wanted 1 ns to 292 years");
}

// Rates are per second or per minute.
TEST(Text, Rates) {
  EXPECT_EQ(*parseRatePerSecond("10/s"), 10);
  EXPECT_EQ(*parseRatePerSecond("0.5/s"), 0.5);
  EXPECT_EQ(*parseRatePerSecond("120/min"), 2);
  EXPECT_EQ(messageOf(parseRatePerSecond("10")), "rate '10' has no unit; known: /s, /min");
  EXPECT_EQ(messageOf(parseRatePerSecond("10/h")),
            "rate '10/h' has unknown unit '/h'; known: /s, /min");
  EXPECT_EQ(messageOf(parseRatePerSecond("fast")),
            "rate 'fast' is not a positive number with a unit, e.g. 10/s");
}

// Counts are whole numbers from a least value on.
TEST(Text, Counts) {
  EXPECT_EQ(*parseCount("4", "--jobs"), 4);
  EXPECT_EQ(*parseCount("0", "--warmup", 0), 0);
  for (const char *text : {"", "0", "-3", "2.5", "4x", " 4", "99999999999999999999"})
    EXPECT_EQ(messageOf(parseCount(text, "--jobs")),
              "--jobs '" + std::string(text) + "' is not a whole number of at least 1");
}

// Three digits in the unit that fits.
TEST(Text, Printing) {
  EXPECT_EQ(formatNs(0), "0 ns");
  EXPECT_EQ(formatNs(12), "12 ns");
  EXPECT_EQ(formatNs(760'000), "760 us");
  EXPECT_EQ(formatNs(41'234'567), "41.2 ms");
  EXPECT_EQ(formatNs(3'050'000'000), "3.05 s");
  EXPECT_EQ(formatNs(-1'500), "-1.5 us");
  EXPECT_EQ(formatNs(7'200'000'000'000), "7200 s");
  EXPECT_EQ(formatBytes(12), "12 B");
  EXPECT_EQ(formatBytes(96 * 1024), "96 KiB");
  EXPECT_EQ(formatBytes(3 * 1024 * 1024 / 2), "1.5 MiB");
}

// Any name becomes a file name and comes back; no two names meet, and none is a folder.
TEST(Percent, RoundTrip) {
  std::set<std::string> encoded;
  for (std::string name : {"", ".", "..", ".x", "a.b", "a/b", "a%2Fb", "x:0", "%", "%%", "A", "a",
                           "\xc3\xa9", "a b"}) {
    std::string text = percentEncode(name);
    EXPECT_TRUE(encoded.insert(text).second) << name;
    EXPECT_EQ(text.find('/'), std::string::npos);
    EXPECT_NE(text[0], '.');
    EXPECT_EQ(messageOf(percentDecode(text)), "ok");
    EXPECT_EQ(*percentDecode(text), name);
  }
  EXPECT_EQ(percentEncode("model/out:0"), "model%2Fout%3A0");
  EXPECT_EQ(percentEncode(std::string("a\0b", 3)), "a%00b");
  EXPECT_EQ(messageOf(percentDecode("a%2")), "'a%2' has a '%' at 1 without two hexadecimal digits");
  EXPECT_EQ(messageOf(percentDecode("%zz")), "'%zz' has a '%' at 0 without two hexadecimal digits");
}

// BLAKE2b-256 of "abc" as `b2sum -l 256` prints it; in pieces it is the same.
TEST(Hash, KnownValue) {
  EXPECT_EQ(hashText("abc").hex(),
            "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
  EXPECT_EQ(Hasher().update("a").update("").update("bc").finish(), hashText("abc"));
  EXPECT_NE(hashText("abd"), hashText("abc"));
  EXPECT_EQ(hashBytes({}), hashText(""));
}

// Rows by level; newer levels are no slower.
TEST(DeviceTable, Hosts) {
  double last = 0;
  for (const HostRow &row : hostRows()) {
    EXPECT_EQ(hostRow(row.level)->flopsPerNs, row.flopsPerNs);
    EXPECT_GE(row.flopsPerNs, last);
    last = row.flopsPerNs;
  }
  EXPECT_EQ(messageOf(hostRow("armv9")),
            "unknown host level 'armv9'; known: x86-64, x86-64-v2, x86-64-v3, x86-64-v4");
}

} // namespace
