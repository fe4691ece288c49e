// Who belongs and what may be freed: member list, stability, clocks, creation.
#include <gtest/gtest.h>

#include "replication/clock_judge.h"
#include "replication/cluster_creation.h"
#include "replication/member_list.h"
#include "replication/stability.h"
#include "tests/replication/recording_sender.h"
#include "tests/replication/transcript.h"
#include "tests/support/manual_time.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

Origin Of(const std::string& name, uint64_t incarnation = 1) {
  return Origin{NodeId::FromName(name), incarnation};
}

VersionVector Vector(const std::vector<std::pair<std::string, uint64_t>>& entries) {
  VersionVector vector;
  for (const auto& [name, upto] : entries) vector.Set(Of(name), Stamp{upto});
  return vector;
}

// --- member list ---

struct MemberListTest : ::testing::Test {
  ManualTime time;
  HybridClock clock{time};
  Keyspace keyspace{KeyspaceOptions{.shards = 1}, clock};
  MemberList list{keyspace};
  const ClusterRecord record{7, {"a", "b"}, {"a"}};

  void SetUp() override {
    keyspace.SetOrigin(Of("a"));
    list.Refresh(record);
  }
};

TEST_F(MemberListTest, FirstMembersStandInTheRecord) {
  EXPECT_EQ(list.members(), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(list.IsMember("b"));
  EXPECT_FALSE(list.IsMember("c"));
  EXPECT_EQ(list.AcceptedUpto(Of("c")), Stamp{});
  EXPECT_EQ(list.AcceptedUpto(Of("b")), Stamp{~uint64_t{0}});
}

TEST_F(MemberListTest, BeginningChangesTheDigestAndLetsTheStreamIn) {
  const uint64_t before = list.digest();
  list.WriteBegin("c", 1234567);
  EXPECT_TRUE(list.Refresh(record));
  EXPECT_NE(list.digest(), before);
  EXPECT_TRUE(list.IsMember("c"));
  EXPECT_EQ(list.BeginOf("c"), 1234567u);
  EXPECT_EQ(list.AcceptedUpto(Of("c")), Stamp{~uint64_t{0}});
  EXPECT_FALSE(list.Refresh(record)) << "nothing changed";
}

TEST_F(MemberListTest, EndCutsTheStreamsAndLaterIncarnationsNeedANewBeginning) {
  MemberList::End end{5, {}};
  end.streams.Set(Of("b", 5), Stamp{100});
  list.WriteEnd("b", end);
  list.Refresh(record);
  EXPECT_FALSE(list.IsMember("b"));
  ASSERT_NE(list.EndOf("b"), nullptr);
  EXPECT_EQ(list.AcceptedUpto(Of("b", 5)), Stamp{100});
  EXPECT_EQ(list.AcceptedUpto(Of("b", 4)), Stamp{}) << "not named: ends at none";
  EXPECT_EQ(list.AcceptedUpto(Of("b", 6)), Stamp{});
  VersionVector held;
  held.Set(Of("b", 5), Stamp{170});
  EXPECT_EQ(list.Visible(held).Get(Of("b", 5)), Stamp{100});
  list.WriteBegin("b", 9);
  list.Refresh(record);
  EXPECT_TRUE(list.IsMember("b"));
  EXPECT_EQ(list.EndOf("b"), nullptr);
  EXPECT_EQ(list.AcceptedUpto(Of("b", 10)), Stamp{~uint64_t{0}});
  EXPECT_EQ(list.AcceptedUpto(Of("b", 9)), Stamp{}) << "nobody who reported held anything of it";
  EXPECT_EQ(list.AcceptedUpto(Of("b", 5)), Stamp{100}) << "what ended stays ended";
}

TEST_F(MemberListTest, StreamsBeyondTheirCapAreNotTold) {
  list.Cap({{Of("a", 1), Stamp{}}});
  VersionVector held;
  held.Set(Of("a", 1), Stamp{5});
  held.Set(Of("a", 2), Stamp{6});
  EXPECT_EQ(list.Visible(held).Get(Of("a", 1)), Stamp{});
  EXPECT_EQ(list.Visible(held).Get(Of("a", 2)), Stamp{6});
}

// --- stability ---

struct StabilityTest : ::testing::Test {
  Stability stability;
  std::vector<NodeId> members{NodeId::FromName("a"), NodeId::FromName("b"), NodeId::FromName("c")};
  uint64_t sequence = 0;

  void Report(const std::string& from, const VersionVector& vector, uint64_t digest = 1) {
    starling::Report report;
    report.sequence = ++sequence;
    report.full = true;
    report.origin = Of(from);
    report.vector = vector;
    report.list_digest = digest;
    stability.OnReport(NodeId::FromName(from), report);
  }
  Keyspace::Stability Compute(const VersionVector& held, uint64_t digest = 1) {
    return stability.Compute({members, NodeId::FromName("a"), held, held.Get(Of("a")), digest});
  }
};

TEST_F(StabilityTest, NothingIsStableUntilAllHaveReported) {
  const VersionVector all = Vector({{"a", 10}, {"b", 10}, {"c", 10}});
  Report("b", all);
  EXPECT_TRUE(Compute(all).covered.empty());
  Report("c", all);
  EXPECT_EQ(Compute(all).covered, all);
  EXPECT_EQ(Compute(all).passed, Stamp{10});
}

// COUNTEREXAMPLES 14: a member's own stream must have passed the tombstone.
TEST_F(StabilityTest, PassedIsTheSlowestOwnStream) {
  const VersionVector held = Vector({{"a", 30}, {"b", 20}, {"c", 10}});
  Report("b", held);
  Report("c", held);
  EXPECT_EQ(Compute(held).passed, Stamp{10});
}

TEST_F(StabilityTest, AMemberThatHoldsWhatWeLackMakesNothingStable) {
  const VersionVector held = Vector({{"a", 10}, {"b", 10}, {"c", 10}});
  Report("b", Vector({{"a", 10}, {"b", 10}, {"c", 11}}));
  Report("c", held);
  EXPECT_TRUE(Compute(held).covered.empty());
  EXPECT_FALSE(Compute(Vector({{"a", 10}, {"b", 10}, {"c", 11}})).covered.empty());
}

TEST_F(StabilityTest, UnderSteadyWritesAnEarlierReportCounts) {
  Report("b", Vector({{"a", 10}, {"b", 10}, {"c", 10}}));
  Report("c", Vector({{"a", 10}, {"b", 10}, {"c", 10}}));
  Report("b", Vector({{"a", 12}, {"b", 12}, {"c", 12}}));  // not covered yet
  EXPECT_EQ(Compute(Vector({{"a", 13}, {"b", 11}, {"c", 11}})).covered,
            Vector({{"a", 10}, {"b", 10}, {"c", 10}}));
}

// COUNTEREXAMPLES 18, 40: exactly this list, acknowledged by all.
TEST_F(StabilityTest, AnotherMemberListMakesNothingStable) {
  const VersionVector all = Vector({{"a", 10}, {"b", 10}, {"c", 10}});
  Report("b", all);
  Report("c", all, /*digest=*/2);
  EXPECT_TRUE(Compute(all, 1).covered.empty());
  EXPECT_TRUE(Compute(all, 2).covered.empty());
  Report("b", all, 2);
  EXPECT_EQ(Compute(all, 2).covered, all);
}

TEST_F(StabilityTest, ALateReportDoesNotReplaceANewerOne) {
  const VersionVector all = Vector({{"a", 10}, {"b", 10}, {"c", 10}});
  Report("c", all);
  Report("b", all, 2);
  sequence -= 2;  // sent earlier, arrives later
  Report("b", all, 1);
  EXPECT_TRUE(Compute(all, 1).covered.empty());
}

// --- clocks ---

TEST(ClockJudge, TwoNodesRefuseEachOther) {
  ClockJudge judge(500ms);
  judge.SetMembers(2);
  const NodeId b = NodeId::FromName("b");
  EXPECT_TRUE(judge.JudgePeer(b, 501ms, 2));
  EXPECT_TRUE(judge.JudgePeer(b, -501ms, 2));
  EXPECT_FALSE(judge.JudgePeer(b, 500ms, 2));
}

// COUNTEREXAMPLES 44.
TEST(ClockJudge, OneSlowNodeSeesTheOthersAheadAndAdmitsThem) {
  ClockJudge judge(500ms);
  judge.SetMembers(3);
  const NodeId a = NodeId::FromName("a");
  const NodeId b = NodeId::FromName("b");
  EXPECT_FALSE(judge.JudgePeer(a, 1000ms, 3));
  judge.Note(a, 1000ms);
  EXPECT_FALSE(judge.JudgePeer(b, 1000ms, 3));
  judge.Note(b, 1000ms);
  EXPECT_FALSE(judge.OwnAhead());
  EXPECT_FALSE(judge.JudgeStamp(Stamp::FirstOf(2000), 1000));
  EXPECT_TRUE(judge.JudgeStamp(Stamp::FirstOf(2600), 1000));
}

TEST(ClockJudge, TheOneAheadOfTheMedianIsRefusedAndKnowsIt) {
  ClockJudge others(500ms);
  others.SetMembers(3);
  others.Note(NodeId::FromName("b"), 0ms);
  EXPECT_TRUE(others.JudgePeer(NodeId::FromName("f"), 900ms, 3));
  ClockJudge own(500ms);
  own.SetMembers(3);
  own.Note(NodeId::FromName("a"), -900ms);
  EXPECT_FALSE(own.OwnAhead()) << "two clocks decide nothing";
  own.Note(NodeId::FromName("b"), -900ms);
  EXPECT_EQ(own.OwnAhead(), 900ms);
}

TEST(ClockJudge, AfterAPauseOnlyThoseCountWhoHaveAnsweredSince) {
  const NodeId a = NodeId::FromName("a");
  const NodeId b = NodeId::FromName("b");
  const NodeId d = NodeId::FromName("d");
  ClockJudge judge(500ms);
  judge.SetMembers(4);
  for (const NodeId peer : {a, b, d}) judge.Note(peer, 900ms);
  judge.OnPause();
  for (const NodeId peer : {a, b}) judge.Note(peer, -12s);  // it had waited
  EXPECT_FALSE(judge.JudgePeer(d, 0ms, 4));
  EXPECT_FALSE(judge.OwnAhead());
  EXPECT_TRUE(judge.Awaits());
  EXPECT_FALSE(judge.JudgeStamp(Stamp::FirstOf(2300), 1000)) << "they were that much ahead before";
  judge.OnAnswered(d);
  judge.Note(d, 0ms);
  judge.OnAnswered(a);
  judge.Note(a, 0ms);
  EXPECT_TRUE(judge.JudgePeer(b, 600ms, 4)) << "three clocks are known again";
  judge.Remove(b);
  EXPECT_FALSE(judge.Awaits());
}

// --- creation ---

/// Creation machines that meet, with disks that remember.
class Founding {
 public:
  struct Founder {
    RecordingSender sender;
    std::mt19937_64 random;
    std::unique_ptr<ClusterCreation> creation;
    std::optional<ClusterRecord> proposal;
    std::optional<ClusterRecord> cluster;
    uint32_t expect = 0;
  };

  void Add(const std::string& name, uint32_t expect) {
    Founder& founder = founders_[name];
    founder.expect = expect;
    founder.random.seed(founders_.size());
    ids_[NodeId::FromName(name)] = name;
    Restart(name);
  }
  void Restart(const std::string& name) {
    Founder& founder = founders_.at(name);
    ClusterCreation::Options options;
    options.name = name;
    options.expect = founder.expect;
    options.persist = [&founder](const ClusterRecord& record, bool created) -> Status {
      (created ? founder.cluster : founder.proposal) = record;
      return {};
    };
    founder.creation = std::make_unique<ClusterCreation>(options, founder.sender, founder.random,
                                                         founder.proposal);
    founder.creation->Start(0s);
  }
  void Meet(const std::string& a, const std::string& b) {
    text += a + " meets " + b + "\n";
    founders_.at(a).creation->AddPeer(b, 0s);
    founders_.at(b).creation->AddPeer(a, 0s);
  }
  /// Delivers all that is said; `lose` tells what is lost.
  void Settle(const std::function<bool(const std::string& from, const std::string& to,
                                       const PeerMessage&)>& lose = {}) {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& [from, founder] : founders_) {
        for (const RecordingSender::Sent& sent : founder.sender.Take()) {
          const std::string& to = ids_.at(sent.to);
          moved = true;
          text += from + " -> " + to + ": " + ToString(sent.held.message) + "\n";
          if (lose && lose(from, to, sent.held.message)) continue;
          Deliver(from, to, sent.held.message);
        }
      }
    }
  }
  Founder& operator[](const std::string& name) { return founders_.at(name); }
  std::string text;

 private:
  void Deliver(const std::string& from, const std::string& to, const PeerMessage& message) {
    Founder& founder = founders_.at(to);
    if (founder.cluster) return;
    if (const auto* offer = std::get_if<CreationOffer>(&message)) {
      founder.creation->OnOffer(from, *offer, 0s);
    } else if (const auto* proposal = std::get_if<CreationProposal>(&message)) {
      founder.creation->OnProposal(from, *proposal);
    } else if (const auto* accept = std::get_if<CreationAccept>(&message)) {
      if (founder.creation->OnAccept(from, *accept)) text += to + " has the cluster\n";
    }
  }

  std::map<std::string, Founder> founders_;
  std::map<NodeId, std::string> ids_;
};

