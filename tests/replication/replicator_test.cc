#include "replication/replicator.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/replication/test_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using Kind = EventEffect::Kind;

bool InOneCluster(const std::vector<TestNode*>& nodes) {
  for (TestNode* node : nodes) {
    const auto record = node->replicator().cluster();
    if (!record || record->id != nodes[0]->replicator().cluster()->id) return false;
  }
  return true;
}

std::vector<TestNode*> StartCluster(TestCluster& cluster, const std::vector<std::string>& names,
                                    const std::vector<std::string>& voters = {}) {
  const auto nodes = cluster.StartSeeded(names, voters);
  const bool stands =
      cluster.RunUntil([&] { return nodes[0]->replicator().cluster() && InOneCluster(nodes); });
  EXPECT_TRUE(stands);
  cluster.Run(1500ms);
  return nodes;
}

bool AllSee(const std::vector<TestNode*>& nodes, const std::string& key, const std::string& value) {
  for (TestNode* node : nodes) {
    if (node->Get(key) != value) return false;
  }
  return true;
}

/// Starts a node that knows `seed` alone and expects nobody: it joins.
TestNode& Join(TestCluster& cluster, const std::string& name, TestNode& seed) {
  TestNode& node = cluster.Add(name);
  node.options().seeds = {seed.address()};
  node.Start();
  return node;
}

TEST(Replicator, ThreeSeededNodesCreateOneClusterAndShareWrites) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  EXPECT_EQ(nodes[1]->replicator().cluster()->first_members,
            (std::vector<std::string>{"a", "b", "c"}));
  nodes[0]->Set("k", "v");
  nodes[1]->Incr("n", 2);
  nodes[2]->Incr("n", 3);
  EXPECT_TRUE(
      cluster.RunUntil([&] { return AllSee(nodes, "k", "v") && AllSee(nodes, "n", "5"); }, 100ms));
}

TEST(Replicator, PassesOnWhatTwoNodesCannotTellEachOther) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  cluster.Cut(*nodes[0], *nodes[1]);
  nodes[0]->Set("k", "v");
  EXPECT_TRUE(cluster.RunUntil([&] { return AllSee(nodes, "k", "v"); }, 4s));
}

TEST(Replicator, NodesThatWereCutOffMergeWhenTheyMeet) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  cluster.Cut(*nodes[0], *nodes[2]);
  cluster.Cut(*nodes[1], *nodes[2]);
  for (int i = 0; i < 100; ++i) {
    for (TestNode* node : nodes) node->Incr("n");
  }
  cluster.Run(5s);
  EXPECT_EQ(nodes[0]->Get("n"), "200");
  EXPECT_EQ(nodes[2]->Get("n"), "100");
  cluster.Heal();
  EXPECT_TRUE(cluster.RunUntil([&] { return AllSee(nodes, "n", "300"); }, 6s));
}

TEST(Replicator, SilentLinkIsClosedAndThePeerCalledAgain) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  cluster.Cut(*nodes[0], *nodes[1], /*silently=*/true);
  const auto closed = [](TestNode* node) {
    return std::count(node->closes().begin(), node->closes().end(), "silent");
  };
  cluster.Run(15s);
  EXPECT_EQ(closed(nodes[0]) + closed(nodes[1]), 0) << "a pause, it may yet go on";
  cluster.Run(10s);
  EXPECT_EQ(closed(nodes[0]), 1);
  EXPECT_EQ(closed(nodes[1]), 1);
  EXPECT_EQ(closed(nodes[2]), 0);
  cluster.Heal();
  nodes[0]->Set("k", "v");
  EXPECT_TRUE(cluster.RunUntil([&] { return AllSee(nodes, "k", "v"); }, 5s));
}

TEST(Replicator, KilledAndRestartedNodeCatchesUp) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[1]->Incr("n");
  cluster.Run(100ms);
  nodes[1]->Kill();
  nodes[0]->Incr("n", 10);
  cluster.Run(3s);
  nodes[1]->Start();
  EXPECT_TRUE(cluster.RunUntil([&] { return AllSee(nodes, "n", "11"); }, 5s));
  EXPECT_TRUE(cluster.RunUntil([&] { return nodes[0]->StateOf("b") == MemberState::kAlive; }, 2s));
}

