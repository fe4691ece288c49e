/// Locks and semaphores that hold in the whole cluster.
///
///     auto lock = node->locks().Acquire("invoice:7", {.wait = std::chrono::seconds(2)});
///     if (!lock) ...            // kUnavailable: another holder kept it
///     Write(lock->fencing_token());
///     // released at the end of the scope
///
/// A lock is a claim: a majority of the voters holds it before the caller is told, and it has one
/// holder whatever is killed, paused or cut. It lapses by itself when its time to live is over, so
/// a holder that was paused may go on when it is no longer one: `Lock::held` and the `lost`
/// callback go by the holder's own monotonic clock from before it asked, and what must be safe
/// against a pause after that look compares fencing tokens (Kleppmann, "How to do distributed
/// locking", 2016).
///
/// Names share the keyspace with Kv and with clients of the ports: `SET name token NX PX ttl` takes
/// the same lock. Thread-safe; handles may outlive their node and then answer kClosed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "starling/result.h"

namespace starling {

class NodeCore;

struct LockOptions {
  /// How long a holder keeps it that says nothing more: 1 ms to 1000 years.
  std::chrono::milliseconds ttl{30'000};
  /// How long to wait for it, in the order of asking; 0: not at all.
  std::chrono::milliseconds wait{0};
  /// Whether the time to live is begun anew by itself, every third of it, while the lock is held.
  bool extend = true;
  /// Called once, on a thread of the node's, when the lock may no longer be held although it was
  /// not released: its time is up by the holder's clock, or another has taken it. Must not block.
  std::function<void()> lost = {};
};

/// A lock that was acquired. Its end releases it.
class Lock {
 public:
  Lock(Lock&&) noexcept;
  Lock& operator=(Lock&&) noexcept;
  /// Releases without waiting for the outcome; the node sees to it.
  ~Lock();

  /// Whether its time is not up by this process's clock, it was not lost and not released. A pause
  /// may come between this answer and what is done with it.
  bool held() const;
  /// Greater than that of every earlier holder of the name.
  uint64_t fencing_token() const;
  /// The key that holds it; of a semaphore, the place that was taken.
  const std::string& key() const;

  /// Begins the time to live anew, `ttl` from now; from then on it is what is begun anew by itself,
  /// too. Errors: kUnavailable (no majority in reach; it
  /// is held as long as before), kUnknownOutcome (either), kNotFound (it is not held any more),
  /// kInvalidArgument, kClosed.
  Status Extend(std::chrono::milliseconds ttl);
  /// Lets the next one have it. Errors: kNotFound (it was not held any more), kUnavailable and
  /// kUnknownOutcome (the node goes on releasing it until it lapses by itself), kClosed. Not held
  /// afterwards in any case.
  Status Release();

 private:
  friend class Locks;
  struct State;
  explicit Lock(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

class Locks {
 public:
  /// Waits up to `options.wait`. Errors (not held): kUnavailable (another holds it, or no majority
  /// is in reach: the message says which), kUnknownOutcome (it may be held until its time to live
  /// is over), kInvalidArgument, kClosed.
  Result<Lock> Acquire(std::string_view name, const LockOptions& options = {}) const;
  /// One of `permits` places, 1 to 1024: a semaphore. The places are the keys `name#1`, `name#2`,
  /// ..., and who asks takes the first of its own number that is free, or waits for one of them in
  /// the order of asking. All who use the name should give one number: where they differ there are
  /// never more holders than the greatest, and who gives a smaller one waits while the first places
  /// are taken, whatever is free above. Fencing tokens rise from holder to holder of one place; to
  /// fence what all holders share, take a lock beside. Errors as Acquire.
  Result<Lock> AcquirePermit(std::string_view name, int permits,
                             const LockOptions& options = {}) const;

 private:
  friend class Node;
  explicit Locks(std::shared_ptr<NodeCore> core) : core_(std::move(core)) {}

  Result<Lock> AcquireOne(std::vector<std::string> keys, const LockOptions& options) const;

  std::shared_ptr<NodeCore> core_;
};

}  // namespace starling
