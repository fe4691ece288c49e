#include "node/keyspace_gate.h"

namespace starling {

void KeyspaceGate::SetPatience(std::chrono::milliseconds patience) {
  patience_.store(patience.count(), std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  opened_.notify_all();  // to wait for another time
}

KeyspaceGate::Clock::time_point KeyspaceGate::BusyFrom() const {
  const int64_t patience = patience_.load(std::memory_order_relaxed);
  const Clock::rep since = alone_since_.load();
  if (patience <= 0 || since == kNotYet) return Clock::time_point::max();
  return Clock::time_point(Clock::duration(since)) + std::chrono::milliseconds(patience);
}

bool KeyspaceGate::busy() const { return Clock::now() >= BusyFrom(); }

bool KeyspaceGate::TryEnter() {
  inside_.fetch_add(1);
  if (!closed_.load()) return true;
  Leave();
  return false;
}

void KeyspaceGate::Leave() {
  if (inside_.fetch_sub(1) != 1 || !closed_.load()) return;
  const std::lock_guard lock(mutex_);
  left_.notify_one();
}

bool KeyspaceGate::Wait(std::unique_lock<std::mutex>& lock,
                        const std::function<Clock::time_point()>& until) {
  const uint64_t before = openings_;
  waiting_.fetch_add(1);
  while (openings_ == before) {
    const Clock::time_point end = until();
    if (end == Clock::time_point::max()) {
      opened_.wait(lock);
    } else if (opened_.wait_until(lock, end) == std::cv_status::timeout && openings_ == before &&
               Clock::now() >= until()) {
      waiting_.fetch_sub(1);
      return false;
    }
  }
  return true;  // whoever opened has counted this one in
}

bool KeyspaceGate::Enter() {
  if (TryEnter()) return true;
  std::unique_lock lock(mutex_);
  if (!closed_.load()) {
    inside_.fetch_add(1);
    return true;
  }
  return Wait(lock, [this] { return BusyFrom(); });
}

bool KeyspaceGate::EnterAhead(std::chrono::nanoseconds wait) {
  if (TryEnter()) return true;
  std::unique_lock lock(mutex_);
  if (!closed_.load() || alone_since_.load() == kNotYet) {
    inside_.fetch_add(1);
    return true;
  }
  const Clock::time_point end = Clock::now() + wait;
  if (wait.count() > 0 && Wait(lock, [end] { return end; })) return true;
  called_.store(true);
  return false;
}

void KeyspaceGate::Close() {
  const auto begin = [this] { alone_since_.store(Clock::now().time_since_epoch().count()); };
  if (closed_.exchange(true)) return begin();
  std::unique_lock lock(mutex_);
  left_.wait(lock, [this] { return inside_.load() == 0; });
  begin();
  opened_.notify_all();  // from now on patience counts
}

void KeyspaceGate::Open() {
  if (!closed_.load()) return;
  bool call = false;
  {
    const std::lock_guard lock(mutex_);
    call = called_.exchange(false);
    alone_since_.store(kNotYet);
    closed_.store(false);
    ++openings_;
    inside_.fetch_add(waiting_.exchange(0) + (call ? 1 : 0));
    opened_.notify_all();
  }
  if (call && call_) call_();
}

}  // namespace starling
