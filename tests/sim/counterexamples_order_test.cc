// The design's schedules (COUNTEREXAMPLES.md) of leases and claims, each run with all rules kept
// and with the rule that stops it left out: the second must go wrong.
#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replication/epoch_record.h"
#include "tests/sim/three.h"

namespace starling::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

WorldOptions Syncing(AppendFsync appendfsync) {
  WorldOptions options;
  options.appendfsync = appendfsync;
  return options;
}

/// 7: A asks for an epoch, B promises it and forgets that; C, who has heard of none of it, asks for
/// the same epoch, and B promises again.
std::string LedAfterAForgottenPromise(const Rules& rules, bool new_disk) {
  Three three(rules, Syncing(AppendFsync::kAlways));
  SimNode& unaware = three.other(2);
  three.Cut(unaware);
  three.leader().Crash(CrashKind::kKill);
  three.leader().Start();
  const auto led = [&] { return three.Leads(three.leader()) || three.Leads(three.other(1)); };
  EXPECT_TRUE(three.world().RunUntil(led, seconds(15), milliseconds(1)));
  const bool again = three.Leads(three.leader());
  SimNode& promised = again ? three.other(1) : three.leader();
  three.world().Heal();
  three.Cut(again ? three.leader() : three.other(1));
  promised.Crash(CrashKind::kPowerLoss);
  if (new_disk) promised.EmptyDisk();
  promised.Start();
  three.Run(seconds(12));
  return three.Violation();
}

TEST(CounterexamplesOfOrder, AnEpochIsPromisedOnce_I3) {  // counterexample 7
  const auto epoch_led_twice = testing::HasSubstr(" leads epoch 2, which ");
  const Rules unwritten = Without(&LeaseRules::promises_are_written);
  EXPECT_EQ(LedAfterAForgottenPromise({}, /*new_disk=*/false), "");
  EXPECT_THAT(LedAfterAForgottenPromise(unwritten, /*new_disk=*/false), epoch_led_twice);
  const Rules not_recovered = Without(&LeaseRules::lost_voters_recover);
  EXPECT_EQ(LedAfterAForgottenPromise({}, /*new_disk=*/true), "");
  // Where the state that it takes names the epoch it leads the next one, within the lease.
  EXPECT_THAT(LedAfterAForgottenPromise(not_recovered, /*new_disk=*/true),
              testing::AnyOf(epoch_led_twice, testing::HasSubstr(" lead at once")));
}

/// 8: A grants a claim, B acknowledges it and loses its tail, A dies; B and C elect one of them.
/// What a second client is told, once A is back too if need be.
std::string SecondGrantAfterALostTail(const Rules& rules) {
  WorldOptions options = Syncing(AppendFsync::kNo);
  options.watch_leaders = false;  // what counts is what clients see
  Three three(rules, options);
  SimNode& lost = three.other(1);
  three.Cut(three.other(2));
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "claim k one 0")));
  three.leader().Crash(CrashKind::kKill);
  lost.Crash(CrashKind::kPowerLoss);
  three.world().Heal();
  lost.Start();
  const std::string second = three.Answer(three.other(2), "claim k two 0");
  if (second != "none") return second;
  three.leader().Start();
  return "none, then " + three.Answer(three.other(2), "claim k two 0");
}

TEST(CounterexamplesOfOrder, AVoterThatLostItsTailCountsAgainWhenItHasRecovered_I3) {
  // counterexample 8
  EXPECT_EQ(SecondGrantAfterALostTail({}), "none, then nil");
  EXPECT_TRUE(Three::Granted(SecondGrantAfterALostTail(Without(&LeaseRules::lost_voters_recover))));
}

/// 19: A grants lock k in memory, no majority has it yet; a second NX comes.
int GrantedWhileTheFirstIsUndecided(const Rules& rules) {
  Three three(rules);
  three.Cut(three.leader());
  const auto first = three.Ask(three.leader(), "claim k one 0");
  const auto second = three.Ask(three.leader(), "claim k two 0");
  three.Run(milliseconds(300));
  EXPECT_NE(*second, "nil") << "the first may yet come to nothing";
  three.world().Heal();
  three.Run(seconds(6));
  return (Three::Granted(*first) ? 1 : 0) + (Three::Granted(*second) ? 1 : 0);
}

TEST(CounterexamplesOfOrder, AReplyWaitsForTheClaimThatItSaw_I3) {  // counterexample 19
  EXPECT_EQ(GrantedWhileTheFirstIsUndecided({}), 1);
  EXPECT_EQ(GrantedWhileTheFirstIsUndecided(Without(&ClaimRules::undecided_hold_back)), 2);
}

