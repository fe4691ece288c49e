#include "node/flusher.h"

#include <pthread.h>

namespace starling {

Flusher::Flusher(std::chrono::microseconds interval, std::function<void()> flush)
    : interval_(interval), flush_(std::move(flush)), thread_([this] { Run(); }) {}

Flusher::~Flusher() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Flusher::Arm() {
  if (due_.exchange(true, std::memory_order_seq_cst)) return;
  // Through the mutex, so that the thread is not between its look at the flag and its sleep.
  { const std::lock_guard lock(mutex_); }
  wake_.notify_one();
}

void Flusher::Run() {
  pthread_setname_np(pthread_self(), "starling-flush");
  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait(lock, [this] { return stop_ || due_.load(std::memory_order_relaxed); });
    wake_.wait_for(lock, interval_, [this] { return stop_; });
    lock.unlock();
    FlushDue();
    lock.lock();
  }
  lock.unlock();
  FlushDue();
}

void Flusher::FlushDue() {
  if (!due_.exchange(false, std::memory_order_seq_cst)) return;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  flush_();
  flushes_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace starling
