// What an operator may ask of the voters, and by which steps it is done.
#include "replication/voter_change.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "replication/epoch_record.h"
#include "tests/replication/test_cluster.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using Kind = VoterRequest::Kind;
using Names = std::vector<std::string>;

const Names kMembers{"a", "b", "c", "d"};

Names Wanted(Kind kind, const Names& names, const Names& voters) {
  const auto wanted = VotersWanted({kind, names}, voters, kMembers);
  return wanted ? *wanted : Names{wanted.error().message};
}

TEST(VotersWanted, AreTheVotersWithOneMoreOneLessOrAnother) {
  const Names voters{"a", "c"};
  EXPECT_EQ(Wanted(Kind::kAdd, {"b"}, voters), (Names{"a", "b", "c"}));
  EXPECT_EQ(Wanted(Kind::kRemove, {"a"}, voters), (Names{"c"}));
  EXPECT_EQ(Wanted(Kind::kReplace, {"a", "d"}, voters), (Names{"c", "d"}));
  EXPECT_EQ(Wanted(Kind::kReplace, {"a", "c"}, voters), (Names{"c"})) << "cut short before";
  EXPECT_EQ(Wanted(Kind::kSet, {"d", "b"}, {}), (Names{"b", "d"}));
}

TEST(VotersWanted, AreRefusedWithWhatWouldBeRight) {
  EXPECT_EQ(Wanted(Kind::kAdd, {"e"}, {"a"}),
            (Names{"no member 'e'; the members are: a, b, c, d"}));
  EXPECT_EQ(Wanted(Kind::kAdd, {"a"}, {"a"}), (Names{"'a' is a voter already"}));
  EXPECT_EQ(Wanted(Kind::kRemove, {"b"}, {"a", "c"}),
            (Names{"'b' is no voter; the voters are: a, c"}));
  EXPECT_EQ(Wanted(Kind::kRemove, {"a"}, {"a"}),
            (Names{"'a' is the only voter; add another first, or use REPLACE"}));
  EXPECT_EQ(Wanted(Kind::kSet, {"b", "b"}, {}), (Names{"'b' is named twice"}));
}

TEST(VotersWanted, ALostVoterThatIsNoMemberAnyMoreCanBeRemovedOrReplaced) {
  EXPECT_EQ(Wanted(Kind::kRemove, {"x"}, {"a", "x"}), (Names{"a"}));
  EXPECT_EQ(Wanted(Kind::kReplace, {"x", "b"}, {"a", "x"}), (Names{"a", "b"}));
}

TEST(NextVoters, DifferByOneAndTheHolderGoesLast) {
  Names voters{"a", "b"};
  std::vector<Names> steps;
  while (const auto next = NextVoters(voters, {"c", "d"}, "a")) steps.push_back(voters = *next);
  EXPECT_EQ(steps, (std::vector<Names>{
                       {"a", "b", "c"}, {"a", "b", "c", "d"}, {"a", "c", "d"}, {"c", "d"}}));
}

TEST(VoterSets, AreOrderedByForceThenEpochThenChange) {
  const auto version = [](uint64_t forced, uint64_t epoch, uint64_t change) {
    return VoterSet::VersionOf(forced, epoch, change);
  };
  EXPECT_LT(version(0, 7, 3), version(0, 8, 0));
  EXPECT_LT(version(0, 70000, 3), version(1, 8, 0));
  EXPECT_EQ(VersionText(version(1, 8, 2)), "1.8.2");
  EXPECT_EQ((VoterSet{version(1, 8, 2), {"a"}}.StatedIn(9)), (VoterSet{version(1, 9, 0), {"a"}}));
}

TEST(EpochRecords, SayWhoVotes) {
  TestCluster cluster;
  TestNode& node = cluster.Add("a");
  node.Start();
  Keyspace& keyspace = node.store().keyspace();
  EXPECT_EQ(ReadVoters(keyspace).version, 0u);
  const VoterSet stated{VoterSet::VersionOf(0, 5, 1), {"a", "b"}};
  WriteEpochRecord(keyspace, 5, {"a", {}, stated});
  WriteEpochRecord(keyspace, 6, {"a", {}, {}});
  EXPECT_EQ(ReadVoters(keyspace), stated);
  EXPECT_EQ(ReadEpochRecords(keyspace).at(5), (EpochRecord{"a", {}, stated}));
  const VoterSet forced{VoterSet::VersionOf(1, 4, 1), {"b"}};
  WriteForcedVoters(keyspace, forced);
  EXPECT_EQ(ReadVoters(keyspace), forced);
}

