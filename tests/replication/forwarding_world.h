/// Three nodes that forward orders to whichever of them leads, over a network that loses, doubles,
/// delays and cuts; what they run is counted. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "replication/forwarding.h"
#include "replication/order_book.h"
#include "tests/replication/recording_sender.h"
#include "tests/support/manual_time.h"
#include "tests/support/memory_engine.h"

namespace starling {

class ForwardingWorld;

/// One node: both ends of forwarding on a store. What it runs is counted by the world.
struct ForwardingNode final : OrderTaker, OrderRunner {
  ForwardingNode(ForwardingWorld& the_world, const std::string& name, ManualTime& time,
                 ForwardingRules the_rules);

  void Deliver(uint64_t order, OrderResult result, std::string text,
               const OrderPosition& position) override;
  void Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) override;
  void DropClients(const PeerProcess&, const std::vector<uint64_t>&) override {}
  void DropProcess(const PeerProcess& process) override { dropped.push_back(process); }
  /// A new process on the same store.
  void Restart();
  NodeId id() const { return store->id(); }

  ForwardingWorld& world;
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

/// Three nodes, a network, a lease that moves.
class ForwardingWorld {
 public:
  explicit ForwardingWorld(uint64_t seed, ForwardingRules rules = {}) : random(seed) {
    for (const char* name : {"a", "b", "c"}) {
      nodes.push_back(std::make_unique<ForwardingNode>(*this, name, time, rules));
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      for (size_t j = 0; j < nodes.size(); ++j) {
        if (i != j) Link(i, j);
      }
    }
  }

  struct Fate {
    bool repeatable = false;
    bool waits = false;  // whoever is asked for it again knows that it was run
    int runs = 0;
    std::optional<OrderResult> result;
    std::string text;
  };

  bool Chance(int percent) { return static_cast<int>(random() % 100) < percent; }
  ForwardingNode& at(size_t index) { return *nodes[index]; }
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
    return Submit(node, {.repeatable = repeatable, .timeout = std::chrono::seconds(3)});
  }
  uint64_t SubmitWait(size_t node, std::optional<Instant> timeout = {}) {
    return Submit(node, Order{.timeout = timeout, .waits = true});
  }
  uint64_t Submit(size_t node, Order order) {
    const uint64_t number = fates.size() + 1;
    fates[number].repeatable = order.repeatable;
    fates[number].waits = order.waits;
    order.client = number % 5;
    order.request = std::to_string(number);
    std::vector<std::pair<uint64_t, Order>> orders;
    orders.emplace_back(number, std::move(order));
    at(node).asking->Submit(std::move(orders), now);
    return number;
  }
  /// The node runs the order of this number; one that waits once, however often it is asked for.
  void RunOne(uint64_t number) {
    Fate& fate = fates.at(number);
    if (!fate.waits || fate.runs == 0) ++fate.runs;
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
    ForwardingNode& node = at(to);
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
      Instant next = std::min(end, now + std::chrono::milliseconds(20));
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
  Instant now = std::chrono::seconds(100);
  int loss = 0;
  int doubled = 0;
  uint64_t max_delay = 1'000'000;
  std::set<std::pair<size_t, size_t>> cut;
  std::multimap<Instant, std::function<void()>> events;
  std::map<uint64_t, Fate> fates;
  std::vector<std::unique_ptr<ForwardingNode>> nodes;
};

}  // namespace starling
