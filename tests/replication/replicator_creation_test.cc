// How a cluster comes to be: by a seed list, or in the shared folder.
#include <gtest/gtest.h>

#include "replication/replicator.h"
#include "tests/replication/test_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

// COUNTEREXAMPLES 43.
TEST(Replicator, SeededNodesCreateNothingUntilAllExpectedHaveMet) {
  TestCluster cluster;
  TestNode& a = cluster.Add("a");
  TestNode& b = cluster.Add("b");
  for (TestNode* node : {&a, &b}) {
    node->options().seeds = {a.address(), b.address(), "c:1"};
    node->options().expect = 3;
    node->Start();
  }
  cluster.Run(5s);
  EXPECT_FALSE(a.replicator().cluster());
  a.Set("local", "still served");
  EXPECT_EQ(a.Get("local"), "still served");
  EXPECT_EQ(b.Get("local"), "");
}

TEST(Replicator, FolderClusterIsFoundedByItsFirstAndJoinedByTheNext) {
  TestCluster cluster;
  const ClusterRecord record{77, {"a"}, {}};
  TestNode& a = cluster.Add("a");
  a.Start();
  a.Run([&](Replicator& r, Instant now, Effects& out) { r.OnMeetingFolder({}, record, now, out); });
  EXPECT_EQ(a.replicator().cluster()->id, 77u);
  a.Set("k", "v");
  TestNode& b = cluster.Add("b");
  b.Start();
  b.Run([&](Replicator& r, Instant now, Effects& out) {
    r.OnMeetingFolder({a.address()}, record, now, out);
  });
  EXPECT_TRUE(cluster.RunUntil([&] { return b.Get("k") == "v"; }, 3s));
  cluster.Run(2s);
  b.Set("back", "1");
  EXPECT_TRUE(cluster.RunUntil([&] { return a.Get("back") == "1"; }, 2s));
}

}  // namespace
}  // namespace starling
