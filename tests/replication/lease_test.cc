#include "replication/lease.h"

#include <gtest/gtest.h>

#include "tests/replication/lease_world.h"

namespace starling {
namespace {

using namespace std::chrono_literals;
using CrashKind = LeaseWorld::CrashKind;

/// A world in which nothing is lost and one voter holds the lease.
class LeaseTest : public ::testing::Test {
 protected:
  LeaseWorld& Make(int voters, uint64_t seed = 1) {
    LeaseWorld::Options options;
    options.seed = seed;
    options.voters = voters_ = voters;
    options.loss = 0;
    world_.emplace(options);
    EXPECT_TRUE(world_->RunUntil([this] { return world_->AllFollow(); }, 5s));
    holder_ = world_->Holder();
    return *world_;
  }
  void TearDown() override { EXPECT_EQ(world_->violation(), ""); }
  int Other(int step = 1) const { return (holder_ + step) % voters_; }
  /// How long until another one than the first holder holds the lease.
  Instant UntilAnotherHolds() {
    Instant passed{};
    const auto another = [&] {
      passed += 1ms;
      return world_->Holder() >= 0 && world_->Holder() != holder_;
    };
    EXPECT_TRUE(world_->RunUntil(another, 20s));
    return passed;
  }

  std::optional<LeaseWorld> world_;
  int voters_ = 0;
  int holder_ = -1;
};

TEST_F(LeaseTest, ASoleVoterHoldsItAndKeepsIt) {
  LeaseWorld& world = Make(1);
  const uint64_t epoch = world.lease(0).epoch();
  world.Run(60s);
  EXPECT_EQ(world.Holder(), 0);
  EXPECT_EQ(world.lease(0).epoch(), epoch);
}

TEST_F(LeaseTest, OneOfThreeHoldsItAndKeepsItWhileAMajorityHears) {
  LeaseWorld& world = Make(3);
  const uint64_t epoch = world.lease(holder_).epoch();
  world.Crash(Other(), CrashKind::kKill);
  world.Run(60s);
  EXPECT_EQ(world.Holder(), holder_);
  EXPECT_EQ(world.lease(holder_).epoch(), epoch);
  EXPECT_GT(world.acknowledged(), 0u);
}

TEST_F(LeaseTest, WithoutAMajorityNobodyHoldsItForLong_I3) {
  LeaseWorld& world = Make(3);
  world.Crash(Other(1), CrashKind::kKill);
  world.Crash(Other(2), CrashKind::kKill);
  world.Run(limits::kLease);
  EXPECT_EQ(world.Holder(), -1);
  world.Run(30s);
  EXPECT_EQ(world.Holder(), -1);
}

TEST_F(LeaseTest, AKilledHolderIsFollowedWhenItsLeaseHasLapsed) {
  Make(3).Crash(holder_, CrashKind::kKill);
  const Instant passed = UntilAnotherHolds();
  EXPECT_GT(passed, limits::kLease / 2);
  EXPECT_LT(passed, limits::kLease + 1s);
}

TEST_F(LeaseTest, AHolderThatTheKernelKnowsDeadIsFollowedAtOnce) {
  LeaseWorld& world = Make(3);
  world.EndProcess(holder_);
  EXPECT_LT(UntilAnotherHolds(), 1s);
}

TEST_F(LeaseTest, TwoThatStandAtOnceDoNotWaitForAnElectionsEnd) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    LeaseWorld& world = Make(3, seed);
    world.EndProcess(holder_);
    EXPECT_LT(UntilAnotherHolds(), limits::kElectionTime) << "seed " << seed;
  }
}

TEST_F(LeaseTest, AHolderThatResignsIsFollowedAtOnce) {
  LeaseWorld& world = Make(3);
  world.lease(holder_).Resign(world.LocalTime(holder_));
  EXPECT_EQ(world.Holder(), -1);
  EXPECT_LT(UntilAnotherHolds(), 1s);
}

TEST_F(LeaseTest, AHolderThatStoodStillServesNoLonger_I3) {
  LeaseWorld& world = Make(3);
  world.Pause(holder_, limits::kLease * 2);
  const int before = holder_;
  UntilAnotherHolds();
  world.Run(limits::kLease * 2);
  EXPECT_NE(world.Holder(), before);
  EXPECT_TRUE(world.RunUntil([&] { return world.AllFollow(); }, 5s));
}

