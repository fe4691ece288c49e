// How members are ended, and return, in whole clusters.
#include "replication/forgetting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "replication/epoch_record.h"
#include "tests/replication/forgetting_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Names = std::vector<std::string>;

TEST_F(ForgettingClusterTest, IsRefusedElsewhereThanAtTheLeaseholder) {
  for (const bool folder : {false, true}) {
    nodes_.clear();
    const Names names = folder ? Names{"f", "g", "h", "i"} : Names{"a", "b", "c", "d"};
    Begin(names, folder ? none_ : three_);
    TestNode& leader = *Leader();
    TestNode& lost = folder ? Other(leader, {}) : Named("d");
    TestNode& other = Other(leader, {lost.name()});
    lost.Kill();
    ASSERT_TRUE(WaitDead(leader, lost.name()));
    ASSERT_TRUE(WaitDead(other, lost.name()));
    EXPECT_THAT(Forget(other, {lost.name()}), HasSubstr("does not hold the lease"));
    cluster_.Run(5s);
    EXPECT_FALSE(ForgottenByAll(lost.name()));
    EXPECT_EQ(Forget(leader, {lost.name()}), "OK");
    EXPECT_TRUE(WaitForgotten(lost.name()));
    for (TestNode* node : nodes_) node->Kill();
  }
}

TEST_F(ForgettingClusterTest, AVoterIsTakenOutOfTheVotersFirst) {
  Begin({"a", "b", "c", "d"}, three_);
  TestNode& leader = *Leader();
  TestNode& lost = Other(leader, {"d"});
  lost.Kill();
  ASSERT_TRUE(WaitDead(leader, lost.name()));
  EXPECT_THAT(Forget(leader, {lost.name()}), HasSubstr("STARLING VOTERS REMOVE " + lost.name()));
  ASSERT_EQ(Voters(leader, VoterRequest::Kind::kRemove, {lost.name()}), "OK");
  ASSERT_TRUE(cluster_.RunUntil([&] { return Forget(leader, {lost.name()}) == "OK"; }));
  EXPECT_TRUE(WaitForgotten(lost.name()));
}

TEST_F(ForgettingClusterTest, WhoIsBeingForgottenDoesNotBecomeAVoter) {
  Begin({"a", "b", "c", "d", "e"}, three_);
  TestNode& leader = *Leader();
  Named("d").Kill();
  Named("e").Kill();
  ASSERT_TRUE(WaitDead(leader, "d"));
  ASSERT_EQ(Forget(leader, {"d"}), "OK");  // and waits for e
  Named("d").Start();
  cluster_.Run(3s);
  EXPECT_THAT(Voters(leader, VoterRequest::Kind::kAdd, {"d"}), HasSubstr("is being forgotten"));
  Named("e").Start();
  EXPECT_TRUE(WaitForgotten("d"));
  EXPECT_TRUE(cluster_.RunUntil([&] { return leader.StateOf("d") == MemberState::kAlive; }));
}

TEST_F(ForgettingClusterTest, TheNextLeaseholderGoesOn) {
  Begin({"a", "b", "c", "d", "e"}, three_);
  TestNode& leader = *Leader();
  Named("e").Kill();
  ASSERT_TRUE(WaitDead(leader, "e"));
  Isolate(Named("d"));
  ASSERT_EQ(Forget(leader, {"e"}), "OK");
  cluster_.Run(3s);
  leader.Kill();
  ASSERT_TRUE(cluster_.RunUntil([&] { return Leader() != nullptr; }));
  cluster_.Heal();
  cluster_.Run(5s);
  EXPECT_FALSE(ForgottenByAll("e")) << "who was the leaseholder has not reported";
  leader.Start();
  EXPECT_TRUE(WaitForgotten("e"));
}

// The leaseholder is cut off at once: nobody else has heard of it.
TEST_F(ForgettingClusterTest, WhatOneNodeAloneHasStoppedIsBroughtToItsEnd) {
  for (const bool folder : {false, true}) {
    nodes_.clear();
    Begin(folder ? Names{"f", "g", "h"} : Names{"a", "b", "c", "d"}, folder ? none_ : three_);
    TestNode& leader = *Leader();
    TestNode& gone = folder ? Other(leader, {}) : Named("d");
    gone.Incr("n");
    cluster_.Run(100ms);
    Isolate(gone);
    ASSERT_TRUE(WaitDead(leader, gone.name()));
    gone.Incr("n");
    Isolate(leader);
    ASSERT_EQ(Forget(leader, {gone.name()}), "OK");
    leader.Kill();
    ASSERT_TRUE(cluster_.RunUntil([&] { return Leader() != nullptr; }));
    // Where the folder votes, it may be the one who is to be forgotten.
    cluster_.Heal();
    cluster_.Run(3s);
    leader.Start();
    EXPECT_TRUE(WaitForgotten(gone.name()));
    gone.Incr("n");
    EXPECT_TRUE(cluster_.RunUntil([&] { return AllSee("n", "3"); }))
        << gone.name() << " has " << gone.Get("n") << ", others " << Leader()->Get("n");
    EXPECT_TRUE(cluster_.RunUntil([&] { return Leader() != nullptr; }));
    for (TestNode* node : nodes_) node->Kill();
  }
}