TEST(EpochRecords, SayWhichEpochTheyFollow) {
  TestCluster cluster;
  TestNode& node = cluster.Add("a");
  node.Start();
  Keyspace& keyspace = node.store().keyspace();
  const VoterSet voters{VoterSet::VersionOf(0, 21, 0), {"a"}};
  WriteEpochRecord(keyspace, 17, {"a", {}, {}, std::nullopt});
  WriteEpochRecord(keyspace, 18, {"b", {}, {}, std::nullopt});
  WriteEpochRecord(keyspace, 19, {"c", {}, {}, 18});  // it died alone with this
  WriteEpochRecord(keyspace, 20, {"a", {}, {}, 18});
  WriteEpochRecord(keyspace, 21, {"c", {}, voters, 20});
  const EpochRecords records = ReadEpochRecords(keyspace);
  ASSERT_EQ(records.size(), 5u);
  EXPECT_EQ(records.at(21), (EpochRecord{"c", {}, voters, 20}));
  EXPECT_EQ(records.at(17).follows, std::nullopt);
  const auto epochs = [&](uint64_t epoch) {
    std::vector<uint64_t> numbers;
    for (const auto& [number, record] : LineageOf(records, epoch)) numbers.push_back(number);
    return numbers;
  };
  using testing::ElementsAre;
  EXPECT_THAT(epochs(21), ElementsAre(17, 18, 20, 21));
  EXPECT_THAT(epochs(19), ElementsAre(17, 18, 19));
  EXPECT_THAT(epochs(22), ElementsAre()) << "it is not known";
}

/// Nodes whose voters change; each step is the operator's.
class VoterChangeTest : public testing::Test {
 protected:
  void Begin(const Names& names, const Names& voters) {
    nodes_ = cluster_.StartSeeded(names, voters);
    ASSERT_TRUE(cluster_.RunUntil([&] { return AllFollow(); }));
  }

  TestNode* Leader() {
    for (TestNode* node : nodes_) {
      if (node->up() && node->lease().leading) return node;
    }
    return nullptr;
  }
  TestNode& Named(const std::string& name) {
    return **std::find_if(nodes_.begin(), nodes_.end(),
                          [&](TestNode* node) { return node->name() == name; });
  }
  LeaseInfo Info(TestNode& node) { return node.replicator().lease(cluster_.now()); }
  bool AllFollow() {
    TestNode* leader = Leader();
    return leader != nullptr && leader->lease().majority_begun &&
           std::all_of(nodes_.begin(), nodes_.end(), [&](TestNode* node) {
             return !node->up() || node->lease().holder == leader->name();
           });
  }
  /// Everybody who is up sees these voters, a majority holds them, and one leads.
  bool Settled(const Names& voters) {
    return AllFollow() && Info(*Leader()).voters_held && Info(*Leader()).voters_wanted.empty() &&
           std::all_of(nodes_.begin(), nodes_.end(),
                       [&](TestNode* node) { return !node->up() || Info(*node).voters == voters; });
  }
  std::string Ask(TestNode& node, Kind kind, const Names& names) {
    std::string answer;
    node.Run([&](Replicator& replicator, Instant now, Effects& effects) {
      const auto changed = replicator.ChangeVoters({kind, names}, now, effects);
      answer = changed ? "OK " + *changed : changed.error().message;
    });
    return answer;
  }

  TestCluster cluster_;
  std::vector<TestNode*> nodes_;
};

TEST_F(VoterChangeTest, AddedReplacedAndRemovedVotersTakeTheirPlaceWithoutANewEpoch) {
  Begin({"a", "b", "c"}, {"a"});
  const uint64_t epoch = Leader()->lease().epoch;
  EXPECT_EQ(Ask(*Leader(), Kind::kAdd, {"b"}), "OK ");
  ASSERT_TRUE(cluster_.RunUntil([&] { return Settled({"a", "b"}); }, 5s));
  EXPECT_EQ(Ask(*Leader(), Kind::kReplace, {"b", "c"}), "OK ");
  ASSERT_TRUE(cluster_.RunUntil([&] { return Settled({"a", "c"}); }, 5s));
  cluster_.Run(5s);
  EXPECT_EQ(Leader()->lease().epoch, epoch);
  EXPECT_EQ(Ask(*Leader(), Kind::kRemove, {"a"}), "OK ");
  ASSERT_TRUE(cluster_.RunUntil([&] { return Settled({"c"}) && Leader()->name() == "c"; }, 1s));
}

TEST_F(VoterChangeTest, VotersOutliveARestartOfAll) {
  Begin({"a", "b", "c"}, {"a"});
  EXPECT_EQ(Ask(*Leader(), Kind::kSet, {"b", "c"}), "OK ");
  ASSERT_TRUE(cluster_.RunUntil([&] { return Settled({"b", "c"}); }, 5s));
  for (TestNode* node : nodes_) node->Kill();
  for (TestNode* node : nodes_) node->Start();
  EXPECT_TRUE(cluster_.RunUntil([&] { return Settled({"b", "c"}); }));
  EXPECT_NE(Leader()->name(), "a");
}

