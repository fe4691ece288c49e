/// The counters of one node: their cells, and how what cells gathered reaches the keyspace.
///
/// Thread-safe. A cell that becomes pending queues itself on a list without locks; a flush takes
/// the list and adds each cell's sum to its key as one write. Invariants: taking a cell's sum and
/// adding it happens under the key's lock, so a reader that holds it sees each increment exactly
/// once (I2); a cell is dropped only when no handle holds it and nothing is pending in it (I9).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include <spdlog/logger.h>

#include "node/runtime.h"
#include "starling/counter.h"
#include "storage/keyspace.h"

namespace starling {

class NodeCore;

/// A cell and the key it stands for.
struct RegisteredCounter : CounterCell {
  std::string name;
  KeyRef key;                         ///< Of `name`.
  std::shared_ptr<NodeCore> core;     ///< Keeps the gate that every slow path passes.
  std::atomic<bool> queued{false};    ///< On the list, or being collected.
  RegisteredCounter* next = nullptr;  ///< On the list; owned by whoever took it.
  std::atomic<bool> blocked{false};   ///< The last collection was refused.
};

class CounterRegistry {
 public:
  explicit CounterRegistry(std::shared_ptr<spdlog::logger> log) : log_(std::move(log)) {}

  /// Before first use: where sums go.
  void Attach(Runtime& runtime, uint8_t database);

  /// The counter of that name, made on first use.
  Counter Get(std::string_view name, const std::shared_ptr<NodeCore>& core);
  /// A counter that belongs to no node any more: every function says kClosed.
  static Counter Detached(std::string_view name, const std::shared_ptr<NodeCore>& core);

  /// Adds what every queued cell gathered; on return all that was added before the call is in the
  /// keyspace, but for cells whose key refuses it.
  void CollectAll();
  /// Adds what the cell of `key` gathered, if there is one. Costs one atomic load while nothing is
  /// pending.
  void CollectKey(const KeyRef& key) {
    if (queued_.load(std::memory_order_acquire) != 0) CollectNamed(key);
  }
  /// Adds what `cell` gathered. Errors as Access::Increment (it stays pending).
  Status Collect(RegisteredCounter& cell, Access& access);

  /// The cell was at 0 before an addition: it wants to be collected soon.
  void Queue(RegisteredCounter& cell);
  /// Counts an increment of `n` that cannot be kept.
  void CountRefused(int64_t n);

  size_t size() const;
  uint64_t blocked() const { return blocked_.load(std::memory_order_relaxed); }
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

  /// Drops all cells: the node is closed and nobody is inside.
  void Clear();

  Keyspace& keyspace() { return runtime_->store().keyspace(); }

 private:
  void CollectNamed(const KeyRef& key);
  void Push(RegisteredCounter& cell);
  void Sweep();

  std::shared_ptr<spdlog::logger> log_;
  Runtime* runtime_ = nullptr;
  uint8_t database_ = 0;
  std::atomic<RegisteredCounter*> list_{nullptr};
  /// Cells on the list or being collected.
  std::atomic<int64_t> queued_{0};
  std::atomic<uint64_t> blocked_{0};
  std::atomic<uint64_t> refused_{0};
  std::mutex collect_mutex_;         // one collection of all at a time
  mutable std::shared_mutex mutex_;  // guards the two below
  std::unordered_map<std::string_view, std::shared_ptr<RegisteredCounter>> cells_;
  size_t sweep_at_ = 1024;
};

}  // namespace starling
