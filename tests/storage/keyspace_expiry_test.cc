// Deadlines: hidden at once, deleted by an item that is the same everywhere.
#include <gtest/gtest.h>

#include "tests/storage/one_node.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// The one item of `part` that the node's next batch holds.
std::vector<Item> ItemsOf(const DecodedBatch& batch, Part part) {
  std::vector<Item> found;
  for (const Item& item : batch.items()) {
    if (item.part == part) found.push_back(item);
  }
  return found;
}

TEST(KeyspaceExpiry, HidesAKeyOnceItsMillisecondIsOver) {
  OneNode node;
  node.Set("k", "v");
  ASSERT_TRUE(node.Expire("k", 10ms));
  node.time.Advance(10ms);
  EXPECT_EQ(node.Get("k"), "v");  // the deadline's own millisecond
  EXPECT_EQ(node.keyspace.SizeWithDeadline(0), 1u);
  node.time.Advance(1ms);
  EXPECT_FALSE(node.Get("k"));
  EXPECT_TRUE(node.Keys().empty());
  EXPECT_EQ(node.Size(), 1u);  // counted until it is deleted, as Redis does
  EXPECT_FALSE(node.Delete("k"));
  EXPECT_EQ(node.Size(), 0u);
  EXPECT_EQ(node.keyspace.SizeWithDeadline(0), 0u);
}

TEST(KeyspaceExpiry, IsDroppedBySetAndKeptWhereAsked) {
  OneNode node;
  node.Set("k", "v");
  node.Expire("k", 1h);
  const std::optional<int64_t> deadline = node.Deadline("k");
  ASSERT_TRUE(deadline);
  node.Set("k", "w", /*keep_ttl=*/true);
  EXPECT_EQ(node.Deadline("k"), deadline);
  ASSERT_TRUE(node.Increment("n"));
  node.Expire("n", 1h);
  ASSERT_TRUE(node.Increment("n"));
  EXPECT_TRUE(node.Deadline("n"));
  node.Set("k", "x");
  EXPECT_FALSE(node.Deadline("k"));
  EXPECT_EQ(node.keyspace.SizeWithDeadline(0), 1u);
}

TEST(KeyspaceExpiry, CanBeClearedOnce) {
  OneNode node;
  EXPECT_FALSE(node.Lock("k").ClearDeadline(node.Ref("k")));
  node.Set("k", "v");
  EXPECT_FALSE(node.Lock("k").ClearDeadline(node.Ref("k")));
  node.Expire("k", 10ms);
  EXPECT_TRUE(node.Lock("k").ClearDeadline(node.Ref("k")));
  EXPECT_FALSE(node.Lock("k").ClearDeadline(node.Ref("k")));
  node.time.Advance(1h);
  EXPECT_EQ(node.Get("k"), "v");
}

TEST(KeyspaceExpiry, OfTheMissingDoesNothing) {
  OneNode node;
  EXPECT_FALSE(node.Expire("k", 1s));
  EXPECT_EQ(node.keyspace.writes(), 0u);
}

TEST(KeyspaceExpiry, DeletesByTheLastStampOfTheDeadline) {  // counterexamples 3 and 4
  OneNode node;
  ASSERT_TRUE(node.Increment("k", 5));
  const int64_t deadline = node.keyspace.NowMillis() + 20;
  ASSERT_TRUE(node.Lock("k").SetDeadline(node.Ref("k"), deadline));
  node.Flush();
  node.time.Advance(1s);
  EXPECT_EQ(*node.Increment("k", 1), 1);  // a new window
  EXPECT_FALSE(node.Deadline("k"));
  const Result<DecodedBatch> batch = DecodedBatch::Decode(*node.Flush());
  ASSERT_TRUE(batch);
  const std::vector<Item> cuts = ItemsOf(*batch, Part::kCut);
  ASSERT_EQ(cuts.size(), 1u);
  EXPECT_EQ(cuts[0].at, Stamp::LastOf(deadline));
  EXPECT_GT(cuts[0].stamp, cuts[0].at);
}

TEST(KeyspaceExpiry, TwoNodesThatDeleteTheSameWindowLoseNothing) {  // counterexample 4
  OneNode a(1), b(2);
  ASSERT_TRUE(a.Increment("k", 5));
  a.Expire("k", 20ms);
  b.Take(a.Flush());
  a.time.Advance(1s);
  b.time.Advance(1s);
  ASSERT_TRUE(a.Increment("k", 1));
  ASSERT_TRUE(b.Increment("k", 2));
  const SharedBytes from_a = a.Flush();
  const SharedBytes from_b = b.Flush();
  a.Take(from_b);
  b.Take(from_a);
  EXPECT_EQ(a.Get("k"), "3");
  EXPECT_EQ(b.Get("k"), "3");
}

