#include "starling/locks.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/node/node_fixture.h"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using LocksTest = NodeFixture;

/// Waits until the time of "lock", of which no more than `ttl` is left, has begun anew so often.
bool IsExtended(const Node& node, milliseconds ttl, int times) {
  const auto left = [&] {
    const Result<TimeToLive> said = node.kv().Ttl("lock");
    return said.ok() && said->remaining ? *said->remaining : milliseconds(0);
  };
  EXPECT_TRUE(Eventually([&] { return left() <= ttl; }));
  for (milliseconds before = ttl; times > 0; --times) {
    const auto grows = [&] {
      const milliseconds now = left();
      return now > std::exchange(before, now);
    };
    if (!Eventually(grows)) return false;
  }
  return true;
}

TEST_F(LocksTest, OneHolderAtATimeAndTokensThatRise) {
  Node node = Open(Ephemeral("a"));
  Result<Lock> first = node.locks().Acquire("lock");
  ASSERT_TRUE(first.ok()) << first.error().message;
  EXPECT_TRUE(first->held());
  EXPECT_EQ(first->key(), "lock");
  const Result<Lock> refused = node.locks().Acquire("lock");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_EQ(refused.error().message, "another holder has the lock");
  EXPECT_TRUE(first->Release().ok());
  EXPECT_FALSE(first->held());
  EXPECT_EQ(first->Release().error().code, Code::kNotFound);
  const Result<Lock> second = node.locks().Acquire("lock");
  ASSERT_TRUE(second.ok());
  EXPECT_GT(second->fencing_token(), first->fencing_token());
}

TEST_F(LocksTest, TheEndOfTheScopeReleases) {
  Node node = Open(Ephemeral("a"));
  { ASSERT_TRUE(node.locks().Acquire("lock").ok()); }
  EXPECT_TRUE(node.locks().Acquire("lock", {.wait = seconds(10)}).ok());
}

TEST_F(LocksTest, WhoeverWaitsLongerComesFirst) {
  Node node = Open(Ephemeral("a"));
  std::optional<Lock> held = *node.locks().Acquire("lock");
  std::mutex mutex;
  std::vector<int> order;
  std::vector<std::thread> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.emplace_back([&, i] {
      const Result<Lock> mine = node.locks().Acquire("lock", {.wait = seconds(60)});
      ASSERT_TRUE(mine.ok()) << mine.error().message;
      const std::lock_guard guard(mutex);
      order.push_back(i);
    });
    ASSERT_TRUE(Eventually([&] { return node.Statistics().requests_waiting == i + 1u; }));
  }
  held.reset();
  for (std::thread& thread : waiting) thread.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST_F(LocksTest, WhoeverReleasesItAndAsksAgainComesLast) {
  Node node = Open(Ephemeral("a"));
  for (int i = 0; i < 50; ++i) {
    std::optional<Lock> held = *node.locks().Acquire("lock");
    uint64_t waited = 0;
    std::thread waiting([&] {
      const Result<Lock> mine = node.locks().Acquire("lock", {.wait = seconds(60)});
      ASSERT_TRUE(mine.ok()) << mine.error().message;
      waited = mine->fencing_token();
    });
    ASSERT_TRUE(Eventually([&] { return node.Statistics().requests_waiting == 1; }));
    held.reset();
    Result<Lock> again = node.locks().Acquire("lock", {.wait = seconds(60)});
    ASSERT_TRUE(again.ok()) << again.error().message;
    ASSERT_TRUE(again->Release().ok());
    waiting.join();
    ASSERT_LT(waited, again->fencing_token()) << "it has overtaken who waited, in turn " << i;
  }
}

TEST_F(LocksTest, ItsTimeIsBegunAnewWhileItIsHeld) {
  Node node = Open(Ephemeral("a"));
  const Result<Lock> held = node.locks().Acquire("lock", {.ttl = seconds(6)});
  ASSERT_TRUE(held.ok());
  EXPECT_TRUE(IsExtended(node, seconds(6), 2));
  EXPECT_FALSE(node.locks().Acquire("lock").ok());
  EXPECT_TRUE(held->held());
}

