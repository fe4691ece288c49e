/// Entering a cluster, with the process killed inside every write to its disk on the way: what a
/// node acknowledged before it entered is there afterwards, and counts once (I2, I10).

#include <gtest/gtest.h>

#include "tests/sim/cluster_test_base.h"

namespace starling::sim {
namespace {

/// When the entering process dies, and when the next one does.
struct Death {
  uint64_t call = 0;         ///< Inside which write to the disk from the start of the entering on.
  bool after = false;        ///< Once the write has taken effect, or before.
  uint64_t in_recovery = 0;  ///< Inside which write of the next start; 0: in none.
  uint64_t entering_again = 0;  ///< Inside which write once it has started again; 0: in none.
  CrashKind kind = CrashKind::kKill;
  /// The disk runs full at that write instead; `after`: it says that the outcome is unknown.
  bool full = false;
};

class Entering : public ClusterTest {
 protected:
  /// Of each kind of thing one, on keys that the cluster has and on keys that it has not.
  void WriteAlone(SimNode& at) {
    Keyspace& alone = at.store().keyspace();
    const auto with = [&](const char* name, const Work& work) {
      const KeyRef key = alone.Ref(0, name);
      Access access = alone.Lock(key);
      work(access, key);
    };
    with("own", [](Access& access, const KeyRef& key) { access.SetString(key, "of the node"); });
    with("reset", [](Access& access, const KeyRef& key) {
      access.SetString(key, "10");
      EXPECT_TRUE(access.Increment(key, 5).ok());
    });
    with("count",
         [](Access& access, const KeyRef& key) { EXPECT_TRUE(access.Increment(key, 2).ok()); });
    with("hash", [](Access& access, const KeyRef& key) {
      EXPECT_TRUE(access.IncrementElement(key, ElementType::kHash, "f", 2).ok());
    });
    with("scores", [](Access& access, const KeyRef& key) {
      EXPECT_TRUE(access.IncrementScore(key, "m", 2).ok());
    });
    with("set", [](Access& access, const KeyRef& key) {
      EXPECT_TRUE(access.AddElement(key, ElementType::kSet, "of the node", {}));
    });
    with("list", [](Access& access, const KeyRef& key) {
      access.PushElement(key, /*left=*/false, Value::Bytes("of the node"));
    });
    ASSERT_TRUE(at.store().journal().Commit().ok());
  }

  /// What the cluster has of it.
  void WriteInCluster(SimNode& at) {
    Increment(at, "count");
    Do(at, "hash", [](Access& access, const KeyRef& key) {
      EXPECT_TRUE(access.IncrementElement(key, ElementType::kHash, "f", 1).ok());
    });
    Do(at, "scores", [](Access& access, const KeyRef& key) {
      EXPECT_TRUE(access.IncrementScore(key, "m", 1).ok());
    });
    Do(at, "set", [](Access& access, const KeyRef& key) {
      EXPECT_TRUE(access.AddElement(key, ElementType::kSet, "of the cluster", {}));
    });
  }

  /// Everything above, once.
  void ExpectAll(SimNode& at) {
    EXPECT_EQ(Shown(at, "own"), "of the node");
    EXPECT_EQ(Shown(at, "reset"), "15");
    EXPECT_EQ(Shown(at, "count"), "3");
    const auto element = [&](const char* name, ElementType type, const char* id) -> std::string {
      const KeyRef key = at.store().keyspace().Ref(0, name);
      Access access = at.store().keyspace().Lock(key);
      const auto value = access.GetElement(key, type, id);
      std::string buffer;
      return value ? std::string(TextOf(*value, buffer)) : "(absent)";
    };
    EXPECT_EQ(element("hash", ElementType::kHash, "f"), "3");
    EXPECT_EQ(element("scores", ElementType::kSortedSet, "m"), "3");
    for (const char* name : {"set", "list"}) {
      const KeyRef key = at.store().keyspace().Ref(0, name);
      const auto view = at.store().keyspace().Lock(key).Find(key);
      EXPECT_EQ(view ? view->size : 0, std::string_view(name) == "set" ? 2U : 1U) << name;
    }
  }

  /// Lets `entering` enter and die on the way; false where it was inside before it could die.
  bool DieEntering(SimNode& entering, const Death& death) {
    entering.CrashInside(death.call, death.kind, death.after);
    const bool died = !WaitInside(entering);
    if (!died) return false;
    if (death.in_recovery > 0) entering.DieInRecovery(death.in_recovery);
    entering.Start();
    if (death.entering_again > 0) {
      entering.CrashInside(death.entering_again, death.kind, death.after);
      if (!WaitInside(entering)) entering.Start();
    }
    return true;
  }
  /// Waits until `entering` is a member that all know, and all have what it wrote; false when it
  /// has died.
  bool WaitInside(SimNode& entering) {
    const auto known = [&] {
      if (!entering.up()) return true;
      for (SimNode* node : world().UpNodes()) {
        if (!node->replicator().cluster() || !IsMember(*node, entering.name())) return false;
        if (!Get(*node, "own")) return false;
      }
      return true;
    };
    EXPECT_TRUE(world().RunUntil(known, seconds(60), milliseconds(1)));
    if (!entering.up()) return false;
    entering.disk().CrashAt(0, CrashKind::kKill, false);  // it shall not die any more
    return true;
  }

