#include "starling/counter.h"

#include <atomic>
#include <limits>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/node/node_fixture.h"

namespace starling {
namespace {

class CounterTest : public NodeFixture {
 protected:
  Node node_ = Open(Ephemeral("node"));
};

TEST_F(CounterTest, ShowsItsOwnAdditionsAtOnce) {
  Counter counter = node_.GetCounter("hits");
  EXPECT_EQ(*counter.Value(), 0);
  counter.Add();
  counter.Add(41);
  EXPECT_EQ(*counter.Value(), 42);
  counter.Add(-50);
  EXPECT_EQ(*counter.Value(), -8);
  EXPECT_EQ(*node_.kv().Get("hits"), "-8") << "Kv sees what the same thread has added";
}

// I2: none lost, none twice.
TEST_F(CounterTest, LosesNoIncrementOfManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kAdditions = 200'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      Counter mine = node_.GetCounter("hits");
      for (int n = 0; n < kAdditions; ++n) mine.Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(*node_.GetCounter("hits").Value(), int64_t{kThreads} * kAdditions);
  ASSERT_TRUE(node_.Sync().ok());
  EXPECT_EQ(*node_.kv().Get("hits"), std::to_string(kThreads * kAdditions));
}

// I2: what Reset returns and what remains add up to what was added.
TEST_F(CounterTest, ResetsLoseNoConcurrentIncrement) {
  constexpr int kThreads = 3;
  constexpr int kAdditions = 100'000;
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      Counter mine = node_.GetCounter("hits");
      for (int n = 0; n < kAdditions; ++n) mine.Add();
      --running;
    });
  }
  Counter counter = node_.GetCounter("hits");
  int64_t taken = 0;
  while (running > 0) taken += *counter.Reset();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken + *counter.Value(), int64_t{kThreads} * kAdditions);
}

TEST_F(CounterTest, ResetReturnsTheValueAndLeavesZero) {
  Counter counter = node_.GetCounter("hits");
  EXPECT_EQ(*counter.Reset(), 0);
  counter.Add(7);
  EXPECT_EQ(*counter.Reset(), 7);
  EXPECT_EQ(*counter.Value(), 0);
}

TEST_F(CounterTest, ASetAfterAdditionsReplacesThem) {
  Counter counter = node_.GetCounter("hits");
  counter.Add(7);
  ASSERT_TRUE(node_.kv().Set("hits", "100").ok());
  counter.Add(1);
  EXPECT_EQ(*counter.Value(), 101);
  EXPECT_TRUE(*node_.kv().Delete("hits"));
  EXPECT_EQ(*counter.Value(), 0);
}

TEST_F(CounterTest, IncrementsWaitWhileTheKeyHoldsNoInteger) {
  Counter counter = node_.GetCounter("hits");
  ASSERT_TRUE(node_.kv().Set("hits", "not a number").ok());
  counter.Add(5);
  EXPECT_EQ(counter.Value().error().code, Code::kInvalidArgument);
  EXPECT_EQ(counter.Reset().error().code, Code::kInvalidArgument);
  ASSERT_TRUE(node_.Sync().ok());
  EXPECT_EQ(node_.Statistics().counters_blocked, 1u);
  ASSERT_TRUE(node_.kv().Delete("hits").ok());
  EXPECT_EQ(*counter.Value(), 5);
  ASSERT_TRUE(node_.Sync().ok());
  EXPECT_EQ(*node_.kv().Get("hits"), "5");
  EXPECT_EQ(node_.Statistics().counters_blocked, 0u);
}

TEST_F(CounterTest, VeryLargeAmountsNeverWrapAround) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  Counter counter = node_.GetCounter("hits");
  counter.Add(kMost);
  EXPECT_EQ(*counter.Value(), kMost);
  counter.Add(kMost);
  EXPECT_EQ(*counter.Value(), kMost);
  EXPECT_EQ(node_.Statistics().increments_refused, static_cast<uint64_t>(kMost));
  counter.Add(1);
  EXPECT_EQ(*counter.Value(), kMost) << "waits, and is clamped where it is read";
  counter.Add(-11);
  EXPECT_EQ(*counter.Value(), kMost - 10);
  counter.Add(std::numeric_limits<int64_t>::min());
  EXPECT_EQ(*counter.Value(), -11);
}

TEST_F(CounterTest, CountersThatNobodyHoldsAreDropped) {
  for (int i = 0; i < 20'000; ++i) {
    node_.GetCounter("counter-" + std::to_string(i)).Add();
    if (i % 500 == 0) {
      ASSERT_TRUE(node_.Sync().ok());
    }
  }
  EXPECT_LT(node_.Statistics().counters, 5'000u);
  EXPECT_EQ(*node_.GetCounter("counter-0").Value(), 1);
}

TEST_F(CounterTest, AHandleMayOutliveItsNode) {
  std::optional<Counter> counter;
  {
    Node node = Open(Ephemeral("short"));
    counter = node.GetCounter("hits");
    counter->Add();
  }
  counter->Add();
  EXPECT_EQ(counter->Value().error().code, Code::kClosed);
  EXPECT_EQ(counter->Reset().error().code, Code::kClosed);
}

}  // namespace
}  // namespace starling
