/// The schedules of the design's list of counterexamples that need members who talk: whole nodes on
/// virtual time. Each names the rule without which it fails; README.md says how that was verified.

#include <gtest/gtest.h>

#include "tests/sim/checkers/quiescence.h"
#include "tests/sim/cluster_test_base.h"

namespace starling::sim {
namespace {

class ClusterCounterexamples : public ClusterTest {};

// Rule: stable also means that every member's own stream has passed the tombstone's stamp. A holds
// an older element that it has not flushed while B's deletion is acknowledged by all.
TEST_F(ClusterCounterexamples, Schedule14AnUnflushedOlderElementDiesOfTheDeletionAfterAll) {
  Form(3);
  const auto add = [&](SimNode& at, const char* id, Duration within) {
    at.Write(
        [&](Store& store, OperationId) {
          const KeyRef key = store.keyspace().Ref(0, "h");
          store.keyspace().Lock(key).AddElement(key, ElementType::kHash, id, Value::Bytes("v"));
        },
        within);
  };
  add(node(0), "first", Duration::zero());
  ASSERT_TRUE(Agreed({0, 1, 2}));
  // Written to memory alone: no reply is owed, so nothing flushes it before the node's next commit.
  const KeyRef key = node(0).store().keyspace().Ref(0, "h");
  node(0).store().keyspace().Lock(key).AddElement(key, ElementType::kHash, "f", Value::Bytes("v"));
  world().RunFor(milliseconds(5));
  Delete(node(1), "h");
  world().RunFor(seconds(5));
  Increment(node(0), "flushes");
  ASSERT_TRUE(Settled({0, 1, 2}));
  for (int i = 0; i < 3; ++i) {
    const KeyRef hash = node(i).store().keyspace().Ref(0, "h");
    EXPECT_FALSE(node(i).store().keyspace().Lock(hash).Exists(hash)) << node(i).name();
  }
  EXPECT_TRUE(Freed({0, 1, 2}));
}

// Rule: floor; the whole state in one step. D meets C alone, whose log still has B's old value, but
// no longer A's deletion, and whose tombstone is freed. Pieced together the value would live on D.
TEST_F(ClusterCounterexamples, Schedule16AJoinerTakesOneMembersWholeState) {
  Form(3);
  Set(node(0), "other", "old");
  Set(node(0), "k", "old");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  world().Partition(0b010);
  Set(node(1), "k", "written alone");
  world().RunFor(milliseconds(20));
  Delete(node(0), "k");
  ASSERT_TRUE(Agreed({0, 2}));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(node(2).store().Checkpoint().ok());
  world().Heal();
  ASSERT_TRUE(Settled({0, 1, 2}));
  ASSERT_TRUE(Freed({0, 1, 2}));
  SimNode& joiner = world().AddNode("D");
  for (int i = 0; i < 2; ++i) Cut(joiner, node(i));
  joiner.Start();
  ASSERT_TRUE(
      world().RunUntil([&] { return joiner.replicator().cluster().has_value(); }, seconds(30)));
  ASSERT_TRUE(Settled({0, 1, 2, 3}));
  EXPECT_EQ(Shown(joiner, "k"), "(absent)");
  EXPECT_EQ(Shown(joiner, "other"), "old");
}

// Rules: forgetting is a cluster decision with an agreed end (17), and plain values are re-issued
// only where the cluster holds no later item (27). While C is away nobody frees; once C has been
// forgotten all free; and C, returning, takes the whole state and brings back only what it wrote
// beyond its end.
TEST_F(ClusterCounterexamples, Schedule17And27AMemberIsForgottenByAllOrByNobody) {
  Form(3);
  for (const char* name : {"k", "rewritten", "both"}) Set(node(0), name, "old");
  Increment(node(2), "count");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  world().Partition(0b100);
  Increment(node(2), "count");  // alone: nobody else holds it
  for (const char* name : {"rewritten", "own", "both"}) Set(node(2), name, "written while away");
  world().RunFor(milliseconds(20));
  for (const char* name : {"k", "both"}) Delete(node(0), name);
  Set(node(1), "rewritten", "later");
  ASSERT_TRUE(WaitDown(node(0), "C"));
  ASSERT_TRUE(WaitDown(node(1), "C"));
  world().RunFor(seconds(5));
  EXPECT_GT(node(0).store().keyspace().tombstones(), 0U);
  EXPECT_GT(node(1).store().keyspace().tombstones(), 0U);
  ASSERT_TRUE(Forget({"C"}).ok());
  ASSERT_TRUE(WaitForgotten(node(0), "C"));
  ASSERT_TRUE(WaitForgotten(node(1), "C"));
  EXPECT_TRUE(Freed({0, 1}));
  world().Heal();
  ASSERT_TRUE(Settled({0, 1, 2}, seconds(60)));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Shown(node(i), "k"), "(absent)") << "a deleted value came back on " << node(i).name();
    EXPECT_EQ(Shown(node(i), "rewritten"), "later") << "an older value won on " << node(i).name();
    EXPECT_EQ(Shown(node(i), "own"), "written while away");
    EXPECT_EQ(Shown(node(i), "count"), "2");
  }
}

