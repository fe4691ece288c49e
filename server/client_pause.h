/// CLIENT PAUSE: for how long which commands of all clients wait.
///
/// Thread-safe and lock-free: the hot path asks active(), one relaxed load.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "node/command.h"

namespace starling {

class ClientPause {
 public:
  /// Commands, or writes only, wait until `until` (monotonic). While a pause lasts, another one can
  /// make it longer and stricter, not shorter.
  void Begin(std::chrono::nanoseconds until, std::chrono::nanoseconds now, bool writes_only) {
    const bool running = active() && now < this->until();
    if (!running || !writes_only) writes_only_.store(writes_only, std::memory_order_relaxed);
    if (!running || until > this->until()) {
      until_.store(until.count(), std::memory_order_release);
    }
  }
  void End() { until_.store(0, std::memory_order_release); }

  /// Whether a pause was begun and neither ended nor found to be over.
  bool active() const { return until_.load(std::memory_order_relaxed) != 0; }
  std::chrono::nanoseconds until() const {
    return std::chrono::nanoseconds(until_.load(std::memory_order_acquire));
  }
  /// Whether a command with these flags has to wait now. Finds out when the pause is over.
  bool Holds(uint32_t flags, std::chrono::nanoseconds now) {
    int64_t until = until_.load(std::memory_order_acquire);
    if (until == 0) return false;
    if (now.count() >= until) {
      until_.compare_exchange_strong(until, 0);
      return false;
    }
    return !writes_only_.load(std::memory_order_relaxed) || (flags & (kWrite | kMayWrite)) != 0;
  }

 private:
  std::atomic<int64_t> until_{0};
  std::atomic<bool> writes_only_{false};
};

}  // namespace starling
