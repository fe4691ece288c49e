/// A cluster-wide counter at the price of one atomic addition.
///
/// A handle adds to a cell in this process; the next flush (`flush_interval`) moves what the cell
/// gathered into the keyspace, its log and to the other members. Every member may add at any time,
/// also while it is cut off: sums merge, no increment is lost or counted twice (I2).
///
/// Thread-safe, and cheap to copy. A handle may outlive its node: what is added after Node::Close
/// goes nowhere, and the other functions answer kClosed.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "starling/result.h"

namespace starling {

class CounterRegistry;

/// Where a handle adds up; on a cache line of its own. Internal.
struct alignas(64) CounterCell {
  /// Added and not yet in the keyspace.
  std::atomic<int64_t> pending{0};
};

class Counter {
 public:
  /// Adds `n`, which may be negative. Never blocks but for the rare collection when a very large
  /// amount is pending. The value stays inside int64: what would lead beyond is refused and counted
  /// in NodeStatistics::increments_refused, and so is what is added to a key that holds no integer.
  void Add(int64_t n = 1) noexcept {
    if (n > kLargestStep || n < -kLargestStep) [[unlikely]] {
      AddLarge(n);
      return;
    }
    const int64_t before = cell_->pending.fetch_add(n, std::memory_order_relaxed);
    if (before == 0 || before > kCollectAt || before < -kCollectAt) [[unlikely]] {
      Notice(before, n);
    }
  }

  /// The sum of all members' increments that have arrived here, this process's own included at
  /// once. Errors: kWrongType, kInvalidArgument (the key holds no integer, or the name is too
  /// long), kClosed.
  Result<int64_t> Value() const;

  /// Sets the counter to 0 and returns what it was: increments of other members that had not
  /// arrived here, and those concurrent with the call, still count afterwards. Drops a time to
  /// live. Errors (nothing changed): as Value, and kReadOnly.
  Result<int64_t> Reset();

 private:
  friend class CounterRegistry;
  explicit Counter(std::shared_ptr<CounterCell> cell) : cell_(std::move(cell)) {}

  /// Steps beyond this go straight to the keyspace, so that no number of threads overflows a cell.
  static constexpr int64_t kLargestStep = int64_t{1} << 32;
  static constexpr int64_t kCollectAt = int64_t{1} << 62;

  void AddLarge(int64_t n) noexcept;
  void Notice(int64_t before, int64_t n) noexcept;

  std::shared_ptr<CounterCell> cell_;
};

}  // namespace starling
