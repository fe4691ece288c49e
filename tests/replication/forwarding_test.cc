#include "replication/forwarding.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/null_sink.h>

#include <functional>
#include <random>

#include "replication/limits.h"
#include "replication/order_book.h"
#include "tests/replication/recording_sender.h"
#include "tests/support/manual_time.h"
#include "tests/support/memory_engine.h"

namespace starling {
namespace {

using namespace std::chrono_literals;

/// One node: both ends of forwarding on a store. What it runs is counted by the world.
class World;
struct Node final : OrderTaker, OrderRunner {
  Node(World& the_world, const std::string& name, ManualTime& time, ForwardingRules the_rules);

  void Deliver(uint64_t order, OrderResult result, std::string text,
               const OrderPosition& position) override;
  void Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) override;
  void DropClients(const PeerProcess&, const std::vector<uint64_t>&) override {}
  void DropProcess(const PeerProcess& process) override { dropped.push_back(process); }
  /// A new process on the same store.
  void Restart();
  NodeId id() const { return store->id(); }

  World& world;
  MemoryDisk disk{1};
  std::unique_ptr<Store> store;
  ForwardingRules rules;
  RecordingSender sender;
  uint64_t session = 1;
  bool leads = false;
  std::unique_ptr<Forwarding> asking;
  std::unique_ptr<OrderBook> running;
  std::vector<PeerProcess> dropped;
};

/// Three nodes, a network that loses, doubles, delays and cuts, a lease that moves.
class World {
 public:
  explicit World(uint64_t seed, ForwardingRules rules = {}) : random(seed) {
    for (const char* name : {"a", "b", "c"}) {
      nodes.push_back(std::make_unique<Node>(*this, name, time, rules));
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (size_t j = 0; j < nodes.size(); ++j) {
        if (i != j) Link(i, j);
      }
    }
  }

  struct Fate {
    bool repeatable = false;
    int runs = 0;
    std::optional<OrderResult> result;
    std::string text;
  };

  bool Chance(int percent) { return static_cast<int>(random() % 100) < percent; }
  Node& at(size_t index) { return *nodes[index]; }
  void After(Instant delay, std::function<void()> what) {
    events.emplace(now + delay, std::move(what));
  }

  bool Linked(size_t i, size_t j) const { return !cut.contains({std::min(i, j), std::max(i, j)}); }
  void Link(size_t i, size_t j) {
    at(i).asking->OnPeer(at(j).id(), at(j).session, now);
    at(i).running->OnPeer({at(j).id(), at(j).session});
  }
  void Cut(size_t i, size_t j) {
    if (!cut.insert({std::min(i, j), std::max(i, j)}).second) return;
    for (const auto& [from, to] : {std::pair{i, j}, std::pair{j, i}}) {
      at(from).asking->OnPeerLost(at(to).id(), now);
      at(from).running->OnPeerLost(at(to).id(), now);
    }
  }
  void Heal(size_t i, size_t j) {
    if (cut.erase({std::min(i, j), std::max(i, j)}) == 0) return;
    Link(i, j);
    Link(j, i);
  }
  /// `leader` leads from now on; each node hears of it a little later.
  void Lead(std::optional<size_t> leader) {
    for (size_t i = 0; i < nodes.size(); ++i) at(i).leads = leader == i;
    for (size_t i = 0; i < nodes.size(); ++i) {
      After(Instant(random() % 50'000'000), [this, i, leader] {
        const bool reachable = leader && (*leader == i || Linked(i, *leader));
        at(i).asking->SetHolder(reachable ? std::optional(at(*leader).id()) : std::nullopt, now);
      });
    }
  }
  uint64_t Submit(size_t node, bool repeatable) {
    const uint64_t number = fates.size() + 1;
    fates[number].repeatable = repeatable;
    std::vector<std::pair<uint64_t, Order>> orders;
    orders.emplace_back(number, Order{number % 5, std::to_string(number), repeatable, 3s});
    at(node).asking->Submit(std::move(orders), now);
    return number;
  }

