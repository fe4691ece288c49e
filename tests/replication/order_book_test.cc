// What a leaseholder knows of who asks it for orders: for the first time, or again after long.
#include "replication/order_book.h"

#include <gtest/gtest.h>

#include <chrono>

#include "replication/limits.h"
#include "tests/replication/forwarding_world.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

using World = ForwardingWorld;

// As with one that comes before its node is known as a member, or on a link that is replaced.
TEST(OrderBook, GivesAgainWhatWasLostOnTheWayToALeaseholderThatIsAskedForTheFirstTime) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t number = world.Submit(0, false);
  (void)world.at(0).sender.Take();
  world.Run(limits::kOrderAsk + 300ms);
  EXPECT_EQ(world.fates[number].result, OrderResult::kDone);
}

TEST(OrderBook, SaysThatTheOutcomeIsUnknownWhereTheLeaseholderHasDroppedWhoAsks) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t number = world.Submit(0, Order{.timeout = 10min});
  world.Carry();
  world.loss = 100;  // the order is on its way, its answer is lost
  world.Run(100ms);
  world.at(1).running->OnPeerLost(world.at(0).id(), world.now);
  world.at(1).running->OnTick(world.now + limits::kAskerKept);
  world.loss = 0;
  world.Run(limits::kOrderAsk + 300ms);
  EXPECT_EQ(world.fates[number].result, OrderResult::kUnknown);
  EXPECT_EQ(world.fates[number].runs, 1);
}

}  // namespace
}  // namespace starling
