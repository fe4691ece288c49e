/// A shard's mutex, which a transaction can hold over many accesses.
///
/// Whoever holds it for a transaction (held_shards.h) locks and unlocks it again without effect, so
/// that commands run the same code within a transaction as without. Anybody else's double lock
/// stays the deadlock that it is.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

namespace starling {

class ShardMutex {
 public:
  void lock() {
    if (!HeldHere()) mutex_.lock();
  }
  void unlock() {
    if (!HeldHere()) mutex_.unlock();
  }

  /// Locks for a transaction of the calling thread, which does not hold it.
  void Hold() {
    mutex_.lock();
    holder_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  }
  void Release() {
    holder_.store(std::thread::id(), std::memory_order_relaxed);
    mutex_.unlock();
  }
  /// Whether a transaction of the calling thread holds it. Relaxed is enough: only the own thread
  /// can have stored the own id.
  bool HeldHere() const {
    const std::thread::id holder = holder_.load(std::memory_order_relaxed);
    return holder != std::thread::id() && holder == std::this_thread::get_id();
  }

 private:
  std::mutex mutex_;
  std::atomic<std::thread::id> holder_{};
};

}  // namespace starling