TEST_F(LeaseTest, AnIsolatedVoterRaisesNoEpochs) {
  LeaseWorld& world = Make(3);
  const uint64_t epoch = world.lease(holder_).epoch();
  for (const int peer : {holder_, Other(2)}) {
    world.Cut(Other(), peer);
    world.Cut(peer, Other());
  }
  world.Run(30s);
  world.Heal();
  world.Run(5s);
  EXPECT_EQ(world.Holder(), holder_);
  EXPECT_EQ(world.lease(holder_).epoch(), epoch);
  EXPECT_TRUE(world.AllFollow());
}

TEST_F(LeaseTest, AVoterThatWasAwayPromisesTheEpochWhenItIsBack) {
  LeaseWorld& world = Make(3);
  world.Crash(Other(), CrashKind::kKill);
  world.lease(holder_).Resign(world.LocalTime(holder_));
  UntilAnotherHolds();
  world.Start(Other());
  EXPECT_TRUE(world.RunUntil([&] { return world.AllFollow(); }, 10s));
}

TEST_F(LeaseTest, AHolderMovesAboveAPromiseThatLedNowhere) {
  LeaseWorld& world = Make(3);
  const uint64_t epoch = world.lease(holder_).epoch();
  // Another process was promised more and ended before it had a majority.
  LeaseRequest request;
  request.epoch = epoch + 5;
  request.attempt = 77;
  request.voters = 1;
  for (const int peer : {holder_, Other(2)}) {
    world.Cut(peer, Other());
  }
  world.Run(limits::kLease * 2);
  world.lease(Other()).OnMessage({"X", 4711}, request, world.LocalTime(Other()));
  ASSERT_EQ(world.lease(Other()).promised(), epoch + 5);
  world.Heal();
  EXPECT_TRUE(world.RunUntil([&] { return world.AllFollow(); }, 20s));
  EXPECT_GT(world.lease(world.Holder()).epoch(), epoch + 5);
}

// Of two that stand in one epoch one wins; who promised it to the other follows nobody in it, and
// one voter less could be lost (cluster: voters_changed, one run of fifteen).
TEST_F(LeaseTest, AHolderMovesAboveItsEpochWhereThatWasPromisedToAnother) {
  LeaseWorld& world = Make(3);
  for (const int peer : {holder_, Other(2)}) {
    world.Cut(peer, Other());
    world.Cut(Other(), peer);
  }
  world.Run(limits::kLease * 2);
  world.lease(holder_).Resign(world.LocalTime(holder_));
  ASSERT_TRUE(
      world.RunUntil([&] { return world.Holder() >= 0 && world.Holder() != holder_; }, 10s));
  LeaseRequest request;
  request.epoch = world.lease(world.Holder()).epoch();
  request.attempt = 77;
  request.voters = 1;
  world.lease(Other()).OnMessage({"X", 4711}, request, world.LocalTime(Other()));
  ASSERT_EQ(world.lease(Other()).promised(), request.epoch);
  world.Heal();
  EXPECT_TRUE(world.RunUntil(
      [&] {
        return world.AllFollow() && world.Holder() >= 0 &&
               world.lease(world.Holder()).epoch() > request.epoch;
      },
      20s));
}

TEST_F(LeaseTest, ACandidateWithAnOlderVoterSetIsRefused) {  // counterexample 23
  LeaseWorld& world = Make(5);
  const int voter = Other();
  VoterSet later = world.lease(voter).voters();
  ++later.version;
  for (int i = 0; i < 5; ++i) {
    world.Cut(i, voter);
    world.Cut(voter, i);
  }
  world.ReplaceVoters(voter, later);
  world.Run(limits::kLease * 2);
  const uint64_t promised = world.lease(voter).promised();
  LeaseRequest request;
  request.epoch = promised + 1;
  request.attempt = 77;
  request.voters = later.version - 1;
  world.lease(voter).OnMessage({"X", 4711}, request, world.LocalTime(voter));
  EXPECT_EQ(world.lease(voter).promised(), promised);
  request.voters = later.version;
  world.lease(voter).OnMessage({"X", 4711}, request, world.LocalTime(voter));
  EXPECT_EQ(world.lease(voter).promised(), promised + 1);
}

