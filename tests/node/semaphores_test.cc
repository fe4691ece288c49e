// Semaphores of the library on three nodes: at most so many holders, in the order of asking.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "starling/locks.h"
#include "tests/node/node_fixture.h"
#include "tests/node/test_service.h"
#include "tests/support/child_process.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SemaphoresTest : public NodeFixture {
 protected:
  /// Three nodes that know each other, each of which could lead.
  void OpenThree() {
    for (const char* name : {"a", "b", "c"}) nodes_.push_back(Open(Ephemeral(name)));
    for (const Node& node : nodes_) {
      ASSERT_TRUE(Eventually([&] { return node.Statistics().members_alive == 3; }));
      const auto claim = node.claims().First("a member: " + node.name(), seconds(60));
      ASSERT_TRUE(claim.ok()) << claim.error().message;
    }
  }
  /// At the leaseholder, whichever it is.
  uint64_t Waiting() const {
    uint64_t waiting = 0;
    for (const Node& node : nodes_) waiting += node.Statistics().requests_waiting;
    return waiting;
  }

  std::vector<Node> nodes_;
};

TEST_F(SemaphoresTest, HaveAtMostTheirNumberOfHoldersInTheWholeCluster) {  // I3
  OpenThree();
  constexpr int kPermits = 3, kThreads = 9, kTurns = 15;
  std::mutex mutex;
  int holding = 0, most = 0;
  std::map<std::string, uint64_t> tokens;
  std::vector<std::thread> contenders;
  for (int i = 0; i < kThreads; ++i) {
    contenders.emplace_back([&, locks = nodes_[i % nodes_.size()].locks()] {
      for (int turn = 0; turn < kTurns; ++turn) {
        Result<Lock> permit = locks.AcquirePermit("pool", kPermits, {.wait = seconds(60)});
        ASSERT_TRUE(permit.ok()) << permit.error().message;
        {
          const std::lock_guard guard(mutex);
          most = std::max(most, ++holding);
          uint64_t& last = tokens[permit->key()];
          EXPECT_GT(permit->fencing_token(), last) << "of one place they rise";
          last = permit->fencing_token();
        }
        std::this_thread::yield();
        {
          const std::lock_guard guard(mutex);
          --holding;
        }
        const Status released = permit->Release();
        ASSERT_TRUE(released.ok()) << released.error().message;
      }
    });
  }
  for (std::thread& contender : contenders) contender.join();
  EXPECT_LE(most, kPermits);
  EXPECT_GT(most, 1) << "they held it at the same time";
  EXPECT_EQ(tokens.size(), size_t{kPermits}) << "one entry a place";
}

TEST_F(SemaphoresTest, AreHadInTheOrderOfAskingWhicheverNodeIsAsked) {
  OpenThree();
  std::optional<Lock> one = *nodes_[0].locks().AcquirePermit("pool", 2);
  const Result<Lock> two = nodes_[1].locks().AcquirePermit("pool", 2);
  ASSERT_TRUE(two.ok()) << two.error().message;
  EXPECT_EQ(one->key(), "pool#1");
  EXPECT_EQ(two->key(), "pool#2");
  EXPECT_EQ(nodes_[2].locks().AcquirePermit("pool", 2).error().code, Code::kUnavailable);
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> waiting;
  for (int i = 0; i < 6; ++i) {
    waiting.emplace_back([&, i, locks = nodes_[(i + 2) % nodes_.size()].locks()] {
      const Result<Lock> mine = locks.AcquirePermit("pool", 2, {.wait = seconds(60)});
      ASSERT_TRUE(mine.ok()) << mine.error().message;
      const std::lock_guard guard(mutex);
      order.push_back(i);
    });
    ASSERT_TRUE(Eventually([&] { return Waiting() == i + 1u; }));
  }
  one.reset();  // one place goes from hand to hand
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5}));
}

TEST_F(SemaphoresTest, APermitWhoseHolderWasKilledIsFreeAfterItsTimeToLive) {
  ChildProcess holder({kServiceWord, "holder", temp_ / "holder", temp_ / "meet"});
  ASSERT_EQ(holder.Hear(), "open");
  Node node = Open(Ephemeral("a"));
  ASSERT_TRUE(Eventually([&] { return node.Statistics().members_alive == 2; }));
  const auto claim = node.claims().First("a member", seconds(60));  // else it could not take over
  ASSERT_TRUE(claim.ok()) << claim.error().message;
  const Result<Lock> mine = node.locks().AcquirePermit("pool", 2);
  ASSERT_TRUE(mine.ok()) << mine.error().message;
  const auto asked = std::chrono::steady_clock::now();
  holder.Say("permit 2");
  ASSERT_EQ(holder.Hear(), "pool#2");
  EXPECT_EQ(node.locks().AcquirePermit("pool", 2).error().code, Code::kUnavailable);
  holder.Kill();
  const Result<Lock> freed = node.locks().AcquirePermit("pool", 2, {.wait = seconds(60)});
  EXPECT_GE(std::chrono::steady_clock::now() - asked, kTestPermitTtl)
      << "nobody can tell that it does not hold it any more";
  ASSERT_TRUE(freed.ok()) << freed.error().message;
  EXPECT_EQ(freed->key(), "pool#2");
  EXPECT_TRUE(mine->held());
}

TEST_F(SemaphoresTest, CallersWhoseNumbersDifferShareTheFirstPlaces) {
  Node node = Open(Ephemeral("a"));
  const auto take = [&](int permits) { return node.locks().AcquirePermit("pool", permits); };
  Result<Lock> first = take(3);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->key(), "pool#1");
  EXPECT_EQ(take(1).error().code, Code::kUnavailable) << "the first place is the only one of one";
  const Result<Lock> second = take(2);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(take(2).error().code, Code::kUnavailable) << "the third is none of two";
  const Result<Lock> third = take(3);
  ASSERT_TRUE(third.ok());
  EXPECT_EQ(third->key(), "pool#3");
  EXPECT_EQ(take(3).error().code, Code::kUnavailable) << "never more than the greatest number";
  ASSERT_TRUE(first->Release().ok());
  EXPECT_TRUE(take(1).ok());
}

TEST_F(SemaphoresTest, NumbersThatAreNoneAreRefused) {
  Node node = Open(Ephemeral("a"));
  for (const int permits : {-1, 0, 1025}) {
    EXPECT_EQ(node.locks().AcquirePermit("pool", permits).error().message,
              "a semaphore has 1 to 1024 permits");
  }
}

}  // namespace
}  // namespace starling
