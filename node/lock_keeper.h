/// Begins the time of held locks anew before it is over, and says so when it is over all the same;
/// releases those for which nobody waits.
///
/// One thread for all locks of a node. Thread-safe; calls after the keeper has gone are no-ops of
/// whoever held it (NodeCore).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "node/ordering/order_client.h"
#include "starling/locks.h"

namespace starling {

/// A lock as its holder knows it.
struct HeldLock {
  using Instant = std::chrono::nanoseconds;  // of the boot clock

  static Instant Now();
  bool held() const {
    const std::lock_guard lock(mutex);
    return !ended && Now() < until;
  }
  /// Not held any more; whether it was until now.
  bool End() {
    const std::lock_guard lock(mutex);
    const bool was = !ended && Now() < until;
    ended = true;
    return was;
  }
  /// The leaseholder has given it this time, having been asked at `asked`.
  void Prolong(Instant asked, std::chrono::milliseconds given) {
    const std::lock_guard lock(mutex);
    until = asked + given;
    ttl = given;
  }

  std::string key;
  std::string token;
  uint64_t fencing_token = 0;
  LockOptions options;

  mutable std::mutex mutex;  // guards what follows
  Instant until{};
  std::chrono::milliseconds ttl{};  // as given last
  bool ended = false;               // released, or lost
};

class LockKeeper {
 public:
  explicit LockKeeper(OrderClient& orders);
  ~LockKeeper();

  /// From now on, or with another time to live from now on.
  void Add(const std::shared_ptr<HeldLock>& lock);
  void Remove(const HeldLock& lock);
  /// Releases one that has ended, in place of whoever would wait for it: asks until somebody can
  /// say that it is, or its time is over.
  void Release(const std::shared_ptr<HeldLock>& lock);

 private:
  using Instant = HeldLock::Instant;
  struct Kept {
    std::shared_ptr<HeldLock> lock;
    Instant extend_at{};
    bool extending = false;
    bool releasing = false;
  };
  /// What extensions under way share with the keeper, which may end before them.
  struct Shared {
    std::mutex mutex;  // guards what follows
    std::condition_variable wake;
    std::map<const HeldLock*, Kept> locks;
    std::multimap<Instant, const HeldLock*> due;  // may name what has been removed
    bool stop = false;
  };

  /// What is to be done for a lock, without the mutex.
  struct Action {
    std::optional<std::chrono::milliseconds> extend;
    bool release = false;
    std::function<void()> lost;
    Instant again = Instant::max();  ///< When to look at it next; max: never.
  };

  void Serve();
  static Action Look(Kept& kept, Instant now);
  void Extend(const std::shared_ptr<HeldLock>& lock, std::chrono::milliseconds ttl, Instant now);
  static void OnExtended(Shared& shared, const std::shared_ptr<HeldLock>& lock, Instant asked,
                         std::chrono::milliseconds ttl, const Result<std::string>& reply);
  static void OnReleased(Shared& shared, const std::shared_ptr<HeldLock>& lock,
                         const Result<std::string>& reply);

  OrderClient& orders_;
  const std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::thread thread_;
};

}  // namespace starling
