#include "node/repeat_filter.h"

#include <gtest/gtest.h>

namespace starling {
namespace {

using namespace std::chrono_literals;

TEST(RepeatFilter, LogsTheFirstAndThenOneAMinuteWithHowManyWereLeftOut) {
  RepeatFilter filter(1min);
  EXPECT_EQ(filter.Pass("refused", 5s), 0u);
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(filter.Pass("refused", 6s + i * 1s));
  EXPECT_EQ(filter.Pass("refused", 65s), 7u);
  EXPECT_FALSE(filter.Pass("refused", 66s));
  EXPECT_EQ(filter.Pass("refused", 3min), 1u);
}

TEST(RepeatFilter, TellsWarningsApart) {
  RepeatFilter filter(1min);
  EXPECT_EQ(filter.Pass("refused a", 1s), 0u);
  EXPECT_EQ(filter.Pass("refused b", 1s), 0u);
}

TEST(RepeatFilter, LogsNoMoreThanSoManyInAnIntervalHoweverTheyDiffer_I9) {
  RepeatFilter filter(1h);
  for (size_t i = 0; i < RepeatFilter::kMost; ++i) {
    EXPECT_EQ(filter.Pass(std::to_string(i), std::chrono::seconds(i)), 0u);
  }
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(filter.Pass("other", 100s + i * 1s));
  EXPECT_EQ(filter.Pass("yet another", 1h), 3u) << "the first has made room";
  EXPECT_FALSE(filter.Pass("1", 1h)) << "still known";
}

}  // namespace
}  // namespace starling
