#include "replication/majority.h"

#include <gtest/gtest.h>

#include <optional>

namespace starling {
namespace {

constexpr Origin kOwn{NodeId{1}, 1};
constexpr Origin kOther{NodeId{2}, 1};

VersionVector Vector(uint64_t own, uint64_t other) {
  VersionVector vector;
  vector.Set(kOwn, Stamp{own});
  vector.Set(kOther, Stamp{other});
  return vector;
}

class MajorityTest : public testing::Test {
 protected:
  MajorityTest() { majority_.Begin({7, kOwn, Stamp{10}, Vector(9, 5)}); }

  std::optional<Stamp> Advance(uint64_t own_upto) {
    return majority_.Advance(voters_, "a", Stamp{own_upto}, majority_.beginning().vector);
  }

  VoterSet voters_{1, {"a", "b", "c"}};
  Majority majority_;
};

TEST_F(MajorityTest, TellsUpToWhereOneOtherOfThreeHoldsTheStream) {
  majority_.Await(Stamp{20});
  EXPECT_EQ(Advance(30), std::nullopt);
  majority_.OnReport("b", 7, Vector(25, 5));
  EXPECT_EQ(Advance(30), Stamp{25});
  EXPECT_TRUE(majority_.begun());
}

TEST_F(MajorityTest, SaysNothingThatNobodyWaitsFor) {
  majority_.OnReport("b", 7, Vector(25, 5));
  EXPECT_EQ(Advance(30), std::nullopt);
  EXPECT_TRUE(majority_.begun());
  majority_.Await(Stamp{20});
  EXPECT_EQ(Advance(30), Stamp{25}) << "it is known already";
  EXPECT_EQ(Advance(30), std::nullopt) << "said once";
}

TEST_F(MajorityTest, DoesNotCountWhoHasPromisedAnotherEpoch) {
  majority_.Await(Stamp{20});
  majority_.OnReport("b", 6, Vector(25, 5));
  majority_.OnReport("c", 8, Vector(25, 5));
  majority_.OnReport("c", 0, Vector(25, 5));
  EXPECT_EQ(Advance(30), std::nullopt);
  EXPECT_FALSE(majority_.begun());
}

TEST_F(MajorityTest, DoesNotCountWhoLacksWhatTheHolderHeldAtTheBeginning) {
  majority_.Await(Stamp{20});
  majority_.OnReport("b", 7, Vector(25, 4));
  EXPECT_EQ(Advance(30), std::nullopt);
  VersionVector rest;
  rest.Set(kOther, Stamp{5});
  majority_.OnReport("b", 7, rest);
  EXPECT_EQ(Advance(30), Stamp{25}) << "parts add up";
}

TEST_F(MajorityTest, CountsNothingBeforeTheEpochsOwnRecordIsHeld) {
  majority_.Await(Stamp{5});
  majority_.OnReport("b", 7, Vector(9, 5));
  EXPECT_EQ(Advance(30), std::nullopt);
  EXPECT_FALSE(majority_.begun());
}

TEST_F(MajorityTest, CountsNobodyWhoIsNoVoter) {
  majority_.Await(Stamp{20});
  majority_.OnReport("x", 7, Vector(25, 5));
  EXPECT_EQ(Advance(30), std::nullopt);
}

TEST_F(MajorityTest, OneVoterIsItsOwnMajority) {
  voters_.names = {"a"};
  majority_.Await(Stamp{20});
  EXPECT_EQ(Advance(30), Stamp{30});
}

TEST_F(MajorityTest, AnotherEpochBeginsWithNothing) {
  majority_.OnReport("b", 7, Vector(25, 5));
  majority_.Begin({8, kOwn, Stamp{28}, Vector(27, 5)});
  majority_.Await(Stamp{20});
  EXPECT_EQ(Advance(30), std::nullopt);
}

}  // namespace
}  // namespace starling
