/// The node's hybrid logical clock: draws stamps and follows those of others.
///
/// Thread-safe, lock-free. Invariants: every stamp drawn is above every stamp drawn or observed
/// before, whatever the wall clock does and over restarts (the store observes the highest stamp
/// that it recovered before it draws one).
#pragma once

#include <atomic>

#include "storage/stamp.h"
#include "storage/time_source.h"

namespace starling {

class HybridClock {
 public:
  explicit HybridClock(TimeSource& time) : time_(time) {}

  /// A stamp above all before: the wall clock's where that is ahead, else the last one plus one.
  Stamp Draw();

  /// Makes every later stamp exceed `remote`. How far ahead of the wall clock a stamp may be is the
  /// caller's to judge before (`max_clock_skew`).
  void Observe(Stamp remote);

  /// The last stamp drawn or observed.
  Stamp last() const { return Stamp{last_.load(std::memory_order_acquire)}; }

  /// The clock's millisecond: the larger of wall clock and last stamp. Deadlines are computed from
  /// and compared with it.
  int64_t NowMillis() const;

  TimeSource& time() { return time_; }

 private:
  TimeSource& time_;
  std::atomic<uint64_t> last_{0};
};

}  // namespace starling
