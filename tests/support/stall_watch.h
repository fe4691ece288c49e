/// Tells how long this process was kept from running: what a test says of a lease that nobody may
/// lose holds for a machine that runs.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace starling {

/// Looks at the clock from a thread of its own for as long as it lives. Thread-safe.
class StallWatch {
 public:
  StallWatch() : thread_([this] { Watch(); }) {}
  ~StallWatch() {
    ended_ = true;
    thread_.join();
  }

  /// The longest time for which it did not come to look, the one that is just over included.
  std::chrono::nanoseconds Longest() const {
    return std::max(longest_.load(), std::chrono::steady_clock::now() - looked_.load());
  }

 private:
  using Clock = std::chrono::steady_clock;

  void Watch() {
    while (!ended_) {
      const Clock::time_point now = Clock::now();
      // In this order, so that Longest() misses none.
      longest_ = std::max(longest_.load(), now - looked_.load());
      looked_ = now;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  std::atomic<bool> ended_ = false;
  std::atomic<Clock::duration> longest_{Clock::duration::zero()};
  std::atomic<Clock::time_point> looked_{Clock::now()};
  std::thread thread_;
};

}  // namespace starling
