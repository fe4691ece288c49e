// What clients do at a simulated node, and how long they wait for it.
#include <utility>

#include "tests/sim/node.h"

namespace starling::sim {
namespace {

/// How long a disk takes to sync.
constexpr Duration kSyncTime = std::chrono::milliseconds(3);

}  // namespace

OperationId SimNode::Write(const std::function<void(Store&, OperationId)>& work,
                           Duration commit_within, std::function<void()> acknowledged) {
  const OperationId id = ledger_.Begin(index(), life_, store_->vector());
  work(*store_, id);
  const Duration delay = commit_within.count() == 0
                             ? Duration::zero()
                             : random_.Between(Duration::zero(), commit_within);
  const bool majority = random_.Chance(300);
  const auto logged = std::make_shared<OrderPosition>();
  auto commit = [this, id, majority, logged,
                 acknowledged = std::move(acknowledged)](Effects& effects) {
    const uint64_t writes = store_->keyspace().writes();
    const Status status = store_->journal().Commit();
    if (disk_->crashed()) return;
    if (!status.ok()) {
      trace_.Add(name(), "commit-failed", status.error().message);
      return;
    }
    logged_writes_ = writes;
    if (logged->upto.none()) *logged = {store_->origin(), store_->journal().upto()};
    // The stream that it was written to has ended since: where it stands there is not known here.
    if (logged->upto.none()) return;
    ledger_.Acknowledge(id, logged->origin, logged->upto);
    if (const uint64_t epoch = majority ? replicator_->LeadsEpoch(now()) : 0) {
      replicator_->AwaitMajority(epoch, store_->journal().upto(), now(), effects);
    }
    if (acknowledged) acknowledged();
  };
  if (delay.count() == 0) {
    Run(std::move(commit));
  } else if (setup_.appendfsync != AppendFsync::kAlways) {
    LaterOnKeyspace(delay, std::move(commit));
  } else {
    // The batch is on its way while the disk syncs it.
    LaterOnKeyspace(delay, [this, logged](Effects&) {
      if (!store_->journal().Log()) return;  // the commit says why
      *logged = {store_->origin(), store_->journal().upto()};
    });
    LaterOnKeyspace(delay + random_.Between(Duration::zero(), kSyncTime), std::move(commit));
  }
  return id;
}

void SimNode::Ask(const std::string& request, Orders::Done done) {
  const uint64_t wait = ++last_wait_;
  const bool leads = replicator_->LeadsEpoch(now()) != 0;
  waits_[wait] = {request, RunningTime(), Orders::LimitOf(request, leads)};
  const auto ended = [this, wait, done = std::move(done)](Outcome outcome,
                                                          const std::string& reply) {
    const Wait waited = std::move(waits_.extract(wait).mapped());
    observer_.OnWaited(*this, {waited.request, RunningTime() - waited.since, waited.limit});
    done(outcome, reply);
  };
  RunOnKeyspace(
      [this, request, ended](Effects& effects) { orders_->Ask(request, now(), effects, ended); });
}

std::vector<ClientWait> SimNode::Waits() {
  std::vector<ClientWait> waits;
  for (const auto& [number, wait] : waits_) {
    waits.push_back({wait.request, RunningTime() - wait.since, wait.limit});
  }
  return waits;
}

void SimNode::NoteStill() {
  const bool still = paused_ || script_;
  if (still == still_since_.has_value()) return;
  if (still) {
    still_since_ = now();
  } else {
    still_ += now() - *std::exchange(still_since_, std::nullopt);
  }
}

}  // namespace starling::sim
