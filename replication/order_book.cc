#include "replication/order_book.h"

#include <algorithm>
#include <utility>

#include "replication/limits.h"

namespace starling {

void OrderBook::Forget(NodeId peer, const Asker& asker) {
  runner_.DropProcess({peer, asker.session});
}

void OrderBook::OnPeer(const PeerProcess& peer) {
  const auto known = askers_.find(peer.node);
  if (known == askers_.end()) return;  // it begins with its first order
  if (known->second.session != peer.session) {
    Forget(peer.node, known->second);
    askers_.erase(known);
  } else {
    known->second.linked = true;
  }
}

void OrderBook::OnPeerLost(NodeId peer, Instant now) {
  const auto known = askers_.find(peer);
  if (known == askers_.end()) return;
  known->second.linked = false;
  known->second.lost = now;
}

void OrderBook::OnProcessEnded(uint64_t session) {
  std::erase_if(askers_, [&](const auto& one) {
    const auto& [peer, asker] = one;
    if (asker.session != session) return false;
    Forget(peer, asker);
    return true;
  });
}

/// The peer has the answers.
void OrderBook::DropDone(Asker& asker) {
  auto it = asker.entries.begin();
  while (it != asker.entries.end() && it->first < asker.done_below) {
    asker.bytes -= it->second.bytes;
    it = asker.entries.erase(it);
  }
}

void OrderBook::Conclude(Asker& asker, Entry& entry, OrderOutcome outcome, std::string reply,
                         Stamp upto) {
  asker.bytes -= entry.bytes;
  entry = {.running = false,
           .outcome = outcome,
           .reply = std::move(reply),
           .origin = store_.origin(),
           .upto = upto,
           .bytes = 0};
  entry.bytes = entry.reply.size();
  asker.bytes += entry.bytes;
}

void OrderBook::OnOrders(const PeerProcess& from, const Orders& orders, bool leading) {
  if (orders.orders.empty()) return;
  const auto [found, fresh] = askers_.try_emplace(from.node);
  Asker& asker = found->second;
  if (!fresh && asker.session != from.session) {
    Forget(from.node, asker);
    asker = {};
  }
  if (asker.session != from.session) {
    asker.session = from.session;
    // One that asks for the first time has had nothing run here: what it sent before was lost.
    asker.known_from =
        fresh ? 0
              : std::min_element(orders.orders.begin(), orders.orders.end(),
                                 [](const OrderView& a, const OrderView& b) { return a.id < b.id; })
                    ->id;
    const bool only_asks =
        std::all_of(orders.orders.begin(), orders.orders.end(),
                    [](const OrderView& order) { return order.request.empty(); });
    // Nothing is known of this process: it may have been dropped after a long silence.
    if (only_asks && !fresh) asker.known_from = UINT64_MAX;
  }
  asker.linked = true;
  // A message that was long on its way knows less.
  asker.done_below = std::max(asker.done_below, orders.done_below);
  DropDone(asker);
  std::vector<RemoteOrder> accepted;
  std::vector<uint64_t> answered;
  std::vector<uint64_t> forgotten;  // only where a test leaves a rule out
  for (const OrderView& order : orders.orders) {
    if (order.id < asker.done_below) continue;
    const bool begins = asker.known_from == UINT64_MAX && !order.request.empty();
    if (begins) asker.known_from = order.id;
    // Where more is kept than can be, it is not even refused: the peer asks again.
    if (asker.entries.size() >= limits::kOrdersKept && !asker.entries.contains(order.id)) continue;
    const auto [entry, unknown] = asker.entries.try_emplace(order.id);
    if (unknown && order.id < asker.known_from && rules_.processes_are_told_apart) {
      Conclude(asker, entry->second, OrderOutcome::kForgotten, {}, {});
    } else if (unknown) {
      const bool room = asker.bytes + order.request.size() <= limits::kOrderBytes;
      if (!leading || !room || order.request.empty()) {
        Conclude(asker, entry->second, OrderOutcome::kNotRun, {}, {});
      } else {
        entry->second.bytes = order.request.size();
        asker.bytes += entry->second.bytes;
        accepted.push_back({order.id, order.client, std::string(order.request)});
      }
    }
    if (!entry->second.running) answered.push_back(order.id);
    const bool refused = entry->second.outcome == OrderOutcome::kNotRun;
    if (refused && !rules_.refusals_are_remembered) forgotten.push_back(order.id);
    if (!rules_.doubles_are_recognised && !unknown && !order.request.empty()) {
      accepted.push_back({order.id, order.client, std::string(order.request)});
    }
  }
  if (!answered.empty()) SendAnswers(from.node, asker, answered);
  for (const uint64_t id : forgotten) asker.entries.erase(id);
  if (!accepted.empty()) runner_.Run(from, std::move(accepted));
}

void OrderBook::OnClientsGone(const PeerProcess& from, const ClientsGone& gone) {
  runner_.DropClients(from, gone.clients);
}

void OrderBook::OnExecuted(const PeerProcess& peer, std::vector<ExecutedOrder> executed,
                           Stamp upto) {
  const auto found = askers_.find(peer.node);
  if (found == askers_.end() || found->second.session != peer.session) return;
  Asker& asker = found->second;
  std::vector<uint64_t> ids;
  for (ExecutedOrder& one : executed) {
    const auto entry = asker.entries.find(one.id);
    if (entry == asker.entries.end()) continue;  // the peer waits for it no longer
    Conclude(asker, entry->second, one.outcome, std::move(one.reply), upto);
    ids.push_back(one.id);
  }
  if (!ids.empty()) SendAnswers(peer.node, asker, ids);
  // Sent once; where that is lost and there is no room, only that it was run is known.
  for (auto& [id, entry] : asker.entries) {
    if (asker.bytes <= limits::kAnswerBytes) break;
    if (!entry.running && !entry.reply.empty()) {
      Conclude(asker, entry, OrderOutcome::kForgotten, {}, entry.upto);
    }
  }
}

void OrderBook::SendAnswers(NodeId to, const Asker& asker, const std::vector<uint64_t>& ids) {
  if (!asker.linked) return;  // it will ask
  Answers answers;
  const auto flush = [&] {
    if (!answers.answers.empty()) {
      // Behind the batches, on their lane: the peer holds what the answers tell of (DESIGN.md 6).
      sender_.Send(to, Lane::kBulk, ForwardingMessage{std::move(answers)});
    }
    answers = {};
  };
  for (const uint64_t id : ids) {
    const Entry& entry = asker.entries.at(id);
    const bool fits = answers.answers.size() < limits::kOrdersPerMessage &&
                      answers.origin == entry.origin && answers.upto == entry.upto;
    if (!fits) flush();
    answers.origin = entry.origin;
    answers.upto = entry.upto;
    answers.answers.push_back({id, entry.outcome, entry.reply});
  }
  flush();
}

void OrderBook::OnTick(Instant now) {
  for (auto& [peer, asker] : askers_) {
    const bool gone = !asker.linked && now >= asker.lost + limits::kAskerKept;
    if (!gone) continue;
    Forget(peer, asker);
    // That it has asked stays: should it come back, of nothing it asked for is known what came.
    Asker left;
    left.session = asker.session;
    left.known_from = UINT64_MAX;
    left.linked = true;  // there is nothing to be dropped
    asker = std::move(left);
  }
}

Instant OrderBook::NextTimer() const {
  Instant next = Instant::max();
  for (const auto& [peer, asker] : askers_) {
    if (!asker.linked) next = std::min(next, asker.lost + limits::kAskerKept);
  }
  return next;
}

}  // namespace starling
