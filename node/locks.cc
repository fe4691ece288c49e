#include "starling/locks.h"

#include <cinttypes>
#include <cstdio>
#include <utility>
#include <vector>

#include "node/lock_keeper.h"
#include "node/lock_requests.h"
#include "node/node_core.h"
#include "node/ordering/order_reply.h"
#include "node/random_number.h"
#include "node/time_to_live.h"

namespace starling {
namespace {

using std::chrono::milliseconds;

constexpr int kMostPermits = 1024;
/// Beyond what the caller waits for the lock.
constexpr milliseconds kAnswerWithin = OrderClient::kAnswerWithin;

std::string NewToken() {
  char text[33];
  std::snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, RandomNumber(), RandomNumber());
  return text;
}

}  // namespace

struct Lock::State {
  ~State() {
    if (held == nullptr || !held->End()) return;
    const OperationGate::Pass pass(core->gate);
    if (!pass) return;  // it lapses by itself
    core->lock_keeper->Release(held);
  }

  std::shared_ptr<NodeCore> core;
  std::shared_ptr<HeldLock> held;
};

Lock::Lock(std::shared_ptr<State> state) : state_(std::move(state)) {}
Lock::Lock(Lock&&) noexcept = default;
Lock& Lock::operator=(Lock&&) noexcept = default;
Lock::~Lock() = default;

bool Lock::held() const { return state_->held->held(); }
uint64_t Lock::fencing_token() const { return state_->held->fencing_token; }
const std::string& Lock::key() const { return state_->held->key; }

Status Lock::Extend(milliseconds ttl) {
  if (const Status checked = CheckTimeToLive(ttl); !checked) return checked;
  const OperationGate::Pass pass(state_->core->gate);
  if (!pass) return NodeCore::Closed();
  HeldLock& held = *state_->held;
  if (!held.held()) return Error{Code::kNotFound, "the lock is not held any more"};
  const HeldLock::Instant asked = HeldLock::Now();
  const Status extended = ExtendLock(*state_->core->order_client, held, ttl);
  if (extended) {
    held.Prolong(asked, ttl);
    state_->core->lock_keeper->Add(state_->held);
  }
  return extended;
}

Status Lock::Release() {
  const OperationGate::Pass pass(state_->core->gate);
  if (!pass) return NodeCore::Closed();
  HeldLock& held = *state_->held;
  const bool was = held.End();
  state_->core->lock_keeper->Remove(held);
  if (!was) return Error{Code::kNotFound, "the lock is not held any more"};
  const Status released = ReleaseLock(*state_->core->order_client, held);
  if (!released && released.error().code != Code::kNotFound) {
    state_->core->lock_keeper->Release(state_->held);
  }
  return released;
}

Result<Lock> Locks::AcquireOne(std::vector<std::string> keys, const LockOptions& options) const {
  if (const Status checked = CheckTimeToLive(options.ttl); !checked) return checked.error();
  if (options.wait.count() < 0 || options.wait > kLongestLife) {
    return Error{Code::kInvalidArgument, "a time to wait is 0 to 1000 years"};
  }
  const OperationGate::Pass pass(core_->gate);
  if (!pass) return NodeCore::Closed();
  auto held = std::make_shared<HeldLock>();
  held->token = NewToken();
  held->options = options;
  const std::string ttl = std::to_string(options.ttl.count());
  OrderClient::Request request{
      .words = {"STARLING", "ACQUIRE", held->token, ttl, std::to_string(options.wait.count())},
      .blocks = true};
  request.words.insert(request.words.end(), std::make_move_iterator(keys.begin()),
                       std::make_move_iterator(keys.end()));
  HeldLock::Instant asked = HeldLock::Now();
  const Result<std::string> reply = core_->order_client->Ask(request, options.wait + kAnswerWithin);
  if (!reply) return reply.error();
  const auto granted = ElementsOfReply(*reply);
  if (!granted) return granted.error();
  if (granted->empty()) return Error{Code::kUnavailable, "another holder has the lock"};
  const auto key = BulkOfReply((*granted)[0]);
  const auto fence = granted->size() == 2 ? BulkOfReply((*granted)[1]) : NotUnderstood();
  if (!key || !*key || !fence || !*fence) return NotUnderstood();
  held->key = **key;
  held->fencing_token = std::stoull(**fence);
  // Its time may have begun when it was asked for, and much of it have passed with waiting.
  if (HeldLock::Now() - asked > std::chrono::nanoseconds(options.ttl) / 4) {
    asked = HeldLock::Now();
    const Status extended = ExtendLock(*core_->order_client, *held, options.ttl);
    if (!extended) {
      // Whoever is told that there is no lock will not release it.
      held->Prolong(asked, options.ttl);
      held->End();
      core_->lock_keeper->Release(held);
      return extended.error();
    }
  }
  held->Prolong(asked, options.ttl);
  core_->lock_keeper->Add(held);
  auto state = std::make_shared<Lock::State>();
  state->core = core_;
  state->held = std::move(held);
  return Lock(std::move(state));
}

Result<Lock> Locks::Acquire(std::string_view name, const LockOptions& options) const {
  return AcquireOne({std::string(name)}, options);
}

Result<Lock> Locks::AcquirePermit(std::string_view name, int permits,
                                  const LockOptions& options) const {
  if (permits < 1 || permits > kMostPermits) {
    return Error{Code::kInvalidArgument, "a semaphore has 1 to 1024 permits"};
  }
  std::vector<std::string> keys;
  for (int i = 1; i <= permits; ++i) keys.push_back(std::string(name) + "#" + std::to_string(i));
  return AcquireOne(std::move(keys), options);
}

}  // namespace starling
