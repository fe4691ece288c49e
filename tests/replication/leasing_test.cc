#include "replication/leasing.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/replication/test_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

class LeasingTest : public testing::Test {
 protected:
  /// Three voters of which one leads, as all know.
  void SetUp() override {
    nodes_ = cluster_.StartSeeded({"a", "b", "c"});
    ASSERT_TRUE(cluster_.RunUntil([&] { return AllKnow(); }));
  }

  TestNode* Leader() {
    for (TestNode* node : nodes_) {
      if (node->up() && node->lease().leading) return node;
    }
    return nullptr;
  }

  TestNode& Other() { return *nodes_[nodes_[0] == Leader() ? 1 : 0]; }

  bool AllKnow() {
    TestNode* leader = Leader();
    return leader != nullptr && leader->lease().majority_begun &&
           std::all_of(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
             return !node->up() || (node->lease().epoch == leader->lease().epoch &&
                                    node->lease().holder == leader->name());
           });
  }

  void Await(TestNode& node, Stamp upto) {
    const uint64_t epoch = node.lease().epoch;
    node.Run([&](Replicator& replicator, Instant now, Effects& effects) {
      replicator.AwaitMajority(epoch, upto, now, effects);
    });
  }

  TestCluster cluster_;
  std::vector<TestNode*> nodes_;
};

TEST_F(LeasingTest, ALateJoinerLearnsWhoHoldsTheLease) {
  TestNode& late = cluster_.Add("d");
  late.options().seeds = {Other().address()};
  late.Start();
  EXPECT_TRUE(cluster_.RunUntil([&] { return late.lease().holder == Leader()->name(); }));
  EXPECT_EQ(late.lease().epoch, Leader()->lease().epoch);
  EXPECT_FALSE(late.lease().leading);
}

TEST_F(LeasingTest, TheEpochsRecordNamesItsHolderOnEveryNode) {
  for (TestNode* node : nodes_) {
    const EpochRecords records = ReadEpochRecords(node->store().keyspace());
    ASSERT_FALSE(records.empty());
    EXPECT_EQ(records.rbegin()->first, Leader()->lease().epoch);
    EXPECT_EQ(records.rbegin()->second.holder, Leader()->name());
  }
}

TEST_F(LeasingTest, AMajoritysAcknowledgementTakesOneExchange) {
  TestNode& leader = *Leader();
  leader.Set("k", "v");
  const Stamp upto = leader.store().journal().upto();
  Await(leader, upto);
  cluster_.Run(10ms);
  EXPECT_EQ(leader.majority().epoch, leader.lease().epoch);
  EXPECT_GE(leader.majority().upto, upto);
  Await(leader, upto);
  EXPECT_GE(leader.majority().upto, upto) << "told again at once";
}

TEST_F(LeasingTest, NothingIsAcknowledgedWhileNoMajorityCanBeReached) {
  TestNode& leader = *Leader();
  for (TestNode* node : nodes_) {
    if (node != &leader) cluster_.Cut(leader, *node);
  }
  leader.Set("k", "v");
  Await(leader, leader.store().journal().upto());
  cluster_.Run(100ms);
  EXPECT_LT(leader.majority().upto, leader.store().journal().upto());
  EXPECT_TRUE(cluster_.RunUntil([&] { return !leader.lease().leading; }));
  EXPECT_EQ(leader.lease().holder, "") << "nobody that it can reach";
}

TEST_F(LeasingTest, AnotherHolderIsKnownSoonAfterTheFirstResigned) {
  TestNode& leader = *Leader();
  leader.Run([](Replicator& replicator, Instant now, Effects& effects) {
    replicator.Leave(now, effects);
  });
  EXPECT_TRUE(cluster_.RunUntil(
      [&] { return Leader() != nullptr && Leader() != &leader && AllKnow(); }, 1s));
}

TEST_F(LeasingTest, AHolderWhoseLogFailsLeavesTheLeaseToThoseWhoCanWrite) {
  TestNode& leader = *Leader();
  leader.disk().RunFull(0);
  const KeyRef key = leader.store().keyspace().Ref(0, "k");
  leader.store().keyspace().Lock(key).SetString(key, "v");
  EXPECT_FALSE(leader.store().journal().Commit());
  EXPECT_TRUE(cluster_.RunUntil(
      [&] {
        return std::any_of(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
          return node != &leader && node->lease().leading && node->lease().majority_begun;
        });
      },
      2s));
  EXPECT_FALSE(leader.lease().leading);
}

TEST_F(LeasingTest, AHolderWhoseLinkIsDownIsNotKnown) {
  TestNode& other = Other();
  cluster_.Cut(other, *Leader());
  EXPECT_TRUE(cluster_.RunUntil([&] { return other.lease().holder.empty(); }, 1s));
}

TEST_F(LeasingTest, AHolderThatIsTakenForDeadIsNotKnownThoughItsLinkStands) {
  TestNode& other = Other();
  for (TestNode* node : nodes_) {
    if (node != &other) cluster_.Cut(other, *node, /*silently=*/true);
  }
  EXPECT_TRUE(cluster_.RunUntil([&] { return other.lease().holder.empty(); }, 5s));
  cluster_.Heal();
  EXPECT_TRUE(cluster_.RunUntil([&] { return AllKnow(); }, 5s));
}

/// Voters whose disks sync what they are given (`appendfsync always`), when the test says so.
class SyncedLeasing : public LeasingTest {
 protected:
  void SetUp() override {
    LeasingTest::SetUp();
    for (TestNode* node : nodes_) ASSERT_TRUE(node->store().SetAppendFsync(AppendFsync::kAlways));
  }

