/// What the collections of one shard share: where they take memory, and how ids are hashed.
///
/// Guarded by the shard's mutex.
#pragma once

#include <array>
#include <cstdint>

#include "storage/list_position.h"
#include "storage/origin_table.h"
#include "storage/slab.h"

namespace starling {

struct CollectionSpace {
  Slab& slab;
  uint64_t hash_seed = 0;
  const OriginTable& origins;
  size_t outside_bytes = 0;  ///< Taken beside the slab: blocks, indexes, long payloads.
  /// Where the id of a list element is put together that stands nowhere.
  std::array<char, kListStepBytes> id_text{};
};

}  // namespace starling
