/// Who holds what was written: what WAIT counts.
#include <gtest/gtest.h>

#include "replication/replicator.h"
#include "tests/replication/test_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

std::vector<TestNode*> StartCluster(TestCluster& cluster, const std::vector<std::string>& names) {
  const auto nodes = cluster.StartSeeded(names);
  const bool stands = cluster.RunUntil([&] {
    for (TestNode* node : nodes) {
      if (!node->replicator().cluster()) return false;
    }
    return true;
  });
  EXPECT_TRUE(stands);
  cluster.Run(1500ms);
  return nodes;
}

/// What `node` has written.
VersionVector WrittenBy(TestNode& node) {
  VersionVector written;
  written.Set(node.store().origin(), node.store().journal().upto());
  return written;
}

TEST(Holders, AreKnownByTheirAcknowledgements) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[0]->Set("k", "v");
  const VersionVector written = WrittenBy(*nodes[0]);
  EXPECT_EQ(nodes[0]->replicator().HoldersOf(written), 1);
  cluster.Run(50ms);
  EXPECT_EQ(nodes[0]->replicator().HoldersOf(written), 3);
  EXPECT_EQ(nodes[0]->replicator().HoldersOf({}), 3) << "nothing, all hold";
}

TEST(Holders, OfOthersWritesAreKnownOnceAsked) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b", "c"});
  nodes[0]->Set("k", "v");
  nodes[1]->Set("l", "v");
  VersionVector written = WrittenBy(*nodes[0]);
  written.MergeFrom(WrittenBy(*nodes[1]));
  cluster.Run(20ms);
  const auto ask = [](Replicator& replicator, Instant now, Effects& effects) {
    replicator.AskHoldings(now, effects);
  };
  for (TestNode* node : nodes) {
    node->Run(ask);
    cluster.Run(20ms);
    EXPECT_EQ(node->replicator().HoldersOf(written), 3) << node->name();
  }
}

TEST(Holders, DoNotIncludeWhoIsCutOffUntilItHasCaughtUp) {
  for (const bool silently : {false, true}) {
    TestCluster cluster;
    const auto nodes = StartCluster(cluster, {"a", "b", "c"});
    cluster.Cut(*nodes[0], *nodes[2], silently);
    cluster.Cut(*nodes[1], *nodes[2], silently);
    nodes[0]->Set("k", "v");
    const VersionVector written = WrittenBy(*nodes[0]);
    cluster.Run(3s);
    for (TestNode* node : {nodes[0], nodes[1]}) {
      EXPECT_EQ(node->replicator().HoldersOf(written), 2) << node->name();
    }
    EXPECT_EQ(nodes[2]->replicator().HoldersOf(written), 0) << "it knows of nobody who holds it";
    cluster.Heal();
    for (TestNode* node : nodes) {
      EXPECT_TRUE(cluster.RunUntil([&] { return node->replicator().HoldersOf(written) == 3; }, 20s))
          << node->name();
    }
  }
}

TEST(Holders, OfWhatAJoinerWroteBeforeHoldWhatItIssuedAgain) {
  TestCluster cluster;
  const auto nodes = StartCluster(cluster, {"a", "b"});
  TestNode& joiner = cluster.Add("c");
  joiner.Start();
  joiner.Set("early", "v");
  const VersionVector written = WrittenBy(joiner);
  ASSERT_EQ(written.entries().size(), 1u);
  EXPECT_EQ(joiner.replicator().HoldersOf(written), 1);
  joiner.Run([&](Replicator& replicator, Instant now, Effects& effects) {
    replicator.AddSeeds({nodes[0]->address()}, now, effects);
  });
  EXPECT_TRUE(cluster.RunUntil([&] { return nodes[1]->Get("early") == "v"; }, 20s));
  EXPECT_NE(joiner.store().origin(), written.entries()[0].origin);
  EXPECT_TRUE(cluster.RunUntil([&] { return joiner.replicator().HoldersOf(written) == 3; }, 5s));
}

}  // namespace
}  // namespace starling
