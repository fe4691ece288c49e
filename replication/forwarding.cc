#include "replication/forwarding.h"

#include <algorithm>
#include <utility>

#include "replication/limits.h"

namespace starling {
namespace {

/// A leaseholder that was not heard of for so long is not merely busy: members report once a
/// second.
constexpr std::chrono::seconds kHolderSilent{5};

}  // namespace

// --- orders ---

void Forwarding::Submit(std::vector<std::pair<uint64_t, Order>> orders, Instant now) {
  if (outgoing_.empty()) next_look_ = now + limits::kOrderLook;
  const bool elsewhere = holder_ && *holder_ != store_.id();
  for (auto& [number, order] : orders) {
    Outgoing& outgoing = outgoing_[number];
    outgoing.order = std::move(order);
    outgoing.submitted = now;
    unsent_.insert(number);
    if (elsewhere) continue;
    if (const auto result = Judge(number, outgoing, now)) Finish(number, *result);
  }
  Route(now);
}

void Forwarding::OnClientGone(uint64_t client) {
  std::vector<uint64_t> numbers;
  for (const auto& [number, outgoing] : outgoing_) {
    if (outgoing.order.client == client) numbers.push_back(number);
  }
  for (const uint64_t number : numbers) {
    if (outgoing_[number].sent) ids_.erase(outgoing_[number].sent->id);
    unsent_.erase(number);
    answered_.erase(number);
    outgoing_.erase(number);
  }
  if (!holder_ || *holder_ == store_.id()) return;
  sender_.Send(*holder_, Lane::kOrders, ForwardingMessage{ClientsGone{{client}}});
}

bool Forwarding::OutOfReach(Instant now) const {
  return !holder_ && now >= without_holder_ + limits::kHolderWait;
}

void Forwarding::Unsend(uint64_t number, Outgoing& outgoing) {
  ids_.erase(outgoing.sent->id);
  outgoing.sent.reset();
  unsent_.insert(number);
}

void Forwarding::Finish(uint64_t number, OrderResult result) {
  Outgoing outgoing = std::move(outgoing_.at(number));
  if (outgoing.sent) ids_.erase(outgoing.sent->id);
  unsent_.erase(number);
  answered_.erase(number);
  outgoing_.erase(number);
  std::string text;
  OrderPosition position;
  if (result == OrderResult::kNotRun || result == OrderResult::kAskHere) {
    text = std::move(outgoing.order.request);
  } else if (outgoing.answered) {
    text = std::move(outgoing.answered->reply);
    position = {outgoing.answered->origin, outgoing.answered->upto};
  }
  taker_.Deliver(number, result, std::move(text), position);
}

bool Forwarding::Holds(const Answered& answered) const {
  return store_.vector().Covers(answered.origin, answered.upto);
}

/// Whether the process that an order was sent to may still tell what came of it, and is worth
/// waiting for.
bool Forwarding::MayAnswer(const Outgoing& outgoing, Instant now) const {
  const auto peer = peers_.find(outgoing.sent->to);
  if (peer == peers_.end()) return false;
  const bool another = peer->second.session != outgoing.sent->session;
  if (another && rules_.processes_are_told_apart) return false;
  const bool replaced = holder_ && *holder_ != outgoing.sent->to;
  if (replaced && outgoing.order.repeatable) return false;
  const bool silent = now >= peer->second.heard + limits::kOrderSilent;
  // It gives back what only waits there, if it is not at a standstill.
  if (replaced && outgoing.order.waits) {
    return peer->second.linked && !silent && now < holder_since_ + limits::kOrderGrace;
  }
  if (peer->second.linked) return !replaced || !silent;
  if (peer->second.ended) return false;
  return now < peer->second.lost + (replaced ? limits::kOrderGrace : limits::kOrderLost);
}

bool Forwarding::IsLate(const Outgoing& outgoing, Instant now) const {
  const Order& order = outgoing.order;
  if (order.timeout) return now >= outgoing.submitted + *order.timeout;
  if (order.repeatable || order.waits || !outgoing.sent) return false;
  // It may take as long as it likes (a script), while the process that has it leads.
  const auto peer = peers_.find(outgoing.sent->to);
  const bool there = peer != peers_.end() && peer->second.session == outgoing.sent->session;
  return !there || now >= std::max(outgoing.submitted, peer->second.led) + kHolderSilent;
}

std::optional<OrderResult> Forwarding::Judge(uint64_t number, Outgoing& outgoing, Instant now) {
  const Order& order = outgoing.order;
  const bool late = IsLate(outgoing, now);
  if (const auto& answered = outgoing.answered) {
    const bool told = late || Holds(*answered) || now >= answered->at + limits::kAnswerWait;
    return told ? std::optional(answered->result) : std::nullopt;
  }
  if (outgoing.sent && !MayAnswer(outgoing, now)) {
    const bool again = order.repeatable || order.waits;
    if (!again && rules_.lost_orders_are_unknown) return OrderResult::kUnknown;
    outgoing.order.in_doubt = order.waits;
    Unsend(number, outgoing);
  }
  if (outgoing.sent) {
    if (!late) return std::nullopt;
    return order.repeatable ? OrderResult::kNotRun : OrderResult::kTimedOut;
  }
  const bool leading = holder_ && *holder_ == store_.id();
  const bool in_doubt = order.in_doubt && rules_.lost_waits_are_unknown;
  if (leading) return in_doubt ? OrderResult::kAskHere : OrderResult::kNotRun;
  if (late || OutOfReach(now)) return in_doubt ? OrderResult::kUnknown : OrderResult::kNotRun;
  return std::nullopt;
}

void Forwarding::Review(Instant now) {
  std::vector<std::pair<uint64_t, OrderResult>> ended;
  for (auto& [number, outgoing] : outgoing_) {
    if (const auto result = Judge(number, outgoing, now)) ended.emplace_back(number, *result);
  }
  for (const auto& [number, result] : ended) Finish(number, result);
  Route(now);
}

void Forwarding::Route(Instant now) {
  if (unsent_.empty() || !holder_ || *holder_ == store_.id()) return;
  const auto peer = peers_.find(*holder_);
  if (peer == peers_.end() || !peer->second.linked) return;
  Orders message;
  std::vector<uint64_t> sent;
  for (const uint64_t number : unsent_) {
    Outgoing& outgoing = outgoing_.at(number);
    if (outgoing.not_before > now || sent.size() == limits::kOrdersPerMessage) continue;
    const uint64_t behind = outgoing.order.behind;
    const bool too_soon = unsent_.contains(behind) && !outgoing_.at(behind).sent;
    if (too_soon) continue;
    outgoing.sent = Sent{*holder_, peer->second.session, next_id_++, now};
    ids_.emplace(outgoing.sent->id, number);
    message.orders.push_back({outgoing.sent->id, outgoing.order.client, outgoing.order.request});
    sent.push_back(number);
  }
  if (sent.empty()) return;
  for (const uint64_t number : sent) unsent_.erase(number);
  message.done_below = DoneBelow();
  sender_.Send(*holder_, Lane::kOrders, ForwardingMessage{std::move(message)});
  if (sent.size() == limits::kOrdersPerMessage) Route(now);
}

// --- peers ---

void Forwarding::SetHolder(std::optional<NodeId> holder, Instant now) {
  if (holder == holder_) return;
  if (!holder) without_holder_ = now;
  lost_holder_passed_ = false;
  holder_ = holder;
  holder_since_ = now;
  Review(now);
}

void Forwarding::OnPeer(NodeId peer, uint64_t session, Instant now) {
  peers_[peer] = {
      .linked = true, .session = session, .lost = {}, .ended = false, .heard = now, .led = now};
  // What was on its way over the earlier link may be lost.
  for (auto& [number, outgoing] : outgoing_) {
    if (outgoing.sent && outgoing.sent->to == peer) outgoing.sent->at = Instant::min();
  }
  Review(now);
  AskAgain(now);
}

void Forwarding::OnPeerLost(NodeId peer, Instant now) {
  const auto known = peers_.find(peer);
  if (known == peers_.end()) return;
  known->second.linked = false;
  known->second.lost = now;
  Review(now);
}

void Forwarding::OnHeard(NodeId peer, Instant now) {
  const auto known = peers_.find(peer);
  if (known == peers_.end()) return;
  known->second.heard = now;
  if (holder_ == peer) known->second.led = now;
}

void Forwarding::OnProcessEnded(uint64_t session, Instant now) {
  bool any = false;
  for (auto& [node, peer] : peers_) {
    if (peer.linked || peer.session != session) continue;
    peer.ended = any = true;
  }
  if (any) Review(now);
}

// --- answers ---

void Forwarding::OnAnswers(NodeId from, const Answers& answers, Instant now) {
  std::vector<std::pair<uint64_t, OrderResult>> ended;
  for (const AnswerView& answer : answers.answers) {
    const auto id = ids_.find(answer.id);
    if (id == ids_.end()) continue;
    const uint64_t number = id->second;
    Outgoing& outgoing = outgoing_.at(number);
    if (outgoing.sent->to != from) continue;
    switch (answer.outcome) {
      case OrderOutcome::kDone:
      case OrderOutcome::kUnordered: {
        const bool done = answer.outcome == OrderOutcome::kDone;
        outgoing.answered = Answered{done ? OrderResult::kDone : OrderResult::kUnordered,
                                     std::string(answer.reply), answers.origin, answers.upto, now};
        ids_.erase(id);
        answered_.insert(number);
        if (Holds(*outgoing.answered)) ended.emplace_back(number, outgoing.answered->result);
        break;
      }
      case OrderOutcome::kNotRun:
        Unsend(number, outgoing);
        outgoing.not_before = now + limits::kOrderRetry;
        next_look_ = std::min(next_look_, outgoing.not_before);
        break;
      case OrderOutcome::kForgotten:
        if (outgoing.order.repeatable) {
          Unsend(number, outgoing);
        } else if (outgoing.order.waits && outgoing.forgotten_by != outgoing.sent->session) {
          outgoing.order.in_doubt = true;
          outgoing.forgotten_by = outgoing.sent->session;
          Unsend(number, outgoing);
        } else {
          ended.emplace_back(number, OrderResult::kUnknown);
        }
        break;
    }
  }
  for (const auto& [number, result] : ended) Finish(number, result);
}

void Forwarding::OnProgress(Instant) {
  std::vector<uint64_t> held;
  for (const uint64_t number : answered_) {
    if (Holds(*outgoing_.at(number).answered)) held.push_back(number);
  }
  for (const uint64_t number : held) Finish(number, outgoing_.at(number).answered->result);
}

void Forwarding::AskAgain(Instant now) {
  std::map<NodeId, Orders> questions;
  for (auto& [number, outgoing] : outgoing_) {
    if (!outgoing.sent || outgoing.answered) continue;
    const auto peer = peers_.find(outgoing.sent->to);
    if (peer == peers_.end() || !peer->second.linked) continue;
    if (outgoing.sent->at != Instant::min() && now < outgoing.sent->at + limits::kOrderAsk)
      continue;
    outgoing.sent->at = now;
    Orders& question = questions[outgoing.sent->to];
    if (question.orders.size() == limits::kOrdersPerMessage) continue;
    question.orders.push_back({outgoing.sent->id, outgoing.order.client, {}});
  }
  for (auto& [peer, question] : questions) {
    question.done_below = DoneBelow();
    sender_.Send(peer, Lane::kOrders, ForwardingMessage{std::move(question)});
  }
}

Instant Forwarding::NextTimer() const {
  Instant next = outgoing_.empty() ? Instant::max() : next_look_;
  // The host hears of it in time.
  if (!holder_ && !lost_holder_passed_)
    next = std::min(next, without_holder_ + limits::kHolderWait);
  return next;
}

void Forwarding::OnTick(Instant now) {
  lost_holder_passed_ = OutOfReach(now);
  if (outgoing_.empty() || now < next_look_) return;
  next_look_ = now + limits::kOrderLook;
  Review(now);
  AskAgain(now);
}

}  // namespace starling
