// One node's part in ending members: by the leaseholder, with everybody's report and a majority
// behind it.
#include "replication/forgetting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "replication/limits.h"
#include "tests/replication/recording_sender.h"
#include "tests/replication/test_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Names = std::vector<std::string>;

/// Node `a` of a, b, c and d; whoever leads is told by the test.
class ForgettingTest : public testing::Test {
 protected:
  ForgettingTest() : node_(cluster_.Add("a")), log_(std::make_shared<spdlog::logger>("test")) {
    node_.Start();
    Restart();
  }

  void Restart() {
    list_ = std::make_unique<MemberList>(node_.store().keyspace());
    Refresh();
    sender_.sent.clear();
    forgetting_ = std::make_unique<Forgetting>(node_.store(), *list_, sender_, log_);
    EXPECT_TRUE(forgetting_->Load().ok());
  }
  void Refresh() { list_->Refresh(ClusterRecord{1, {"a", "b", "c", "d"}, {}}); }
  bool Tick(const Forgetting::Standing& standing) {
    now_ += limits::kRoundInterval;
    const bool changed = forgetting_->OnTick(standing, now_);
    Refresh();
    return changed;
  }
  bool Reports(const std::string& from, Stamp held, uint64_t epoch, const Names& names = {"d"},
               uint64_t begun = 0) {
    ForgetReport report{names, {}, std::vector<uint64_t>(names.size(), begun)};
    report.held.Raise(Origin{NodeId::FromName("d"), 0}, held);
    return forgetting_->OnReport(from, report, {epoch, {}, {}}, now_);
  }
  /// In `epoch`, with the reports of all.
  void ProposeAt(uint64_t epoch, Stamp held) {
    ASSERT_TRUE(forgetting_->Start({"d"}, now_).ok());
    Tick({epoch, {}, {}});
    Reports("b", held, epoch);
    Reports("c", Stamp{1}, epoch);
    Tick({epoch, {}, {}});
  }
  Stamp EndOfD() {
    const MemberList::End* end = list_->EndOf("d");
    return end == nullptr ? Stamp{} : end->streams.Get(Origin{NodeId::FromName("d"), 0});
  }

  TestCluster cluster_;
  TestNode& node_;
  std::shared_ptr<spdlog::logger> log_;
  RecordingSender sender_;
  std::unique_ptr<MemberList> list_;
  std::unique_ptr<Forgetting> forgetting_;
  Instant now_ = 100s;
};

TEST_F(ForgettingTest, WritesTheEndWhenAMajorityHoldsWhatWasProposed) {
  ProposeAt(5, Stamp{700});
  EXPECT_TRUE(list_->IsMember("d"));
  EXPECT_TRUE(list_->IsStopped("d"));
  ASSERT_FALSE(forgetting_->awaited().none());
  const Stamp before{forgetting_->awaited().value - 1};
  EXPECT_FALSE(Tick({5, before, {}}));
  EXPECT_TRUE(list_->IsMember("d"));
  EXPECT_TRUE(Tick({5, forgetting_->awaited(), {}}));
  EXPECT_FALSE(list_->IsMember("d"));
  EXPECT_EQ(EndOfD(), Stamp{700}) << "the furthest that anybody holds";
  EXPECT_THAT(list_->endings(), IsEmpty());
  EXPECT_FALSE(forgetting_->busy());
}

TEST_F(ForgettingTest, WaitsForEveryReportAndForgetsThemWithTheLease) {
  ASSERT_TRUE(forgetting_->Start({"d"}, now_).ok());
  Tick({5, {}, {}});
  Reports("b", Stamp{700}, 5);
  EXPECT_THAT(forgetting_->Missing(), ElementsAre("c"));
  Tick({0, {}, "c"});  // lost, and another leads
  EXPECT_THAT(forgetting_->Missing(), ElementsAre("b", "c"));
  Tick({7, {}, {}});
  Reports("c", Stamp{1}, 7);
  Tick({7, {}, {}});
  EXPECT_TRUE(forgetting_->awaited().none()) << "of a report made to the lease before";
  Reports("b", Stamp{600}, 7);
  Tick({7, {}, {}});
  EXPECT_FALSE(forgetting_->awaited().none());
}

TEST_F(ForgettingTest, AProposalOfALostLeaseEndsNobodyAndIsGoneOnWithAsItWas) {
  ProposeAt(5, Stamp{700});
  const Stamp awaited = forgetting_->awaited();
  EXPECT_FALSE(Tick({0, awaited, "b"}));
  EXPECT_TRUE(list_->IsMember("d"));
  Restart();  // as the next leaseholder finds it, too
  EXPECT_TRUE(list_->IsStopped("d"));
  Tick({8, {}, {}});
  Reports("b", Stamp{900}, 8);
  Reports("c", Stamp{1}, 8);
  Tick({8, {}, {}});
  EXPECT_FALSE(Tick({8, awaited, {}})) << "held in the epoch before: it says nothing of this one";
  EXPECT_TRUE(Tick({8, forgetting_->awaited(), {}}));
  EXPECT_EQ(EndOfD(), Stamp{700}) << "it may have been decided";
}

TEST_F(ForgettingTest, TellsTheLeaseholderWhatItHasStoppedUntilThatHasEnded) {
  forgetting_->OnRequest(NodeId::FromName("b"), {{"d"}, {0}});
  EXPECT_TRUE(list_->IsStopped("d"));
  Restart();
  EXPECT_TRUE(list_->IsStopped("d")) << "durably";
  Tick({0, {}, {}});
  EXPECT_THAT(sender_.sent, IsEmpty()) << "nobody leads";
  Tick({0, {}, "c"});
  ASSERT_EQ(sender_.sent.size(), 1u);
  EXPECT_EQ(sender_.sent[0].to, NodeId::FromName("c"));
  EXPECT_THAT(std::get<ForgetReport>(sender_.sent[0].held.message).names, ElementsAre("d"));
  list_->WriteEnd("d", {0, {}});
  Refresh();
  sender_.sent.clear();
  Tick({0, {}, "c"});
  EXPECT_THAT(sender_.sent, IsEmpty());
}

