// Claims as they merge, are seen and are found again when their time is up.
#include "storage/claim.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "storage/key_description.h"
#include "storage/watch.h"
#include "tests/storage/one_store.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// A claim's item as a leaseholder (node 7) writes it.
Item ClaimItem(std::string_view key, int64_t millis, std::string_view text, int64_t ttl = 0) {
  Item item;
  item.part = Part::kClaim;
  item.key = key;
  item.origin = OriginOf(7);
  item.stamp = item.at = Stamp::FirstOf(millis);
  item.deadline_millis = ttl;
  item.value = Value::Bytes(text);
  return item;
}

Item EndItem(std::string_view key, int64_t millis, Stamp token) {
  Item item = ClaimItem(key, millis, {});
  item.at = token;
  item.removed = true;
  item.value = {};
  return item;
}

void Merge(OneNode& node, const Item& item) {
  node.clock.Observe(item.stamp);
  node.keyspace.Merge({&item, 1});
}

constexpr int64_t kBegin = 1'700'000'001'000;

TEST(Claim, IsTheKeyWhileItLives) {
  OneNode node;
  node.Add("k", "hidden");
  node.Expire("k", 10ms);
  Merge(node, ClaimItem("k", kBegin, "holder"));
  node.time.Advance(20ms);
  EXPECT_EQ(node.Get("k"), "holder");
  EXPECT_EQ(node.Deadline("k"), std::nullopt) << "what lies under it is hidden, deadline and all";
  EXPECT_TRUE(node.Members("k").empty());
  EXPECT_EQ(node.Size(), 1u);
  EXPECT_EQ(node.keyspace.SizeWithDeadline(0), 0u);
  EXPECT_EQ(node.Keys(), std::set<std::string>{"k"});
  Merge(node, EndItem("k", kBegin + 1, Stamp::FirstOf(kBegin)));
  EXPECT_EQ(node.Get("k"), std::nullopt);
}

TEST(Claim, IsNotTouchedByCutsBasesDeadlinesAndFlushes) {  // counterexample 38
  OneNode node;
  Merge(node, ClaimItem("k", kBegin, "holder"));
  OneNode isolated(2);
  isolated.time.Advance(1h);
  isolated.Set("k", "x");
  isolated.Expire("k", 1ms);
  isolated.Delete("k");
  isolated.keyspace.FlushDatabase(0);
  node.Take(isolated.Flush());
  EXPECT_EQ(node.Get("k"), "holder");
  // What is later than its end is not hidden any more, what was cut with it never comes back.
  Merge(node, EndItem("k", kBegin + 5, Stamp::FirstOf(kBegin)));
  EXPECT_EQ(node.Get("k"), std::nullopt);
  EXPECT_EQ(node.Size(), 0u);
}

