/// What a key is made of, for `STARLING DEBUG KEY`: each part with who wrote it and when, what its
/// bytes are spent on, and what waits to be freed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "storage/item.h"
#include "storage/number.h"
#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling {

struct KeyDescription {
  struct Written {
    Stamp stamp;
    Origin origin;
  };
  struct Cut {
    Stamp at;  ///< Everything at or before it is gone.
    Written written;
  };
  struct Base {
    Value::Kind kind = Value::Kind::kNone;
    size_t bytes = 0;  ///< Of its text; 0 for a number.
    Written written;
  };
  struct SlotOf {
    Stamp born;
    Written written;
    Number net;
  };
  struct Expiry {
    int64_t deadline_millis = 0;  ///< 0: none, and this is since when.
    Written written;
  };
  struct Held {
    Stamp token;             ///< When it was granted.
    int64_t ttl_millis = 0;  ///< What remained when this was written; 0: it does not lapse.
    bool ended = false;
    size_t bytes = 0;  ///< Of its text.
    Written written;
  };
  struct Elements {
    ElementType type = ElementType::kNone;
    size_t live = 0;
    size_t removed = 0;   ///< Tombstones.
    size_t numeric = 0;   ///< With slots that count.
    size_t slots = 0;     ///< In all of these.
    bool packed = false;  ///< One block; else cells or a list's tree.
    Written newest;
  };
  /// Tombstones of one origin that are freed once this stamp of its is stable.
  struct Waiting {
    Written newest;
    size_t tombstones = 0;
  };

  std::optional<Cut> cut;
  Stamp database_cut;  ///< None: never flushed.
  std::optional<Base> base;
  std::vector<SlotOf> slots;
  std::optional<Expiry> expiry;
  std::optional<Held> claim;
  std::vector<Elements> elements;  ///< A type each that is there.
  std::vector<Waiting> waiting;    ///< In the order of their origins.

  size_t memory_bytes = 0;   ///< As MEMORY USAGE says.
  size_t payload_bytes = 0;  ///< Of it: key, ids and values that a client can read.
  /// Of it: stamps, origins, slots and tombstones, as an estimate; the rest are cells and indexes.
  size_t merge_bytes = 0;
};

}  // namespace starling