  /// The disk runs full instead, and the operator makes room and starts a read-only node again.
  void RunFullEntering(SimNode& entering, const Death& death) {
    entering.disk().RunFull(death.call, death.after);
    world().RunFor(seconds(3));
    entering.disk().HasSpace();
    if (!entering.up() || !entering.store().journal().read_only()) return;
    entering.Crash(CrashKind::kKill);
    entering.Start();
  }

  /// Repeats `scenario` with deaths at every write, until it is through without dying. Returns at
  /// how many writes it died.
  uint64_t AtEveryWrite(Death death, const std::function<bool(const Death&)>& scenario) {
    constexpr uint64_t kMany = 300;
    bool died = true;
    for (death.call = 1; died && death.call < kMany && !HasFailure(); ++death.call) {
      for (const bool after : {false, true}) {
        death.after = after;
        SCOPED_TRACE("killed " + std::string(after ? "after" : "before") + " write " +
                     std::to_string(death.call));
        died = scenario(death);
        if (world().failed()) {
          ADD_FAILURE() << world().violation()->invariant << ": " << world().violation()->text;
        }
      }
    }
    EXPECT_LT(death.call, kMany) << "it died for ever";
    return death.call - 2;
  }

  /// D writes alone, then meets the cluster.
  bool Join(const Death& death) {
    const bool power = death.kind == CrashKind::kPowerLoss;
    Form(3, power ? AppendFsync::kAlways : AppendFsync::kEverySecond);
    SimNode& joiner = world().AddNode("D");
    world().Partition(0b1000);
    joiner.Start();
    WriteAlone(joiner);
    WriteInCluster(node(0));
    world().RunFor(milliseconds(50));
    world().Heal();
    bool died = true;
    if (death.full) {
      RunFullEntering(joiner, death);
      died = death.call < 12;
    } else {
      died = DieEntering(joiner, death);
    }
    EXPECT_TRUE(Settled({0, 1, 2, 3}, seconds(60)));
    for (int i = 0; i < 4; ++i) ExpectAll(node(i));
    return died;
  }

  /// C is cut off, writes on, is forgotten, and returns.
  bool Return(const Death& death) {
    const bool power = death.kind == CrashKind::kPowerLoss;
    Form(3, power ? AppendFsync::kAlways : AppendFsync::kEverySecond);
    WriteInCluster(node(2));  // of the streams that count, and whose slots C goes on with
    EXPECT_TRUE(Agreed({0, 1, 2}));
    world().Partition(0b100);
    WriteAlone(node(2));
    EXPECT_TRUE(WaitDown(node(0), "C"));
    EXPECT_TRUE(WaitDown(node(1), "C"));
    world().RunFor(seconds(5));
    const Status forgotten = Forget({"C"});
    EXPECT_TRUE(forgotten.ok()) << forgotten.error().message;
    EXPECT_TRUE(WaitForgotten(node(0), "C"));
    EXPECT_TRUE(WaitForgotten(node(1), "C"));
    world().Heal();
    const bool died = DieEntering(node(2), death);
    EXPECT_TRUE(Settled({0, 1, 2}, seconds(60)));
    for (int i = 0; i < 3; ++i) ExpectAll(node(i));
    return died;
  }

