// Clients' requests between this node and the leaseholder.
#include <utility>

#include "replication/replicator_impl.h"

namespace starling {

void Replicator::Impl::Deliver(uint64_t order, OrderResult result, std::string text,
                               const OrderPosition& position) {
  effects_->push_back(OrderEffect{order, result, std::move(text), position});
}

void Replicator::Impl::Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) {
  effects_->push_back(RunOrdersEffect{peer, std::move(orders)});
}

void Replicator::Impl::DropClients(const PeerProcess& peer, const std::vector<uint64_t>& clients) {
  effects_->push_back(DropClientsEffect{peer, clients});
}

void Replicator::Impl::DropProcess(const PeerProcess& peer) {
  effects_->push_back(DropClientsEffect{peer, std::nullopt});
}

void Replicator::Impl::On(NodeId from, const ForwardingMessage& message, Instant now) {
  const Hello* hello = links_.HelloOf(from);
  // Only members of the same cluster order, and answer.
  if (hello == nullptr || !record_ || !list_.IsMember(from)) return;
  const PeerProcess peer{from, hello->session};
  if (const auto* orders = std::get_if<Orders>(&message)) {
    order_book_.OnOrders(peer, *orders, leasing_.View(now).leading);
  } else if (const auto* answers = std::get_if<Answers>(&message)) {
    forwarding_.OnAnswers(from, *answers, now);
  } else {
    order_book_.OnClientsGone(peer, std::get<ClientsGone>(message));
  }
}

void Replicator::Impl::FollowHolder(const LeaseView& view, Instant now) {
  std::optional<NodeId> holder;
  // Who is no member yet, or no longer, goes on by itself: its answers' batches would not reach it.
  const bool member = record_ && list_.IsMember(store_.id());
  if (member && !view.holder.empty()) holder = NodeId::FromName(view.holder);
  forwarding_.SetHolder(holder, now);
}

}  // namespace starling
