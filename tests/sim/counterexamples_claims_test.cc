// The design's schedules (COUNTEREXAMPLES.md) of what a claim is made of: each run with all rules
// kept and with the rule that stops it left out, where it must go wrong.
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/three.h"

namespace starling::sim {
namespace {

/// 36: what a transaction wrote beside its claim, as the successor shows it after kill -9 of the
/// leaseholder.
std::string LeftOfATransaction(const Rules& rules) {
  Three three(rules);
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "once k one sum")));
  three.leader().Crash(CrashKind::kKill);
  SimNode& successor = three.AwaitSuccessor();
  EXPECT_EQ(three.Answer(successor, "get k"), "one");
  return three.Answer(successor, "get sum");
}

TEST(CounterexamplesOfClaims, WhoHasTheClaimHasAllThatItsTransactionWrote_I4) {
  // counterexample 36
  EXPECT_EQ(LeftOfATransaction({}), "1");
  EXPECT_EQ(LeftOfATransaction(Without(&ClaimRules::records_hold_all)), "nil");
}

/// 38: B, who is cut off, has not received lock k and writes to the key at level `local`; then
/// `later` happens where the lock is held, and the two sides meet.
void WriteBesideAClaim(Three& three, const std::function<void(Access&, const KeyRef&)>& write,
                       const std::string& later) {
  SimNode& isolated = three.other(1);
  three.Cut(isolated);
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "claim k one 0")));
  isolated.Write(
      [&](Store& store, OperationId) {
        const KeyRef key = store.keyspace().Ref(Orders::kDatabase, "k");
        Access access = store.keyspace().Lock(key);
        write(access, key);
      },
      Duration::zero());
  three.Run(milliseconds(10));
  if (!later.empty()) {
    EXPECT_EQ(three.Answer(three.leader(), later), "1");
  }
  three.world().Heal();
  three.Run(seconds(8));
}

std::string SecondGrantAfterADeletionElsewhere(const Rules& rules) {
  Three three(rules);
  const auto set_and_delete = [](Access& access, const KeyRef& key) {
    access.SetString(key, "x");
    EXPECT_TRUE(access.Delete(key));
  };
  WriteBesideAClaim(three, set_and_delete, {});
  return three.Answer(three.leader(), "claim k two 0").substr(0, 3);
}

TEST(CounterexamplesOfClaims, ADeletionByWhoDoesNotKnowOfAClaimDoesNotEndIt_I3) {
  // counterexample 38
  EXPECT_EQ(SecondGrantAfterADeletionElsewhere({}), "nil");
  EXPECT_EQ(SecondGrantAfterADeletionElsewhere(Without(&ClaimRules::cuts_spare_claims)), "OK ");
}

std::string ShownAfterTheReleaseOfAKeyWrittenElsewhere(const Rules& rules) {
  Three three(rules);
  const auto set = [](Access& access, const KeyRef& key) { access.SetString(key, "x"); };
  WriteBesideAClaim(three, set, "release k one");
  return three.Answer(three.leader(), "get k");
}

TEST(CounterexamplesOfClaims, WhatWasWrittenBesideAClaimDoesNotSurfaceWhenItEnds) {
  // counterexample 38
  EXPECT_EQ(ShownAfterTheReleaseOfAKeyWrittenElsewhere({}), "nil");
  EXPECT_EQ(ShownAfterTheReleaseOfAKeyWrittenElsewhere(Without(&ClaimRules::ends_cut_the_key)),
            "x");
}

/// 39: `SET k 0 PX 3000 NX; INCRBY k` by every request: whether the window has ended after 3.5 s.
bool WindowEnds(const Rules& rules) {
  Three three(rules);
  const Instant began = three.world().now();
  EXPECT_TRUE(Three::Granted(three.Answer(three.leader(), "claim k 0 3000")));
  for (int request = 1; request <= 5; ++request) {
    EXPECT_EQ(three.Answer(three.leader(), "incr k"), std::to_string(request));
    three.Run(began + milliseconds(500) * request - three.world().now());
  }
  three.Run(began + milliseconds(3500) - three.world().now());
  return Three::Granted(three.Answer(three.leader(), "claim k 0 3000"));
}

TEST(CounterexamplesOfClaims, AWindowEndsHoweverOftenItIsRewritten) {  // counterexample 39
  EXPECT_TRUE(WindowEnds({}));
  EXPECT_FALSE(WindowEnds(Without(&ClaimRules::rewrites_keep_the_time)));
}

}  // namespace
}  // namespace starling::sim