// Rule: an agreed end: the one who forgets asks every other member how much it holds. Another alone
// has the last write of the lost one; the leaseholder, cut off from both, forgets that.
TEST_F(ClusterCounterexamples, Schedule17TheEndOfAForgottenMemberIsWhatAnybodyHoldsOfIt) {
  WorldOptions options;
  options.nodes = 3;
  options.folder = true;  // so that who is cut off leads on
  Form(options);
  SimNode* leader = WaitLeader();
  ASSERT_NE(leader, nullptr);
  std::vector<int> others;
  for (int i = 0; i < 3; ++i) {
    if (&node(i) != leader) others.push_back(i);
  }
  SimNode& other = node(others[0]);
  SimNode& lost = node(others[1]);
  Increment(lost, "count");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  for (const int i : others) Cut(*leader, node(i));
  Increment(lost, "count");
  ASSERT_TRUE(Agreed(others));
  lost.Crash(CrashKind::kKill);
  ASSERT_TRUE(WaitDown(*leader, lost.name()));
  ASSERT_TRUE(WaitDown(other, lost.name()));
  ASSERT_TRUE(Forget({lost.name()}).ok());
  world().RunFor(seconds(5));
  world().Heal();
  ASSERT_TRUE(WaitForgotten(*leader, lost.name()));
  ASSERT_TRUE(WaitForgotten(other, lost.name()));
  ASSERT_TRUE(world().RunUntil([&] { return Shown(*leader, "count") == "2"; }, seconds(30)));
  EXPECT_EQ(Shown(other, "count"), "2");
}

// Rule: what a joiner wrote before it joined is no stream of the cluster's: it is written again,
// with stamps after the state that it took. When D joins, A has freed B's deletion of k, the
// others, who hear nothing of A, have not: under its old stamps D's k would live on A and D alone.
TEST_F(ClusterCounterexamples, Schedule18WhatAJoinerWroteBeforeLivesOnAllOrOnNone) {
  Form(3);
  SimNode& joiner = world().AddNode("D");
  world().Partition(0b1000);
  joiner.Start();
  Keyspace& alone = joiner.store().keyspace();
  for (const char* name : {"k", "own"}) {
    const KeyRef key = alone.Ref(0, name);
    alone.Lock(key).SetString(key, "of the joiner");
  }
  const KeyRef count = alone.Ref(0, "count");
  ASSERT_TRUE(alone.Lock(count).Increment(count, 2).ok());
  ASSERT_TRUE(joiner.store().journal().Commit().ok());
  Increment(node(2), "count");
  world().RunFor(milliseconds(50));
  Set(node(1), "k", "of the cluster");
  Delete(node(1), "k");
  for (int i = 1; i < 3; ++i) world().network().Block(node(0).address(), node(i).address());
  ASSERT_TRUE(
      world().RunUntil([&] { return Tombstones(node(0)) > 0; }, seconds(1), milliseconds(1)));
  ASSERT_TRUE(Freed({0}));
  Join(node(0), joiner);
  ASSERT_TRUE(
      world().RunUntil([&] { return joiner.replicator().cluster().has_value(); }, seconds(60)));
  world().RunFor(seconds(5));
  for (int i = 1; i < 3; ++i) EXPECT_GT(Tombstones(node(i)), 0U);
  world().Heal();
  ASSERT_TRUE(Settled({0, 1, 2, 3}, seconds(60)));
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Shown(node(i), "own"), "of the joiner");
    EXPECT_EQ(Shown(node(i), "count"), "3") << node(i).name();
  }
  EXPECT_TRUE(Freed({0, 1, 2, 3}));
}

