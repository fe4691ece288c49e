/// Who works on the keyspace is inside; a script closes the gate and is alone there.
///
/// A script holds every shard for as long as it runs. Whoever waited for a shard meanwhile could do
/// nothing else, so whoever serves others enters here first: it is never caught in the middle of
/// its work, and learns that the node is busy when a script has run for longer than it is patient.
/// Those who come while the gate is closed are let in before it can be closed again, so that
/// scripts that follow each other keep nobody out.
///
/// Thread-safe; one thread at a time closes and opens. Entering an open gate costs two atomic
/// operations. Nobody enters who is inside already: it would wait for itself.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace starling {

class KeyspaceGate {
 public:
  using Clock = std::chrono::steady_clock;

  /// How long a script may run before others are told that the node is busy; 0 or less: for ever.
  /// Counts for the script that runs, too.
  void SetPatience(std::chrono::milliseconds patience);

  /// Waits while the gate is closed. False: the node is busy, and the caller is not inside.
  bool Enter();
  /// The same without waiting.
  bool EnterAtOnce() { return TryEnter(); }
  /// For the one thread that others who are inside wait for: goes ahead of a script that has not
  /// begun, and waits up to `wait` for one that has. False: it is not inside, and is called as soon
  /// as the gate opens; it is inside then.
  bool EnterAhead(std::chrono::nanoseconds wait);
  void Leave();

  /// Waits until nobody is inside. Where it is closed already, what the patience counts from
  /// begins anew.
  void Close();
  /// Idempotent.
  void Open();
  /// Whether somebody waits to enter.
  bool wanted() const { return waiting_.load(std::memory_order_relaxed) > 0 || called_.load(); }

  /// Whether a script has been alone for longer than others are patient.
  bool busy() const;
  /// How the one thread is called (EnterAhead), by whoever opens the gate; must not block. Set
  /// before the gate is used.
  void SetCall(std::function<void()> call) { call_ = std::move(call); }

 private:
  bool TryEnter();
  bool Wait(std::unique_lock<std::mutex>& lock, const std::function<Clock::time_point()>& until);
  Clock::time_point BusyFrom() const;

  std::atomic<bool> closed_{false};
  std::atomic<int64_t> inside_{0};   // and those who were let in and have not come in yet
  std::atomic<int64_t> waiting_{0};  // changes under the mutex
  std::atomic<int64_t> patience_{5000};
  std::atomic<bool> called_{false};  // changes under the mutex
  static constexpr Clock::rep kNotYet = Clock::duration::max().count();
  std::atomic<Clock::rep> alone_since_{kNotYet};  // who has closed it
  std::function<void()> call_;

  std::mutex mutex_;
  std::condition_variable opened_;
  std::condition_variable left_;
  uint64_t openings_ = 0;
};

}  // namespace starling