TEST(Replicator, JoinerTakesTheWholeStateAndThenBegins) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b"});
  for (int i = 0; i < 200; ++i) nodes[0]->Set("k" + std::to_string(i), std::string(100, 'x'));
  TestNode& joiner = Join(cluster, "j", *nodes[1]);
  EXPECT_TRUE(cluster.RunUntil([&] { return joiner.replicator().cluster().has_value(); }, 5s));
  EXPECT_TRUE(joiner.Saw(Kind::kWalkTaken, "b"));
  EXPECT_EQ(joiner.Get("k199"), std::string(100, 'x'));
  cluster.Run(3s);
  joiner.Set("mine", "1");
  nodes[0]->Set("theirs", "2");
  EXPECT_TRUE(cluster.RunUntil(
      [&] {
        return AllSee({nodes[0], nodes[1], &joiner}, "mine", "1") &&
               AllSee({nodes[0], nodes[1], &joiner}, "theirs", "2");
      },
      2s));
}

// COUNTEREXAMPLES 18.
TEST(Replicator, JoinerIssuesItsEarlierWritesAgainAfterTheStateItTook) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b"});
  TestNode& joiner = cluster.Add("d");
  joiner.options().seeds = {nodes[0]->address()};
  cluster.Cut(joiner, *nodes[0]);
  joiner.Start();
  joiner.Set("k", "early");
  joiner.Set("own", "kept");
  joiner.Incr("n", 5);
  cluster.Run(100ms);
  nodes[1]->Set("k", "later");
  nodes[1]->Del("k");
  nodes[1]->Incr("n", 2);
  cluster.Run(3s);
  for (TestNode* node : nodes) node->Maintain();
  cluster.Heal();
  cluster.Run(6s);
  const std::vector<TestNode*> all{nodes[0], nodes[1], &joiner};
  EXPECT_TRUE(AllSee(all, "n", "7")) << nodes[0]->Get("n") << " " << joiner.Get("n");
  EXPECT_TRUE(AllSee(all, "own", "kept"));
  EXPECT_EQ(nodes[0]->Get("k"), joiner.Get("k"));
  EXPECT_EQ(nodes[0]->Get("k"), nodes[1]->Get("k"));
}

TEST(Replicator, TombstonesAreFreedOnceAllMembersHaveThem) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[0]->Set("k", "v");
  cluster.Run(100ms);
  nodes[1]->Del("k");
  cluster.Run(200ms);
  EXPECT_GT(nodes[2]->store().keyspace().tombstones(), 0u);
  cluster.Run(6s);
  for (TestNode* node : nodes) {
    node->Maintain();
    EXPECT_EQ(node->store().keyspace().tombstones(), 0u) << node->name();
  }
}

// COUNTEREXAMPLES 17.
TEST(Replicator, NothingIsFreedWhileAMemberIsAway) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[0]->Set("k", "v");
  cluster.Run(100ms);
  nodes[2]->Kill();
  nodes[1]->Del("k");
  cluster.Run(10s);
  nodes[0]->Maintain();
  EXPECT_GT(nodes[0]->store().keyspace().tombstones(), 0u);
  nodes[2]->Start();
  EXPECT_TRUE(cluster.RunUntil([&] { return AllSee(nodes, "k", ""); }, 5s));
  cluster.Run(6s);
  nodes[0]->Maintain();
  EXPECT_EQ(nodes[0]->store().keyspace().tombstones(), 0u);
}

TEST(Replicator, IdleNodesWriteNoEmptyBatchesForEver) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[0]->Set("k", "v");
  cluster.Run(100ms);
  nodes[2]->Kill();
  nodes[0]->Del("k");
  cluster.Run(5s);
  const Stamp before = nodes[1]->store().journal().upto();
  cluster.Run(20s);
  EXPECT_EQ(nodes[1]->store().journal().upto(), before);
}

