/// Streams that are over: one entry of the vector, no log, one slot (I9).

#include <gtest/gtest.h>

#include "storage/key_description.h"
#include "tests/storage/one_store.h"

namespace starling {
namespace {

/// Two stores of one cluster; `b_` begins again from time to time.
class Folding : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(a_.Open().ok());
    ASSERT_TRUE(b_.Open().ok());
  }

  /// Gives `to` all streams of `from` that it lacks.
  static void Pull(OneStore& to, OneStore& from) {
    ASSERT_TRUE(from.store->journal().Commit().ok());
    const VersionVector theirs = from.store->vector();
    for (const VersionVector::Entry& entry : theirs.entries()) {
      if (entry.origin == to.store->origin() || entry.upto == VersionVector::kOver) continue;
      const Stamp held = to.store->vector().Get(entry.origin);
      const auto batches = from.store->ReadStream(entry.origin, held, SIZE_MAX);
      ASSERT_TRUE(batches.ok()) << batches.error().message;
      for (const SharedBytes& batch : *batches) ASSERT_TRUE(to.Apply(batch).ok());
    }
  }
  /// One increment in each of `count` incarnations of `b_`, all of them held by `a_` too.
  void IncrementInIncarnations(int count) {
    for (int i = 0; i < count; ++i) {
      b_.Increment("k");
      Pull(a_, b_);
      last_ = b_.store->origin();
      ASSERT_TRUE(b_.store->RaiseIncarnation("test").ok());
    }
  }
  /// What the member list's entry makes of it on every member.
  void EndAll(OneStore& at) { at.store->MarkOver(last_, at.store->clock().last()); }
  static void AllowFolding(OneStore& at) {
    ASSERT_TRUE(at.store->Checkpoint().ok());
    at.store->Maintain(at.AllStable());
  }
  static size_t Slots(OneStore& at) { return at.Lock("k").Describe(at.Ref("k"))->slots.size(); }

  OneStore a_{"a"};
  OneStore b_{"b", 2};
  Origin last_;
};

TEST_F(Folding, MakesOneSlotOfAllThatAreOverWhenAnotherComes) {
  IncrementInIncarnations(5);
  EXPECT_EQ(Slots(a_), 5u);
  EndAll(a_);
  AllowFolding(a_);
  a_.Increment("k");
  EXPECT_EQ(Slots(a_), 2u);
  EXPECT_EQ(a_.Get("k"), "6");
  EXPECT_EQ(a_.store->vector().OverUpTo(b_.store->id()), last_.incarnation);
}

TEST_F(Folding, WaitsForACheckpointThatSaysSoAndForAllStreamsToPass) {
  IncrementInIncarnations(3);
  EndAll(a_);
  a_.store->Maintain(a_.AllStable());
  a_.Increment("k");
  EXPECT_EQ(Slots(a_), 4u) << "no checkpoint yet";
  ASSERT_TRUE(a_.store->Checkpoint().ok());
  EXPECT_TRUE(a_.store->WaitsToFold());
  Keyspace::Stability behind = a_.AllStable();
  behind.passed = Stamp{1};
  a_.store->Maintain(behind);
  EXPECT_TRUE(a_.store->WaitsToFold()) << "a reset of a member that lags may lie between";
  Keyspace::Stability lacking = a_.AllStable();
  lacking.covered.ForgetOver(b_.store->id());
  a_.store->Maintain(lacking);
  EXPECT_TRUE(a_.store->WaitsToFold()) << "a member has not said so";
  a_.store->Maintain(a_.AllStable());
  EXPECT_FALSE(a_.store->WaitsToFold());
}

TEST_F(Folding, RaisesTheFloorFirstSoThatWhoLacksAnyOfItTakesAll) {
  IncrementInIncarnations(3);
  const VersionVector before = a_.store->vector();
  EndAll(a_);
  AllowFolding(a_);
  EXPECT_EQ(a_.store->keyspace().floor().OverUpTo(b_.store->id()), last_.incarnation);
  EXPECT_FALSE(before.Covers(a_.store->keyspace().floor()));
}

