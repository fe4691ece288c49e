#include "replication/lease_voter.h"

#include <gtest/gtest.h>

namespace starling {
namespace {

using namespace std::chrono_literals;
using Reason = LeaseDenial::Reason;

constexpr uint64_t kOne = 11;
constexpr uint64_t kTwo = 22;

struct LeaseVoterTest : ::testing::Test {
  LeaseVoter voter{2s};

  static LeaseRequest For(uint64_t epoch) {
    LeaseRequest request;
    request.epoch = epoch;
    return request;
  }
};

TEST_F(LeaseVoterTest, GivesAnEpochOnceAndToWhomeverAsksFirst) {
  EXPECT_EQ(voter.Against(For(1), kOne, 0, 0s), std::nullopt);
  voter.Grant(1, kOne, 0s);
  EXPECT_EQ(voter.Against(For(1), kTwo, 0, 5s), Reason::kPromised);
  EXPECT_EQ(voter.Against(For(1), kOne, 0, 1s), std::nullopt) << "its answer may be lost";
  EXPECT_EQ(voter.Against(For(2), kTwo, 0, 1999ms), Reason::kHeld);
  EXPECT_EQ(voter.Against(For(2), kTwo, 0, 2s), std::nullopt);
}

TEST_F(LeaseVoterTest, ProlongsTheLeaseOfItsHolderOnly) {
  voter.Grant(1, kOne, 0s);
  EXPECT_TRUE(voter.Renew(1, kOne, 1s));
  EXPECT_EQ(voter.until(), 3s);
  EXPECT_FALSE(voter.Renew(1, kTwo, 1s));
  voter.Grant(2, kTwo, 3s);
  EXPECT_FALSE(voter.Renew(1, kOne, 3s));
}

TEST_F(LeaseVoterTest, IsFreeWhenItsHolderGivesTheEpochBackOrHasEnded) {
  voter.Grant(1, kOne, 0s);
  voter.Release(1, kTwo);
  EXPECT_FALSE(voter.Lapsed(1s));
  voter.Release(1, kOne);
  EXPECT_TRUE(voter.Lapsed(1s));
  voter.Grant(2, kTwo, 1s);
  voter.OnProcessEnded(kOne);
  EXPECT_FALSE(voter.Lapsed(2s));
  voter.OnProcessEnded(kTwo);
  EXPECT_TRUE(voter.Lapsed(2s));
}

TEST_F(LeaseVoterTest, SaysByWhatTheLeaseBeforeEnded) {
  EXPECT_EQ(voter.ended_by(), "nobody");
  voter.Grant(1, kOne, 0s);
  EXPECT_EQ(voter.ended_by(), "lapse");
  voter.Release(1, kOne);
  EXPECT_EQ(voter.ended_by(), "resignation");
  voter.Grant(2, kTwo, 1s);
  voter.OnProcessEnded(kOne);
  EXPECT_EQ(voter.ended_by(), "lapse");
  voter.OnProcessEnded(kTwo);
  EXPECT_EQ(voter.ended_by(), "death");
}

TEST_F(LeaseVoterTest, GivesAHolderAHigherEpochAtOnce) {
  voter.Grant(1, kOne, 0s);
  EXPECT_EQ(voter.Against(For(5), kOne, 0, 1s), std::nullopt);
}

TEST_F(LeaseVoterTest, WaitsOneLeaseAfterARestart) {  // counterexample 21
  voter.Restore(4, 10s);
  EXPECT_EQ(voter.Against(For(5), kTwo, 0, 11s), Reason::kHeld);
  EXPECT_EQ(voter.Against(For(5), kTwo, 0, 12s), std::nullopt);
  voter.Restore(0, 20s);
  EXPECT_EQ(voter.Against(For(1), kTwo, 0, 20s), std::nullopt) << "it never promised anything";
}

TEST_F(LeaseVoterTest, LetsAHolderRenewAfterARestart) {
  voter.Restore(4, 10s);
  EXPECT_TRUE(voter.Renew(4, kOne, 11s));
  EXPECT_FALSE(voter.Renew(4, kTwo, 11s)) << "now it knows whose it is";
}

// Two stood for epoch 4 and this voter gave it to one of them; the other, who found no majority,
// gives it back.
TEST_F(LeaseVoterTest, DoesNotTakeTheEpochBackFromTheWrongOneAfterARestart) {
  voter.Restore(4, 10s);
  voter.Release(4, kTwo);
  EXPECT_FALSE(voter.Lapsed(11s));
}

TEST_F(LeaseVoterTest, RefusesACandidateWithAnOlderVoterSet) {  // counterexample 23
  EXPECT_EQ(voter.Against(For(1), kOne, 1, 0s), Reason::kVoters);
}

}  // namespace
}  // namespace starling
