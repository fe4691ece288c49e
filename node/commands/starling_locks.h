/// Locks with fair waiting, for clients of the ports and for the library (starling/locks.h): claims
/// that are waited for at the leaseholder, by whoever asks, in the order in which they came.
#pragma once

#include "node/command.h"

namespace starling {

/// `STARLING ACQUIRE token ttl wait key [key ...]`: claims the first of the keys that is absent for
/// `ttl` milliseconds; waits up to `wait` milliseconds until one is. Replies key and fencing token,
/// or nil. A key that holds the token already is
/// given its time again. Many keys are a semaphore of as many holders.
void AcquireLock(CommandContext& context, Arguments arguments);
/// `STARLING CLAIM key by ttl`: claims the key for `ttl` milliseconds unless it is there. Replies
/// whether it was absent (1 or 0), the fencing token of the claim that stands (nil: there is none),
/// and what it holds (nil: no string).
void ClaimFirst(CommandContext& context, Arguments arguments);
/// `STARLING RELEASE key token`: deletes the key where it holds the token. Replies 1 or 0.
void ReleaseLock(CommandContext& context, Arguments arguments);
/// `STARLING EXTEND key token ttl`: gives the key `ttl` milliseconds from now on where it holds the
/// token. Replies 1 or 0.
void ExtendLock(CommandContext& context, Arguments arguments);

}  // namespace starling