TEST_F(ForgettingTest, TheLeaseholderGoesOnWithWhatItIsTold) {
  EXPECT_FALSE(Reports("b", Stamp{700}, 0)) << "not leading: nothing";
  EXPECT_FALSE(forgetting_->busy());
  Reports("b", Stamp{700}, 5);
  EXPECT_TRUE(list_->IsStopped("d"));
  EXPECT_THAT(forgetting_->Missing(), ElementsAre("c"));
  EXPECT_TRUE(Reports("b", {}, 5, {"a"})) << "it is stopped itself";
  EXPECT_FALSE(Reports("d", {}, 5, {"a"})) << "by one that is stopped itself";
  EXPECT_FALSE(list_->IsStopped("a"));
}

TEST_F(ForgettingTest, WhoVotesIsNotStoppedAndNotEnded) {
  list_->SetVoters({"b", "d"});
  forgetting_->OnRequest(NodeId::FromName("b"), {{"c", "d"}, {0, 0}});
  EXPECT_THAT(list_->stopped(), ElementsAre("c"));
  EXPECT_THAT(sender_.sent, IsEmpty()) << "it has not stopped all that it was asked to";
  list_->SetVoters({"b", "c"});
  EXPECT_THAT(list_->stopped(), IsEmpty());
  Tick({0, {}, {}});
  list_->SetVoters({"b"});
  EXPECT_THAT(list_->stopped(), IsEmpty()) << "also when it votes no more";
  // An end proposed by somebody who had lost the lease, for one that was made a voter since.
  list_->WriteEnding("d", {0, {}});
  Refresh();
  EXPECT_TRUE(list_->IsStopped("d"));
  list_->SetVoters({"d"});
  Tick({9, {}, {}});
  list_->SetVoters({"b"});
  EXPECT_FALSE(list_->IsStopped("d"));
}

TEST_F(ForgettingTest, WhoHasBegunAnewIsStoppedUntilItsEndIsKnown) {
  forgetting_->OnRequest(NodeId::FromName("b"), {{"d"}, {0}});
  list_->WriteEnding("d", {0, {}});
  list_->WriteBegin("d", 1);
  Refresh();
  EXPECT_TRUE(list_->IsMember("d"));
  EXPECT_TRUE(list_->IsStopped("d")) << "whoever let it begin knows its end, this node does not";
  list_->WriteEnd("d", {0, {}});
  Refresh();
  EXPECT_TRUE(list_->IsMember("d"));
  EXPECT_FALSE(list_->IsStopped("d"));
}

TEST_F(ForgettingTest, WhoHasBegunAnewIsNotMeantByWhoHasNotHeardOfIt) {
  list_->WriteEnd("d", {0, {}});
  list_->WriteBegin("d", 1);
  Refresh();
  forgetting_->OnRequest(NodeId::FromName("b"), {{"d"}, {0}});
  EXPECT_FALSE(list_->IsStopped("d"));
  EXPECT_THAT(sender_.sent, IsEmpty());
  EXPECT_FALSE(Reports("b", {}, 5, {"d"}, 0));
  EXPECT_FALSE(list_->IsStopped("d"));
  list_->WriteBegin("a", 1);
  Refresh();
  EXPECT_FALSE(Reports("b", {}, 5, {"a"}, 0)) << "nor is this node";
  EXPECT_FALSE(Reports("b", {}, 5, {"d"}, 1));
  EXPECT_TRUE(list_->IsStopped("d"));
  // Nor does what was said of its former streams count as a report of these.
  EXPECT_THAT(forgetting_->Missing(), ElementsAre("c"));
  EXPECT_FALSE(Reports("c", {}, 5, {"d"}, 0));
  EXPECT_THAT(forgetting_->Missing(), ElementsAre("c"));
}

TEST_F(ForgettingTest, WhoHasMissedAnEndIsToldByTheLeaseholder) {
  list_->WriteEnd("d", {0, {}});
  list_->WriteBegin("d", 7);
  Refresh();
  EXPECT_FALSE(Reports("b", {}, 0, {"c", "d"}, 0));
  EXPECT_THAT(sender_.sent, IsEmpty()) << "it does not lead";
  EXPECT_FALSE(Reports("b", {}, 5, {"d"}, 0));
  const auto told = sender_.Take();
  ASSERT_EQ(told.size(), 1u);
  const auto* request = std::get_if<ForgetRequest>(&told[0].held.message);
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(told[0].to, NodeId::FromName("b"));
  EXPECT_THAT(request->names, ElementsAre("d"));
  EXPECT_THAT(request->begun, ElementsAre(7));
}

TEST_F(ForgettingTest, WhoIsToldThatWhomItStoppedHasBegunAnewNeedsTheWholeState) {
  EXPECT_FALSE(forgetting_->OnRequest(NodeId::FromName("b"), {{"d"}, {0}}));
  ASSERT_TRUE(list_->IsStopped("d"));
  EXPECT_TRUE(forgetting_->OnRequest(NodeId::FromName("b"), {{"d"}, {7}}));
  EXPECT_THAT(forgetting_->Missing(), ElementsAre("b", "c")) << "it has stopped no other";
  forgetting_->OnEntered();
  EXPECT_FALSE(list_->IsStopped("d"));
}

}  // namespace
}  // namespace starling
