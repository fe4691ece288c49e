/// A cluster of which members are forgotten, and to which they return.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "tests/replication/test_cluster.h"

namespace starling {

class ForgettingClusterTest : public testing::Test {
 protected:
  using Names = std::vector<std::string>;

  void Begin(const Names& names, const Names& voters) {
    nodes_ = voters.empty() ? cluster_.StartInFolder(names) : cluster_.StartSeeded(names, voters);
    ASSERT_TRUE(cluster_.RunUntil([&] {
      return Leader() != nullptr && std::all_of(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
               return node->lease().holder == Leader()->name() &&
                      node->replicator().members().size() == names.size();
             });
    }));
    cluster_.Run(std::chrono::seconds(2));
  }
  TestNode* Leader() {
    TestNode* leader = nullptr;
    for (TestNode* node : nodes_) {
      const bool leads = node->up() && node->lease().leading && node->lease().majority_begun;
      if (leads && (leader == nullptr || leader->lease().epoch < node->lease().epoch)) {
        leader = node;
      }
    }
    return leader;
  }
  TestNode& Named(const std::string& name) {
    return **std::find_if(nodes_.begin(), nodes_.end(),
                          [&](TestNode* node) { return node->name() == name; });
  }
  /// Those but `leader` that are not in `names`.
  TestNode& Other(const TestNode& leader, const Names& names) {
    return **std::find_if(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
      return node != &leader && std::count(names.begin(), names.end(), node->name()) == 0;
    });
  }
  std::string Forget(TestNode& node, const Names& names) {
    Status status;
    node.Run([&](Replicator& r, Instant now, Effects& out) { status = r.Forget(names, now, out); });
    return status ? "OK" : status.error().message;
  }
  std::string Voters(TestNode& node, VoterRequest::Kind kind, const Names& names) {
    std::string answer;
    node.Run([&](Replicator& replicator, Instant now, Effects& effects) {
      const auto changed = replicator.ChangeVoters({kind, names}, now, effects);
      answer = changed ? "OK" : changed.error().message;
    });
    return answer;
  }
  void Isolate(TestNode& node) {
    for (TestNode* other : nodes_) {
      if (other != &node) cluster_.Cut(node, *other);
    }
  }
  bool WaitDead(TestNode& at, const std::string& name) {
    return cluster_.RunUntil([&] { return at.StateOf(name) == MemberState::kDead; });
  }
  bool ForgottenByAll(const std::string& name) {
    return std::all_of(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
      return !node->up() || node->name() == name ||
             node->Saw(EventEffect::Kind::kMemberForgotten, name);
    });
  }
  bool WaitForgotten(const std::string& name) {
    return cluster_.RunUntil([&] { return ForgottenByAll(name); });
  }
  /// It is cut off, counts on "n" there, and is ended meanwhile.
  void ForgetWhileItCounts(TestNode& leader, TestNode& gone) {
    Isolate(gone);
    gone.Incr("n");
    ASSERT_TRUE(WaitDead(leader, gone.name()));
    ASSERT_EQ(Forget(leader, {gone.name()}), "OK");
    ASSERT_TRUE(WaitForgotten(gone.name()));
  }
  /// The same; then it is back, and what it has written again is over.
  void ForgetAndReturn(TestNode& leader, TestNode& gone) {
    ASSERT_NO_FATAL_FAILURE(ForgetWhileItCounts(leader, gone));
    cluster_.Heal();
    ASSERT_TRUE(cluster_.RunUntil([&] {
      return AllSee("n", "1") && gone.store().vector().OverUpTo(NodeId::FromName(gone.name())) != 0;
    }));
  }
  bool AllSee(const std::string& key, const std::string& value) {
    return std::all_of(nodes_.begin(), nodes_.end(),
                       [&](TestNode* node) { return node->up() && node->Get(key) == value; });
  }

  TestCluster cluster_;
  Names none_;
  Names three_{"a", "b", "c"};
  std::vector<TestNode*> nodes_;
};

}  // namespace starling