  void Carry() {
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (RecordingSender::Sent& sent : at(i).sender.Take()) {
        for (size_t j = 0; j < nodes.size(); ++j) {
          if (at(j).id() != sent.to || !Linked(i, j) || Chance(loss)) continue;
          const int copies = Chance(doubled) ? 2 : 1;
          for (int copy = 0; copy < copies; ++copy) {
            After(Instant(random() % max_delay),
                  [this, i, j, held = sent.held, from = at(i).session, to = at(j).session] {
                    // A link leads from one process to another.
                    if (Linked(i, j) && at(i).session == from && at(j).session == to)
                      Arrive(i, j, held);
                  });
          }
        }
      }
    }
  }
  void Arrive(size_t from, size_t to, const HeldMessage& held) {
    const auto& message = std::get<ForwardingMessage>(held.message);
    Node& node = at(to);
    const PeerProcess peer{at(from).id(), at(from).session};
    if (const auto* orders = std::get_if<Orders>(&message)) {
      node.running->OnOrders(peer, *orders, node.leads);
    } else if (const auto* answers = std::get_if<Answers>(&message)) {
      node.asking->OnAnswers(peer.node, *answers, now);
    }
  }
  /// Lets `time` pass.
  void Run(Instant length) {
    const Instant end = now + length;
    while (now < end) {
      Carry();
      Instant next = std::min(end, now + 20ms);
      if (!events.empty()) next = std::min(next, std::max(now, events.begin()->first));
      now = next;
      while (!events.empty() && events.begin()->first <= now) {
        auto event = std::move(events.extract(events.begin()).mapped());
        event();
        Carry();
      }
      for (const auto& node : nodes) {
        node->asking->OnTick(now);
        node->running->OnTick(now);
      }
    }
  }

  std::mt19937_64 random;
  ManualTime time;
  Instant now = 100s;
  int loss = 0;
  int doubled = 0;
  uint64_t max_delay = 1'000'000;
  std::set<std::pair<size_t, size_t>> cut;
  std::multimap<Instant, std::function<void()>> events;
  std::map<uint64_t, Fate> fates;
  std::vector<std::unique_ptr<Node>> nodes;
};

Node::Node(World& the_world, const std::string& name, ManualTime& time, ForwardingRules the_rules)
    : world(the_world), rules(the_rules) {
  StoreOptions options;
  options.name = name;
  options.keyspace.shards = 1;
  const auto log =
      std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::null_sink_mt>());
  store = Store::Open(options, disk.Open().value(), time, log).value();
  Restart();
}

void Node::Restart() {
  session = world.random();
  asking = std::make_unique<Forwarding>(*store, sender, *this, rules);
  running = std::make_unique<OrderBook>(*store, sender, *this, rules);
}

void Node::Deliver(uint64_t order, OrderResult result, std::string text,
                   const OrderPosition& position) {
  World::Fate& fate = world.fates.at(order);
  const bool told = result == OrderResult::kDone || result == OrderResult::kUnordered;
  EXPECT_EQ(told, position.origin != Origin{}) << "whose stream has what order " << order << " did";
  EXPECT_FALSE(fate.result) << "order " << order << " has ended twice";
  fate.result = result;
  fate.text = std::move(text);
}

void Node::Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) {
  world.After(Instant(world.random() % 30'000'000), [this, peer, orders, process = session] {
    if (session != process) return;
    std::vector<ExecutedOrder> executed;
    for (const RemoteOrder& order : orders) {
      if (leads) ++world.fates.at(std::stoull(order.request)).runs;
      executed.push_back({order.id, leads ? OrderOutcome::kDone : OrderOutcome::kNotRun,
                          leads ? "did " + order.request : ""});
    }
    running->OnExecuted(peer, std::move(executed), Stamp{});
  });
}

/// What is wrong with how an order ended; empty: nothing.
std::string WrongWith(const World::Fate& fate) {
  if (!fate.result) return "has not ended";
  if (fate.repeatable) return {};
  if (fate.runs > 1) return "was run " + std::to_string(fate.runs) + " times";
  const bool done = *fate.result == OrderResult::kDone || *fate.result == OrderResult::kUnordered;
  if (done && fate.runs != 1) return "was answered and not run";
  if (*fate.result == OrderResult::kNotRun && fate.runs != 0) return "was run, and given back";
  return {};
}

