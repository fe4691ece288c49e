// A refutation can be lost; found by cluster-test/scenarios/cut_and_healed.py.
#include <gtest/gtest.h>

#include <algorithm>

#include "replication/swim.h"
#include "tests/replication/recording_sender.h"

namespace starling {
namespace {

/// The last incarnation that `self` told of itself as alive in what was sent; 0: none.
uint64_t TellsItselfAlive(RecordingSender& sender, const std::string& self) {
  uint64_t told = 0;
  for (const RecordingSender::Sent& sent : sender.Take()) {
    for (const MemberUpdate& update : std::get<SwimMessage>(sent.held.message).updates) {
      if (update.name == self && update.state == MemberState::kAlive) {
        told = std::max(told, update.incarnation);
      }
    }
  }
  return told;
}

TEST(Swim, TellsARefutationAgainToWhomItWasLost) {
  RecordingSender sender;
  std::mt19937_64 random(1);
  Swim swim({"self", "self:1", 100}, sender, random);
  const Instant now{1};
  swim.OnLinked("peer", "peer:1", now);
  const SwimMessage ping{SwimMessage::Kind::kPing, 1, "self", {}};
  SwimMessage accusing = ping;
  accusing.updates = {{"self", "self:1", 100, MemberState::kDead, {}}};

  swim.OnMessage("peer", accusing, now);
  EXPECT_EQ(TellsItselfAlive(sender, "self"), 101u);
  // None of it arrives; news are told a limited number of times.
  for (int i = 0; i < 100; ++i) swim.OnMessage("peer", ping, now);
  (void)sender.Take();
  swim.OnMessage("peer", ping, now);
  ASSERT_EQ(TellsItselfAlive(sender, "self"), 0u);

  swim.OnMessage("peer", accusing, now);
  EXPECT_EQ(TellsItselfAlive(sender, "self"), 101u);
}

}  // namespace
}  // namespace starling
