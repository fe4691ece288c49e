/// A node that comes back over and over with an empty disk leaves no trace (I9).

#include <gtest/gtest.h>

#include "storage/key_description.h"
#include "tests/sim/checkers/quiescence.h"
#include "tests/sim/cluster_test_base.h"

namespace starling::sim {
namespace {

class Restarts : public ClusterTest {
 protected:
  static constexpr int kNodes = 3;

  void SetUp() override {
    WorldOptions options;
    options.seed = 11;
    options.nodes = kNodes;
    options.checkpoint_log_bytes = 16 << 10;
    Form(options);
  }

  /// Adds one to a counter, a field and a score.
  static void AddOne(SimNode& at) {
    at.Write(
        [](Store& store, OperationId) {
          const KeyRef counter = store.keyspace().Ref(0, "counter");
          const KeyRef hash = store.keyspace().Ref(0, "hash");
          const KeyRef zset = store.keyspace().Ref(0, "zset");
          const std::array<KeyRef, 3> keys = {counter, hash, zset};
          Access access = store.keyspace().Lock(keys);
          ASSERT_TRUE(access.Increment(counter, 1).ok());
          ASSERT_TRUE(access.IncrementElement(hash, ElementType::kHash, "field", 1).ok());
          ASSERT_TRUE(access.IncrementScore(zset, "member", 1).ok());
        },
        Duration::zero());
  }
  /// What the three show, and 0 where they differ.
  static int64_t Shown(SimNode& at) {
    Keyspace& keyspace = at.store().keyspace();
    const std::string counter = ReadString(keyspace, keyspace.Ref(0, "counter")).value_or("0");
    const KeyRef hash = keyspace.Ref(0, "hash");
    const KeyRef zset = keyspace.Ref(0, "zset");
    const std::array<KeyRef, 2> keys = {hash, zset};
    Access access = keyspace.Lock(keys);
    const auto field = access.GetElement(hash, ElementType::kHash, "field");
    std::string buffer;
    const std::string text = field ? std::string(TextOf(*field, buffer)) : "0";
    const double score = access.Score(zset, "member").value_or(0);
    return text == counter && std::to_string(static_cast<int64_t>(score)) == counter
               ? std::stoll(counter)
               : -1;
  }
  bool AllShow(int64_t value) {
    return world().RunUntil(
        [&] {
          for (int i = 0; i < kNodes; ++i) {
            if (!node(i).up() || Shown(node(i)) != value) return false;
          }
          return true;
        },
        seconds(60), milliseconds(50));
  }
  size_t SlotsOf(SimNode& at, const std::string& name) {
    Keyspace& keyspace = at.store().keyspace();
    const KeyRef key = keyspace.Ref(0, name);
    Access access = keyspace.Lock(key);
    const KeyDescription description = *access.Describe(key);
    size_t slots = description.slots.size();
    for (const auto& elements : description.elements) slots += elements.slots;
    return slots;
  }
  void ComeBackEmpty(SimNode& at) {
    at.Crash(CrashKind::kPowerLoss);
    at.EmptyDisk();
    at.Start();
  }
  /// B adds one and comes back empty, `times` over; all saw each one. Returns what it added.
  int64_t AddAndComeBackEmpty(int times) {
    for (int i = 0; i < times; ++i) {
      AddOne(node(1));
      EXPECT_TRUE(AllShow(i + 1)) << "restart " << i;
      ComeBackEmpty(node(1));
      EXPECT_TRUE(AllShow(i + 1)) << "after restart " << i;
      world().RunFor(seconds(12));
    }
    return times;
  }
};

TEST_F(Restarts, OfANodeWithoutADiskLeaveOneSlotAndOneEntryWhateverTheirNumber) {
  constexpr int kRestarts = 100;
  int64_t total = 0;
  for (int i = 0; i < kRestarts; ++i) {
    for (int each = 0; each < kNodes; ++each) AddOne(node(each));
    total += kNodes;
    ASSERT_TRUE(AllShow(total)) << "restart " << i << ": " << Shown(node(0)) << " "
                                << Shown(node(1)) << " " << Shown(node(2)) << " of " << total;
    ComeBackEmpty(node(1));
    ASSERT_TRUE(AllShow(total)) << "after restart " << i;
    world().RunFor(seconds(12));
  }
  for (int each = 0; each < kNodes; ++each) AddOne(node(each));
  total += kNodes;
  ASSERT_TRUE(AllShow(total));
  std::string why;
  EXPECT_TRUE(world().RunUntil([&] { return (why = WhyNotSmall(world())).empty(); }, seconds(60)))
      << why;
  for (int i = 0; i < kNodes; ++i) {
    const VersionVector held = node(i).held();
    EXPECT_LE(held.entries().size(), kNodes + 1u) << held.ToString();
    EXPECT_EQ(held.OverUpTo(node(1).store().id()) > 0, true) << held.ToString();
    // Each node's own, the folded one, and what the last restarts left.
    for (const char* key : {"counter", "hash", "zset"}) {
      EXPECT_LE(SlotsOf(node(i), key), kNodes + 3u) << key << " on " << node(i).name();
    }
    const auto logged = node(i).store().engine().LogOrigins();
    ASSERT_TRUE(logged.ok());
    EXPECT_LE(logged->size(), kNodes + 3u);
  }
  // All at once from nothing but what the disks have: folded slots come back as they were.
  for (int i = 0; i < kNodes; ++i) node(i).Crash(CrashKind::kKill);
  for (int i = 0; i < kNodes; ++i) node(i).Start();
  EXPECT_TRUE(AllShow(total));
}

TEST_F(Restarts, WhileAMemberIsAwayEndNothingAndItFindsTheSum) {
  for (int each = 0; each < kNodes; ++each) AddOne(node(each));
  ASSERT_TRUE(AllShow(3));
  node(2).Crash(CrashKind::kKill);
  int64_t total = 3;
  for (int i = 0; i < 5; ++i) {
    AddOne(node(1));
    ++total;
    ASSERT_TRUE(world().RunUntil([&] { return Shown(node(0)) == total; }, seconds(30)));
    ComeBackEmpty(node(1));
    ASSERT_TRUE(world().RunUntil([&] { return Shown(node(1)) == total; }, seconds(30)));
    world().RunFor(seconds(12));
  }
  EXPECT_EQ(node(0).held().OverUpTo(node(1).store().id()), 0u) << "node C has not reported";
  node(2).Start();
  ASSERT_TRUE(AllShow(total));
  EXPECT_TRUE(world().RunUntil([&] { return node(2).held().OverUpTo(node(1).store().id()) > 0; },
                               seconds(60)));
  AddOne(node(2));
  EXPECT_TRUE(AllShow(total + 1));
}

TEST_F(Restarts, WhoeverLosesItsDiskAfterStreamsEndedTakesTheirSumFromTheOthers) {
  int64_t total = AddAndComeBackEmpty(6);
  AddOne(node(1));
  ++total;
  ASSERT_TRUE(AllShow(total));
  ASSERT_LE(SlotsOf(node(0), "counter"), 3u);
  ComeBackEmpty(node(2));
  EXPECT_TRUE(AllShow(total));
  // From now on its copy alone serves who comes next.
  ComeBackEmpty(node(0));
  EXPECT_TRUE(AllShow(total));
  ComeBackEmpty(node(1));
  EXPECT_TRUE(AllShow(total));
}

TEST_F(Restarts, AResetKillsFoldedSlotsForAll) {
  AddAndComeBackEmpty(4);
  node(0).Write(
      [](Store& store, OperationId) {
        for (const char* name : {"counter", "hash", "zset"}) {
          const KeyRef key = store.keyspace().Ref(0, name);
          Access access = store.keyspace().Lock(key);
          EXPECT_TRUE(access.Delete(key));
        }
      },
      Duration::zero());
  EXPECT_TRUE(AllShow(0));
  AddOne(node(1));
  EXPECT_TRUE(AllShow(1));
}

}  // namespace
}  // namespace starling::sim
