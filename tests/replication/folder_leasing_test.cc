// The folder as the voter of real stores: what it keeps, and who takes it over.
#include "replication/folder_leasing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "storage/held_shards.h"
#include "storage/records.h"
#include "storage/speculation.h"
#include "tests/replication/test_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

class FolderLeasingTest : public testing::Test {
 protected:
  /// The members all belong, know each other's state, and know who leads.
  void Begin(const std::vector<std::string>& names) {
    nodes_ = cluster_.StartInFolder(names);
    ASSERT_TRUE(cluster_.RunUntil([&] { return AllKnow(); }));
    cluster_.Run(2500ms);
  }

  TestNode* Leader() {
    for (TestNode* node : nodes_) {
      if (node->up() && node->lease().leading) return node;
    }
    return nullptr;
  }

  bool AllKnow() {
    TestNode* leader = Leader();
    return leader != nullptr && leader->lease().majority_begun &&
           std::all_of(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
             return !node->up() || node->lease().holder == leader->name();
           });
  }

  void CutAll() {
    for (TestNode* a : nodes_) {
      for (TestNode* b : nodes_) {
        if (a < b) cluster_.Cut(*a, *b);
      }
    }
  }

  /// Whether all that `node` has written is acknowledged at once.
  bool Acknowledged(TestNode& node) {
    const uint64_t epoch = node.lease().epoch;
    const Stamp upto = node.store().journal().upto();
    node.Run([&](Replicator& replicator, Instant now, Effects& effects) {
      replicator.AwaitMajority(epoch, upto, now, effects);
    });
    return node.majority().epoch == epoch && node.majority().upto >= upto;
  }

  bool AnotherLeads(std::chrono::milliseconds within) {
    return cluster_.RunUntil([&] { return Leader() != nullptr; }, within);
  }

  TestCluster cluster_;
  std::vector<TestNode*> nodes_;
};

TEST_F(FolderLeasingTest, WhatTheFolderAcknowledgedTheNextHolderHas) {  // I4
  Begin({"a", "b", "c"});
  TestNode& first = *Leader();
  CutAll();
  first.Set("k", "v");
  ASSERT_TRUE(Acknowledged(first));
  first.Kill();
  ASSERT_TRUE(AnotherLeads(300ms));
  EXPECT_EQ(Leader()->Get("k"), "v") << "nobody else could have told it";
}

TEST_F(FolderLeasingTest, TwoDeathsInARowLoseNothing) {
  Begin({"a", "b", "c"});
  CutAll();
  for (int i = 0; i < 2; ++i) {
    TestNode& holder = *Leader();
    for (int n = 0; n < 10; ++n) holder.Incr("n");
    ASSERT_TRUE(Acknowledged(holder));
    holder.Incr("n");
    ASSERT_TRUE(Acknowledged(holder));
    holder.Kill();
    ASSERT_TRUE(AnotherLeads(300ms));
  }
  EXPECT_EQ(Leader()->Get("n"), "22");
}

TEST_F(FolderLeasingTest, WhatTheLogHasDroppedIsKeptAsAWalk) {
  Begin({"a", "b", "c"});
  TestNode& first = *Leader();
  TestNode& second = *nodes_[Leader() == nodes_[0] ? 1 : 0];
  TestNode& third = *std::find_if(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
    return node != &first && node != &second;
  })[0];
  cluster_.Cut(third, first);
  cluster_.Cut(third, second);
  for (int i = 0; i < 50; ++i) first.Set("k" + std::to_string(i), std::string(1000, 'v'));
  ASSERT_TRUE(cluster_.RunUntil([&] { return second.Get("k49") != ""; }));
  for (int i = 0; i < 3; ++i) {
    first.Incr("n");
    cluster_.Run(100ms);
    ASSERT_TRUE(second.store().Checkpoint().ok());
  }
  second.Del("k7");
  cluster_.Silence(third);  // so that the second is the next to lead
  first.Kill();
  ASSERT_TRUE(cluster_.RunUntil([&] { return second.lease().leading || third.lease().leading; }));
  if (third.lease().leading) GTEST_SKIP() << "the third was quicker";
  second.Kill();
  ASSERT_TRUE(AnotherLeads(300ms));
  ASSERT_EQ(Leader(), &third);
  EXPECT_EQ(third.Get("k49"), std::string(1000, 'v'));
  EXPECT_EQ(third.Get("k7"), "");
  EXPECT_EQ(third.Get("n"), "3");
}

// --- claims ---

