// Who waits for something to take and has been served by a leaseholder that is killed then: the
// next one knows it by its name.
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/three.h"

namespace starling::sim {
namespace {

using std::chrono::microseconds;

/// The leaseholder is killed so long after the one thing that is there was asked for, through
/// another node: what that node's client is told.
std::string TakenOverATakeOver(const Rules& rules, Duration after) {
  Three three(rules);
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "claim k one 0")));
  const Three::Reply taken = three.Ask(three.other(1), "take k taker");
  three.Run(after);
  three.leader().Crash(CrashKind::kKill);
  (void)three.AwaitSuccessor();
  EXPECT_TRUE(three.world().RunUntil([&] { return !taken->empty(); }, seconds(20)));
  return *taken;
}

std::set<std::string> TakenWheneverItIsKilled(const Rules& rules) {
  std::set<std::string> told;
  for (Duration after{}; after < milliseconds(16); after += microseconds(500)) {
    told.insert(TakenOverATakeOver(rules, after));
  }
  return told;
}

TEST(Waits, AreServedOnceHoweverManyLeaseholdersAreAsked) {  // I13
  EXPECT_EQ(TakenWheneverItIsKilled({}), std::set<std::string>{"one"});
}

TEST(Waits, LoseWhatTheyWereGivenWhereTheyAreNotKnownByName) {
  const std::set<std::string> told =
      TakenWheneverItIsKilled(Without(&ClaimRules::asked_again_by_name));
  EXPECT_TRUE(told.contains("nil")) << "it waits for what it has taken";
}

}  // namespace
}  // namespace starling::sim
