// Who serves the orders, and when: round by round, one thread at a time.
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "node/ordering/order_executor.h"

namespace starling {
namespace {

/// How often members are asked what they hold while somebody waits for it.
constexpr std::chrono::milliseconds kAskHolders{2};
constexpr std::chrono::milliseconds kLookForLate{500};
/// What a thread serves that brings an order: more is for this object's own, beside it. Rounds: an
/// order is run in the first; where a majority is there at once, it ends in the second.
constexpr size_t kFew = 4;
constexpr int kRoundsHere = 3;

}  // namespace

// --- any thread ---

void OrderExecutor::Wake(bool& reason) {
  {
    const std::lock_guard lock(mutex_);
    reason = true;
    if (serving_) return;  // whoever does looks again
  }
  wake_.notify_one();
}

void OrderExecutor::OnMajority() {
  {
    const std::lock_guard lock(mutex_);
    majority_advanced_ = true;
    if (serving_) return;
    // Its thread would be woken next, to tell its clients.
    const auto one = awaits_majority_ ? sinks_.find(*awaits_majority_) : sinks_.end();
    if (one != sinks_.end() && one->second.serve) return one->second.serve();
  }
  wake_.notify_one();
}

void OrderExecutor::Push(std::vector<RunningPtr> orders, bool here) {
  {
    const std::lock_guard lock(mutex_);
    for (RunningPtr& order : orders) arrived_.emplace_back(std::move(order));
    if (here || serving_) return;
  }
  wake_.notify_one();
}

void OrderExecutor::Push(Drop drop) {
  {
    const std::lock_guard lock(mutex_);
    arrived_.emplace_back(std::move(drop));
  }
  wake_.notify_one();
}

void OrderExecutor::RunHere(const std::function<void()>& meanwhile) {
  std::unique_lock lock(mutex_);
  if (serving_) return;
  meanwhile_ = &meanwhile;
  for (int i = 0; i < kRoundsHere && Awaited() && arrived_.size() <= kFew; ++i) Round(lock);
  meanwhile_ = nullptr;
  if (TimerIsSooner() || Awaited() || wants_to_serve_ || stop_) wake_.notify_one();
}

// --- whoever serves ---

void OrderExecutor::Serve() {
  pthread_setname_np(pthread_self(), "starling-orders");
  std::unique_lock lock(mutex_);
  const auto wakes = [this] { return stop_ || (!serving_ && (Awaited() || TimerIsSooner())); };
  OwnRound(lock);
  while (!stop_) {
    sleeps_until_ = next_timer_;
    if (next_timer_) {
      wake_.wait_for(lock, std::max(std::chrono::nanoseconds(0), *next_timer_ - Now()), wakes);
    } else {
      wake_.wait(lock, wakes);
    }
    if (!stop_ && !Awaited() && TimerIsSooner()) continue;
    OwnRound(lock);
  }
}

void OrderExecutor::OwnRound(std::unique_lock<std::mutex>& lock) {
  wants_to_serve_ = true;
  wake_.wait(lock, [this] { return !serving_; });
  wants_to_serve_ = false;
  Round(lock);
}

void OrderExecutor::Round(std::unique_lock<std::mutex>& lock) {
  serving_ = true;
  auto arrived = std::exchange(arrived_, {});
  const bool lease_changed = std::exchange(lease_changed_, false);
  const bool majority = std::exchange(majority_advanced_, false);
  lock.unlock();
  if (lease_changed) {
    claims_.SetLease(runtime_.lease().view());
    GiveBackWaiting();
  }
  DecideEarlier();
  if (majority) DecideHeld();
  if (lease_changed) CarryOver();  // only then can it have begun
  RetryHeldBack(lease_changed);
  EndLate(Now());
  // Who has waited longer comes first: also where a majority has just decided what was touched,
  // or an order of this round touches it.
  ServeTouched();
  for (auto& one : arrived) {
    if (!blocked_.empty()) ServeTouched();
    if (const auto* drop = std::get_if<Drop>(&one)) {
      Apply(*drop);
    } else {
      Begin(std::move(std::get<RunningPtr>(one)));
    }
  }
  gate_.Open();
  if (LeadsEpoch() == claims_.lease().epoch) claims_.EndLapsed(Now());
  EndWaits(Now());
  // Before anybody hears that it waits no longer.
  waiting_count_.store(waiting_.size());
  HandBack();
  AwaitMajority();
  const auto next = NextTimer();
  const auto awaits_majority = OneWhoAwaitsMajority();
  lock.lock();
  next_timer_ = next;
  awaits_majority_ = awaits_majority;
  serving_ = false;
}

std::optional<uint64_t> OrderExecutor::OneWhoAwaitsMajority() const {
  const bool few = !pending_.empty() && pending_.size() <= kFew;
  if (!few || !held_back_.empty() || !waiting_.empty()) return std::nullopt;
  const uint64_t sink = pending_.front()->id >> kOrderSinkShift;
  for (const RunningPtr& order : pending_) {
    if (order->peer != PeerProcess{} || order->id >> kOrderSinkShift != sink) return std::nullopt;
  }
  return sink;
}

std::optional<std::chrono::nanoseconds> OrderExecutor::NextTimer() const {
  std::optional<std::chrono::nanoseconds> next = blocked_.NextTimer();
  const auto sooner = [&](std::optional<std::chrono::nanoseconds> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  sooner(claims_.NextLapse());
  // What an earlier leaseholder wrote may surface late.
  const bool undecided = runtime_.store().keyspace().records().AnyUndecided();
  if (claims_.lease().leading && undecided) {
    sooner(runtime_.store().clock().time().Monotonic() + kLookForLate);
  }
  if (!pending_.empty()) sooner(*pending_.front()->begun + kMajorityWait);
  if (!held_back_.empty()) {
    sooner(std::max(*held_back_.front()->begun, decided_at_) + kMajorityWait);
  }
  for (const auto& [sequence, order] : waiting_) {
    if (order->block.holders) return runtime_.store().clock().time().Monotonic() + kAskHolders;
  }
  return next;
}

}  // namespace starling