// Rule: as before; a joiner's stamps start after the state it took, however slow its clock is.
TEST_F(ClusterCounterexamples, Schedule18AJoinersFirstWriteIsLaterThanAllThatItTook) {
  Form(3);
  SimNode& joiner = world().AddNode("D");
  joiner.clock().SetOffset(milliseconds(-400));
  joiner.Start();
  const auto joined = [&] {
    if (joiner.replicator().cluster()) return true;
    Set(node(1), "k", "of the cluster");
    return false;
  };
  ASSERT_TRUE(world().RunUntil(joined, seconds(60), milliseconds(1)));
  EXPECT_EQ(Shown(joiner, "k"), "of the cluster");
  Set(joiner, "k", "of the joiner");
  EXPECT_EQ(Shown(joiner, "k"), "of the joiner");
  EXPECT_TRUE(Settled({0, 1, 2, 3}));
}

// Rule: what is written again are differences, of fields and scores as well (I2).
TEST_F(ClusterCounterexamples, Schedule18WhatAJoinerAddedToAFieldBeforeCountsOnce) {
  Form(3);
  const auto add = [&](SimNode& at, int64_t by) {
    Do(at, "h", [&](Access& access, const KeyRef& key) {
      ASSERT_TRUE(access.IncrementElement(key, ElementType::kHash, "f", by).ok());
    });
  };
  add(node(0), 3);
  SimNode& joiner = world().AddNode("D");
  world().Partition(0b1000);
  joiner.Start();
  const KeyRef key = joiner.store().keyspace().Ref(0, "h");
  ASSERT_TRUE(
      joiner.store().keyspace().Lock(key).IncrementElement(key, ElementType::kHash, "f", 2).ok());
  ASSERT_TRUE(joiner.store().journal().Commit().ok());
  world().RunFor(milliseconds(50));
  world().Heal();
  ASSERT_TRUE(
      world().RunUntil([&] { return joiner.replicator().cluster().has_value(); }, seconds(60)));
  ASSERT_TRUE(Settled({0, 1, 2, 3}, seconds(60)));
  for (int i = 0; i < 4; ++i) {
    const KeyRef there = node(i).store().keyspace().Ref(0, "h");
    Access access = node(i).store().keyspace().Lock(there);
    const auto value = access.GetElement(there, ElementType::kHash, "f");
    ASSERT_TRUE(value.has_value()) << node(i).name();
    EXPECT_EQ(value->number.ToString(), "5") << node(i).name();
  }
}

// Rule: the incarnation rises when a peer's vector shows more of this origin than the node holds: a
// VM snapshot resumed, same folder, same boot, clean as far as the node can see.
TEST_F(ClusterCounterexamples, Schedule28ANodeWhoseDiskWentBackIsANewIncarnation) {
  Form(2);
  Set(node(0), "k", "one");
  ASSERT_TRUE(Agreed({0, 1}));
  const auto snapshot = node(0).disk().Copy(5);
  const Origin before = node(0).store().origin();
  Set(node(0), "k", "two");
  ASSERT_TRUE(Agreed({0, 1}));
  node(0).Crash(CrashKind::kKill);
  node(0).PutDisk(snapshot->Copy(6), /*restored=*/false, "folder");
  node(0).Start();
  ASSERT_TRUE(world().RunUntil([&] { return node(0).store().origin() > before; }, seconds(30)));
  ASSERT_TRUE(world().RunUntil([&] { return node(0).serving(); }, seconds(30)));
  Set(node(0), "mine", "after the snapshot");
  ASSERT_TRUE(Agreed({0, 1}));
  EXPECT_EQ(Shown(node(1), "mine"), "after the snapshot");
  EXPECT_EQ(Shown(node(0), "k"), "two");
}