TEST(Replicator, LaggardTakesAWalkWhereTheLogNoLongerReachesBack) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b"});
  nodes[1]->Kill();
  cluster.Run(100ms);  // for one in reach what it lacks is kept
  for (int i = 0; i < 500; ++i) nodes[0]->Set("k" + std::to_string(i), std::string(12000, 'y'));
  for (int round = 0; round < 4; ++round) {
    nodes[0]->Set("more", std::to_string(round));
    ASSERT_TRUE(nodes[0]->store().Checkpoint().ok());
  }
  nodes[1]->Start();
  EXPECT_TRUE(cluster.RunUntil([&] { return nodes[1]->Get("more") == "3"; }, 10s));
  EXPECT_TRUE(nodes[1]->Saw(Kind::kWalkTaken, "a"));
  EXPECT_EQ(nodes[1]->Get("k499"), std::string(12000, 'y'));
}

TEST(Replicator, LargeValuesTravelInFragments) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b"});
  const std::string large(5 << 20, 'z');
  nodes[0]->Set("large", large);
  EXPECT_TRUE(cluster.RunUntil([&] { return nodes[1]->Get("large") == large; }, 1s));
}

// --- membership ---

TEST(Replicator, KilledProcessIsKnownDeadToAllWithinASecond) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c", "d", "e"});
  nodes[4]->Kill();
  EXPECT_TRUE(cluster.RunUntil(
      [&] {
        for (int i = 0; i < 4; ++i) {
          if (nodes[i]->StateOf("e") != MemberState::kDead) return false;
        }
        return true;
      },
      1s));
}

TEST(Replicator, SilentHostIsKnownDeadToAllWithinThreeSeconds) {
  for (const size_t size : {2u, 3u, 5u, 9u}) {
    TestCluster cluster;
    std::vector<std::string> names;
    for (size_t i = 0; i < size; ++i) names.push_back("n" + std::to_string(i));
    const auto nodes = StartCluster(cluster, names);
    cluster.Silence(*nodes.back());
    EXPECT_TRUE(cluster.RunUntil(
        [&] {
          for (size_t i = 0; i + 1 < size; ++i) {
            if (nodes[i]->StateOf(names.back()) != MemberState::kDead) return false;
          }
          return true;
        },
        3s))
        << size;
  }
}

TEST(Replicator, MemberThatLeavesIsNotTakenForDead) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[2]->Set("last", "word");
  nodes[2]->Run([](Replicator& r, Instant now, Effects& out) { r.Leave(now, out); });
  EXPECT_TRUE(cluster.RunUntil([&] { return nodes[2]->replicator().Left(); }, 3s));
  cluster.Run(50ms);
  nodes[2]->Kill();
  cluster.Run(3s);
  EXPECT_EQ(nodes[0]->StateOf("c"), MemberState::kLeft);
  EXPECT_FALSE(nodes[0]->Saw(Kind::kMemberDown, "c"));
  EXPECT_EQ(nodes[1]->Get("last"), "word");
  nodes[2]->Start();
  EXPECT_TRUE(cluster.RunUntil([&] { return nodes[0]->StateOf("c") == MemberState::kAlive; }, 5s));
}

// --- refusals ---

TEST(Replicator, NodeWithAnotherSecretIsRefusedBothWays) {
  TestCluster cluster;
  TestNode& a = cluster.Add("a");
  a.options().secret = "one";
  a.options().expect = 1;
  a.Start();
  TestNode& b = cluster.Add("b");
  b.options().secret = "two";
  b.options().seeds = {a.address()};
  b.Start();
  cluster.Run(2s);
  EXPECT_TRUE(a.Saw(Kind::kPeerRefused, "b"));
  EXPECT_TRUE(b.Saw(Kind::kPeerRefused, "a"));
  EXPECT_FALSE(b.replicator().cluster());
}

