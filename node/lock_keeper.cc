#include "node/lock_keeper.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "node/lock_requests.h"
#include "storage/time_source.h"

namespace starling {
namespace {

/// After an extension that came to nothing.
constexpr std::chrono::milliseconds kTryAgain{100};

std::chrono::nanoseconds ThirdOf(std::chrono::milliseconds ttl) {
  return std::chrono::nanoseconds(ttl) / 3;
}

}  // namespace

HeldLock::Instant HeldLock::Now() {
  static SystemTimeSource time;
  return time.Monotonic();
}

LockKeeper::LockKeeper(OrderClient& orders) : orders_(orders), thread_([this] { Serve(); }) {}

LockKeeper::~LockKeeper() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stop = true;
  }
  shared_->wake.notify_all();
  thread_.join();
}

void LockKeeper::Add(const std::shared_ptr<HeldLock>& lock) {
  Instant third = HeldLock::Now();
  {
    const std::lock_guard guard(lock->mutex);
    third += ThirdOf(lock->ttl);
  }
  const std::lock_guard guard(shared_->mutex);
  shared_->locks[lock.get()] = {lock, third, false};
  const auto due = shared_->due.emplace(third, lock.get());
  if (due == shared_->due.begin()) shared_->wake.notify_all();
}

void LockKeeper::Remove(const HeldLock& lock) {
  const std::lock_guard guard(shared_->mutex);
  shared_->locks.erase(&lock);
}

void LockKeeper::Release(const std::shared_ptr<HeldLock>& lock) {
  Remove(*lock);
  orders_.Start(ReleaseRequest(*lock), OrderClient::kAnswerWithin,
                [shared = shared_, lock](const Result<std::string>& reply) {
                  OnReleased(*shared, lock, reply);
                });
}

void LockKeeper::OnReleased(Shared& shared, const std::shared_ptr<HeldLock>& lock,
                            const Result<std::string>& reply) {
  const Status status = StatusOfLock(reply);
  if (status) return;
  const Code code = status.error().code;
  if (code == Code::kNotFound || code == Code::kClosed) return;
  const Instant again = HeldLock::Now() + kTryAgain;
  {
    const std::lock_guard guard(shared.mutex);
    shared.locks[lock.get()] = {.lock = lock, .releasing = true};
    shared.due.emplace(again, lock.get());
  }
  shared.wake.notify_all();
}

void LockKeeper::Serve() {
  pthread_setname_np(pthread_self(), "starling-locks");
  std::unique_lock guard(shared_->mutex);
  while (!shared_->stop) {
    if (shared_->due.empty()) {
      shared_->wake.wait(guard);
      continue;
    }
    const Instant now = HeldLock::Now();
    const auto [when, lock] = *shared_->due.begin();
    if (when > now) {
      shared_->wake.wait_for(guard, when - now);
      continue;
    }
    shared_->due.erase(shared_->due.begin());
    const auto found = shared_->locks.find(lock);
    if (found == shared_->locks.end()) continue;
    const std::shared_ptr<HeldLock> kept = found->second.lock;
    const Action action = Look(found->second, now);
    if (action.again == Instant::max()) {
      shared_->locks.erase(found);
    } else {
      shared_->due.emplace(action.again, lock);
    }
    guard.unlock();
    if (action.extend) Extend(kept, *action.extend, now);
    if (action.release) Release(kept);
    if (action.lost) action.lost();
    guard.lock();
  }
}

LockKeeper::Action LockKeeper::Look(Kept& kept, Instant now) {
  HeldLock& lock = *kept.lock;
  Action action;
  const std::lock_guard guard(lock.mutex);
  action.release = kept.releasing && now < lock.until;
  if (lock.ended) return action;
  if (now >= lock.until) {
    lock.ended = true;
    action.lost = lock.options.lost;
    return action;
  }
  action.again = lock.until;
  if (!lock.options.extend || kept.extending) return action;
  if (now >= kept.extend_at) {
    action.extend = lock.ttl;
    kept.extending = true;
    kept.extend_at = now + ThirdOf(lock.ttl);
  } else {
    action.again = std::min(action.again, kept.extend_at);
  }
  return action;
}

void LockKeeper::Extend(const std::shared_ptr<HeldLock>& lock, std::chrono::milliseconds ttl,
                        Instant now) {
  orders_.Start(ExtensionRequest(*lock, ttl), ttl,
                [shared = shared_, lock, ttl, now](const Result<std::string>& reply) {
                  OnExtended(*shared, lock, now, ttl, reply);
                });
}

void LockKeeper::OnExtended(Shared& shared, const std::shared_ptr<HeldLock>& lock, Instant asked,
                            std::chrono::milliseconds ttl, const Result<std::string>& reply) {
  const bool extended = reply.ok() && *reply == ":1\r\n";
  const bool gone = reply.ok() && *reply == ":0\r\n";
  if (extended) lock->Prolong(asked, ttl);
  // Another holds it, or nobody: as if its time were up.
  if (gone) lock->Prolong(asked, std::chrono::milliseconds(0));
  {
    const std::lock_guard guard(shared.mutex);
    const auto found = shared.locks.find(lock.get());
    if (found == shared.locks.end()) return;
    found->second.extending = false;
    const Instant now = HeldLock::Now();
    if (!extended) found->second.extend_at = now + kTryAgain;
    shared.due.emplace(now, lock.get());
  }
  shared.wake.notify_all();
}

}  // namespace starling
