// Orders between this node's clients, the engine, and whoever runs those of its peers.
#include <map>
#include <utility>

#include "node/replication_host.h"

namespace starling {

uint64_t ReplicationHost::AddOrderSink(OrderSink sink) {
  const std::lock_guard lock(sinks_mutex_);
  order_sinks_.push_back(std::move(sink));
  return order_sinks_.size() << kOrderSinkShift;
}

void ReplicationHost::Submit(std::vector<std::pair<uint64_t, Order>> orders) {
  // Tasks must be copyable.
  auto shared = std::make_shared<std::vector<std::pair<uint64_t, Order>>>(std::move(orders));
  Dispatch(
      [this, shared] { Feed([&] { replicator_->Submit(std::move(*shared), Now(), effects_); }); });
}

void ReplicationHost::ClientGone(uint64_t client) {
  Dispatch([this, client] { Feed([&] { replicator_->OnClientGone(client, Now(), effects_); }); });
}

void ReplicationHost::SetOrderRunner(OrderRunner* runner) {
  Ask([&](Replicator&) {
    order_runner_ = runner;
    return true;
  });
}

void ReplicationHost::CarryOutOrders(RunOrdersEffect run) {
  if (order_runner_ != nullptr) return order_runner_->Run(run.peer, std::move(run.orders));
  std::vector<ExecutedOrder> refused;
  for (const RemoteOrder& order : run.orders) {
    refused.push_back({order.id, OrderOutcome::kNotRun, {}});
  }
  OnExecuted(run.peer, std::move(refused), Stamp{});
}

void ReplicationHost::OnExecuted(const PeerProcess& peer, std::vector<ExecutedOrder> executed,
                                 Stamp upto) {
  auto shared = std::make_shared<std::vector<ExecutedOrder>>(std::move(executed));
  Dispatch([this, peer, shared, upto] {
    // The batches first: the answers follow them on the same lane.
    TakeLocalBatches();
    Feed([&] { replicator_->OnExecuted(peer, std::move(*shared), upto, Now(), effects_); });
  });
}

void ReplicationHost::TellOrderEnds() {
  std::map<uint64_t, std::vector<OrderEffect>> by_sink;
  for (OrderEffect& ended : std::exchange(order_ends_, {})) {
    by_sink[ended.number >> kOrderSinkShift].push_back(std::move(ended));
  }
  const std::lock_guard lock(sinks_mutex_);
  for (auto& [sink, ended] : by_sink) {
    if (sink >= 1 && sink <= order_sinks_.size()) order_sinks_[sink - 1](std::move(ended));
  }
}

}  // namespace starling