TEST(Claim, LaterWritesWinInWhateverOrderTheyCome) {
  std::vector<Item> items = {ClaimItem("k", kBegin, "1", 500), ClaimItem("k", kBegin + 1, "2", 400),
                             EndItem("k", kBegin + 2, Stamp::FirstOf(kBegin)),
                             ClaimItem("k", kBegin + 3, "other", 300)};
  items[1].at = items[0].stamp;
  std::vector<size_t> order = {0, 1, 2, 3};
  const auto expected = [&] {
    OneNode node;
    for (const Item& item : items) Merge(node, item);
    return WalkText(node.keyspace);
  }();
  EXPECT_EQ(expected.size(), 1u);
  do {
    OneNode node;
    for (const size_t i : order) Merge(node, items[i]);
    for (const size_t i : order) Merge(node, items[i]);
    EXPECT_EQ(WalkText(node.keyspace), expected);
    EXPECT_EQ(node.Get("k"), "other");
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Claim, IsTimedFromItsArrivalByTheBootClock) {  // counterexample 20
  OneNode node;
  node.time.StepWall(60s);  // this node's wall clock is ahead
  Merge(node, ClaimItem("k", kBegin, "holder", 60'000));
  EXPECT_EQ(node.Deadline("k"), node.keyspace.NowMillis() + 60'000);
  EXPECT_EQ(node.keyspace.SizeWithDeadline(0), 1u);
  EXPECT_EQ(node.keyspace.NextLapse(), 60'001ms);
  node.time.StepWall(3600s);
  EXPECT_TRUE(node.keyspace.LapsedClaims(10).empty());
  EXPECT_EQ(node.Deadline("k"), node.keyspace.NowMillis() + 60'000);
  node.time.Advance(60s);
  EXPECT_TRUE(node.keyspace.LapsedClaims(10).empty()) << "a whole millisecond more, for rounding";
  node.time.Advance(1ms);
  const auto lapsed = node.keyspace.LapsedClaims(10);
  ASSERT_EQ(lapsed.size(), 1u);
  EXPECT_EQ(lapsed[0].key, "k");
  EXPECT_EQ(lapsed[0].token, Stamp::FirstOf(kBegin));
  node.time.Advance(1h);
  node.keyspace.DeleteExpired(10, 0ms);
  EXPECT_EQ(node.Get("k"), "holder") << "only a leaseholder ends it";
  EXPECT_EQ(node.Deadline("k"), node.keyspace.NowMillis());
  Merge(node, EndItem("k", kBegin + 9, Stamp::FirstOf(kBegin)));
  EXPECT_TRUE(node.keyspace.LapsedClaims(10).empty());
  EXPECT_EQ(node.keyspace.NextLapse(), std::nullopt);
}

TEST(Claim, ArrivesOnceHoweverOftenItIsBrought) {
  OneNode node;
  const Item item = ClaimItem("k", kBegin, "holder", 1000);
  Merge(node, item);
  node.time.Advance(900ms);
  Merge(node, item);
  EXPECT_EQ(node.keyspace.NextLapse(), 1001ms);
  Item rewritten = ClaimItem("k", kBegin + 1, "1", 100);
  rewritten.at = item.stamp;
  Merge(node, rewritten);
  EXPECT_EQ(node.keyspace.NextLapse(), 1001ms) << "what remained, from now on";
}

TEST(Claim, LapsesAreListedUpToALimit) {
  OneNode node;
  for (int i = 0; i < 20; ++i) {
    Merge(node, ClaimItem("k" + std::to_string(i), kBegin + i, "h", 10 + i));
  }
  node.time.Advance(21ms);
  EXPECT_EQ(node.keyspace.LapsedClaims(100).size(), 11u);
  EXPECT_EQ(node.keyspace.LapsedClaims(3).size(), 3u);
}

TEST(Claim, EndedIsATombstoneUntilItIsStable) {  // I8, I9
  OneNode node;
  const std::string text(5000, 'x');
  Merge(node, ClaimItem("k", kBegin, text));
  const size_t claimed = node.keyspace.memory_bytes();
  EXPECT_EQ(node.keyspace.tombstones(), 0u);
  EXPECT_EQ(node.FreeAll(), 0u);
  Merge(node, EndItem("k", kBegin + 1, Stamp::FirstOf(kBegin)));
  EXPECT_LT(node.keyspace.memory_bytes() + 4000, claimed);
  EXPECT_EQ(node.keyspace.tombstones(), 1u);
  EXPECT_EQ(node.keyspace.FreeStable({}, 10), 0u);
  EXPECT_EQ(WalkText(node.keyspace).size(), 1u);
  EXPECT_EQ(node.FreeAll(), 1u);
  EXPECT_TRUE(WalkText(node.keyspace).empty());
  EXPECT_TRUE(node.keyspace.floor().Covers(OriginOf(7), Stamp::FirstOf(kBegin + 1)));
}

TEST(Claim, CostsKeysWithoutOneNothing) {
  OneNode node;
  node.Set("k", "value");
  const auto usage = [&] { return node.Lock("k").MemoryUsage(node.Ref("k")).value(); };
  const size_t before = usage();
  Merge(node, ClaimItem("k", kBegin, "holder"));
  EXPECT_GT(usage(), before + sizeof(Claim));
  Merge(node, EndItem("k", kBegin + 1, Stamp::FirstOf(kBegin)));
  node.FreeAll();
  EXPECT_EQ(usage(), before);
}

TEST(Claim, IsDescribedWithItsToken) {
  OneNode node;
  Merge(node, ClaimItem("k", kBegin, "holder", 1000));
  const auto claim = node.Lock("k").Describe(node.Ref("k"))->claim;
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->token, Stamp::FirstOf(kBegin));
  EXPECT_EQ(claim->ttl_millis, 1000);
  EXPECT_EQ(claim->bytes, 6u);
  EXPECT_FALSE(claim->ended);
}

TEST(Claim, TouchesWhoWatchesItsKey) {
  OneNode node;
  Watches watches(node.keyspace);
  watches.Add(node.Ref("k"));
  Merge(node, EndItem("k", kBegin, Stamp::FirstOf(kBegin)));
  EXPECT_TRUE(watches.Unchanged()) << "nothing was there, nothing is";
  Merge(node, ClaimItem("k", kBegin + 1, "holder"));
  EXPECT_FALSE(watches.Unchanged());
}

TEST(Claim, SurvivesACheckpointAndCountsItsTimeFromTheRestart) {
  OneStore one;
  ASSERT_TRUE(one.Open());
  const std::string text(3000, 't');
  const std::vector<Item> items = {ClaimItem("lock", kBegin, text, 5000),
                                   ClaimItem("for ever", kBegin + 1, "7"),
                                   EndItem("over", kBegin + 2, Stamp::FirstOf(kBegin))};
  const BatchHeader header{OriginOf(7), Stamp{}, Stamp::FirstOf(kBegin + 9)};
  ASSERT_TRUE(one.Apply(std::make_shared<const std::string>(EncodeBatch(header, items))));
  one.time.Advance(4s);
  const auto before = one.Walk();
  for (const bool checkpoint : {false, true}) {
    if (checkpoint) {
      ASSERT_TRUE(one.store->Checkpoint());
    }
    ASSERT_TRUE(one.Open());
    EXPECT_EQ(one.Walk(), before);
    EXPECT_EQ(one.Get("lock"), text);
    EXPECT_EQ(one.Get("for ever"), "7");
    EXPECT_EQ(one.Get("over"), std::nullopt);
    EXPECT_EQ(one.store->keyspace().tombstones(), 1u);
    one.time.Advance(5s);
    EXPECT_TRUE(one.store->keyspace().LapsedClaims(9).empty());
    one.time.Advance(1ms);
    EXPECT_EQ(one.store->keyspace().LapsedClaims(9).size(), 1u);
  }
  // Freed, it leaves no record.
  EXPECT_EQ(one.FreeAll(), 1u);
  ASSERT_TRUE(one.store->Checkpoint());
  ASSERT_TRUE(one.Open());
  EXPECT_EQ(one.Walk().size(), 2u);
}

TEST(Claim, TravelsInWalksAndWholeStates) {
  OneStore from("a"), to("b", 2);
  ASSERT_TRUE(from.Open());
  ASSERT_TRUE(to.Open());
  const std::vector<Item> items = {ClaimItem("lock", kBegin, "holder", 5000),
                                   EndItem("over", kBegin + 2, Stamp::FirstOf(kBegin))};
  const BatchHeader header{OriginOf(7), Stamp{}, Stamp::FirstOf(kBegin + 9)};
  ASSERT_TRUE(from.Apply(std::make_shared<const std::string>(EncodeBatch(header, items))));
  to.Set("lock", "local");
  ASSERT_TRUE(to.store->journal().Commit());
  for (const bool whole : {false, true}) {
    ASSERT_TRUE(to.store->ApplyWalk(OneStore::WalkOf(*from.store, {}), whole));
    EXPECT_EQ(to.Get("lock"), "holder") << whole;
    ASSERT_TRUE(to.Open());
    EXPECT_EQ(to.Get("lock"), "holder") << whole;
  }
}

}  // namespace
}  // namespace starling