TEST_F(Folding, ShowsAWalkTheSameSlotsWhetherAKeyWasFoldedOrNot) {
  IncrementInIncarnations(4);
  EndAll(a_);
  AllowFolding(a_);
  const std::multiset<std::string> before = a_.Walk();
  EXPECT_EQ(before.size(), 1u);
  a_.Increment("k", 0);
  std::multiset<std::string> after = a_.Walk();
  for (const std::string& item : before) EXPECT_EQ(after.erase(item), 1u) << item;
}

TEST_F(Folding, SurvivesAKillAtEveryCallOfTheCheckpointThatWritesIt) {
  for (uint64_t call = 1; call < 40; ++call) {
    OneStore a("a", call);
    OneStore b("b", call + 100);
    ASSERT_TRUE(a.Open().ok());
    ASSERT_TRUE(b.Open().ok());
    for (int i = 0; i < 3; ++i) {
      b.Increment("k");
      Pull(a, b);
      last_ = b.store->origin();
      ASSERT_TRUE(b.store->RaiseIncarnation("test").ok());
    }
    EndAll(a);
    a.disk->CrashAt(call, CrashKind::kKill, /*after=*/false);
    // Up to the kill each of these works; after it none does, and that is no matter.
    (void)a.store->Checkpoint();
    a.store->Maintain(a.AllStable());
    b.Increment("k");
    (void)b.store->journal().Commit();
    Pull(a, b);
    (void)a.store->Checkpoint();
    ASSERT_TRUE(a.Open().ok());
    Pull(a, b);
    EXPECT_EQ(a.Get("k"), "4") << "killed at call " << call;
  }
}

TEST_F(Folding, DropsTheLogOfStreamsThatAreOver) {
  IncrementInIncarnations(10);
  EndAll(a_);
  ASSERT_TRUE(a_.store->Checkpoint().ok());
  ASSERT_TRUE(a_.store->Checkpoint().ok());  // the first leaves an interval for who lags
  const auto origins = a_.store->engine().LogOrigins();
  ASSERT_TRUE(origins.ok());
  for (const Origin& origin : *origins) EXPECT_NE(origin.node, b_.store->id());
}

TEST_F(Folding, EndsWhereAWholeStateOfUnfoldedSlotsIsTaken) {
  IncrementInIncarnations(4);
  OneStore c("c", 3);
  ASSERT_TRUE(c.Open().ok());
  Pull(c, b_);
  EndAll(a_);
  AllowFolding(a_);
  a_.Increment("k");
  ASSERT_TRUE(a_.store->journal().Commit().ok());
  Pull(c, a_);
  ASSERT_EQ(Slots(a_), 2u);
  ASSERT_TRUE(a_.store->ApplyWalk(OneStore::WalkOf(*c.store, {}), /*whole_state=*/true).ok());
  EXPECT_EQ(a_.Get("k"), "5");
  EXPECT_EQ(Slots(a_), 5u) << "as the sender has them";
  EXPECT_EQ(a_.store->vector().OverUpTo(b_.store->id()), 0u) << "until the list says so again";
}

TEST_F(Folding, GivesAFoldedSlotToWhoTakesTheWholeState) {
  IncrementInIncarnations(4);
  EndAll(a_);
  AllowFolding(a_);
  a_.Increment("k");
  ASSERT_TRUE(a_.store->journal().Commit().ok());
  OneStore c("c", 3);
  ASSERT_TRUE(c.Open().ok());
  ASSERT_TRUE(c.store->ApplyWalk(OneStore::WalkOf(*a_.store, {}), /*whole_state=*/true).ok());
  EXPECT_EQ(c.Get("k"), "5");
  EXPECT_EQ(Slots(c), 2u);
  // What is still on the way of these streams counts for nothing.
  const auto batches = b_.store->ReadStream(last_, Stamp{}, SIZE_MAX);
  ASSERT_TRUE(batches.ok());
  EXPECT_EQ(c.Apply(batches->front()).value(), false);
  EXPECT_EQ(c.Get("k"), "5");
}

}  // namespace
}  // namespace starling