/// A minute of orders from all nodes under faults; what went wrong, by order.
std::map<uint64_t, std::string> Chaos(uint64_t seed, ForwardingRules rules) {
  World world(seed, rules);
  world.loss = 5;
  world.doubled = 10;
  world.max_delay = 200'000'000;
  world.Lead(0);
  world.Run(1s);
  for (int step = 0; step < 300; ++step) {
    const size_t i = world.random() % 3;
    const size_t j = (i + 1 + world.random() % 2) % 3;
    switch (world.random() % 12) {
      case 0:
        world.Lead(world.Chance(20) ? std::nullopt : std::optional(i));
        break;
      case 1:
        world.Cut(i, j);
        break;
      case 2:
      case 3:
        world.Heal(i, j);
        break;
      case 4: {
        // The process of a node that runs others' orders: its own clients go with it.
        if (!world.Chance(30)) break;
        bool asks = false;
        for (auto& [number, fate] : world.fates) asks = asks || (!fate.result && number % 3 == i);
        if (asks) break;
        world.at(i).leads = false;
        world.at(i).Restart();
        for (const size_t other : {(i + 1) % 3, (i + 2) % 3}) {
          if (!world.Linked(i, other)) continue;
          world.Link(other, i);
          world.Link(i, other);
        }
        break;
      }
      default:
        break;
    }
    for (int order = 0; order < 3; ++order) {
      world.Submit((world.fates.size() + 1) % 3, world.Chance(20));
    }
    world.Run(Instant(world.random() % 200'000'000));
  }
  world.Run(15s);
  std::map<uint64_t, std::string> wrong;
  for (const auto& [number, fate] : world.fates) {
    if (const std::string what = WrongWith(fate); !what.empty()) wrong[number] = what;
  }
  return wrong;
}

TEST(Forwarding, RunsAnOrderAtTheLeaseholderAndGivesTheAnswerOut) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t order = world.Submit(0, false);
  world.Run(100ms);
  EXPECT_EQ(world.fates[order].result, OrderResult::kDone);
  EXPECT_EQ(world.fates[order].text, "did " + std::to_string(order));
}

TEST(Forwarding, GivesTheRequestBackWhereNobodyLeads) {
  World world(1);
  const uint64_t order = world.Submit(0, false);
  EXPECT_EQ(world.fates[order].result, OrderResult::kNotRun);
  EXPECT_EQ(world.fates[order].text, std::to_string(order));
}

TEST(Forwarding, WaitsForTheNextLeaseholder) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  world.Lead(std::nullopt);
  world.Run(100ms);
  const uint64_t order = world.Submit(0, false);
  world.Run(1s);
  EXPECT_FALSE(world.fates[order].result);
  world.Lead(2);
  world.Run(200ms);
  EXPECT_EQ(world.fates[order].result, OrderResult::kDone);
}

TEST(Forwarding, StopsWaitingForALeaseholderAfterAWhile) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  world.Lead(std::nullopt);
  world.Run(100ms);
  EXPECT_FALSE(world.at(0).asking->OutOfReach(world.now));
  world.Run(limits::kHolderWait);
  EXPECT_TRUE(world.at(0).asking->OutOfReach(world.now));
}

TEST(Forwarding, AsksByIdWhenTheAnswerWasLost) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  const uint64_t order = world.Submit(0, false);
  world.Carry();
  world.loss = 100;  // the order is on its way, its answer is lost
  world.Run(100ms);
  EXPECT_EQ(world.fates[order].runs, 1);
  EXPECT_FALSE(world.fates[order].result);
  world.loss = 0;
  world.Run(1s);
  EXPECT_EQ(world.fates[order].result, OrderResult::kDone);
  EXPECT_EQ(world.fates[order].runs, 1);
}

/// A write and a read that have reached a leaseholder, from which their node is cut off since.
struct CutOff {
  CutOff() {
    world.Lead(1);
    world.Run(100ms);
    writes = world.Submit(0, false);
    reads = world.Submit(0, true);
    world.Carry();
    world.Cut(0, 1);
  }
  World world{1};
  uint64_t writes = 0;
  uint64_t reads = 0;
};

TEST(Forwarding, SaysThatTheOutcomeIsUnknownWhereTheLeaseholderIsLost) {
  CutOff orders;
  auto& [world, writes, reads] = orders;
  world.Lead(2);
  world.Run(limits::kOrderGrace + 200ms);
  EXPECT_EQ(world.fates[writes].result, OrderResult::kUnknown);
  EXPECT_EQ(world.fates[reads].result, OrderResult::kDone);  // by the next one
}

TEST(Forwarding, WaitsNoLongerForAProcessThatHasEnded) {
  CutOff orders;
  auto& [world, writes, reads] = orders;
  EXPECT_FALSE(world.fates[writes].result);
  world.at(0).asking->OnProcessEnded(world.at(1).session, world.now);
  EXPECT_EQ(world.fates[writes].result, OrderResult::kUnknown);
  EXPECT_FALSE(world.fates[reads].result);
  world.Lead(2);
  world.Run(100ms);
  EXPECT_EQ(world.fates[reads].result, OrderResult::kDone);  // by the next one
}