TEST_F(LeaseTest, AVoterIsAddedAndTheHolderRemovesItselfWithoutAPause) {
  LeaseWorld::Options options;
  options.voters = voters_ = 1;
  options.members = 1;
  options.loss = 0;
  LeaseWorld& world = world_.emplace(options);
  ASSERT_TRUE(world.RunUntil([&] { return world.Holder() == 0 && world.acknowledged() > 0; }, 5s));
  const uint64_t epoch = world.lease(0).epoch();
  world.Run(1s);  // the other catches up
  world.ChangeVoters(1);
  EXPECT_EQ(world.lease(0).voters().names, (std::vector<std::string>{"A", "B"}));
  EXPECT_TRUE(world.RunUntil([&] { return world.changes() == 1; }, 1s));
  EXPECT_TRUE(world.RunUntil([&] { return world.lease(0).ProlongedByVoters(); }, 1s));
  EXPECT_EQ(world.Holder(), 0);
  EXPECT_EQ(world.lease(0).epoch(), epoch);
  world.ChangeVoters(0);
  EXPECT_EQ(world.Holder(), 0) << "until the other holds it";
  EXPECT_TRUE(world.RunUntil([&] { return world.Holder() == 1; }, 3s)) << world.Describe();
  EXPECT_EQ(world.lease(1).voters().names, (std::vector<std::string>{"B"}));
}

TEST_F(LeaseTest, AVoterThatIsOutvotedByForceIsFencedWhenItIsBack) {
  LeaseWorld& world = Make(3);
  const int old = holder_;
  for (const int lost : {old, Other(2)}) world.Crash(lost, CrashKind::kKill);
  world.Run(5s);
  ASSERT_EQ(world.Holder(), -1);
  world.ForceVoters({Other()});
  EXPECT_TRUE(world.RunUntil([&] { return world.Holder() == Other(); }, 5s));
  world.Start(old);
  world.Start(Other(2));
  world.Run(20s);
  EXPECT_EQ(world.Holder(), Other());
  EXPECT_EQ(world.lease(old).voters(), world.lease(Other()).voters());
}

TEST_F(LeaseTest, AVoterThatLostItsDiskCountsAgainWhenTheOthersHaveToldIt) {
  LeaseWorld& world = Make(3);
  world.Crash(Other(), CrashKind::kNewDisk);
  world.Crash(Other(2), CrashKind::kKill);
  world.Start(Other());
  world.Run(20s);
  EXPECT_TRUE(world.lease(Other()).recovering()) << "one other knows too little";
  EXPECT_EQ(world.lease(Other()).promised(), 0u) << "it acknowledges nothing";
  EXPECT_EQ(world.Holder(), -1);
  world.Start(Other(2));
  EXPECT_TRUE(world.RunUntil([&] { return world.AllFollow(); }, 10s));
  EXPECT_FALSE(world.lease(Other()).recovering());
}

TEST_F(LeaseTest, ASoleVoterThatLostItsTailResumesOneLeaseLater) {  // counterexample 34
  LeaseWorld& world = Make(1);
  const uint64_t epoch = world.lease(0).epoch();
  world.Sync(0);
  world.Crash(0, CrashKind::kPowerLoss);
  world.Start(0);
  world.Run(limits::kLease / 2);
  EXPECT_EQ(world.Holder(), -1);
  EXPECT_TRUE(world.RunUntil([&] { return world.Holder() == 0; }, 5s));
  EXPECT_GT(world.lease(0).epoch(), epoch);
}

TEST_F(LeaseTest, VotersThatAllLostTheirTailsResumeTogether) {
  for (const int voters : {3, 5}) {
    LeaseWorld& world = Make(voters);
    const uint64_t epoch = world.lease(holder_).epoch();
    for (int i = 0; i < voters; ++i) world.Sync(i);
    for (int i = 0; i < voters; ++i) world.Crash(i, CrashKind::kPowerLoss);
    for (int i = 0; i < voters - 1; ++i) world.Start(i);
    world.Run(10s);
    EXPECT_EQ(world.Holder(), -1) << "the last may know more";
    world.Start(voters - 1);
    EXPECT_TRUE(world.RunUntil([&] { return world.AllFollow(); }, 10s));
    EXPECT_GT(world.lease(world.Holder()).epoch(), epoch);
  }
}

