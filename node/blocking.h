/// What a command waits for that found nothing to take: BLPOP and its kin, and WAIT.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/keyspace.h"

namespace starling {

/// Filled in by a command instead of a reply. Whoever runs it runs it again when one of the keys
/// has changed, and replies for it when its time is up.
struct BlockRequest {
  bool wanted = false;
  KeyType type = KeyType::kNone;  ///< What it wants to find.
  std::vector<std::string> keys;
  /// 0: for ever.
  std::chrono::milliseconds timeout{0};
  /// WAIT: how many other members must hold what its client wrote. It has no keys.
  std::optional<int64_t> holders;
};

}  // namespace starling