TEST(Replicator, ClustersOfDifferentIdsRefuseEachOtherAndSayHowToJoin) {
  TestCluster cluster;
  TestNode& a = cluster.Add("a");
  a.options().expect = 1;
  a.Start();
  TestNode& b = cluster.Add("b");
  b.options().expect = 1;
  b.Start();
  b.Run([&](Replicator& r, Instant now, Effects& out) { r.AddSeeds({a.address()}, now, out); });
  cluster.Run(1s);
  ASSERT_TRUE(b.Saw(Kind::kPeerRefused, "a"));
  std::string detail;
  for (const EventEffect& event : b.events()) {
    if (event.kind == Kind::kPeerRefused) detail = event.detail;
  }
  EXPECT_NE(detail.find("empty data folder"), std::string::npos) << detail;
}

TEST(Replicator, SecondProcessOfOneNameIsRefused) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b"});
  // The copy answers at another address under the same name.
  TestNode& copy = cluster.Add("copy");
  copy.store_options().name = "b";
  copy.options().seeds = {nodes[0]->address()};
  copy.Start();
  cluster.Run(2s);
  bool told = false;
  for (const std::string& reason : copy.closes()) {
    told = told || reason.find("node-connected") != std::string::npos;
  }
  EXPECT_TRUE(told);
  EXPECT_FALSE(copy.replicator().cluster());
}

TEST(Replicator, TwoNodesWhoseClocksDifferRefuseEachOther) {
  TestCluster cluster;
  TestNode& a = cluster.Add("a");
  a.options().expect = 1;
  a.Start();
  TestNode& b = cluster.Add("b");
  b.SetClockAhead(800ms);
  b.options().seeds = {a.address()};
  b.Start();
  cluster.Run(1s);
  EXPECT_FALSE(b.replicator().cluster());
  EXPECT_TRUE(a.Saw(Kind::kClockSkew, "b") || b.Saw(Kind::kClockSkew, "a"));
}

// COUNTEREXAMPLES 44.
TEST(Replicator, OneSlowClockStopsNobody) {
  TestCluster cluster;
  std::vector<TestNode*> nodes{&cluster.Add("a"), &cluster.Add("b"), &cluster.Add("c")};
  nodes[2]->SetClockAhead(-1000ms);
  for (TestNode* node : nodes) {
    for (TestNode* other : nodes) node->options().seeds.push_back(other->address());
    node->options().expect = 3;
    node->Start();
  }
  cluster.Run(4s);
  for (TestNode* node : nodes) {
    EXPECT_TRUE(node->replicator().cluster()) << node->name();
    EXPECT_FALSE(node->replicator().WriteRefusal()) << node->name();
  }
  nodes[0]->Set("k", "v");
  cluster.Run(100ms);
  EXPECT_TRUE(AllSee(nodes, "k", "v"));
}

TEST(Replicator, NodeAheadOfTheMedianDrawsNoStampsAndSaysSo) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[2]->SetClockAhead(900ms);
  cluster.Run(8s);
  EXPECT_TRUE(nodes[2]->replicator().WriteRefusal());
  EXPECT_TRUE(nodes[2]->Saw(Kind::kClockSkew, "c"));
  EXPECT_FALSE(nodes[0]->replicator().WriteRefusal());
}

// --- forgetting ---

Status Forget(TestNode& node, const std::vector<std::string>& names) {
  Status status;
  node.Run([&](Replicator& r, Instant now, Effects& out) { status = r.Forget(names, now, out); });
  return status;
}

TEST(Replicator, ForgettingALivingOrUnknownMemberIsRefused) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b"});
  EXPECT_EQ(Forget(*nodes[0], {"b"}).error().code, Code::kRefused);
  EXPECT_EQ(Forget(*nodes[0], {"a"}).error().code, Code::kRefused);
  EXPECT_EQ(Forget(*nodes[0], {"x"}).error().code, Code::kNotFound);
}