TEST(LeaseRecoveryOfAll, LeavesNobodyBehindWhoWasKilledMeanwhile) {
  int seen = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    LeaseWorld::Options options;
    options.seed = seed;
    LeaseWorld world(options);
    world.Run(3s);
    for (int i = 0; i < 3; ++i) world.Sync(i);
    for (int i = 0; i < 3; ++i) world.Crash(i, CrashKind::kPowerLoss);
    for (int i = 0; i < 3; ++i) world.Start(i);
    ASSERT_TRUE(world.RunUntil([&] { return !world.lease(0).recovering(); }, 10s));
    if (!world.lease(1).recovering() || !world.lease(2).recovering()) continue;
    // A alone has resumed: it tells the others that it did so together with them.
    ++seen;
    for (const int i : {1, 2}) world.Crash(i, CrashKind::kKill);
    world.Run(5s);
    for (const int i : {1, 2}) world.Start(i);
    EXPECT_TRUE(world.RunUntil([&] { return world.AllFollow(); }, 20s)) << "seed " << seed;
    EXPECT_EQ(world.violation(), "");
  }
  EXPECT_GT(seen, 0);
}

// --- any schedule ---

struct Outcome {
  std::string violation;  ///< Of exclusion, or of what a majority acknowledged.
  std::string stall;      ///< What did not come though nothing was broken any more.
  uint64_t changes = 0;   ///< Of the voters.
};

/// Asks for one voter more or one less; never fewer than there were in the beginning.
void ChangeSomeVoter(LeaseWorld& world, int least) {
  const int holder = world.Holder();
  if (holder < 0) return;
  const VoterSet& voters = world.lease(holder).voters();
  const int member = static_cast<int>(world.Draw(world.size()));
  const bool less = voters.Has(world.name(member));
  if (!less || static_cast<int>(voters.names.size()) > least) world.ChangeVoters(member);
}

/// Faults of every kind for `time`, never more lost disks at once than a minority; then peace.
Outcome RunFaults(const LeaseWorld::Options& options, Instant time) {
  LeaseWorld world(options);
  const auto any = [&] { return static_cast<int>(world.Draw(world.size())); };
  std::set<int> unsound;  // lost something and have not recovered
  const auto fault = [&](int node) {
    switch (world.Draw(14)) {
      case 0:
        return world.Crash(node, CrashKind::kKill);
      case 1:
        if (static_cast<int>(unsound.size()) >= (options.voters - 1) / 2) return;
        // A new voter that is not sound yet counts too, and one that is about to be added.
        if (options.members > 0 && (world.AnyRecovers() || !world.VotersSettled())) return;
        world.Crash(node, world.Draw(2) == 0 ? CrashKind::kPowerLoss : CrashKind::kNewDisk);
        unsound.insert(node);
        return;
      case 2:
        return world.Pause(node, std::chrono::milliseconds(world.Draw(5000)));
      case 3:
        return world.Cut(node, any());
      case 4:
      case 5:
      case 6:
        return world.Cut(node, any(), false);
      case 7:
        return world.Sync(node);
      case 8:
      case 9:
        if (world.Up(node)) world.lease(node).Resign(world.LocalTime(node));
        return;
      default:
        return world.Start(node);
    }
  };
  for (Instant passed{}; passed < time;) {
    const Instant step = std::chrono::milliseconds(10 + world.Draw(400));
    world.Run(step);
    passed += step;
    std::erase_if(unsound,
                  [&](int node) { return world.Up(node) && !world.lease(node).recovering(); });
    fault(any());
    const bool sound = unsound.empty() && !world.AnyRecovers();
    if (options.members > 0 && sound) ChangeSomeVoter(world, options.voters);
  }
  world.Heal();
  for (int i = 0; i < world.size(); ++i) world.Start(i);
  Outcome outcome;
  if (!world.RunUntil([&] { return world.AllFollow(); }, 30s))
    outcome.stall = "nobody leads" + world.Describe();
  world.Run(2s);
  if (world.acknowledged() == 0) outcome.stall = "nothing was ever acknowledged";
  outcome.changes = world.changes();
  outcome.violation = world.violation();
  return outcome;
}

/// The first of `seeds` seeds in which something was violated, and what; empty: none. `changes`
/// counts those of the voters.
std::string FirstViolation(LeaseWorld::Options options, uint64_t seeds,
                           uint64_t* changes = nullptr) {
  for (options.seed = 1; options.seed <= seeds; ++options.seed) {
    const Outcome outcome = RunFaults(options, 20s);
    if (changes != nullptr) *changes += outcome.changes;
    const std::string seed = "seed " + std::to_string(options.seed) + ": ";
    if (!outcome.violation.empty()) return seed + outcome.violation;
    // With a rule left out anything may happen.
    EXPECT_TRUE(outcome.stall.empty() || options.rules != LeaseRules{}) << seed << outcome.stall;
  }
  return "";
}