/// 20: A grants k for six seconds; the others' wall clocks are ahead, and one of them takes over.
std::string AskedBeforeTheTimeIsUp(const Rules& rules) {
  Three three(rules);
  for (const int i : {1, 2}) three.other(i).clock().SetOffset(milliseconds(450));
  three.leader().clock().SetOffset(milliseconds(0));
  three.Run(seconds(1));
  const Instant asked = three.world().now();
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "claim k one 6000")));
  three.leader().Crash(CrashKind::kKill);
  SimNode& successor = three.AwaitSuccessor();
  three.Run(asked + milliseconds(5750) - three.world().now());
  return three.Answer(successor, "claim k two 6000").substr(0, 3);
}

TEST(CounterexamplesOfOrder, AClaimLastsWhateverWallClocksShow_I3) {  // counterexample 20
  EXPECT_EQ(AskedBeforeTheTimeIsUp({}), "nil");
  EXPECT_EQ(AskedBeforeTheTimeIsUp(Without(&ClaimRules::timed_from_arrival)), "OK ");
}

/// 21: A leads and is cut off; B and C crash, restart, and have lost their timers.
std::string LedAfterRestarts(const Rules& rules) {
  Three three(rules);
  three.Cut(three.leader());
  for (const int i : {1, 2}) {
    three.other(i).Crash(CrashKind::kKill);
    three.other(i).Start();
  }
  three.Run(seconds(6));
  return three.Violation();
}

TEST(CounterexamplesOfOrder, RestartedVotersWaitForOneLease_I3) {  // counterexample 21
  EXPECT_EQ(LedAfterRestarts({}), "");
  EXPECT_NE(LedAfterRestarts(Without(&LeaseRules::restarted_voters_wait)), "");
}

/// 22: the leaseholder looks at its lease, reads for a client, and stands still before it replies;
/// meanwhile another leads, and the value changes. What the client is told in the end.
std::string ToldByWhoStoodStill(const Rules& rules) {
  WorldOptions options;
  options.watch_leaders = false;  // what counts is what clients see
  Three three(rules, options);
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "set k old")));
  three.Run(seconds(1));
  const auto read = three.Ask(three.leader(), "get k");
  three.leader().Pause();
  EXPECT_EQ(*read, "") << "it is on its way";
  SimNode& successor = three.AwaitSuccessor();
  EXPECT_TRUE(Three::Granted(three.Answer(successor, "set k new")));
  EXPECT_EQ(three.Answer(successor, "get k"), "new");
  three.leader().Resume();
  three.world().RunUntil([&] { return !read->empty(); }, seconds(8), milliseconds(1));
  return three.Violation() + *read;
}

TEST(CounterexamplesOfOrder, WhoStoodStillTellsNothingStale_I4) {  // counterexample 22
  EXPECT_EQ(ToldByWhoStoodStill({}), "new") << "asked again, of who leads now";
  EXPECT_EQ(ToldByWhoStoodStill(Without(&ClaimRules::lease_before_reply)), "old");
  EXPECT_EQ(ToldByWhoStoodStill(Without(&LeaseRules::lease_is_checked)), "old");
}

/// 24: a claim of A's that no majority holds comes to light when B leads and has written the key.
std::string ReadAfterAnOldClaimSurfaced(const Rules& rules) {
  Three three(rules);
  three.Cut(three.leader());
  const auto claim = three.Ask(three.leader(), "claim k old 0");
  three.Run(milliseconds(100));
  SimNode& successor = three.AwaitSuccessor();
  EXPECT_TRUE(Three::Granted(three.Answer(successor, "set k new")));
  EXPECT_FALSE(Three::Granted(*claim));
  three.world().Heal();
  three.Run(seconds(8));
  return three.Answer(successor, "get k");
}

TEST(CounterexamplesOfOrder, AnOldClaimHidesNoNewerValue_I4) {  // counterexample 24
  EXPECT_EQ(ReadAfterAnOldClaimSurfaced({}), "new");
  EXPECT_EQ(ReadAfterAnOldClaimSurfaced(Without(&ClaimRules::older_are_void)), "old");
}