TEST(KeyspaceExpiry, AFreedWindowLetsAnotherNodesWindowStand) {  // counterexample 3
  OneNode a(1), b(2);
  ASSERT_TRUE(a.Increment("k", 7));
  a.Expire("k", 20ms);
  const SharedBytes first = a.Flush();
  a.time.Advance(1s);
  b.time.Advance(1s);
  a.keyspace.DeleteExpired(10, 2s);
  EXPECT_EQ(a.Size(), 0u);
  ASSERT_TRUE(b.Increment("k", 2));
  b.Expire("k", 3s);
  const SharedBytes from_b = b.Flush();
  const SharedBytes second = a.Flush();
  a.Take(from_b);
  for (const SharedBytes& bytes : {second, first}) b.Take(bytes);
  EXPECT_EQ(a.Get("k"), "2");
  EXPECT_EQ(b.Get("k"), "2");
  EXPECT_EQ(WalkText(a.keyspace), WalkText(b.keyspace));
}

TEST(KeyspaceExpiry, AWindowBeforeThisOneNeverCountsAgain) {  // counterexample 5
  OneNode b(2), c(3);
  ASSERT_TRUE(b.Increment("k", 4));
  b.Expire("k", 20ms);
  const SharedBytes old = b.Flush();
  c.time.Advance(1s);
  ASSERT_TRUE(c.Increment("k", 1));
  c.Expire("k", 20s);
  c.Take(old);
  b.time.Advance(1s);
  b.Take(c.Flush());
  // Whatever the later deadline hides or shows, both say the same; what expired is cut at its own
  // deadline once somebody deletes it.
  EXPECT_EQ(WalkText(b.keyspace), WalkText(c.keyspace));
  EXPECT_EQ(b.Get("k"), c.Get("k"));
}