TEST_F(VoterChangeTest, WhatCouldNotGoOnIsRefused) {
  Begin({"a", "b", "c"}, {"a", "b", "c"});
  TestNode& leader = *Leader();
  TestNode& dead = *nodes_[&leader == nodes_[0] ? 1 : 0];
  TestNode& other = *nodes_[&leader == nodes_[2] ? 1 : 2];
  EXPECT_EQ(Ask(other, Kind::kRemove, {dead.name()}), "this node does not hold the lease");
  dead.Kill();
  cluster_.Run(100ms);
  EXPECT_THAT(Ask(leader, Kind::kRemove, {other.name()}), testing::HasSubstr("too few"));
  EXPECT_EQ(Ask(leader, Kind::kRemove, {dead.name()}), "OK ");
  EXPECT_TRUE(cluster_.RunUntil(
      [&] { return Info(leader).voters.size() == 2 && Info(leader).voters_held; }, 5s));
  EXPECT_EQ(Ask(leader, Kind::kAdd, {dead.name()}),
            "'" + dead.name() + "' is not connected; start it first");
}

TEST_F(VoterChangeTest, ForcedVotersLeadAndOldOnesThatReturnAreFenced) {
  Begin({"a", "b", "c"}, {"a", "b", "c"});
  Named("a").Set("k", "v");
  cluster_.Run(1s);
  EXPECT_THAT(Ask(Named("c"), Kind::kForce, {"c"}), testing::HasSubstr("holds the lease"));
  Named("a").Kill();
  Named("b").Kill();
  ASSERT_TRUE(cluster_.RunUntil([&] { return Named("c").lease().holder.empty(); }));
  EXPECT_THAT(Ask(Named("c"), Kind::kForce, {"a"}), testing::HasSubstr("this is 'c'"));
  EXPECT_THAT(Ask(Named("c"), Kind::kForce, {"c"}), testing::StartsWith("OK WARNING"));
  ASSERT_TRUE(cluster_.RunUntil([&] { return Settled({"c"}); }, 5s));
  EXPECT_EQ(Named("c").Get("k"), "v");
  // They go on by themselves as long as nobody tells them.
  cluster_.Cut(Named("a"), Named("c"));
  cluster_.Cut(Named("b"), Named("c"));
  Named("a").Start();
  Named("b").Start();
  EXPECT_TRUE(
      cluster_.RunUntil([&] { return Named("a").lease().leading || Named("b").lease().leading; }));
  cluster_.Heal();
  EXPECT_TRUE(cluster_.RunUntil([&] { return Settled({"c"}) && Leader()->name() == "c"; }));
  EXPECT_EQ(Ask(*Leader(), Kind::kSet, {"a", "b", "c"}), "OK ");
  EXPECT_TRUE(cluster_.RunUntil([&] { return Settled({"a", "b", "c"}); }));
}

TEST_F(VoterChangeTest, TheFolderGivesItsVoteToNamedVotersForGood) {
  nodes_ = cluster_.StartInFolder({"a", "b", "c"});
  ASSERT_TRUE(cluster_.RunUntil([&] { return AllFollow(); }));
  cluster_.Run(2500ms);
  EXPECT_THAT(Ask(*Leader(), Kind::kAdd, {"b"}), testing::HasSubstr("STARLING VOTERS SET"));
  EXPECT_EQ(Ask(*Leader(), Kind::kSet, {"a", "b", "c"}), "OK ");
  ASSERT_TRUE(cluster_.RunUntil([&] { return Settled({"a", "b", "c"}); }));
  EXPECT_EQ(Info(*Leader()).mode, LeaseMode::kNamed);
  TestNode& first = *Leader();
  first.Kill();
  EXPECT_TRUE(cluster_.RunUntil([&] { return Leader() != nullptr; }));
  first.Start();
  EXPECT_TRUE(cluster_.RunUntil([&] { return Settled({"a", "b", "c"}); }));
}

TEST_F(VoterChangeTest, AProcessThatOnlyTheFolderToldOfTheHandOverDoesNotLead) {
  nodes_ = cluster_.StartInFolder({"a", "b", "c"});
  ASSERT_TRUE(cluster_.RunUntil([&] { return AllFollow(); }));
  cluster_.Run(2500ms);
  TestNode& holder = *Leader();
  for (TestNode* node : nodes_) {
    if (node != &holder) cluster_.Cut(holder, *node);
  }
  EXPECT_EQ(Ask(holder, Kind::kForce, {holder.name()}).substr(0, 1), "'");
  EXPECT_EQ(Ask(holder, Kind::kSet, {holder.name()}), "OK ");
  holder.Kill();
  cluster_.Run(10s);
  EXPECT_EQ(Leader(), nullptr);
  cluster_.Heal();
  holder.Start();
  EXPECT_TRUE(cluster_.RunUntil([&] { return Settled({holder.name()}); }));
  EXPECT_EQ(Leader(), &holder);
}

}  // namespace
}  // namespace starling
