/// Commits what in-process callers wrote, soon after they wrote it, by one thread that sleeps
/// otherwise.
///
/// Thread-safe. Invariant: a write that is visible before FlushSoon is called is in a commit that
/// begins at most `interval` later. While nothing is written the thread sleeps and nobody polls.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace starling {

class Flusher {
 public:
  /// `flush` runs on the flusher's thread.
  Flusher(std::chrono::microseconds interval, std::function<void()> flush);
  /// Runs a last flush where one was due.
  ~Flusher();

  void FlushSoon() {
    // Pairs with the fence in Run: either this sees the flag taken down, or the flush sees the
    // write.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!due_.load(std::memory_order_relaxed)) Arm();
  }

  /// Flushes so far.
  uint64_t flushes() const { return flushes_.load(std::memory_order_relaxed); }

 private:
  void Arm();
  void Run();
  void FlushDue();

  const std::chrono::microseconds interval_;
  const std::function<void()> flush_;
  std::atomic<bool> due_{false};
  std::atomic<uint64_t> flushes_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace starling
