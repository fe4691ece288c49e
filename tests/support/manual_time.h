/// A clock that tests move by hand.
#pragma once

#include <atomic>
#include <chrono>

#include "storage/time_source.h"

namespace starling {

/// Thread-safe.
class ManualTime final : public TimeSource {
 public:
  explicit ManualTime(int64_t wall_millis = 1'700'000'000'000) : wall_(wall_millis) {}

  int64_t WallMillis() override { return wall_; }
  std::chrono::nanoseconds Monotonic() override { return std::chrono::nanoseconds(monotonic_); }

  /// Moves both clocks forward.
  void Advance(std::chrono::milliseconds by) {
    wall_ += by.count();
    monotonic_ += std::chrono::nanoseconds(by).count();
  }
  /// Steps the wall clock alone, as an operator or NTP may.
  void StepWall(std::chrono::milliseconds by) { wall_ += by.count(); }

 private:
  std::atomic<int64_t> wall_;
  std::atomic<int64_t> monotonic_{1};
};

}  // namespace starling
