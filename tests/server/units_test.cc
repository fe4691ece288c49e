#include "server/units.h"

#include <gtest/gtest.h>

namespace starling {
namespace {

using std::chrono::milliseconds;

TEST(Units, ReadBytesAsRedisDoes) {
  EXPECT_EQ(ParseBytes("10"), 10u);
  EXPECT_EQ(ParseBytes("1k"), 1000u);
  EXPECT_EQ(ParseBytes("1KB"), 1024u);
  EXPECT_EQ(ParseBytes("2mb"), 2u << 20);
  EXPECT_EQ(ParseBytes("512MB"), 512u << 20);
  EXPECT_EQ(ParseBytes("3gb"), uint64_t{3} << 30);
  for (const char* wrong : {"", "mb", "-1", "1.5mb", "1tb", "1 mb", "99999999999999999gb"}) {
    EXPECT_EQ(ParseBytes(wrong), std::nullopt) << wrong;
  }
}

TEST(Units, ReadDurationsWithTheirUnitOnly) {
  EXPECT_EQ(ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(ParseDuration("10S"), milliseconds(10'000));
  EXPECT_EQ(ParseDuration("5m"), milliseconds(300'000));
  EXPECT_EQ(ParseDuration("7d"), milliseconds(604'800'000));
  for (const char* wrong : {"", "10", "s", "1.5s", "-1s", "1w", "1 s"}) {
    EXPECT_EQ(ParseDuration(wrong), std::nullopt) << wrong;
  }
}

TEST(Units, PrintDurationsInTheLargestUnitThatFits) {
  EXPECT_EQ(FormatDuration(milliseconds(86'400'000)), "1d");
  EXPECT_EQ(FormatDuration(milliseconds(5'400'000)), "90m");
  EXPECT_EQ(FormatDuration(milliseconds(1500)), "1500ms");
  EXPECT_EQ(FormatDuration(milliseconds(0)), "0ms");
}

TEST(Units, PrintBytesForPeople) {
  EXPECT_EQ(FormatBytes(10), "10B");
  EXPECT_EQ(FormatBytes(1536), "1.50K");
  EXPECT_EQ(FormatBytes(uint64_t{5} << 30), "5.00G");
}

TEST(Units, SplitAtAnySeparator) {
  EXPECT_EQ(SplitWords(" a, b ,,c", ", "), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(SplitWords(" ,", ", ").empty());
}

}  // namespace
}  // namespace starling