TEST(ClusterCreation, AllExpectedMeetAndTheSmallestNameProposes) {
  Founding founding;
  for (const std::string name : {"a", "b", "c"}) founding.Add(name, 3);
  founding.Meet("a", "b");
  founding.Settle();
  EXPECT_FALSE(founding["a"].proposal) << "two of three";
  founding.Meet("a", "c");
  founding.Meet("b", "c");
  founding.Settle();
  ASSERT_TRUE(founding["a"].cluster);
  EXPECT_EQ(founding["a"].cluster->voters, (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_TRUE(founding["b"].proposal && founding["c"].proposal);
  EXPECT_EQ(founding["b"].proposal->id, founding["a"].cluster->id);
  ExpectTranscript("cluster_creation", founding.text);
}

TEST(ClusterCreation, NothingIsCreatedWhileOneHasNotPersisted) {
  Founding founding;
  for (const std::string name : {"a", "b", "c"}) founding.Add(name, 3);
  for (const auto& [x, y] :
       std::vector<std::pair<std::string, std::string>>{{"a", "b"}, {"a", "c"}, {"b", "c"}}) {
    founding.Meet(x, y);
  }
  founding.Settle([](const std::string&, const std::string& to, const PeerMessage& message) {
    return to == "c" && std::holds_alternative<CreationProposal>(message);
  });
  EXPECT_FALSE(founding["a"].cluster);
  founding["a"].creation->OnTick(2s);  // says it again
  founding.Settle();
  EXPECT_TRUE(founding["a"].cluster);
}

TEST(ClusterCreation, AProposerThatRestartsProposesTheSameCluster) {
  Founding founding;
  founding.Add("a", 2);
  founding.Add("b", 2);
  founding.Meet("a", "b");
  founding.Settle([](const std::string&, const std::string&, const PeerMessage& message) {
    return std::holds_alternative<CreationAccept>(message);
  });
  ASSERT_TRUE(founding["b"].proposal);
  const uint64_t id = founding["b"].proposal->id;
  founding.Restart("a");
  founding["b"].creation->RemovePeer("a");
  founding.Meet("a", "b");
  founding.Settle();
  ASSERT_TRUE(founding["a"].cluster);
  EXPECT_EQ(founding["a"].cluster->id, id);
}

TEST(ClusterCreation, WhoAcceptedOneProposalAcceptsNoOther) {
  Founding founding;
  for (const std::string name : {"a", "b", "c"}) founding.Add(name, 2);
  founding.Meet("a", "c");
  founding.Settle([](const std::string&, const std::string& to, const PeerMessage&) {
    return to == "a";  // a never learns that c has accepted... nor offers
  });
  founding["c"].creation->OnProposal("a", CreationProposal{{5, {"a", "c"}, {"a"}}});
  ASSERT_TRUE(founding["c"].proposal);
  founding.Meet("b", "c");
  founding.Settle();
  EXPECT_EQ(founding["c"].proposal->id, 5u);
  EXPECT_FALSE(founding["b"].cluster);
}

TEST(ClusterCreation, DifferentExpectationsCreateNothingAndSayWhy) {
  Founding founding;
  founding.Add("a", 2);
  founding.Add("b", 3);
  founding.Meet("a", "b");
  founding.Settle();
  EXPECT_FALSE(founding["a"].cluster);
  EXPECT_NE(founding["a"].creation->Waiting().find("b expects 3"), std::string::npos);
}

TEST(ClusterCreation, VotersAreOneThreeOrFive) {
  const std::vector<std::string> names{"a", "b", "c", "d", "e", "f"};
  const auto voters = [&](size_t members) {
    return ClusterCreation::VotersOf({names.begin(), names.begin() + members}).size();
  };
  EXPECT_EQ(voters(1), 1u);
  EXPECT_EQ(voters(2), 1u);
  EXPECT_EQ(voters(4), 3u);
  EXPECT_EQ(voters(6), 5u);
}

}  // namespace
}  // namespace starling
