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
  EXPECT_EQ(a.Logged("event=in_no_cluster"), 0u) << "they may be starting";
  a.Set("local", "still served");
  EXPECT_EQ(a.Get("local"), "still served");
  EXPECT_EQ(b.Get("local"), "");
  cluster.Run(3s);
  EXPECT_EQ(a.Logged("event=in_no_cluster node=a waits_for=\"3 members, 2 have met\""), 1u);
  cluster.Run(60s);
  EXPECT_EQ(a.Logged("event=in_no_cluster"), 2u) << "once a minute";
}

TEST(Replicator, WhoMeetsNobodyOfItsClusterSaysSo) {
  TestCluster cluster;
  const ClusterRecord record{77, {"a"}, {}};
  TestNode& a = cluster.Add("a");
  TestNode& b = cluster.Add("b");
  b.Start();
  b.Run([&](Replicator& r, Instant now, Effects& out) {
    r.OnMeetingFolder({a.address()}, record, now, out);
  });
  const std::string waits =
      "event=in_no_cluster node=b waits_for=\"a member of cluster 77 that answers\"";
  EXPECT_TRUE(cluster.RunUntil([&] { return b.Logged(waits) == 1; }, 7s));
  a.Start();
  a.Run([&](Replicator& r, Instant now, Effects& out) { r.OnMeetingFolder({}, record, now, out); });
  EXPECT_TRUE(cluster.RunUntil([&] { return b.replicator().cluster().has_value(); }, 30s));
  cluster.Run(65s);
  EXPECT_EQ(b.Logged("event=in_no_cluster"), 1u) << "it is in one";
  EXPECT_EQ(a.Logged("event=in_no_cluster"), 0u);
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