// Both sides of a parted network reach the folder.
TEST_F(ForgettingClusterTest, TwoSidesDoNotForgetEachOther) {
  Begin({"a", "b", "c", "d"}, none_);
  TestNode& leader = *Leader();
  TestNode& beside = Other(leader, {});
  Names others;
  for (TestNode* node : nodes_) {
    if (node != &leader && node != &beside) others.push_back(node->name());
  }
  for (const std::string& name : others) {
    cluster_.Cut(leader, Named(name));
    cluster_.Cut(beside, Named(name));
  }
  TestNode& there = Named(others[0]);
  ASSERT_TRUE(WaitDead(leader, others[1]) && WaitDead(there, beside.name()));
  ASSERT_TRUE(WaitDead(leader, others[0]) && WaitDead(there, leader.name()));
  EXPECT_THAT(Forget(there, {leader.name(), beside.name()}), HasSubstr("does not hold the lease"));
  EXPECT_EQ(Forget(leader, others), "OK");
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return leader.Saw(EventEffect::Kind::kMemberForgotten, others[0]); }));
  there.Incr("n");
  leader.Kill();
  cluster_.Run(5s);
  EXPECT_FALSE(there.lease().leading) << "it would read in the folder that it has ended";
  leader.Start();
  cluster_.Heal();
  EXPECT_TRUE(cluster_.RunUntil([&] { return AllSee("n", "1"); }));
}

// Simulator, seed 750: who let it begin had ended itself, and nobody else ever heard of that.
TEST_F(ForgettingClusterTest, WhoseBeginningCountsForNobodyBeginsOnceMore) {
  Begin(three_, none_);
  TestNode& leader = *Leader();
  TestNode& gone = Other(leader, {});
  ASSERT_NO_FATAL_FAILURE(ForgetWhileItCounts(leader, gone));
  const uint64_t incarnation = gone.store().origin().incarnation;
  MemberList list(gone.store().keyspace());
  list.WriteEnd(gone.name(), {incarnation, {}});
  list.WriteBegin(gone.name(), incarnation + 1);
  ASSERT_TRUE(gone.store().journal().Commit().ok());
  cluster_.Run(2s);
  cluster_.Heal();
  EXPECT_TRUE(cluster_.RunUntil([&] { return AllSee("n", "1"); }));
  EXPECT_TRUE(cluster_.RunUntil([&] { return leader.replicator().members().size() == 3; }));
}

// Each has what the other wrote beyond its end, and drops it: its author writes it again.
TEST_F(ForgettingClusterTest, WhatTwoForgottenToldEachOtherCountsOnce) {
  Begin({"a", "b", "c", "d"}, none_);
  TestNode& leader = *Leader();
  TestNode& beside = Other(leader, {});
  std::vector<TestNode*> gone;
  for (TestNode* node : nodes_) {
    if (node != &leader && node != &beside) gone.push_back(node);
  }
  const Names names{gone[0]->name(), gone[1]->name()};
  gone[0]->Incr("n");
  cluster_.Run(100ms);
  for (TestNode* node : gone) {
    cluster_.Cut(leader, *node);
    cluster_.Cut(beside, *node);
  }
  ASSERT_TRUE(WaitDead(leader, names[0]) && WaitDead(leader, names[1]));
  gone[0]->Incr("n");
  gone[1]->Incr("m");
  ASSERT_TRUE(
      cluster_.RunUntil([&] { return gone[1]->Get("n") == "2" && gone[0]->Get("m") == "1"; }));
  ASSERT_EQ(Forget(leader, names), "OK");
  ASSERT_TRUE(cluster_.RunUntil([&] {
    return beside.Saw(EventEffect::Kind::kMemberForgotten, names[0]) &&
           beside.Saw(EventEffect::Kind::kMemberForgotten, names[1]);
  }));
  for (TestNode* node : gone) node->events().clear();
  cluster_.Heal();
  bool twice = false;
  const auto all_see_once = [&] {
    for (TestNode* node : nodes_) {
      twice = twice || node->Get("n") == "3" || node->Get("m") == "2";
    }
    return AllSee("n", "2") && AllSee("m", "1");
  };
  EXPECT_TRUE(cluster_.RunUntil(all_see_once));
  cluster_.Run(5s);
  EXPECT_TRUE(cluster_.RunUntil(all_see_once));
  EXPECT_FALSE(twice);
  // That the ends of each other's earlier streams are agreed on later tells them nothing new.
  for (TestNode* node : gone) {
    EXPECT_EQ(
        std::ranges::count(node->events(), EventEffect::Kind::kClusterJoined, &EventEffect::kind),
        1)
        << node->name();
  }
}

