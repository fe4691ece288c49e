/// Keys and counters of the library above level `local`: each call is a command that runs where its
/// level says (order_client.h), and waits for the answer.
///
/// Borrows the core for one call. Thread-safe as its parts are. Errors of every call are those that
/// starling/kv.h names.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "node/node_core.h"
#include "starling/kv.h"
#include "starling/level.h"
#include "starling/result.h"

namespace starling {

class OrderedKeys {
 public:
  OrderedKeys(NodeCore& core, const LevelOptions& options) : core_(core), options_(options) {}

  Result<std::optional<std::string>> Get(std::string_view key);
  /// False: no such key; `value` is empty.
  Result<bool> Get(std::string_view key, std::string& value);
  Status Set(std::string_view key, std::string_view value,
             std::optional<std::chrono::milliseconds> ttl);
  Result<bool> Delete(std::string_view key);
  Result<bool> Expire(std::string_view key, std::chrono::milliseconds ttl);
  Result<bool> Persist(std::string_view key);
  Result<TimeToLive> Ttl(std::string_view key);
  Result<int64_t> Add(std::string_view key, int64_t n);
  /// Sets it to 0 where it holds an integer; what it held.
  Result<std::optional<std::string>> TakeCounter(std::string_view key);

 private:
  enum class Kind : uint8_t { kRead, kWrite };
  Result<std::string> Ask(std::string_view key, OrderClient::Words words, Kind kind);

  NodeCore& core_;
  const LevelOptions& options_;
};

}  // namespace starling