  /// B's disk goes back to a snapshot, unnoticed, and B writes on before it meets the others, who
  /// show it what it has lost.
  bool GoBack(const Death& death) {
    Form(3);
    const auto snapshot = node(1).disk().Copy(5);
    const Origin before = node(1).store().origin();
    WriteInCluster(node(1));
    EXPECT_TRUE(Agreed({0, 1, 2}));
    node(1).Crash(CrashKind::kKill);
    node(1).PutDisk(snapshot->Copy(6), /*restored=*/false, "folder");
    world().streams().LetBranch(before);
    world().Partition(0b010);
    node(1).Start();
    world().RunFor(milliseconds(20));
    WriteAlone(node(1));
    world().RunFor(milliseconds(20));
    world().Heal();
    const auto noticed = [&] { return node(1).store().origin() > before; };
    EXPECT_TRUE(world().RunUntil(noticed, seconds(30), std::chrono::microseconds(10)));
    EXPECT_FALSE(Get(node(1), "count").value_or("") == "3") << "it has entered already";
    const bool died = DieEntering(node(1), death);
    EXPECT_TRUE(Settled({0, 1, 2}, seconds(60)));
    for (int i = 0; i < 3; ++i) ExpectAll(node(i));
    return died;
  }
};

TEST_F(Entering, AJoinerKilledAtAnyWriteKeepsWhatItWroteBefore) {
  EXPECT_GE(AtEveryWrite({}, [&](const Death& death) { return Join(death); }), 2U);
}

TEST_F(Entering, AJoinerKilledAgainInRecoveryKeepsWhatItWroteBefore) {
  for (const uint64_t write : {1, 2, 3}) {
    EXPECT_GE(AtEveryWrite({.in_recovery = write}, [&](const Death& death) { return Join(death); }),
              2U);
  }
}

TEST_F(Entering, AJoinerKilledAgainWhileItEntersAgainKeepsWhatItWroteBefore) {
  for (const uint64_t write : {3, 4, 5, 6, 7}) {
    EXPECT_GE(
        AtEveryWrite({.entering_again = write}, [&](const Death& death) { return Join(death); }),
        2U);
  }
}

TEST_F(Entering, AJoinerThatLosesPowerAtAnyWriteKeepsWhatItSynced) {
  EXPECT_GE(AtEveryWrite({.kind = CrashKind::kPowerLoss},
                         [&](const Death& death) { return Join(death); }),
            2U);
}

TEST_F(Entering, AJoinerWhoseDiskIsFullAtAnyWriteKeepsWhatItWroteBefore) {
  EXPECT_GE(AtEveryWrite({.full = true}, [&](const Death& death) { return Join(death); }), 2U);
}

// D takes the state of A, who has freed what B and C still keep.
TEST_F(Entering, AJoinerThatNeverWritesHoldsUpNobodysTombstones) {  // I9
  Form(3);
  Set(node(1), "k", "v");
  ASSERT_TRUE(Agreed({0, 1, 2}));
  Delete(node(1), "k");
  for (int i = 1; i < 3; ++i) world().network().Block(node(0).address(), node(i).address());
  ASSERT_TRUE(
      world().RunUntil([&] { return Tombstones(node(0)) > 0; }, seconds(1), milliseconds(1)));
  ASSERT_TRUE(Freed({0}));
  SimNode& joiner = world().AddNode("D");
  for (int i = 1; i < 3; ++i) Cut(joiner, node(i));
  joiner.Start();
  ASSERT_TRUE(
      world().RunUntil([&] { return joiner.replicator().cluster().has_value(); }, seconds(60)));
  for (int i = 1; i < 3; ++i) EXPECT_GT(Tombstones(node(i)), 0U);
  world().Heal();
  EXPECT_TRUE(Settled({0, 1, 2, 3}));
  EXPECT_TRUE(Freed({0, 1, 2, 3}));
}

// D dies as soon as it has entered, having told nobody. Alone it writes k, which B then deletes.
// Did the others know nothing of D, they would free the tombstone before D's write reaches them.
TEST_F(Entering, WhatANodeWritesAsSoonAsItHasEnteredLivesOnAllOrOnNone) {  // I8, COUNTEREXAMPLES 18
  bool entered = false;
  for (uint64_t call = 1; call < 20 && !entered; ++call) {
    Form(3);
    Set(node(0), "k", "old");
    ASSERT_TRUE(Agreed({0, 1, 2}));
    SimNode& joiner = world().AddNode("D");
    joiner.Start();
    joiner.CrashInside(call, CrashKind::kKill, /*after=*/true);
    ASSERT_TRUE(world().RunUntil([&] { return !joiner.up(); }, seconds(30)));
    world().Partition(0b1000);
    joiner.Start();
    entered = joiner.replicator().cluster().has_value();
  }
  ASSERT_TRUE(entered);
  SimNode& joiner = node(3);
  Set(joiner, "k", "of the joiner");
  world().RunFor(milliseconds(50));
  Delete(node(1), "k");
  world().RunFor(seconds(15));
  for (int i = 0; i < 3; ++i) EXPECT_GT(Tombstones(node(i)), 0U) << node(i).name();
  world().Heal();
  EXPECT_TRUE(Settled({0, 1, 2, 3}, seconds(60)));
  EXPECT_TRUE(Freed({0, 1, 2, 3}));
}

TEST_F(Entering, AForgottenMemberKilledAtAnyWriteOfItsReturnKeepsWhatItWroteAlone) {
  EXPECT_GE(AtEveryWrite({}, [&](const Death& death) { return Return(death); }), 2U);
  EXPECT_GE(AtEveryWrite({.kind = CrashKind::kPowerLoss},
                         [&](const Death& death) { return Return(death); }),
            2U);
}

TEST_F(Entering, AMemberWhoseDiskWentBackKilledAtAnyWriteKeepsWhatItWroteSince) {
  EXPECT_GE(AtEveryWrite({}, [&](const Death& death) { return GoBack(death); }), 2U);
}

}  // namespace
}  // namespace starling::sim
