/// The schedules of the design's list of counterexamples that need members who talk: whole nodes on
/// virtual time. Each names the rule without which it fails; README.md says how that was verified.

#include <gtest/gtest.h>

#include "tests/sim/checkers/quiescence.h"
#include "tests/sim/dump.h"
#include "tests/sim/world.h"

namespace starling::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class ClusterCounterexamples : public ::testing::Test {
 protected:
  /// A formed cluster of `nodes`, named A, B, ...
  void Form(int nodes) {
    WorldOptions options;
    options.seed = 7;
    options.nodes = nodes;
    world_ = std::make_unique<World>(options);
    world_->StartAll();
    ASSERT_TRUE(world_->RunUntil([&] { return world_->Formed(); }, seconds(30)));
  }
  World& world() { return *world_; }
  SimNode& node(int index) { return world_->node(index); }

  using Work = std::function<void(Access&, const KeyRef&)>;
  /// Does `work` on the key and commits at once.
  void Do(SimNode& at, const std::string& name, const Work& work) {
    at.Write(
        [&](Store& store, OperationId) {
          const KeyRef key = store.keyspace().Ref(0, name);
          Access access = store.keyspace().Lock(key);
          work(access, key);
        },
        Duration::zero());
  }
  void Set(SimNode& at, const std::string& name, const std::string& value) {
    Do(at, name, [&](Access& access, const KeyRef& key) { access.SetString(key, value); });
  }
  void Increment(SimNode& at, const std::string& name) {
    Do(at, name,
       [&](Access& access, const KeyRef& key) { ASSERT_TRUE(access.Increment(key, 1).ok()); });
  }
  void Delete(SimNode& at, const std::string& name) {
    Do(at, name, [&](Access& access, const KeyRef& key) { EXPECT_TRUE(access.Delete(key)); });
  }
  static std::optional<std::string> Get(SimNode& at, const std::string& name) {
    return ReadString(at.store().keyspace(), at.store().keyspace().Ref(0, name));
  }
  static std::string Shown(SimNode& at, const std::string& name) {
    return Get(at, name).value_or("(absent)");
  }

  /// Runs until the nodes in `indexes` show the same and none keeps a tombstone it need not.
  bool Agreed(const std::vector<int>& indexes, Duration limit = seconds(30)) {
    return world_->RunUntil(
        [&] {
          const std::string first = VisibleDump(node(indexes[0]).store().keyspace());
          for (const int index : indexes) {
            if (VisibleDump(node(index).store().keyspace()) != first) return false;
          }
          return true;
        },
        limit, milliseconds(100));
  }
  bool Freed(const std::vector<int>& indexes, Duration limit = seconds(30)) {
    return world_->RunUntil(
        [&] {
          for (const int index : indexes) {
            if (node(index).store().keyspace().tombstones() > 0) return false;
          }
          return true;
        },
        limit, milliseconds(100));
  }
  Status Forget(SimNode& at, const std::vector<std::string>& names) {
    Status status;
    at.Input([&](Replicator& replicator, Instant now, Effects& effects) {
      status = replicator.Forget(names, now, effects);
    });
    return status;
  }
  static bool IsMember(SimNode& at, const std::string& name) {
    for (const MemberInfo& member : at.replicator().members()) {
      if (member.name == name) return member.state != MemberState::kForgotten;
    }
    return false;
  }
  bool WaitForgotten(SimNode& at, const std::string& name) {
    return world_->RunUntil([&] { return !IsMember(at, name); }, seconds(30));
  }
  bool WaitDown(SimNode& at, const std::string& name) {
    return world_->RunUntil(
        [&] {
          for (const MemberInfo& member : at.replicator().members()) {
            if (member.name == name && member.state == MemberState::kDead) return true;
          }
          return false;
        },
        seconds(60));
  }

  void TearDown() override {
    if (world_ == nullptr || !world_->failed()) return;
    FAIL() << world_->violation()->invariant << ": " << world_->violation()->text;
  }

 private:
  std::unique_ptr<World> world_;
};

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
  world().RunFor(milliseconds(500));
  Increment(node(0), "flushes");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Shown(node(i), "h"), "(absent)");
  EXPECT_TRUE(Freed({0, 1, 2}));
}

// Rule: floor; the whole state in one step. D joins while A has freed a tombstone that C still
// knows.
TEST_F(ClusterCounterexamples, Schedule16AJoinerTakesOneMembersWholeState) {
  Form(3);
  for (int i = 0; i < 20; ++i) Set(node(i % 3), "k" + std::to_string(i), "old");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  for (int i = 0; i < 10; ++i) Delete(node((i + 1) % 3), "k" + std::to_string(i));
  SimNode& joiner = world().AddNode("D");
  joiner.Start();
  for (int i = 10; i < 15; ++i) Delete(node(i % 3), "k" + std::to_string(i));
  ASSERT_TRUE(
      world().RunUntil([&] { return joiner.replicator().cluster().has_value(); }, seconds(30)));
  ASSERT_TRUE(Agreed({0, 1, 2, 3}));
  EXPECT_EQ(Shown(joiner, "k3"), "(absent)");
  EXPECT_EQ(Shown(joiner, "k17"), "old");
  EXPECT_TRUE(Freed({0, 1, 2, 3}));
  EXPECT_TRUE(Agreed({0, 1, 2, 3}));
}

