/// Keys and values in process: reads and writes that are replicated like everything else.
///
/// A handle's level says where its calls run (Node::kv). At `local`, the default, that is this
/// node's memory, at once, whatever the network does: two members that write one key at the same
/// time both succeed, and the later write holds everywhere. Writes are logged and sent within
/// `flush_interval`; Node::Sync waits for the log. Above `local` a call runs at the leaseholder and
/// waits for its answer, at most LevelOptions::timeout: what one call was answered, every later
/// call at such a level sees, at whichever member. Thread-safe, cheap to copy; a handle may outlive
/// its node and then answers kClosed.
///
/// Keys and values are any bytes, at most 512 MB each. Errors of every call: kInvalidArgument (too
/// long), kClosed, and of every write kReadOnly (the disk refused an earlier one; a writer that is
/// quicker than the disk waits for it); nothing is changed by a call that fails. Above `local`
/// also: kUnavailable (no leaseholder, or no majority, was in reach in time; nothing was changed),
/// and of writes kUnknownOutcome: it may have happened, or may yet.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "starling/level.h"
#include "starling/result.h"

namespace starling {

class NodeCore;

/// What is known of a key's life.
struct TimeToLive {
  bool exists = false;
  /// Time left; none: the key does not expire.
  std::optional<std::chrono::milliseconds> remaining;
};

class Kv {
 public:
  /// The value, or none. A counter reads as its decimal text. Errors: kWrongType (a set, ...).
  Result<std::optional<std::string>> Get(std::string_view key) const;
  /// The same into the caller's buffer, whose memory is used again; false: no such key, `value` is
  /// empty.
  Result<bool> Get(std::string_view key, std::string& value) const;

  /// Sets the key, whatever it held, without a time to live.
  Status Set(std::string_view key, std::string_view value);
  /// Sets the key to expire after `ttl`, which is above 0 (else kInvalidArgument).
  Status Set(std::string_view key, std::string_view value, std::chrono::milliseconds ttl);

  /// Whether the key was there.
  Result<bool> Delete(std::string_view key);

  /// Sets the time to live; 0 or less deletes the key. False: no such key.
  Result<bool> Expire(std::string_view key, std::chrono::milliseconds ttl);
  /// Lets the key live for ever. False: no such key, or it does already.
  Result<bool> Persist(std::string_view key);
  Result<TimeToLive> Ttl(std::string_view key) const;

  /// Calls `visit` with the name of every key that begins with `prefix`, in no order, until it
  /// returns false. Walks the whole keyspace in small steps and holds no lock during `visit`, which
  /// may call back. A key that is there throughout is visited at least once. Goes by this node's
  /// memory at every level.
  Status Scan(std::string_view prefix,
              const std::function<bool(std::string_view key)>& visit) const;

 private:
  friend class Node;
  Kv(std::shared_ptr<NodeCore> core, const LevelOptions& options)
      : core_(std::move(core)), options_(options) {}

  /// `call` with the keys as the level has them.
  template <typename Call>
  auto Run(Call&& call) const;

  std::shared_ptr<NodeCore> core_;
  LevelOptions options_;
};

}  // namespace starling
