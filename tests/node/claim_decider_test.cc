/// What a leaseholder decides, without the threads around it.
#include "node/ordering/claim_decider.h"

#include <gtest/gtest.h>

#include "storage/held_shards.h"
#include "storage/speculation.h"
#include "tests/storage/one_node.h"

namespace starling {
namespace {

constexpr uint64_t kEpoch = 3;

class ClaimDeciderTest : public testing::Test {
 protected:
  /// Writes a record that grants the key, and flushes it.
  Records::Written Claim(const std::string& key) {
    Records::Written written;
    {
      const HeldShards held(node_.keyspace);
      Speculation speculation(node_.keyspace);
      node_.Lock(key).Claim(node_.Ref(key), "holder", 60'000);
      written = node_.keyspace.records().Write(kEpoch, speculation.TakeItems()).value();
    }
    decider_.Add(written);
    EXPECT_TRUE(node_.Flush());
    return written;
  }
  void Leads(uint64_t epoch) { decider_.SetLease({epoch, true, {}, "a", true}); }
  void LeadsNoMore() { decider_.SetLease({kEpoch, false, {}, "", false}); }

  OneNode node_{1};
  ClaimDecider decider_{node_.keyspace};
};

TEST_F(ClaimDeciderTest, WhatAMajorityHoldsCounts) {
  Leads(kEpoch);
  const Records::Written written = Claim("lock");
  EXPECT_EQ(decider_.TakeWanted(), written.stamp);
  EXPECT_FALSE(decider_.TakeWanted()) << "nothing twice";
  EXPECT_FALSE(decider_.Decided(kEpoch, written.stamp));
  EXPECT_TRUE(decider_.Decide(written.stamp));
  EXPECT_TRUE(decider_.Decided(kEpoch, written.stamp));
  EXPECT_TRUE(node_.Get("lock"));
}

// Simulator, full length: seed 300 of claims under pause. A process that stood still for longer
// than the lease, with nobody to take it, went on in the same epoch, and the key stayed reserved.
TEST_F(ClaimDeciderTest, AnEpochThatGoesOnAfterAPauseDecidesWhatItLeft) {
  Leads(kEpoch);
  const Records::Written written = Claim("lock");
  (void)decider_.TakeWanted();
  LeadsNoMore();
  EXPECT_FALSE(decider_.waits());
  Leads(kEpoch);
  EXPECT_EQ(decider_.TakeWanted(), written.stamp) << "asked for again";
  EXPECT_TRUE(decider_.Decide(written.stamp));
  EXPECT_TRUE(node_.Get("lock"));
}

TEST_F(ClaimDeciderTest, ALaterEpochDoesNotTakeItForItsOwn) {
  Leads(kEpoch);
  (void)Claim("lock");
  LeadsNoMore();
  Leads(kEpoch + 1);
  EXPECT_FALSE(decider_.waits());
  EXPECT_FALSE(decider_.TakeWanted());
}

}  // namespace
}  // namespace starling