// COUNTEREXAMPLES 41.
TEST(Replicator, TwoDeadMembersAreForgottenTogetherWithoutTheirReports) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c", "d", "e"}, {"b"});
  nodes[3]->Set("k", "v");
  cluster.Run(100ms);
  nodes[3]->Kill();
  nodes[4]->Kill();
  cluster.Run(2s);
  nodes[0]->Del("k");
  EXPECT_EQ(Forget(*nodes[0], {"d", "e"}).error().code, Code::kUnavailable) << "b leads";
  ASSERT_TRUE(Forget(*nodes[1], {"d", "e"}).ok());
  cluster.Run(8s);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(nodes[i]->Saw(Kind::kMemberForgotten, "d")) << i;
    nodes[i]->Maintain();
    EXPECT_EQ(nodes[i]->store().keyspace().tombstones(), 0u) << i;
  }
}

// COUNTEREXAMPLES 17, 27.
TEST(Replicator, ForgottenMemberReturnsWithOnlyWhatItWroteBeyondItsEnd) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "f"}, {"a"});
  TestNode& f = *nodes[2];
  f.Incr("n", 5);
  f.Set("old", "1");
  cluster.Run(200ms);
  cluster.Cut(f, *nodes[0]);
  cluster.Cut(f, *nodes[1]);
  f.Incr("n", 3);          // beyond the end: to be issued again, as the difference
  f.Set("day", "one");     // overwritten by the cluster later
  f.Set("fresh", "mine");  // nobody else wrote it
  cluster.Run(4s);
  nodes[0]->Set("day", "two");
  nodes[1]->Del("old");
  ASSERT_TRUE(Forget(*nodes[0], {"f"}).ok());
  cluster.Run(6s);
  for (int i = 0; i < 2; ++i) nodes[i]->Maintain();
  EXPECT_EQ(nodes[0]->store().keyspace().tombstones(), 0u);
  cluster.Heal();
  cluster.Run(8s);
  EXPECT_TRUE(AllSee(nodes, "n", "8")) << nodes[0]->Get("n") << " " << f.Get("n");
  EXPECT_TRUE(AllSee(nodes, "day", "two")) << f.Get("day");
  EXPECT_TRUE(AllSee(nodes, "fresh", "mine"));
  EXPECT_TRUE(AllSee(nodes, "old", ""));
  f.Incr("n");
  cluster.Run(500ms);
  EXPECT_TRUE(AllSee(nodes, "n", "9"));
}

TEST(Replicator, NodeThatLostItsDiskReturnsUnderItsName) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[2]->Incr("n", 4);
  cluster.Run(100ms);
  nodes[2]->Kill();
  cluster.Run(2s);
  nodes[2]->LoseDisk();
  nodes[2]->Start();
  cluster.Run(5s);
  nodes[2]->Incr("n", 1);
  cluster.Run(2s);
  EXPECT_TRUE(AllSee(nodes, "n", "5")) << nodes[2]->Get("n");
}

// COUNTEREXAMPLES 28: the folder is an older copy of itself, and nothing on disk shows it.
TEST(Replicator, NodeFromAnOlderFolderRaisesItsIncarnationAndFetchesWhatItLost) {
  for (const bool writes_first : {false, true}) {
    TestCluster cluster;
    const auto nodes = StartCluster(cluster, {"a", "b", "c"});
    nodes[1]->Incr("n", 1);
    cluster.Run(100ms);
    const auto older = nodes[1]->CopyDisk();
    nodes[1]->Incr("n", 10);
    nodes[1]->Set("lost", "and found");
    cluster.Run(100ms);
    nodes[1]->Kill();
    cluster.Run(1s);
    nodes[1]->TakeDisk(older);
    nodes[1]->Start();
    if (writes_first) nodes[1]->Set("since", "1");
    cluster.Run(5s);
    EXPECT_TRUE(nodes[1]->Saw(Kind::kIncarnationRaised, "b")) << writes_first;
    EXPECT_TRUE(AllSee(nodes, "n", "11")) << writes_first << " " << nodes[1]->Get("n");
    EXPECT_TRUE(AllSee(nodes, "lost", "and found")) << writes_first;
    if (writes_first) {
      EXPECT_TRUE(AllSee(nodes, "since", "1"));
    }
    nodes[1]->Incr("n");
    cluster.Run(500ms);
    EXPECT_TRUE(AllSee(nodes, "n", "12")) << writes_first;
  }
}

}  // namespace
}  // namespace starling