  /// A batch that is on its way to the others while the own disk has not synced it; its end.
  static Stamp Log(TestNode& node, const std::string& key) {
    node.Run([&](Replicator&, Instant, Effects&) {
      const KeyRef ref = node.store().keyspace().Ref(0, key);
      node.store().keyspace().Lock(ref).SetString(ref, "v");
      EXPECT_TRUE(node.store().journal().Log());
    });
    return node.store().journal().upto();
  }
  /// The machine loses its power, and comes back.
  static void LosePower(TestNode& node) {
    node.disk().Crash(CrashKind::kPowerLoss);
    node.Kill();
    node.store_options().boot_id += "+";
    node.Start();
  }
  bool Recovers(TestNode& node) { return node.replicator().lease(cluster_.now()).recovering; }
};

TEST_F(SyncedLeasing, TwoOthersDecideBeforeTheHoldersDiskIsDone_I4) {
  TestNode& leader = *Leader();
  const Stamp upto = Log(leader, "k");
  Await(leader, upto);
  cluster_.Run(10ms);
  EXPECT_GE(leader.majority().upto, upto);
  EXPECT_LT(leader.store().journal().held(), upto);
}

TEST_F(SyncedLeasing, TheHolderCountsItselfOnlyWhenItsOwnDiskIsDone_I4) {
  TestNode& leader = *Leader();
  TestNode& other = Other();
  for (TestNode* node : nodes_) {
    if (node != &leader && node != &other) {
      cluster_.Cut(leader, *node);
      cluster_.Cut(other, *node);
    }
  }
  const Stamp upto = Log(leader, "k");
  Await(leader, upto);
  cluster_.Run(500ms);
  ASSERT_EQ(other.Get("k"), "v");
  EXPECT_LT(leader.majority().upto, upto);
  ASSERT_TRUE(leader.store().journal().Commit());
  cluster_.Run(500ms);
  EXPECT_GE(leader.majority().upto, upto);
}

TEST_F(SyncedLeasing, NobodyIsToldThatAnUnsyncedBatchIsHeldByItsWriter) {
  TestNode& leader = *Leader();
  TestNode& other = Other();
  VersionVector written;
  written.Set(other.store().origin(), Log(other, "k"));
  cluster_.Run(3s);
  ASSERT_EQ(leader.Get("k"), "v");
  EXPECT_EQ(leader.replicator().HoldersOf(written), 2) << "both to whom it was sent";
  ASSERT_TRUE(other.store().journal().Commit());
  cluster_.Run(3s);
  EXPECT_EQ(leader.replicator().HoldersOf(written), 3);
}

TEST_F(SyncedLeasing, AVoterWithoutPowerHasLostNothingThatItSaid) {
  TestNode& other = Other();
  const Origin before = other.store().origin();
  const uint64_t promised = other.replicator().lease(cluster_.now()).promised;
  LosePower(other);
  EXPECT_GT(other.store().origin(), before);
  EXPECT_TRUE(cluster_.RunUntil([&] { return !other.lease().holder.empty(); }));
  EXPECT_FALSE(Recovers(other));
  EXPECT_GE(other.replicator().lease(cluster_.now()).promised, promised);
}

TEST_F(SyncedLeasing, AVoterWithoutPowerRecoversWhereItDidNotSync) {
  TestNode& other = Other();
  ASSERT_TRUE(other.store().SetAppendFsync(AppendFsync::kEverySecond));
  for (TestNode* node : nodes_) {
    if (node != &other) cluster_.Cut(other, *node);
  }
  LosePower(other);
  cluster_.Run(1s);
  EXPECT_TRUE(Recovers(other));
  cluster_.Heal();
  EXPECT_TRUE(cluster_.RunUntil([&] { return !Recovers(other); }));
}

TEST(SoleVoter, ThatLostItsDiskLeadsNoEpochThatItHasLedBefore) {
  TestCluster cluster;
  const std::vector<TestNode*> nodes = cluster.StartSeeded({"a", "b"}, {"a"});
  TestNode& voter = *nodes[0];
  const auto led = [&] {
    return voter.lease().leading && nodes[1]->lease().epoch == voter.lease().epoch;
  };
  for (uint64_t epoch = 1; epoch <= 3; ++epoch) {
    ASSERT_TRUE(cluster.RunUntil(led));
    ASSERT_EQ(voter.lease().epoch, epoch);
    voter.Kill();
    if (epoch == 3) voter.LoseDisk();  // the other node still knows of this epoch
    voter.Start();
  }
  ASSERT_TRUE(cluster.RunUntil([&] { return voter.lease().leading; }));
  const uint64_t epoch = voter.lease().epoch;
  EXPECT_GT(epoch, 3u);
  cluster.Run(5s);
  EXPECT_TRUE(led());
  EXPECT_EQ(voter.lease().epoch, epoch) << "it keeps the lease";
}

TEST(EpochRecords, OnlyTheLastOnesAreKept) {
  TestCluster cluster;
  TestNode& node = cluster.Add("a");
  node.Start();
  VersionVector vector;
  vector.Set({NodeId{7}, 3}, Stamp{9});
  for (uint64_t epoch = 1; epoch <= kEpochsKept + 5; ++epoch) {
    WriteEpochRecord(node.store().keyspace(), epoch, {"a", vector, {}});
  }
  const EpochRecords records = ReadEpochRecords(node.store().keyspace());
  EXPECT_EQ(records.size(), kEpochsKept);
  EXPECT_EQ(records.begin()->first, 6u);
  EXPECT_EQ(records.rbegin()->second, (EpochRecord{"a", vector, {}}));
}

}  // namespace
}  // namespace starling
