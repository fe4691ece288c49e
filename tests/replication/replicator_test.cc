#include "replication/replicator.h"

#include <gtest/gtest.h>

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

TEST(Replicator, ThreeSeededNodesCreateOneClusterAndShareWrites) {
  TestCluster cluster;
  const auto nodes = cluster.StartSeeded({"a", "b", "c"});
  ASSERT_TRUE(
      cluster.RunUntil([&] { return nodes[0]->replicator().cluster() && InOneCluster(nodes); }));
  nodes[0]->Set("k", "v");
  nodes[1]->Incr("n", 2);
  nodes[2]->Incr("n", 3);
  ASSERT_TRUE(cluster.RunUntil(
      [&] {
        for (TestNode* node : nodes) {
          if (node->Get("k") != "v" || node->Get("n") != "5") return false;
        }
        return true;
      },
      100ms));
}

}  // namespace
}  // namespace starling
