// Members that return while what counts, or what does not, is held elsewhere or lost.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "replication/joining.h"
#include "replication/member_list.h"
#include "replication/peer_codec.h"
#include "tests/replication/forgetting_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

using ReturningTest = ForgettingClusterTest;

/// What counts of a forgotten member's stream is held by one member alone, which has ended; the
/// forgotten one is back, and has waited for a while.
class ForgottenWaitsTest : public ForgettingClusterTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Begin(three_, none_));
    leader_ = Leader();
    gone_ = &Other(*leader_, {});
    holds_ = &Other(*leader_, {gone_->name()});
    Isolate(*leader_);
    gone_->Incr("n");
    ASSERT_TRUE(cluster_.RunUntil([&] { return holds_->Get("n") == "1"; }));
    // As where that one has reported it, and ended before the leaseholder could take it.
    MemberList list(leader_->store().keyspace());
    const Origin stream = gone_->store().origin();
    MemberList::End end{stream.incarnation, {}};
    end.streams.Set(stream, gone_->store().journal().upto());
    list.WriteEnd(gone_->name(), end);
    ASSERT_TRUE(leader_->store().journal().Commit().ok());
    holds_->Kill();
    ASSERT_TRUE(WaitForgotten(gone_->name()));
    cluster_.Heal();
    gone_->events().clear();
    cluster_.Run(30s);
    EXPECT_FALSE(gone_->Saw(EventEffect::Kind::kClusterJoined, gone_->name()));
    EXPECT_EQ(gone_->Logged("waits_for=\"" + holds_->name() + "\""), 1u);
  }
  /// All are there, and agree on where the former streams of `node` ended.
  bool Agreed(TestNode& node) {
    return cluster_.RunUntil([&] {
      return std::ranges::all_of(nodes_, [&](TestNode* each) {
        return each->up() && each->store().vector().OverUpTo(NodeId::FromName(node.name())) != 0;
      });
    });
  }

  TestNode* leader_ = nullptr;
  TestNode* gone_ = nullptr;
  TestNode* holds_ = nullptr;
};

// Simulator, full length: folder, seed 529 of claims, waits and counters under forget. It entered
// without that after ten seconds, wrote it again, and the other brought it back: nobody agreed.
TEST_F(ForgottenWaitsTest, UntilThatMemberIsBack) {  // I1, I2
  holds_->Start();
  EXPECT_TRUE(Agreed(*gone_));
  EXPECT_TRUE(AllSee("n", "1"));
}

TEST_F(ForgottenWaitsTest, UntilThatMemberIsForgottenToo) {  // I1, I2
  ASSERT_EQ(Forget(*leader_, {holds_->name()}), "OK");
  ASSERT_TRUE(WaitForgotten(holds_->name()));
  EXPECT_TRUE(
      cluster_.RunUntil([&] { return gone_->Get("n") == "1" && leader_->Get("n") == "1"; }));
  holds_->Start();
  EXPECT_TRUE(Agreed(*gone_) && Agreed(*holds_));
  EXPECT_TRUE(AllSee("n", "1"));
}

// Simulator, full length: folder, seed 2086 of claims, waits and counters under forget: one that
// had missed ends wrote again what others had on the way, and capped its stream before: nobody
// agreed.
TEST_F(ReturningTest, WhoTakesTheStateAnewKeepsItsStream) {  // I1, I2
  Begin(three_, none_);
  TestNode& leader = *Leader();
  TestNode& mends = Other(leader, {});
  Isolate(mends);
  mends.Incr("n");
  const std::string cluster = EncodeClusterRecord(*mends.replicator().cluster());
  ASSERT_TRUE(mends.store().PutRecord(record_names::kAnew, cluster).ok());
  mends.Kill();
  mends.Start();
  mends.Incr("n");
  leader.Incr("n");
  mends.events().clear();
  const Origin stream = mends.store().origin();
  cluster_.Heal();
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return mends.Saw(EventEffect::Kind::kClusterJoined, mends.name()); }));
  mends.Incr("n");
  EXPECT_TRUE(cluster_.RunUntil([&] { return AllSee("n", "4"); }));
  cluster_.Run(5s);
  EXPECT_TRUE(AllSee("n", "4"));
  EXPECT_EQ(mends.store().origin(), stream);
  EXPECT_EQ(mends.store().GetRecord(record_names::kAnew).value(), "");
}

// Simulator, full length: seed 413 of counters,sets,claims,leased under forget and empty-disk. The
// author did not know of that stream any more, and never said that it was over.
TEST_F(ReturningTest, WhatItsAuthorLostLeavesNoTraceAtWhoHadMoreOfIt) {  // I9
  Begin({"a", "b", "c", "d"}, none_);
  TestNode& leader = *Leader();
  TestNode& author = Other(leader, {});
  TestNode& beside = Other(leader, {author.name()});
  TestNode& fourth = Other(leader, {author.name(), beside.name()});
  for (TestNode* gone : {&author, &beside}) {
    cluster_.Cut(leader, *gone);
    cluster_.Cut(fourth, *gone);
  }
  ASSERT_TRUE(WaitDead(leader, author.name()) && WaitDead(leader, beside.name()));
  ASSERT_TRUE(author.store().RaiseIncarnation("test"));
  author.Incr("n");
  ASSERT_TRUE(cluster_.RunUntil([&] { return beside.Get("n") == "1"; }));
  ASSERT_EQ(Forget(leader, {author.name(), beside.name()}), "OK");
  ASSERT_TRUE(cluster_.RunUntil([&] {
    return leader.Saw(EventEffect::Kind::kMemberForgotten, author.name()) &&
           fourth.Saw(EventEffect::Kind::kMemberForgotten, author.name());
  }));
  author.Kill();
  author.LoseDisk();
  cluster_.Heal();
  Isolate(beside);
  author.events().clear();
  author.Start();
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return author.Saw(EventEffect::Kind::kClusterJoined, author.name()); }));
  cluster_.Heal();
  const auto no_trace = [&] {
    return std::ranges::all_of(nodes_, [&](TestNode* node) {
      const VersionVector held = node->store().vector();
      return std::ranges::all_of(held.entries(), [&](const VersionVector::Entry& entry) {
        return entry.origin.node != author.store().id() ||
               entry.origin == author.store().origin() || entry.upto == VersionVector::kOver;
      });
    });
  };
  EXPECT_TRUE(cluster_.RunUntil([&] { return AllSee("n", ""); }));
  EXPECT_TRUE(cluster_.RunUntil(no_trace));
}

}  // namespace
}  // namespace starling
