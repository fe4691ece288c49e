#include "node/lock_requests.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "node/ordering/order_reply.h"

namespace starling {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTryAgain{5};

/// `not_found`: what it comes to where the token is gone after a try that may have been run.
Status AskByToken(OrderClient& orders, const OrderClient::Request& request,
                  const Status& not_found) {
  const HeldLock::Instant end = HeldLock::Now() + OrderClient::kAnswerWithin;
  std::optional<Status> doubt;
  for (;;) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - HeldLock::Now());
    Status status = StatusOfLock(orders.Ask(request, std::max(left, kTryAgain)));
    if (status) return status;
    const Code code = status.error().code;
    if (code == Code::kNotFound) return doubt ? not_found : status;
    const bool unknown = code == Code::kUnknownOutcome;
    if (unknown) doubt = status;
    if (!unknown || HeldLock::Now() + kTryAgain >= end) return doubt.value_or(status);
    std::this_thread::sleep_for(kTryAgain);
  }
}

Error NotHeld() { return {Code::kNotFound, "the lock is not held any more"}; }

}  // namespace

OrderClient::Request ReleaseRequest(const HeldLock& lock) {
  return {.words = {"STARLING", "RELEASE", lock.key, lock.token}};
}

OrderClient::Request ExtensionRequest(const HeldLock& lock, milliseconds ttl) {
  return {.words = {"STARLING", "EXTEND", lock.key, lock.token, std::to_string(ttl.count())}};
}

Status StatusOfLock(const Result<std::string>& reply) {
  if (!reply) return reply.error();
  if (reply->starts_with('-')) return ErrorOfReply(*reply);
  if (*reply == ":1\r\n") return {};
  return NotHeld();
}

Status ReleaseLock(OrderClient& orders, const HeldLock& lock) {
  return AskByToken(orders, ReleaseRequest(lock), {});
}

Status ExtendLock(OrderClient& orders, const HeldLock& lock, milliseconds ttl) {
  return AskByToken(orders, ExtensionRequest(lock, ttl), NotHeld());
}

}  // namespace starling
