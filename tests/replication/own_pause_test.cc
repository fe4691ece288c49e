// A process that has stood still: what waited for it shows the others as they were.
#include <gtest/gtest.h>

#include "tests/replication/test_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using Kind = EventEffect::Kind;

class OwnPause : public testing::Test {
 protected:
  OwnPause() : nodes_(cluster_.StartSeeded({"a", "b", "c", "d"})) {
    cluster_.RunUntil([&] { return nodes_[3]->replicator().members().size() == 4; });
    cluster_.Run(6s);
    d_.StandStill(true);
    cluster_.Run(12s);
  }

  TestCluster cluster_;
  std::vector<TestNode*> nodes_;
  TestNode& c_ = *nodes_[2];
  TestNode& d_ = *nodes_[3];
};

// Simulator, seed 284 with a folder: the others stood still in the moment in which it went on.
TEST_F(OwnPause, DoesNotJudgeAPeerByClocksThatHadWaited) {
  cluster_.Silence(*nodes_[0]);
  cluster_.Silence(*nodes_[1]);
  cluster_.Run(2s);
  cluster_.Cut(c_, d_);
  d_.StandStill(false);
  cluster_.Run(100ms);
  cluster_.Heal();
  cluster_.Silence(*nodes_[0]);
  cluster_.Silence(*nodes_[1]);
  cluster_.Run(8s);
  EXPECT_EQ(d_.StateOf("c"), MemberState::kAlive);
  EXPECT_FALSE(d_.Saw(Kind::kClockSkew, "c"));
}

TEST_F(OwnPause, JudgesThemAgainOnceTheyHaveAnswered) {
  d_.StandStill(false);
  cluster_.Run(3s);
  EXPECT_FALSE(d_.replicator().WriteRefusal());
  d_.SetClockAhead(900ms);
  cluster_.Run(8s);
  EXPECT_TRUE(d_.replicator().WriteRefusal());
}

TEST_F(OwnPause, StaysAheadUntilTheyHaveAnswered) {
  d_.StandStill(false);
  d_.SetClockAhead(900ms);
  cluster_.Run(8s);
  ASSERT_TRUE(d_.replicator().WriteRefusal());
  d_.StandStill(true);
  cluster_.Run(5s);
  for (int i = 0; i < 3; ++i) cluster_.Silence(*nodes_[i]);
  d_.StandStill(false);
  cluster_.Run(3s);
  EXPECT_TRUE(d_.replicator().WriteRefusal());
}

}  // namespace
}  // namespace starling