TEST(KeyspaceExpiry, GoesByTheHybridClockWhenThatIsAhead) {  // counterexample 6
  OneNode node;
  node.clock.Observe(Stamp::FirstOf(node.time.WallMillis() + 60'000));
  node.Set("k", "v");
  node.Expire("k", 20ms);
  EXPECT_EQ(node.Get("k"), "v");
  node.clock.Observe(Stamp::FirstOf(node.keyspace.NowMillis() + 21));
  EXPECT_FALSE(node.Get("k"));
}

TEST(KeyspaceExpiry, ADeadlineNotInTheFutureIsADeletion) {  // counterexample 45
  OneNode node;
  for (const int64_t deadline : {int64_t{1}, int64_t{-5}, node.keyspace.NowMillis()}) {
    ASSERT_TRUE(node.Increment("k", 5));
    EXPECT_TRUE(node.Lock("k").SetDeadline(node.Ref("k"), deadline));
    EXPECT_FALSE(node.Get("k"));
    EXPECT_EQ(node.Size(), 0u);
    EXPECT_EQ(*node.Increment("k", 2), 2);
    EXPECT_EQ(node.Get("k"), "2");
    EXPECT_TRUE(node.Delete("k"));
  }
}

/// A wall clock that moves on by a millisecond whenever it is read.
class RestlessTime final : public TimeSource {
 public:
  int64_t WallMillis() override { return ++wall_; }
  std::chrono::nanoseconds Monotonic() override { return {}; }

 private:
  int64_t wall_ = 1'700'000'000'000;
};

TEST(KeyspaceExpiry, ADeadlineThatPassesWhileItIsWrittenIsADeletion) {  // counterexample 45
  RestlessTime time;
  HybridClock clock(time);
  Keyspace keyspace({1, 1}, clock);
  const KeyRef key = keyspace.Ref(0, "k");
  for (int ahead = -3; ahead < 10; ++ahead) {
    Access access = keyspace.Lock(key);
    ASSERT_TRUE(access.Increment(key, 5));
    access.SetDeadline(key, clock.last().millis() + ahead);
    access.Delete(key);
    ASSERT_EQ(*access.Increment(key, 1), 1) << ahead;
    ASSERT_TRUE(access.Find(key)) << ahead;
    ASSERT_EQ(access.Find(key)->value.number.ClampedInt64(), 1);
    access.Delete(key);
  }
  for (int ahead = 0; ahead < 10; ++ahead) {
    Access access = keyspace.Lock(key);
    access.SetString(key, "v");
    access.SetDeadline(key, clock.last().millis() + ahead);
    access.SetString(key, "w", /*keep_ttl=*/true);
    access.SetString(key, "x");
    ASSERT_TRUE(access.Find(key)) << ahead;
    access.Delete(key);
  }
}

TEST(KeyspaceExpiry, ACutIsNeverAfterItsOwnStampEvenIfTheWallClockStepsBack) {
  class SteppingTime final : public TimeSource {
   public:
    int64_t WallMillis() override {
      return back_after_-- > 0 ? 1'700'000'100'000 : 1'700'000'000'000;
    }
    std::chrono::nanoseconds Monotonic() override { return {}; }
    int back_after_ = 0;
  };
  for (int reads = 0; reads < 6; ++reads) {
    SteppingTime time;
    HybridClock clock(time);
    Keyspace keyspace({1, 1}, clock);
    keyspace.SetOrigin(OriginOf(1));
    const KeyRef key = keyspace.Ref(0, "k");
    Access access = keyspace.Lock(key);
    access.SetString(key, "v");
    ASSERT_TRUE(access.SetDeadline(key, 1'700'000'000'010));
    time.back_after_ = reads;
    access.SetString(key, "w");
  }
}

TEST(KeyspaceExpiry, BackgroundDeletesOwnKeysAtOnceAndOthersLater) {
  OneNode a(1), b(2);
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    a.Set(key, "v");
    a.Expire(key, std::chrono::milliseconds(10 + i));
  }
  b.Take(a.Flush());
  a.time.Advance(300ms);
  b.time.Advance(300ms);
  EXPECT_EQ(a.keyspace.DeleteExpired(30, 2s), 30u);
  EXPECT_EQ(a.keyspace.DeleteExpired(1000, 2s), 70u);
  EXPECT_EQ(a.Size(), 0u);
  EXPECT_EQ(b.keyspace.DeleteExpired(1000, 2s), 0u);
  EXPECT_EQ(b.Size(), 100u);
  b.time.Advance(2200ms);
  EXPECT_EQ(b.keyspace.DeleteExpired(1000, 2s), 100u);
  EXPECT_EQ(b.Size(), 0u);
  a.Take(b.Flush());
  b.Take(a.Flush());
  EXPECT_EQ(WalkText(a.keyspace), WalkText(b.keyspace));
}

TEST(KeyspaceExpiry, BackgroundFindsDeadlinesThatMovedEitherWay) {
  OneNode node;
  node.Set("sooner", "v");
  node.Expire("sooner", 1h);
  node.Expire("sooner", 1s);
  node.Set("later", "v");
  node.Expire("later", 1s);
  node.Expire("later", 1h);
  node.time.Advance(2s);
  EXPECT_EQ(node.keyspace.DeleteExpired(100, 2s), 1u);
  EXPECT_EQ(node.Keys(), (std::set<std::string>{"later"}));
  node.time.Advance(1h);
  EXPECT_EQ(node.keyspace.DeleteExpired(100, 2s), 1u);
  EXPECT_EQ(node.Size(), 0u);
}

TEST(KeyspaceExpiry, AWallClockThatLeapsDecadesCostsNoScan) {
  OneNode node;
  node.Set("k", "v");
  node.Expire("k", 1h);
  node.time.StepWall(std::chrono::hours(24 * 365 * 54));
  EXPECT_EQ(node.keyspace.DeleteExpired(100, 2s), 1u);
  node.Set("k", "v");
  node.Expire("k", 100ms);
  node.time.Advance(300ms);
  EXPECT_EQ(node.keyspace.DeleteExpired(100, 2s), 1u);
}

TEST(KeyspaceExpiry, AnExpiryOfNothingIsFreedWhenStable) {  // I9
  OneNode a(1), b(2);
  a.Set("k", "v");
  b.Take(a.Flush());
  // b sets a deadline while a deletes: the expiry outlives the value.
  a.time.Advance(5ms);
  b.time.Advance(10ms);
  a.Delete("k");
  b.Expire("k", 1h);
  const SharedBytes first = b.Flush();
  b.Expire("k", 2h);
  const SharedBytes second = b.Flush();
  a.Take(first);
  a.Take(second);
  b.Take(a.Flush());
  EXPECT_FALSE(a.Get("k"));
  EXPECT_EQ(WalkText(a.keyspace), WalkText(b.keyspace));
  for (OneNode* node : {&a, &b}) {
    node->FreeAll();
    EXPECT_EQ(node->keyspace.tombstones(), 0u);
    EXPECT_TRUE(WalkText(node->keyspace).empty());
  }
}

}  // namespace
}  // namespace starling