/// A claim of A's that no majority holds. B's epoch begins without it, and B dies alone with its
/// epoch's record. A and C, who never hear of that epoch, commit the claim in the next one. B comes
/// back, and whoever leads now decides once more. What clients were told of the key then, and now.
std::string ToldBeforeAndAfterADeadEpochSurfaced(const Rules& rules) {
  Three three(rules);
  SimNode& writer = three.leader();
  three.Cut(writer);
  const auto claim = three.Ask(writer, "claim k old 0");
  three.Run(milliseconds(100));
  const auto led = [&] { return three.Leads(three.other(1)) || three.Leads(three.other(2)); };
  EXPECT_TRUE(three.world().RunUntil(led, seconds(15), microseconds(10)));
  SimNode& alone = three.Leads(three.other(1)) ? three.other(1) : three.other(2);
  SimNode& third = three.Leads(three.other(1)) ? three.other(2) : three.other(1);
  alone.Crash(CrashKind::kKill);
  const uint64_t died_with = ReadEpochRecords(third.store().keyspace()).rbegin()->first + 1;
  three.world().Heal();
  const auto decided_at = [&](SimNode& node) {
    return three.Leads(node) && !node.store().keyspace().records().AnyUndecided();
  };
  const auto decided = [&] { return decided_at(writer) || decided_at(third); };
  EXPECT_TRUE(three.world().RunUntil(decided, seconds(30), microseconds(10)));
  SimNode& decider = decided_at(writer) ? writer : third;
  EXPECT_FALSE(ReadEpochRecords(decider.store().keyspace()).contains(died_with));
  three.Cut(decider);  // its verdict reaches nobody but its clients
  const std::string then = three.Answer(decider, "get k");
  decider.Crash(CrashKind::kKill);
  alone.Start();
  SimNode& left = &decider == &writer ? third : writer;
  three.world().Heal();
  const auto succeeded = [&] { return three.Leads(alone) || three.Leads(left); };
  EXPECT_TRUE(three.world().RunUntil(succeeded, seconds(30)));
  return then + ", then " + three.Answer(three.Leads(alone) ? alone : left, "get k");
}

TEST(CounterexamplesOfOrder, AnEpochThatDiedAloneDecidesNothing_I1) {
  EXPECT_EQ(ToldBeforeAndAfterADeadEpochSurfaced({}), "old, then old");
  EXPECT_EQ(ToldBeforeAndAfterADeadEpochSurfaced(Without(&ClaimRules::judged_by_lineage)),
            "old, then nil");
}

/// 37: "if SET id NX then INCR sum"; the leaseholder is cut off after logging it; the client tries
/// again elsewhere; heal.
std::string SumAfterARetry(const Rules& rules) {
  Three three(rules);
  three.Cut(three.leader());
  const auto first = three.Ask(three.leader(), "once id one sum");
  three.Run(milliseconds(100));
  SimNode& successor = three.AwaitSuccessor();
  EXPECT_TRUE(Three::Granted(three.Answer(successor, "once id two sum")));
  EXPECT_FALSE(Three::Granted(*first));
  three.world().Heal();
  three.Run(seconds(8));
  return three.Answer(successor, "get sum");
}

TEST(CounterexamplesOfOrder, AVoidClaimsScriptHasDoneNothing_I3) {  // counterexample 37
  EXPECT_EQ(SumAfterARetry({}), "1");
  EXPECT_EQ(SumAfterARetry(Without(&ClaimRules::older_are_void)), "2");
}

/// 34: voters, or the only one, lose what was not synced, all at once. Whether one leads again.
bool LedAfterAllLostTheirTails(const Rules& rules, int nodes) {
  WorldOptions options = Syncing(AppendFsync::kEverySecond);
  options.nodes = nodes;
  options.lease_rules = rules.lease;
  World world(options);
  world.StartAll();
  const auto led = [&] {
    return std::ranges::any_of(world.UpNodes(), [](SimNode* node) {
      return node->replicator().LeadsEpoch(node->now()) != 0;
    });
  };
  EXPECT_TRUE(world.RunUntil(led, seconds(30)));
  for (int i = 0; i < nodes; ++i) world.node(i).Crash(CrashKind::kPowerLoss);
  for (int i = 0; i < nodes; ++i) world.node(i).Start();
  return world.RunUntil(led, seconds(60));
}

TEST(CounterexamplesOfOrder, VotersThatAllLostTheirTailsResume) {  // counterexample 34
  for (const int nodes : {1, 3}) {
    EXPECT_TRUE(LedAfterAllLostTheirTails({}, nodes));
    EXPECT_FALSE(LedAfterAllLostTheirTails(Without(&LeaseRules::all_lost_resume), nodes));
  }
}

}  // namespace
}  // namespace starling::sim
