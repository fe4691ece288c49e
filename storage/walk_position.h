/// How far a walk over the keyspace has come; a fresh one stands at the beginning.
#pragma once

#include <string>
#include <vector>

#include "storage/collection_part.h"

namespace starling {

struct WalkPosition {
  /// A large collection whose elements are still to come: they are visited step by step.
  struct Key {
    uint8_t database = 0;
    std::string name;
    ElementsWalked elements;
  };

  bool begun = false;
  bool records = false;  ///< The records are gone through, before all else.
  bool done = false;
  size_t shard = 0;
  uint64_t bucket = 0;     ///< HandleTable's cursor.
  std::vector<Key> large;  ///< Of the bucket just visited.
};

}  // namespace starling