/// A record that grants `key` to `holder` and sets `with`, as a leaseholder writes it.
Records::Written Grant(TestNode& node, const std::string& key, const std::string& with) {
  Keyspace& keyspace = node.store().keyspace();
  const Records::Written written = [&] {
    const HeldShards held(keyspace);
    Speculation speculation(keyspace);
    const KeyRef claimed = keyspace.Ref(0, key);
    EXPECT_TRUE(keyspace.Lock(claimed).Claim(claimed, "holder", 60'000));
    const KeyRef other = keyspace.Ref(0, with);
    keyspace.Lock(other).SetString(other, "1");
    return keyspace.records().Write(node.lease().epoch, speculation.TakeItems()).value();
  }();
  EXPECT_TRUE(node.store().journal().Commit().ok());
  return written;
}

void Commit(TestNode& node, const Records::Written& written) {
  node.store().keyspace().records().Decide({&written.id, 1}, /*commit=*/true);
  EXPECT_TRUE(node.store().journal().Commit().ok());
}

std::optional<Stamp> Fence(TestNode& node, const std::string& key) {
  const KeyRef ref = node.store().keyspace().Ref(0, key);
  return node.store().keyspace().Lock(ref).ClaimToken(ref);
}

// What is pending when its holder dies is the next one's to decide.
TEST_F(FolderLeasingTest, ClaimsAndUndecidedRecordsComeWithTheRecordsAndWithTheSnapshot) {  // I4
  Begin({"a", "b", "c"});
  TestNode& first = *Leader();
  CutAll();
  const Records::Written granted = Grant(first, "lock", "of the lock");
  ASSERT_TRUE(Acknowledged(first));
  Commit(first, granted);
  const std::optional<Stamp> fence = Fence(first, "lock");
  ASSERT_TRUE(fence);
  const Records::Written pending = Grant(first, "pending", "of the pending");
  ASSERT_TRUE(Acknowledged(first));
  for (int turn = 0; turn < 2;
       ++turn) {  // by the first one's records, then by the second's snapshot
    Leader()->Kill();
    ASSERT_TRUE(AnotherLeads(300ms));
    TestNode& next = *Leader();
    EXPECT_EQ(Fence(next, "lock"), fence) << turn;
    EXPECT_EQ(next.Get("lock"), "holder");
    EXPECT_EQ(next.Get("of the lock"), "1");
    const auto undecided = next.store().keyspace().records().undecided();
    ASSERT_EQ(undecided.size(), 1u) << turn;
    EXPECT_EQ(undecided[0].id, pending.id);
    EXPECT_EQ(next.Get("of the pending"), "");
  }
  Commit(*Leader(), pending);
  EXPECT_TRUE(Fence(*Leader(), "pending"));
  EXPECT_EQ(Leader()->Get("of the pending"), "1");
}

TEST_F(FolderLeasingTest, ClaimsAndUndecidedRecordsComeWithAWalk) {  // I4
  Begin({"a", "b"});
  TestNode& first = *Leader();
  TestNode& second = *nodes_[Leader() == nodes_[0] ? 1 : 0];
  cluster_.Cut(first, second);
  const Records::Written granted = Grant(first, "lock", "of the lock");
  ASSERT_TRUE(Acknowledged(first));
  Commit(first, granted);
  const std::optional<Stamp> fence = Fence(first, "lock");
  const Records::Written pending = Grant(first, "pending", "of the pending");
  for (int i = 0; i < 3; ++i) {
    first.Incr("n");
    cluster_.Run(100ms);
    ASSERT_TRUE(first.store().Checkpoint().ok());
  }
  // More than the folder keeps in records: a new snapshot, for which the log reaches back no more.
  for (int i = 0; i < 18; ++i) first.Set("k", std::string(4 << 20, 'v'));
  ASSERT_TRUE(Acknowledged(first));
  ASSERT_LT(cluster_.folder().files.rbegin()->second.snapshot->size(), size_t{8} << 20)
      << "a walk: the log had every value of the key";
  first.Kill();
  ASSERT_TRUE(cluster_.RunUntil([&] { return second.lease().leading; }, 300ms));
  EXPECT_EQ(Fence(second, "lock"), fence);
  EXPECT_EQ(second.Get("of the lock"), "1");
  EXPECT_EQ(second.Get("n"), "3");
  const auto undecided = second.store().keyspace().records().undecided();
  ASSERT_EQ(undecided.size(), 1u);
  EXPECT_EQ(undecided[0].id, pending.id);
}

TEST_F(FolderLeasingTest, MoreThanTheFolderKeepsBecomesASnapshot) {
  Begin({"a", "b"});
  TestNode& first = *Leader();
  CutAll();
  const std::string large(4 << 20, 'v');
  for (int i = 0; i < 18; ++i) first.Set("k" + std::to_string(i), large);
  const uint64_t epoch = first.lease().epoch;
  ASSERT_TRUE(Acknowledged(first));
  EXPECT_EQ(first.lease().epoch, epoch);
  cluster_.Run(100ms);
  EXPECT_GT(first.lease().epoch, epoch) << "the next epoch keeps less";
  EXPECT_TRUE(first.lease().leading);
  EXPECT_EQ(cluster_.folder().files.size(), 1u);
  first.Kill();
  ASSERT_TRUE(AnotherLeads(300ms));
  EXPECT_EQ(Leader()->Get("k17"), large);
}

TEST_F(FolderLeasingTest, AFullDiskAcknowledgesNothingUntilThereIsRoom) {  // I13
  Begin({"a", "b"});
  TestNode& first = *Leader();
  cluster_.folder().full = true;
  first.Set("k", "v");
  const Stamp upto = first.store().journal().upto();
  EXPECT_FALSE(Acknowledged(first));
  cluster_.folder().full = false;
  EXPECT_TRUE(cluster_.RunUntil([&] { return first.majority().upto >= upto; }, 300ms));
}

TEST_F(FolderLeasingTest, WhoLeavesGivesItBack) {
  Begin({"a", "b"});
  TestNode& first = *Leader();
  first.Run([](Replicator& replicator, Instant now, Effects& effects) {
    replicator.Leave(now, effects);
  });
  EXPECT_FALSE(first.lease().leading);
  EXPECT_TRUE(AnotherLeads(300ms));
}

TEST_F(FolderLeasingTest, WhatOnlyTheFolderStillHasComesBackFromIt) {
  Begin({"a"});
  TestNode& only = *Leader();
  only.Set("k", "v");
  ASSERT_TRUE(Acknowledged(only));
  only.Kill();
  only.LoseDisk();
  only.Start();
  ASSERT_TRUE(AnotherLeads(300ms));
  EXPECT_EQ(only.Get("k"), "v");
}

TEST_F(FolderLeasingTest, TheOnlyMemberGoesOnWithoutWhatItHasLost) {
  Begin({"a"});
  TestNode& only = *Leader();
  only.Set("k", "v");
  only.Kill();
  only.Start();
  ASSERT_TRUE(AnotherLeads(300ms)) << "an epoch that does not keep what all members hold";
  only.Kill();
  only.LoseDisk();
  only.Start();
  cluster_.Run(limits::kResumeWait / 2);
  EXPECT_EQ(Leader(), nullptr) << "it waits for who might have it";
  EXPECT_TRUE(AnotherLeads(6s));
}

TEST_F(FolderLeasingTest, NobodyElseLeadsBeforeTheLeaseOfWhoseFolderWasEmptiedIsOver) {  // I5
  Begin({"a", "b", "c"});
  TestNode& first = *Leader();
  const Instant valid_until = first.lease().valid_until;
  const uint64_t epoch = first.lease().epoch;
  cluster_.Silence(first);  // so that nobody hears of what it sees
  cluster_.folder().files.clear();
  ASSERT_TRUE(cluster_.RunUntil(
      [&] {
        TestNode* leader = Leader();
        return leader != nullptr && leader->lease().epoch > epoch;
      },
      5s));
  EXPECT_GE(cluster_.now(), valid_until) << "until then its answers count by its clock";
}

TEST_F(FolderLeasingTest, AFolderOfAnotherClusterHasNoVoteHere) {
  TestNode& node = cluster_.Add("a");
  node.Start();
  FolderProcess other(cluster_.folder(), [] { return false; });
  node.Run([&](Replicator& replicator, Instant now, Effects& effects) {
    replicator.OnMeetingFolder({}, ClusterRecord{77, {"a"}, {}}, now, effects);
    replicator.UseEpochFolder(other, 78, "boot", now, effects);
  });
  cluster_.Run(3s);
  EXPECT_FALSE(node.lease().leading);
  EXPECT_TRUE(cluster_.folder().files.empty());
}

TEST(Pieces, ComeBackAsTheyWereAndNothingElseDoes) {
  const std::vector<std::string> pieces = {"", "one", std::string(300, 'x')};
  const std::string packed = PackPieces(pieces);
  EXPECT_EQ(*UnpackPieces(packed), pieces);
  for (size_t size = 1; size < packed.size(); ++size) {
    const auto cut = UnpackPieces(std::string_view(packed).substr(0, size));
    EXPECT_TRUE(!cut || cut->size() < pieces.size());
  }
}

}  // namespace
}  // namespace starling
