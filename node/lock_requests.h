/// What the library asks of the leaseholder about a lock that it holds.
///
/// Each request names the lock's token, so that it does no more when it is run twice: where nobody
/// can say what became of it, whoever leads then is asked again. Thread-safe.
#pragma once

#include <chrono>
#include <string>

#include "node/lock_keeper.h"
#include "node/ordering/order_client.h"
#include "starling/result.h"

namespace starling {

OrderClient::Request ReleaseRequest(const HeldLock& lock);
OrderClient::Request ExtensionRequest(const HeldLock& lock, std::chrono::milliseconds ttl);

/// What the answer to one of them says. Errors: kNotFound (the lock is not held any more),
/// kUnavailable (nothing was done), kUnknownOutcome, kClosed.
Status StatusOfLock(const Result<std::string>& reply);

/// Both wait for up to OrderClient::kAnswerWithin. Errors: as above; kUnknownOutcome where an
/// earlier try may have been run and no later one was. A lock that such a try has released is.
Status ReleaseLock(OrderClient& orders, const HeldLock& lock);
Status ExtendLock(OrderClient& orders, const HeldLock& lock, std::chrono::milliseconds ttl);

}  // namespace starling
