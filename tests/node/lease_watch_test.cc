#include "node/lease_watch.h"

#include <gtest/gtest.h>

#include <chrono>
#include <vector>

namespace starling {
namespace {

using namespace std::chrono_literals;

LeaseView Leading(uint64_t epoch, Instant until) { return {epoch, true, until, "a", false}; }

TEST(LeaseWatch, NobodyLeadsBeforeAnythingIsKnown) {
  const LeaseWatch watch;
  EXPECT_EQ(watch.Leads(0s), 0u);
}

TEST(LeaseWatch, LeadsUntilTheLeaseLapses) {
  LeaseWatch watch;
  watch.Publish(Leading(4, 10s));
  EXPECT_EQ(watch.Leads(9s), 4u);
  EXPECT_EQ(watch.Leads(10s), 0u);
  watch.Publish(Leading(4, 12s));
  EXPECT_EQ(watch.Leads(11s), 4u);
}

TEST(LeaseWatch, LeadsNoMoreOnceAnotherDoes) {
  LeaseWatch watch;
  watch.Publish(Leading(4, 10s));
  watch.Publish({5, false, {}, "b", false});
  EXPECT_EQ(watch.Leads(1s), 0u);
  EXPECT_EQ(watch.view().holder, "b");
}

TEST(LeaseWatch, MayEndBeforeSubscribersHear) {
  LeaseWatch watch;
  int heard = 0;
  watch.Subscribe([&](const LeaseView&) { ++heard; });
  watch.Publish(Leading(4, 10s));
  watch.StopLeading();
  EXPECT_EQ(watch.Leads(1s), 0u);
  EXPECT_EQ(heard, 1);
  watch.Publish({4, false, {}, "", false});
  EXPECT_EQ(heard, 2);
}

TEST(LeaseWatch, SubscribersHearOfChangesButNotOfRenewals) {
  LeaseWatch watch;
  std::vector<uint64_t> heard;
  const auto subscription =
      watch.Subscribe([&](const LeaseView& view) { heard.push_back(view.epoch); });
  watch.Publish(Leading(4, 10s));
  watch.Publish(Leading(4, 12s));
  LeaseView begun = Leading(4, 12s);
  begun.majority_begun = true;
  watch.Publish(begun);
  EXPECT_EQ(heard, (std::vector<uint64_t>{4, 4}));
  watch.Unsubscribe(subscription);
  watch.Publish({});
  EXPECT_EQ(heard.size(), 2u);
}

TEST(LeaseWatch, SubscribersHearWhatAMajorityHolds) {
  LeaseWatch watch;
  Stamp held;
  watch.SubscribeMajority([&](uint64_t, Stamp upto) { held = upto; });
  watch.PublishMajority(4, Stamp{17});
  EXPECT_EQ(held, Stamp{17});
  EXPECT_EQ(watch.majority().epoch, 4u);
}

}  // namespace
}  // namespace starling
