/// Claims: which of all callers in the cluster was the first. For deduplication: webhooks that are
/// delivered twice, jobs that every instance would start, requests that are sent again.
///
///     const auto claim = node->claims().First("webhook:" + id, std::chrono::hours(24));
///     if (!claim) return Retry();      // not known: let it be delivered again
///     if (!claim->first) return Done();
///     if (!Handle(event)) node->claims().Withdraw("webhook:" + id, claim->by);
///
/// A majority of the voters holds a claim before its caller is told, so that there is one first
/// caller whatever is killed, paused or cut. Names share the keyspace with Kv and with clients of
/// the ports: `SET key by NX PX ttl` makes the same claim. Thread-safe, cheap to copy; a handle may
/// outlive its node and then answers kClosed.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "starling/result.h"

namespace starling {

class NodeCore;

/// The claim that stands, whoever made it.
struct Claimed {
  bool first = false;  ///< This call has made it.
  std::string by;      ///< What its maker gave.
  /// Greater than that of every earlier claim of the key; 0: the key holds something else, which no
  /// claim has put there.
  uint64_t fencing_token = 0;
};

class Claims {
 public:
  /// Claims the key for `ttl`, 1 ms to 1000 years, unless it is there already. `by` says who asks,
  /// for those who come later; empty: this node's name and something that is never the same twice.
  /// It is told to all of them, and is no secret.
  ///
  /// Errors: kUnavailable (no majority was in reach; nothing was changed), kUnknownOutcome (the
  /// claim may stand: who asks again with a `by` that nobody else gives finds itself in the answer
  /// if it does), kInvalidArgument, kReadOnly, kClosed.
  Result<Claimed> First(std::string_view key, std::chrono::milliseconds ttl,
                        std::string_view by = {}) const;

  /// Ends the claim that `by` made, before its time: what it was made for has failed, and the next
  /// caller is the first. Errors: kNotFound (it has lapsed, or another's stands), kUnavailable
  /// (nothing was changed), kUnknownOutcome, kClosed.
  Status Withdraw(std::string_view key, std::string_view by) const;

 private:
  friend class Node;
  explicit Claims(std::shared_ptr<NodeCore> core) : core_(std::move(core)) {}

  std::shared_ptr<NodeCore> core_;
};

}  // namespace starling
