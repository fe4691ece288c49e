/// Names of keys by where they lie, for tests that hold one shard while others are used.
#pragma once

#include <cstdint>
#include <string>

#include "storage/keyspace.h"

namespace starling {

/// A name that begins as `name` does and lies, in database 0, in the first shard, which whoever
/// takes several takes first: who holds it holds up no user of the others.
inline std::string NameInFirstShard(const Keyspace& keyspace, std::string name) {
  const uint64_t any_count = 63;
  while ((keyspace.Ref(0, name).hash >> 32 & any_count) != 0) name += "x";
  return name;
}

/// One that does not lie there, where there are eight shards or more.
inline std::string NameInLaterShard(const Keyspace& keyspace, std::string name) {
  const uint64_t eight = 7;
  while ((keyspace.Ref(0, name).hash >> 32 & eight) == 0) name += "x";
  return name;
}

}  // namespace starling
