/// Keys of the library at level `local`: each call is done in this node's memory, at once.
///
/// Borrows the core for one call. Thread-safe as its parts are. The calls are those of OrderedKeys
/// (ordering/ordered_keys.h); errors are those that starling/kv.h names.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "node/node_core.h"
#include "starling/kv.h"
#include "starling/result.h"

namespace starling {

class LocalKeys {
 public:
  explicit LocalKeys(NodeCore& core) : core_(core) {}

  /// False: no such key; `value` is empty.
  Result<bool> Get(std::string_view key, std::string& value);
  Status Set(std::string_view key, std::string_view value,
             std::optional<std::chrono::milliseconds> ttl);
  Result<bool> Delete(std::string_view key);
  Result<bool> Expire(std::string_view key, std::chrono::milliseconds ttl);
  Result<bool> Persist(std::string_view key);
  Result<TimeToLive> Ttl(std::string_view key);

 private:
  NodeCore& core_;
};

}  // namespace starling