// Rules: forgetting is a cluster decision with an agreed end (17), and plain values are re-issued
// only where the cluster holds no later item (27). While C is away nobody frees; once C has been
// forgotten all free; and C, returning, takes the whole state and brings back only what it wrote
// beyond its end.
TEST_F(ClusterCounterexamples, Schedule17And27AMemberIsForgottenByAllOrByNobody) {
  Form(3);
  for (const char* name : {"k", "rewritten"}) Set(node(0), name, "old");
  Increment(node(2), "count");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  world().Partition(0b100);
  Increment(node(2), "count");  // alone: nobody else holds it
  for (const char* name : {"rewritten", "own"}) Set(node(2), name, "written while away");
  world().RunFor(milliseconds(20));
  Delete(node(0), "k");
  Set(node(1), "rewritten", "later");
  ASSERT_TRUE(WaitDown(node(0), "C"));
  ASSERT_TRUE(WaitDown(node(1), "C"));
  world().RunFor(seconds(5));
  EXPECT_GT(node(0).store().keyspace().tombstones(), 0U);
  EXPECT_GT(node(1).store().keyspace().tombstones(), 0U);
  ASSERT_TRUE(Forget(node(0), {"C"}).ok());
  ASSERT_TRUE(WaitForgotten(node(0), "C"));
  ASSERT_TRUE(WaitForgotten(node(1), "C"));
  EXPECT_TRUE(Freed({0, 1}));
  world().Heal();
  ASSERT_TRUE(Agreed({0, 1, 2}, seconds(60)));
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Shown(node(i), "k"), "(absent)") << "a deleted value came back on " << node(i).name();
    EXPECT_EQ(Shown(node(i), "rewritten"), "later") << "an older value won on " << node(i).name();
    EXPECT_EQ(Shown(node(i), "own"), "written while away");
    EXPECT_EQ(Shown(node(i), "count"), "2");
  }
}

// Rule: a joiner's stamps start after the state it took. D wrote k before it joined; B deletes k
// later, and A, who did not know D, may free that tombstone before D's stream arrives.
TEST_F(ClusterCounterexamples, Schedule18WhatAJoinerWroteBeforeLivesOnAllOrOnNone) {
  Form(3);
  SimNode& joiner = world().AddNode("D");
  world().Partition(0b1000);
  joiner.Start();
  const auto write = [&](const char* name, const char* value) {
    const KeyRef key = joiner.store().keyspace().Ref(0, name);
    joiner.store().keyspace().Lock(key).SetString(key, value);
    ASSERT_TRUE(joiner.store().journal().Commit().ok());
  };
  write("k", "of the joiner");
  write("own", "of the joiner");
  world().RunFor(milliseconds(50));
  Set(node(1), "k", "of the cluster");
  Delete(node(1), "k");
  ASSERT_TRUE(Freed({0, 1, 2}));
  world().Heal();
  ASSERT_TRUE(
      world().RunUntil([&] { return joiner.replicator().cluster().has_value(); }, seconds(60)));
  ASSERT_TRUE(Agreed({0, 1, 2, 3}, seconds(60)));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Shown(node(i), "own"), "of the joiner");
  EXPECT_TRUE(Freed({0, 1, 2, 3}));
  EXPECT_TRUE(Agreed({0, 1, 2, 3}));
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

// Rule: nothing is freed until every unforgotten member has acknowledged exactly this member list.
// D joins at A while B is cut off from A; B may not free what D could still bring.
TEST_F(ClusterCounterexamples, Schedule40NothingIsFreedWhileAMemberDoesNotKnowTheList) {
  Form(3);
  Set(node(0), "k", "old");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  SimNode& joiner = world().AddNode("D");
  // B talks to C only; the joiner to A only.
  for (const auto& [from, to] : {std::pair{0, 1}, std::pair{3, 1}, std::pair{3, 2}}) {
    world().network().Block(node(from).address(), node(to).address());
    world().network().Block(node(to).address(), node(from).address());
  }
  joiner.Start();
  world().RunFor(seconds(2));
  Delete(node(1), "k");
  world().RunFor(seconds(15));
  world().Heal();
  ASSERT_TRUE(
      world().RunUntil([&] { return joiner.replicator().cluster().has_value(); }, seconds(60)));
  ASSERT_TRUE(Agreed({0, 1, 2, 3}, seconds(60)));
  EXPECT_EQ(Shown(joiner, "k"), "(absent)");
  EXPECT_TRUE(Freed({0, 1, 2, 3}, seconds(60)));
  EXPECT_TRUE(Agreed({0, 1, 2, 3}));
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
  ASSERT_TRUE(Forget(node(0), {"D", "E"}).ok());
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
  node(2).Start();
  ASSERT_TRUE(Agreed({0, 1, 2}));
  EXPECT_EQ(Shown(node(2), "k"), "(absent)");
  EXPECT_TRUE(Freed({0, 1, 2}));
}

}  // namespace
}  // namespace starling::sim
