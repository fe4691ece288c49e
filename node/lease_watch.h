/// What the replication thread knows of the lease, for everybody else.
///
/// Thread-safe. Asking whether this node leads costs two atomic loads; subscribers are called on
/// the replication thread: they must not block, nor call the runtime and wait for it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "replication/replicator.h"

namespace starling {

class LeaseWatch {
 public:
  using Listener = std::function<void(const LeaseView& view)>;
  using MajorityListener = std::function<void(uint64_t epoch, Stamp upto)>;
  /// Names a subscription; 0 is none.
  using Subscription = uint64_t;

  /// The epoch in which this node may order commands at `now` (CLOCK_BOOTTIME, as
  /// TimeSource::Monotonic); 0: it may not. To be asked again after a command has run, before its
  /// reply goes out. Lock-free.
  uint64_t Leads(Instant now) const {
    // In this order: whoever sees an epoch's time sees that epoch, or a later one that is led too.
    const int64_t until = valid_until_.load(std::memory_order_acquire);
    if (now.count() >= until) return 0;
    return epoch_.load(std::memory_order_acquire);
  }
  /// Up to where a majority is known to hold the own stream, acknowledged in that epoch.
  struct Held {
    uint64_t epoch = 0;
    Stamp upto;
  };

  LeaseView view() const;
  Held majority() const;
  /// Rises whenever subscribers were called.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  /// `listener` is called whenever anything but `valid_until` changes, from the next change on.
  Subscription Subscribe(Listener listener);
  /// `listener` is called whenever majority() advances.
  Subscription SubscribeMajority(MajorityListener listener);
  /// The listener is not called any more once this returns; not to be called from within one.
  void Unsubscribe(Subscription subscription);

  // --- for the replication thread ---
  void Publish(const LeaseView& view);
  /// Leads() is 0 from now on, before anybody else may hear that the lease was given back;
  /// subscribers are called by the Publish that follows.
  void StopLeading() { valid_until_.store(0, std::memory_order_release); }
  void PublishMajority(uint64_t epoch, Stamp upto);

 private:
  std::atomic<int64_t> valid_until_{0};  // 0 while this node does not lead
  std::atomic<uint64_t> epoch_{0};       // that it leads
  std::atomic<uint64_t> version_{0};

  mutable std::mutex mutex_;  // guards these two
  LeaseView view_;
  Held majority_;

  std::mutex listeners_mutex_;  // guards the rest; held while listeners run
  Subscription last_ = 0;
  std::map<Subscription, Listener> listeners_;
  std::map<Subscription, MajorityListener> majority_listeners_;
};

}  // namespace starling
