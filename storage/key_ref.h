/// A key by name: its database, its bytes and their hash, computed once per command.
#pragma once

#include <cstdint>
#include <string_view>

namespace starling {

/// Borrowed bytes; made by Keyspace::Ref, which knows the hash seed.
struct KeyRef {
  uint8_t database = 0;
  std::string_view name;
  uint64_t hash = 0;
};

}  // namespace starling
