// The design's schedules (COUNTEREXAMPLES.md) of leases and claims, each run with all rules kept
// and with the rule that stops it left out: the second must go wrong.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace starling::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// What left out shows that the schedule is the one that was meant.
struct Rules {
  LeaseRules lease;
  ClaimRules claims;
};
Rules Without(bool LeaseRules::*rule) {
  Rules rules;
  rules.lease.*rule = false;
  return rules;
}
Rules Without(bool ClaimRules::*rule) {
  Rules rules;
  rules.claims.*rule = false;
  return rules;
}

/// Three named voters that have formed a cluster: one leads, two follow.
class Three {
 public:
  explicit Three(const Rules& rules) {
    WorldOptions options;
    options.seed = 7;
    options.lease_rules = rules.lease;
    options.claim_rules = rules.claims;
    world_ = std::make_unique<World>(options);
    world_->StartAll();
    EXPECT_TRUE(
        world_->RunUntil([&] { return world_->Formed() && LeaderIndex() >= 0; }, seconds(30)));
    Run(seconds(3));  // all follow
    leader_ = LeaderIndex();
    EXPECT_GE(leader_, 0);
  }

  World& world() { return *world_; }
  void Run(Duration time) { world_->RunFor(time); }
  /// Who led in the beginning, and the two others.
  SimNode& leader() { return world_->node(leader_); }
  SimNode& other(int which) { return world_->node((leader_ + which) % 3); }

  void Cut(SimNode& one) { world_->Partition(uint64_t{1} << one.index()); }
  bool Leads(SimNode& node) {
    return node.up() && !node.paused() && node.replicator().LeadsEpoch(node.now()) != 0;
  }
  /// Until one of the two others leads, who is returned.
  SimNode& AwaitSuccessor() {
    const auto led = [&] { return Leads(other(1)) || Leads(other(2)); };
    EXPECT_TRUE(world_->RunUntil(led, seconds(15)) || world_->failed());
    return Leads(other(1)) ? other(1) : other(2);
  }

  using Reply = std::shared_ptr<std::string>;
  /// Asks; the reply is there later: "?" where the outcome is unknown, "refused" where nothing was
  /// done, empty as long as there is none.
  Reply Ask(SimNode& at, const std::string& request) {
    const Reply reply = std::make_shared<std::string>();
    at.Ask(request, [reply](Outcome outcome, const std::string& text) {
      *reply = outcome == Outcome::kAnswered  ? text
               : outcome == Outcome::kRefused ? "refused"
                                              : "?";
    });
    return reply;
  }
  /// The reply to what is asked again until it is answered, for ten seconds.
  std::string Answer(SimNode& at, const std::string& request) {
    for (const Instant end = world_->now() + seconds(10);
         world_->now() < end && !world_->failed();) {
      const Reply reply = Ask(at, request);
      world_->RunUntil([&] { return !reply->empty(); }, seconds(5), milliseconds(1));
      if (*reply != "?" && *reply != "refused" && !reply->empty()) return *reply;
      Run(milliseconds(50));
    }
    return "none";
  }
  static bool Granted(const std::string& reply) { return reply.starts_with("OK"); }
  /// What the checkers of the world have seen.
  std::string Violation() const {
    return world_->violation() ? world_->violation()->text : std::string();
  }

 private:
  int LeaderIndex() {
    for (int i = 0; i < 3; ++i) {
      if (Leads(world_->node(i))) return i;
    }
    return -1;
  }

  std::unique_ptr<World> world_;
  int leader_ = 0;
};

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

/// 22: the leaseholder stands still for longer than a lease with a read before it; meanwhile
/// another leads, and the value changes.
std::string ReadByWhoStoodStill(const Rules& rules) {
  Three three(rules);
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "set k old")));
  three.Run(seconds(1));
  three.leader().Pause();
  SimNode& successor = three.AwaitSuccessor();
  // The checkers stop the world when they see two who lead: the one that stands still reads "old".
  if (!three.Violation().empty()) return "stale";
  EXPECT_TRUE(Three::Granted(three.Answer(successor, "set k new")));
  const auto read = three.Ask(three.leader(), "get k");
  three.leader().Resume();
  three.world().RunUntil([&] { return !read->empty(); }, seconds(8), milliseconds(1));
  return three.Violation().empty() ? *read : "stale";
}

TEST(CounterexamplesOfOrder, WhoStoodStillReadsNothingStale_I4) {  // counterexample 22
  EXPECT_NE(ReadByWhoStoodStill({}), "old");
  EXPECT_NE(ReadByWhoStoodStill({}), "stale");
  EXPECT_EQ(ReadByWhoStoodStill(Without(&LeaseRules::lease_is_checked)), "stale");
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

/// 36: what a transaction wrote beside its claim is there where the claim is.
TEST(CounterexamplesOfOrder, WhoHasTheClaimHasAllThatItsTransactionWrote_I4) {  // counterexample 36
  Three three({});
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "once k one sum")));
  three.leader().Crash(CrashKind::kKill);
  SimNode& successor = three.AwaitSuccessor();
  EXPECT_EQ(three.Answer(successor, "get k"), "one");
  EXPECT_EQ(three.Answer(successor, "get sum"), "1");
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

}  // namespace
}  // namespace starling::sim