TEST_F(LocksTest, ItLapsesWhereItIsNotExtendedAndSaysSo) {
  Node node = Open(Ephemeral("a"));
  std::atomic<int> lost = 0;
  const Result<Lock> held = node.locks().Acquire(
      "lock", {.ttl = milliseconds(100), .extend = false, .lost = [&] { ++lost; }});
  ASSERT_TRUE(held.ok());
  const Result<Lock> next = node.locks().Acquire("lock", {.wait = seconds(10)});
  ASSERT_TRUE(next.ok()) << next.error().message;
  EXPECT_FALSE(held->held()) << "the holder's clock is never behind the cluster's";
  EXPECT_TRUE(Eventually([&] { return lost == 1; }));
  EXPECT_GT(next->fencing_token(), held->fencing_token());
}

TEST_F(LocksTest, AnExtensionGivesTheTimeThatLaterOnesGive) {
  Node node = Open(Ephemeral("a"));
  Result<Lock> held = node.locks().Acquire("lock", {.ttl = seconds(60)});
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(node.kv().Delete("lock").error().code, Code::kRefused) << "Kv changes no claims";
  ASSERT_TRUE(held->Extend(seconds(6)).ok());
  EXPECT_TRUE(IsExtended(node, seconds(6), 2));
  EXPECT_FALSE(node.locks().Acquire("lock").ok());
  EXPECT_TRUE(held->held());
  EXPECT_TRUE(held->Release().ok());
  EXPECT_EQ(held->Extend(seconds(1)).error().code, Code::kNotFound);
}

TEST_F(LocksTest, HoldInTheWholeCluster) {
  Node a = Open(Ephemeral("a"));
  Node b = Open(Ephemeral("b"));
  ASSERT_TRUE(Eventually([&] { return b.Statistics().members_alive == 2; }));
  std::optional<Lock> held = *a.locks().Acquire("lock");
  EXPECT_EQ(b.locks().Acquire("lock").error().code, Code::kUnavailable);
  const uint64_t token = held->fencing_token();
  std::thread waiting([&] {
    const Result<Lock> mine = b.locks().Acquire("lock", {.wait = seconds(60)});
    ASSERT_TRUE(mine.ok()) << mine.error().message;
    EXPECT_GT(mine->fencing_token(), token);
  });
  held.reset();
  waiting.join();
}

TEST_F(LocksTest, AHolderThatGoesLeavesItToTheNext) {
  std::optional<Node> a = Open(Ephemeral("a"));
  Node b = Open(Ephemeral("b"));
  ASSERT_TRUE(Eventually([&] { return b.Statistics().members_alive == 2; }));
  ASSERT_TRUE(b.claims().First("a member", seconds(60)).ok());  // else it could not take over
  const Result<Lock> held = a->locks().Acquire("lock", {.ttl = seconds(1)});
  ASSERT_TRUE(held.ok());
  std::thread waiting([&] {
    const Result<Lock> mine = b.locks().Acquire("lock", {.wait = seconds(30)});
    ASSERT_TRUE(mine.ok()) << mine.error().message;
    EXPECT_GT(mine->fencing_token(), held->fencing_token());
    EXPECT_FALSE(held->held());
  });
  EXPECT_TRUE(a->Close().ok());  // the lease goes with it, and nobody extends the lock any more
  waiting.join();
}

TEST_F(LocksTest, BadInputIsNamed) {
  Node node = Open(Ephemeral("a"));
  const auto refused = [&](const LockOptions& options) {
    return node.locks().Acquire("lock", options).error();
  };
  EXPECT_EQ(refused({.ttl = milliseconds(0)}).message,
            "a time to live is 1 millisecond to 1000 years");
  EXPECT_EQ(refused({.wait = milliseconds(-1)}).message, "a time to wait is 0 to 1000 years");
}

TEST_F(LocksTest, ClosingANodeEndsWaiting) {
  Node node = Open(Ephemeral("a"));
  Result<Lock> held = node.locks().Acquire("lock");
  ASSERT_TRUE(held.ok());
  std::atomic<bool> asked = false;
  std::thread waiting([&, locks = node.locks()] {
    asked = true;
    EXPECT_FALSE(locks.Acquire("lock", {.wait = seconds(60)}).ok());
  });
  while (!asked) std::this_thread::yield();
  EXPECT_TRUE(node.Close().ok());
  waiting.join();
  EXPECT_EQ(held->Extend(seconds(1)).error().code, Code::kClosed);
}

}  // namespace
}  // namespace starling