// Rule: the incarnation rises after a power loss with `always`, too. A's batch is on its way to C
// while A's disk syncs it, and is lost there with the power. B, who has not got it, takes what A
// writes then and gives it to C, so that nobody's report shows A what it has lost.
TEST_F(ClusterCounterexamples, Schedule28WhatOnlyTheOwnDiskLostIsOfAnEarlierIncarnation) {
  int lost = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    WorldOptions options;
    options.seed = seed;
    options.nodes = 3;
    options.appendfsync = AppendFsync::kAlways;
    Form(options);
    Set(node(0), "k", "v");
    ASSERT_TRUE(Agreed({0, 1, 2}));
    world().Partition(0b010);
    node(0).Input([&](Replicator&, Instant, Effects&) {
      Store& store = node(0).store();
      const KeyRef key = store.keyspace().Ref(0, "sent");
      store.keyspace().Lock(key).SetString(key, "v");
      ASSERT_TRUE(store.journal().Log());
    });
    ASSERT_TRUE(world().RunUntil([&] { return Get(node(2), "sent").has_value(); }, seconds(1)));
    world().Heal();
    world().Partition(0b100);
    node(0).Crash(CrashKind::kPowerLoss);
    node(0).Start();
    lost += Get(node(0), "sent") ? 0 : 1;
    ASSERT_TRUE(world().RunUntil([&] { return node(0).serving(); }, seconds(30)));
    Set(node(0), "after", "v");
    ASSERT_TRUE(world().RunUntil([&] { return Get(node(1), "after").has_value(); }, seconds(30)));
    world().Heal();
    world().Partition(0b001);
    ASSERT_TRUE(world().RunUntil([&] { return Get(node(2), "after").has_value(); }, seconds(30)));
    world().Heal();
    ASSERT_TRUE(Agreed({0, 1, 2}));
    EXPECT_EQ(Shown(node(0), "sent"), "v");
  }
  EXPECT_GT(lost, 0);
}

// Rule: nothing is freed until every unforgotten member has acknowledged exactly this member list.
// D joins at A and is cut off; B has never met it. What D writes may be older than B's deletion.
TEST_F(ClusterCounterexamples, Schedule40NothingIsFreedBeforeANewMemberHasAcknowledged) {
  Form(3);
  Set(node(0), "k", "old");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  SimNode& joiner = world().AddNode("D");
  for (int i = 1; i < 3; ++i) Cut(joiner, node(i));
  joiner.Start();
  ASSERT_TRUE(world().RunUntil([&] { return IsMember(node(0), "D"); }, seconds(60)));
  ASSERT_TRUE(world().RunUntil([&] { return IsMember(joiner, "D"); }, seconds(60)));
  ASSERT_TRUE(Freed({0, 1, 2}));
  Cut(joiner, node(0));
  Set(joiner, "k", "older than the deletion");
  world().RunFor(milliseconds(50));
  Delete(node(1), "k");
  world().RunFor(seconds(15));
  for (int i = 0; i < 3; ++i) EXPECT_GT(Tombstones(node(i)), 0U) << node(i).name();
  world().Heal();
  ASSERT_TRUE(Settled({0, 1, 2, 3}, seconds(60)));
  EXPECT_EQ(Shown(node(0), "k"), "(absent)");
  EXPECT_TRUE(Freed({0, 1, 2, 3}, seconds(60)));
}

// Rule: several members at once, without their reports.
TEST_F(ClusterCounterexamples, Schedule41TwoDeadMembersAreForgottenTogether) {
  Form(5);
  Set(node(3), "k", "old");
  ASSERT_TRUE(Agreed({0, 1, 2, 3, 4}));
  node(3).Crash(CrashKind::kKill);
  node(4).Crash(CrashKind::kKill);
  for (const char* name : {"D", "E"}) ASSERT_TRUE(WaitDown(node(0), name));
  Delete(node(1), "k");
  world().RunFor(seconds(5));
  EXPECT_GT(node(1).store().keyspace().tombstones(), 0U);
  ASSERT_TRUE(Forget({"D", "E"}).ok());
  for (int i = 0; i < 3; ++i) {
    for (const char* name : {"D", "E"}) EXPECT_TRUE(WaitForgotten(node(i), name)) << name;
  }
  EXPECT_TRUE(Freed({0, 1, 2}));
  node(3).Start();
  node(4).Start();
  ASSERT_TRUE(world().RunUntil([&] { return world().Formed(); }, seconds(60)));
  ASSERT_TRUE(Agreed({0, 1, 2, 3, 4}, seconds(60)));
  EXPECT_EQ(Shown(node(4), "k"), "(absent)");
}