TEST(Forwarding, DropsWhatAProcessWaitsForThatHasEnded) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  world.Submit(0, false);
  world.Run(100ms);
  world.Cut(0, 1);
  Node& leader = world.at(1);
  leader.running->OnProcessEnded(world.at(0).session + 1);
  EXPECT_TRUE(leader.dropped.empty());
  const PeerProcess gone{world.at(0).id(), world.at(0).session};
  leader.running->OnProcessEnded(gone.session);
  EXPECT_EQ(leader.dropped, std::vector{gone});
  leader.running->OnTick(world.now + limits::kAskerKept);
  EXPECT_EQ(leader.dropped.size(), 1u) << "once";
}

TEST(Forwarding, DropsWhatAProcessWaitsForThatIsAwayForAMinute) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  world.Submit(0, false);
  world.Run(100ms);
  Node& leader = world.at(1);
  const PeerProcess away{world.at(0).id(), world.at(0).session};
  world.Cut(0, 1);
  leader.running->OnTick(world.now + 59s);
  world.Heal(0, 1);
  leader.running->OnTick(world.now + 60s);
  EXPECT_TRUE(leader.dropped.empty()) << "it was back in time";
  world.Cut(0, 1);
  leader.running->OnTick(world.now + 60s - 1ns);
  EXPECT_TRUE(leader.dropped.empty());
  leader.running->OnTick(world.now + 60s);
  EXPECT_EQ(leader.dropped, std::vector{away});
}

// What a client's pipeline or many clients give at once costs one message, up to a bound.
TEST(Forwarding, SendsOrdersInBatches) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  Node& asks = world.at(0);
  const auto submit = [&](size_t count) {
    std::vector<std::pair<uint64_t, Order>> orders;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t number = world.fates.size() + 1;
      world.fates[number];
      orders.emplace_back(number, Order{1, std::to_string(number), false, 3s});
    }
    (void)asks.sender.Take();
    asks.asking->Submit(std::move(orders), world.now);
    std::vector<size_t> sent;  // orders of each message
    for (const auto& message : asks.sender.Take()) {
      EXPECT_EQ(message.to, world.at(1).id());
      const auto& forwarded = std::get<ForwardingMessage>(message.held.message);
      sent.push_back(std::get<Orders>(forwarded).orders.size());
    }
    return sent;
  };
  EXPECT_EQ(submit(100), std::vector<size_t>{100});
  EXPECT_EQ(submit(limits::kOrdersPerMessage + 1),
            (std::vector<size_t>{limits::kOrdersPerMessage, 1}));
}

TEST(Forwarding, KeepsAnAnswerUntilWhatItTellsOfIsHeld) {
  World world(1);
  world.Lead(1);
  world.Run(100ms);
  Node& leader = world.at(1);
  const KeyRef key = leader.store->keyspace().Ref(0, "k");
  leader.store->keyspace().Lock(key).SetString(key, "v");
  std::string batch;
  leader.store->journal().SetSink([&](const BatchHeader&, SharedBytes bytes) { batch = *bytes; });
  ASSERT_TRUE(leader.store->journal().Commit().ok());
  const uint64_t order = world.Submit(0, false);
  world.Run(5ms);
  Node& asker = world.at(0);
  asker.asking->OnAnswers(
      leader.id(),
      {leader.store->origin(), leader.store->journal().upto(), {{1, OrderOutcome::kDone, "reply"}}},
      world.now);
  EXPECT_FALSE(world.fates[order].result);
  const DecodedBatch decoded = DecodedBatch::Decode(batch).value();
  ASSERT_TRUE(asker.store->ApplyBatch(decoded, batch).value());
  asker.asking->OnProgress(world.now);
  EXPECT_EQ(world.fates[order].result, OrderResult::kDone);
  EXPECT_EQ(world.fates[order].text, "reply");
}

TEST(Forwarding, RunsNothingTwiceAndLosesNoAnswerUnderFaults) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    for (const auto& [number, what] : Chaos(seed, {})) {
      ADD_FAILURE() << "seed " << seed << ": order " << number << " " << what;
    }
  }
}

TEST(Forwarding, IsSeenToFailWithoutEachOfItsRules) {
  const auto found = [](ForwardingRules rules) {
    for (uint64_t seed = 1; seed <= 200; ++seed) {
      if (!Chaos(seed, rules).empty()) return true;
    }
    return false;
  };
  EXPECT_TRUE(found({.lost_orders_are_unknown = false}));
  EXPECT_TRUE(found({.doubles_are_recognised = false}));
  EXPECT_TRUE(found({.refusals_are_remembered = false}));
  EXPECT_TRUE(found({.processes_are_told_apart = false}));
}

}  // namespace
}  // namespace starling
