#include "node/lease_watch.h"

#include <utility>

namespace starling {

LeaseView LeaseWatch::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

LeaseWatch::Held LeaseWatch::majority() const {
  const std::lock_guard lock(mutex_);
  return majority_;
}

LeaseWatch::Subscription LeaseWatch::Subscribe(Listener listener) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_[++last_] = std::move(listener);
  return last_;
}

LeaseWatch::Subscription LeaseWatch::SubscribeMajority(MajorityListener listener) {
  const std::lock_guard lock(listeners_mutex_);
  majority_listeners_[++last_] = std::move(listener);
  return last_;
}

void LeaseWatch::Unsubscribe(Subscription subscription) {
  const std::lock_guard lock(listeners_mutex_);
  listeners_.erase(subscription);
  majority_listeners_.erase(subscription);
}

void LeaseWatch::Publish(const LeaseView& view) {
  // Of another epoch nothing may be seen with the time of this one.
  if (!view.leading || epoch_.load(std::memory_order_relaxed) != view.epoch) {
    valid_until_.store(0, std::memory_order_release);
    epoch_.store(view.leading ? view.epoch : 0, std::memory_order_release);
  }
  if (view.leading) valid_until_.store(view.valid_until.count(), std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    LeaseView same_but_time = view_;
    same_but_time.valid_until = view.valid_until;
    view_ = view;
    if (same_but_time == view) return;
  }
  version_.fetch_add(1, std::memory_order_acq_rel);
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& [id, listener] : listeners_) listener(view);
}

void LeaseWatch::PublishMajority(uint64_t epoch, Stamp upto) {
  {
    const std::lock_guard lock(mutex_);
    majority_ = {epoch, upto};
  }
  version_.fetch_add(1, std::memory_order_acq_rel);
  const std::lock_guard lock(listeners_mutex_);
  for (const auto& [id, listener] : majority_listeners_) listener(epoch, upto);
}

}  // namespace starling