// Rule: with a seed list the shared folder neither finds nor creates. Three hosts start cut off
// from each other, each with an empty folder of its own.
TEST_F(ClusterCounterexamples, Schedule43SeedListsAndEmptyFoldersMakeOneCluster) {
  WorldOptions options;
  options.nodes = 3;
  World hosts(options);
  hosts.Partition(0b001);
  hosts.network().Block(hosts.node(1).address(), hosts.node(2).address());
  hosts.network().Block(hosts.node(2).address(), hosts.node(1).address());
  hosts.StartAll();
  for (int i = 0; i < 3; ++i) {
    hosts.node(i).Input([](Replicator& replicator, Instant now, Effects& effects) {
      replicator.OnMeetingFolder({}, std::nullopt, now, effects);
    });
  }
  hosts.RunFor(seconds(20));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(hosts.node(i).replicator().cluster());
  hosts.Heal();
  EXPECT_TRUE(hosts.RunUntil([&] { return hosts.Formed(); }, seconds(60)));
  EXPECT_FALSE(hosts.failed());
}

// Rule: the median decides. One node is a second slow; were everyone compared with it, all others
// would look ahead and stop.
TEST_F(ClusterCounterexamples, Schedule44OneSlowClockStopsNobody) {
  Form(3);
  node(2).clock().SetOffset(milliseconds(-1000));
  // Its hybrid clock runs on from its last stamp; a restart with an empty disk shows the wall
  // clock.
  node(2).Crash(CrashKind::kPowerLoss);
  node(2).EmptyDisk();
  node(2).Start();
  world().RunFor(seconds(10));
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(node(i).serving()) << node(i).name();
      EXPECT_EQ(node(i).replicator().WriteRefusal(), std::nullopt) << node(i).name();
      Increment(node(i), "count");
    }
    world().RunFor(milliseconds(500));
  }
  ASSERT_TRUE(Agreed({0, 1, 2}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Shown(node(i), "count"), "15");
}

// Rule (I8): a deleted thing does not come back, however long a member was away: its streams are
// held up to where it left, and its tombstones wait for it.
TEST_F(ClusterCounterexamples, AMemberAwayDuringADeletionDoesNotBringTheKeyBack) {
  Form(3);
  Set(node(2), "k", "old");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  node(2).Crash(CrashKind::kKill);
  Delete(node(0), "k");
  world().RunFor(seconds(600));
  for (int i = 0; i < 2; ++i) EXPECT_GT(Tombstones(node(i)), 0U);
  node(2).Start();
  ASSERT_TRUE(Settled({0, 1, 2}));
  EXPECT_EQ(Shown(node(2), "k"), "(absent)");
  EXPECT_TRUE(Freed({0, 1, 2}));
}

// The leaseholder ends whom nobody has heard for `forget_after`; who returns in time is not ended.
TEST_F(ClusterCounterexamples, AMemberAwayForTooLongIsForgotten) {
  WorldOptions options;
  options.nodes = 4;
  options.folder = true;
  options.forget_after = seconds(30);
  Form(options);
  Set(node(2), "k", "old");
  Increment(node(2), "count");
  ASSERT_TRUE(Agreed({0, 1, 2, 3}));
  node(3).Crash(CrashKind::kKill);
  world().RunFor(seconds(15));
  node(2).Crash(CrashKind::kKill);
  Delete(node(0), "k");
  world().RunFor(seconds(5));
  node(3).Start();
  world().RunFor(seconds(20));
  for (const char* name : {"C", "D"}) {
    EXPECT_TRUE(IsMember(node(0), name)) << name;
  }
  ASSERT_TRUE(WaitForgotten(node(0), "C"));
  ASSERT_TRUE(WaitForgotten(node(1), "C"));
  world().RunFor(seconds(30));
  EXPECT_TRUE(IsMember(node(1), "D"));
  EXPECT_TRUE(Freed({0, 1, 3})) << "nothing is kept for its sake";
  node(2).Start();
  ASSERT_TRUE(Settled({0, 1, 2, 3}, seconds(60)));
  EXPECT_EQ(Shown(node(2), "k"), "(absent)");
  EXPECT_EQ(Shown(node(2), "count"), "1");
}

}  // namespace
}  // namespace starling::sim
