#include "node/counter_registry.h"

#include <limits>

#include "node/node_core.h"
#include "storage/records.h"

namespace starling {

void CounterRegistry::Attach(Runtime& runtime, uint8_t database) {
  runtime_ = &runtime;
  database_ = database;
}

Counter CounterRegistry::Get(std::string_view name, const std::shared_ptr<NodeCore>& core) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = cells_.find(name); found != cells_.end()) return Counter(found->second);
  }
  const std::unique_lock lock(mutex_);
  if (const auto found = cells_.find(name); found != cells_.end()) return Counter(found->second);
  if (cells_.size() >= sweep_at_) Sweep();
  auto cell = std::make_shared<RegisteredCounter>();
  cell->name = name;
  cell->key = keyspace().Ref(database_, cell->name);
  cell->core = core;
  cells_.emplace(cell->name, cell);
  return Counter(std::move(cell));
}

Counter CounterRegistry::Detached(std::string_view name, const std::shared_ptr<NodeCore>& core) {
  auto cell = std::make_shared<RegisteredCounter>();
  cell->name = name;
  cell->core = core;
  return Counter(std::move(cell));
}

void CounterRegistry::Sweep() {
  std::erase_if(cells_, [](const auto& entry) {
    const std::shared_ptr<RegisteredCounter>& cell = entry.second;
    // Ours is the only handle, and nobody can take another while the map is locked.
    if (cell.use_count() != 1) return false;
    std::atomic_thread_fence(std::memory_order_acquire);
    return !cell->queued.load(std::memory_order_relaxed) &&
           cell->pending.load(std::memory_order_relaxed) == 0;
  });
  sweep_at_ = std::max<size_t>(1024, 2 * cells_.size());
}

void CounterRegistry::Push(RegisteredCounter& cell) {
  RegisteredCounter* head = list_.load(std::memory_order_relaxed);
  do {
    cell.next = head;
  } while (!list_.compare_exchange_weak(head, &cell, std::memory_order_release,
                                        std::memory_order_relaxed));
}

void CounterRegistry::Queue(RegisteredCounter& cell) {
  // Whoever collects lowers the flag before it takes the sum: if it is still up, the sum taken
  // after it holds this addition.
  if (cell.queued.exchange(true, std::memory_order_acq_rel)) return;
  queued_.fetch_add(1, std::memory_order_acq_rel);
  Push(cell);
  runtime_->FlushSoon();
}

void CounterRegistry::CollectAll() {
  const std::lock_guard lock(collect_mutex_);
  const std::shared_lock keep(mutex_);  // no cell is dropped while it is off the list
  RegisteredCounter* cell = list_.exchange(nullptr, std::memory_order_acq_rel);
  while (cell != nullptr) {
    RegisteredCounter* const next = cell->next;
    // From here on an addition queues it again.
    cell->queued.exchange(false, std::memory_order_acq_rel);
    Access access = keyspace().Lock(cell->key);
    if (!Collect(*cell, access) && !cell->queued.exchange(true, std::memory_order_acq_rel)) {
      // Tried again with the next flush that has a reason of its own.
      Push(*cell);
    } else {
      queued_.fetch_sub(1, std::memory_order_acq_rel);
    }
    cell = next;
  }
}

void CounterRegistry::CollectNamed(const KeyRef& key) {
  std::shared_ptr<RegisteredCounter> cell;
  {
    const std::shared_lock lock(mutex_);
    const auto found = cells_.find(key.name);
    if (found == cells_.end()) return;
    cell = found->second;
  }
  Access access = keyspace().Lock(cell->key);
  static_cast<void>(Collect(*cell, access));  // it stays pending, and the log says so
}

Status CounterRegistry::Collect(RegisteredCounter& cell, Access& access) {
  // A claim's record may hold this node's own slot: soon it is decided, and the next flush goes on.
  if (keyspace().records().IsReserved(cell.key)) {
    return Error{Code::kUnavailable, "a claim on the key is being decided"};
  }
  const int64_t sum = cell.pending.exchange(0, std::memory_order_acq_rel);
  if (sum == 0) return {};
  const bool read_only = runtime_->store().journal().read_only();
  Result<int64_t> added = NodeCore::ReadOnly();
  if (access.HasLiveClaim(cell.key)) {
    added = Error{Code::kRefused, "the key is held by a claim"};
  } else if (!read_only) {
    added = access.Increment(cell.key, sum);
  }
  if (added) {
    if (cell.blocked.exchange(false, std::memory_order_relaxed)) {
      blocked_.fetch_sub(1, std::memory_order_relaxed);
    }
    return {};
  }
  cell.pending.fetch_add(sum, std::memory_order_acq_rel);
  if (!cell.blocked.exchange(true, std::memory_order_relaxed)) {
    blocked_.fetch_add(1, std::memory_order_relaxed);
    log_->warn("a counter's increments wait, its key cannot take them: key_bytes={} reason={}",
               cell.name.size(), added.error().message);
  }
  return added.error();
}

void CounterRegistry::CountRefused(int64_t n) {
  const uint64_t amount = n < 0 ? uint64_t{0} - static_cast<uint64_t>(n) : static_cast<uint64_t>(n);
  refused_.fetch_add(amount, std::memory_order_relaxed);
}

size_t CounterRegistry::size() const {
  const std::shared_lock lock(mutex_);
  return cells_.size();
}

void CounterRegistry::Clear() {
  const std::lock_guard collecting(collect_mutex_);
  const std::unique_lock lock(mutex_);
  list_.store(nullptr, std::memory_order_release);
  cells_.clear();
}

}  // namespace starling