TEST(LeaseFaults, LeaveOneHolderWhoHasAllThatWasAcknowledged_I3_I4) {
  LeaseWorld::Options options;
  for (const auto& [voters, seeds] : {std::pair{1, 10}, {2, 20}, {3, 150}, {5, 50}}) {
    options.voters = voters;
    EXPECT_EQ(FirstViolation(options, seeds), "") << voters << " voters";
  }
}

TEST(LeaseFaults, AndChangesOfTheVotersLeaveOneHolderWhoHasAllThatWasAcknowledged_I3_I4) {
  LeaseWorld::Options options;
  options.members = 2;
  uint64_t changes = 0;
  for (const auto& [voters, seeds] : {std::pair{1, 30}, {2, 30}, {3, 150}}) {
    options.voters = voters;
    EXPECT_EQ(FirstViolation(options, seeds, &changes), "") << voters << " voters";
  }
  EXPECT_GT(changes, 500u);
}

TEST(LeaseFaults, AreSeenWhenARuleIsLeftOut_I3_I4) {
  const std::pair<const char*, bool LeaseRules::*> rules[] = {
      {"promises_are_written", &LeaseRules::promises_are_written},
      {"lost_voters_recover", &LeaseRules::lost_voters_recover},
      {"restarted_voters_wait", &LeaseRules::restarted_voters_wait},
      {"candidates_pull", &LeaseRules::candidates_pull},
      {"held_leases_are_refused", &LeaseRules::held_leases_are_refused},
  };
  for (const auto& [name, rule] : rules) {
    LeaseWorld::Options options;
    options.rules.*rule = false;
    const std::string violation = FirstViolation(options, 300);
    EXPECT_NE(violation, "") << name;
    RecordProperty(name, violation);
  }
}

TEST(LeaseFaults, AreSeenWhenVotersChangeBeforeTheEpochIsHeld_I3_I4) {
  LeaseWorld::Options options;
  options.voters = 2;
  options.members = 3;
  options.rules.epoch_commits_before_change = false;
  const std::string violation = FirstViolation(options, 1000);
  EXPECT_NE(violation, "");
  RecordProperty("epoch_commits_before_change", violation);
}

/// Voters A to E become three of them while the other two do not know; then two of the three are
/// cut off, with the holder, and the third is left with those who do not know.
std::string OutdatedMajorityStands(const LeaseWorld::Options& options) {
  LeaseWorld world(options);
  if (!world.RunUntil([&] { return world.AllFollow(); }, 10s)) return "nobody leads";
  const int holder = world.Holder();
  const auto other = [&](int step) { return (holder + step) % 5; };
  const auto part = [&](const std::set<int>& left, bool cut) {
    for (int a = 0; a < 5; ++a) {
      for (int b = 0; b < 5; ++b) {
        if (left.contains(a) != left.contains(b)) world.Cut(a, b, cut);
      }
    }
  };
  part({other(3), other(4)}, true);
  for (const int gone : {other(4), other(3)}) {
    const size_t before = world.lease(holder).voters().names.size();
    const auto changed = [&] {
      world.ChangeVoters(gone);
      return world.lease(holder).voters().names.size() < before;
    };
    if (!world.RunUntil(changed, 10s)) return "the voters do not change";
  }
  world.Run(1s);
  part({other(2)}, true);
  world.Run(limits::kLease * 2);  // what it granted lapses
  part({other(2)}, false);
  part({other(3), other(4)}, false);
  part({other(2), other(3), other(4)}, true);
  world.Run(6s);
  return world.violation();
}

TEST(LeaseFaults, AreSeenWhenOldVoterSetsAreNotRefused_I3) {  // counterexample 23
  LeaseWorld::Options options;
  options.voters = 5;
  options.loss = 0;
  for (options.seed = 1; options.seed <= 40; ++options.seed) {
    EXPECT_EQ(OutdatedMajorityStands(options), "") << "seed " << options.seed;
  }
  options.rules.old_voter_sets_are_refused = false;
  std::string violation;
  for (options.seed = 1; options.seed <= 1000 && violation.empty(); ++options.seed) {
    violation = OutdatedMajorityStands(options);
  }
  EXPECT_NE(violation, "");
  RecordProperty("old_voter_sets_are_refused",
                 "seed " + std::to_string(options.seed - 1) + ": " + violation);
}

}  // namespace
}  // namespace starling
