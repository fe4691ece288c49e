#include "tests/replication/forwarding_world.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

namespace starling {

ForwardingNode::ForwardingNode(ForwardingWorld& the_world, const std::string& name,
                               ManualTime& time, ForwardingRules the_rules)
    : world(the_world), rules(the_rules) {
  StoreOptions options;
  options.name = name;
  options.keyspace.shards = 1;
  const auto log =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
  store = Store::Open(options, disk.Open().value(), time, log).value();
  Restart();
}

void ForwardingNode::Restart() {
  session = world.random();
  asking = std::make_unique<Forwarding>(*store, sender, *this, rules);
  running = std::make_unique<OrderBook>(*store, sender, *this, rules);
}

void ForwardingNode::Deliver(uint64_t order, OrderResult result, std::string text,
                             const OrderPosition& position) {
  ForwardingWorld::Fate& fate = world.fates.at(order);
  const bool told = result == OrderResult::kDone || result == OrderResult::kUnordered;
  EXPECT_EQ(told, position.origin != Origin{}) << "whose stream has what order " << order << " did";
  EXPECT_FALSE(fate.result) << "order " << order << " has ended twice";
  if (result == OrderResult::kAskHere) {
    EXPECT_EQ(text, std::to_string(order));
    world.RunOne(order);  // it is known by its name
    result = OrderResult::kDone;
  }
  fate.result = result;
  fate.text = std::move(text);
}

void ForwardingNode::Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) {
  world.After(Instant(world.random() % 30'000'000), [this, peer, orders, process = session] {
    if (session != process) return;
    std::vector<ExecutedOrder> executed;
    for (const RemoteOrder& order : orders) {
      if (leads) world.RunOne(std::stoull(order.request));
      executed.push_back({order.id, leads ? OrderOutcome::kDone : OrderOutcome::kNotRun,
                          leads ? "did " + order.request : ""});
    }
    running->OnExecuted(peer, std::move(executed), Stamp{});
  });
}

}  // namespace starling