// Simulator, seed 600: it took the stream that it had issued again, over by then, for news that its
// own had to pass, wrote an empty batch every second, and came to no checkpoint.
TEST_F(ForgettingClusterTest, WhoHasReturnedFallsSilentAfterALaterWalk) {
  Begin(three_, none_);
  TestNode& leader = *Leader();
  TestNode& gone = Other(leader, {});
  ASSERT_NO_FATAL_FAILURE(ForgetAndReturn(leader, gone));
  Isolate(gone);
  for (int i = 0; i < 500; ++i) leader.Set("k" + std::to_string(i), std::string(12000, 'y'));
  leader.Del("k0");
  for (int round = 0; round < 4; ++round) {
    leader.Set("more", std::to_string(round));
    for (TestNode* node : nodes_) ASSERT_TRUE(node->store().Checkpoint().ok());
  }
  gone.events().clear();
  cluster_.Heal();
  ASSERT_TRUE(cluster_.RunUntil([&] { return AllSee("more", "3"); }));
  EXPECT_TRUE(std::any_of(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
    return gone.Saw(EventEffect::Kind::kWalkTaken, node->name());
  }));
  cluster_.Run(5s);
  const VersionVector before = gone.store().vector();
  cluster_.Run(20s);
  EXPECT_EQ(gone.store().vector(), before);
}

// Simulator, seed 208 of claims and counters likewise: it waited for its own stream to pass one
// that was over, and no other came to free anything.
TEST_F(ForgettingClusterTest, WhoReturnsOnceMoreWithNothingToWriteFallsSilent) {  // I9
  Begin(three_, none_);
  TestNode& leader = *Leader();
  TestNode& gone = Other(leader, {});
  ASSERT_NO_FATAL_FAILURE(ForgetAndReturn(leader, gone));
  for (TestNode* node : nodes_) node->events().clear();
  Isolate(gone);
  ASSERT_TRUE(WaitDead(leader, gone.name()));
  ASSERT_EQ(Forget(leader, {gone.name()}), "OK");
  ASSERT_TRUE(WaitForgotten(gone.name()));
  leader.Del("n");
  cluster_.Heal();
  ASSERT_TRUE(cluster_.RunUntil([&] { return AllSee("n", ""); }));
  cluster_.Run(5s);
  const VersionVector before = gone.store().vector();
  cluster_.Run(20s);
  EXPECT_EQ(gone.store().vector(), before);
}

// Simulator, seed 115 (`--full --folder --workloads claims`, faults kill, power-loss, kill-leader
// and forget): it read the folder by the list that it had before, which knew of no such stream.
TEST_F(ForgettingClusterTest,
       WhatOneThatHasReturnedWasAcknowledgedIsThereWithTheNextHolder) {  // I4
  Begin(three_, none_);
  TestNode& leader = *Leader();
  TestNode& gone = Other(leader, {});
  TestNode& away = Other(leader, {gone.name()});
  gone.Kill();
  ASSERT_TRUE(WaitDead(leader, gone.name()));
  ASSERT_EQ(Forget(leader, {gone.name()}), "OK");
  ASSERT_TRUE(WaitForgotten(gone.name()));
  away.Kill();
  gone.Start();
  ASSERT_TRUE(
      cluster_.RunUntil([&] { return leader.StateOf(gone.name()) == MemberState::kAlive; }));
  cluster_.Run(1s);
  leader.Kill();
  ASSERT_TRUE(cluster_.RunUntil([&] { return Leader() == &gone; }));
  gone.Set("k", "v");
  gone.Run([&](Replicator& replicator, Instant now, Effects& effects) {
    replicator.AwaitMajority(gone.lease().epoch, gone.store().journal().upto(), now, effects);
  });
  ASSERT_GE(gone.majority().upto, gone.store().journal().upto());
  const Origin origin = gone.store().origin();
  const Stamp upto = gone.store().journal().upto();
  cluster_.Cut(gone, leader);
  leader.Start();
  gone.Kill();
  ASSERT_TRUE(cluster_.RunUntil([&] { return Leader() == &leader; }));
  leader.Kill();
  away.Start();
  ASSERT_TRUE(cluster_.RunUntil([&] { return Leader() == &away; }));
  EXPECT_EQ(away.Get("k"), "v") << "nobody else could have told it";
  const EpochRecords epochs = ReadEpochRecords(away.store().keyspace());
  EXPECT_TRUE(epochs.rbegin()->second.vector.Covers(origin, upto)) << "else its claims are void";
}

// Simulator, seed 911 likewise: two that had both ended let each other begin, and led.
TEST_F(ForgettingClusterTest, OnlyTheLeaseholderLetsOneThatHasEndedBeginAnew) {
  Begin(three_, none_);
  TestNode& leader = *Leader();
  TestNode& gone = Other(leader, {});
  TestNode& beside = Other(leader, {gone.name()});
  ASSERT_NO_FATAL_FAILURE(ForgetWhileItCounts(leader, gone));
  cluster_.Heal();
  cluster_.Cut(gone, leader);
  cluster_.Run(5s);
  EXPECT_EQ(beside.StateOf(gone.name()), MemberState::kForgotten) << "there it could ask";
  cluster_.Heal();
  EXPECT_TRUE(cluster_.RunUntil([&] { return AllSee("n", "1"); }));
  EXPECT_EQ(beside.StateOf(gone.name()), MemberState::kAlive);
}

}  // namespace
}  // namespace starling
