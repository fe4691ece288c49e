#include "storage/hybrid_clock.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "tests/support/manual_time.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

TEST(HybridClock, FollowsTheWallClockAndCountsWithinAMillisecond) {
  ManualTime time(1000);
  HybridClock clock(time);
  EXPECT_EQ(clock.Draw(), Stamp::FirstOf(1000));
  EXPECT_EQ(clock.Draw(), Stamp::FirstOf(1000).next());
  time.Advance(1ms);
  EXPECT_EQ(clock.Draw(), Stamp::FirstOf(1001));
  EXPECT_EQ(clock.NowMillis(), 1001);
}

TEST(HybridClock, RunsOnWhenTheWallClockStepsBack) {
  ManualTime time(1000);
  HybridClock clock(time);
  const Stamp before = clock.Draw();
  time.StepWall(-900ms);
  EXPECT_EQ(clock.Draw(), before.next());
  EXPECT_EQ(clock.NowMillis(), 1000);
  time.StepWall(950ms);
  EXPECT_EQ(clock.Draw().millis(), 1050);
}

TEST(HybridClock, LogicalOverflowCarriesIntoTheMilliseconds) {
  ManualTime time(1000);
  HybridClock clock(time);
  clock.Observe(Stamp::LastOf(1000));
  EXPECT_EQ(clock.Draw(), Stamp::FirstOf(1001));
  Stamp last = clock.last();
  for (int i = 0; i < 200'000; ++i) {
    const Stamp drawn = clock.Draw();
    ASSERT_GT(drawn, last);
    last = drawn;
  }
  EXPECT_EQ(last.millis(), 1004);
}

TEST(HybridClock, DrawsAboveAllItHasObserved) {
  ManualTime time(1000);
  HybridClock clock(time);
  clock.Observe(Stamp::FirstOf(5000));
  clock.Observe(Stamp::FirstOf(3000));
  EXPECT_EQ(clock.last(), Stamp::FirstOf(5000));
  EXPECT_EQ(clock.Draw(), Stamp::FirstOf(5000).next());
  EXPECT_EQ(clock.NowMillis(), 5000);
}

TEST(HybridClock, GivesNoStampTwiceToAnyThread) {
  ManualTime time(1000);
  HybridClock clock(time);
  std::vector<std::vector<Stamp>> drawn(4);
  std::vector<std::thread> threads;
  for (auto& mine : drawn) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        if (i % 1000 == 0) time.Advance(1ms);
        if (i % 500 == 0) clock.Observe(Stamp{clock.last().value + 7});
        mine.push_back(clock.Draw());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<Stamp> all;
  for (const auto& mine : drawn) {
    EXPECT_TRUE(std::is_sorted(mine.begin(), mine.end()));
    all.insert(mine.begin(), mine.end());
  }
  EXPECT_EQ(all.size(), 80'000u);
}

TEST(Stamp, FirstAndLastOfAMillisecondAreItsEnds) {
  EXPECT_EQ(Stamp::FirstOf(7).millis(), 7);
  EXPECT_EQ(Stamp::LastOf(7).millis(), 7);
  EXPECT_EQ(Stamp::LastOf(7).next(), Stamp::FirstOf(8));
  EXPECT_EQ(Stamp::LastOf(Stamp::kMaxMillis).value, UINT64_MAX);
}

}  // namespace
}  // namespace starling
