/// A claim: what a key is while one holder has it (a lock, `SET NX`), merged apart from all else.
///
/// All writes of a claim are made by leaseholders, each of whom has seen those before, so the later
/// (stamp, origin) wins; cuts, bases and deadlines never touch it. While it lives it *is* the key.
/// Its time to live is no deadline: each node counts it from the claim's arrival there by the boot
/// clock, so no wall clock can free it early (COUNTEREXAMPLES 20), and only a leaseholder ends it.
/// An ended claim is a tombstone. Not thread-safe: the shard's mutex guards it.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "storage/register.h"

namespace starling {

struct Claim {
  /// Never up.
  static constexpr int64_t kNoLapse = std::numeric_limits<int64_t>::max();

  Version version;
  Stamp token;             ///< The stamp that granted it: the fencing token.
  int64_t ttl_millis = 0;  ///< What remained when this was written; 0: it does not lapse.
  bool ended = false;
  std::string text;  ///< What a client reads.

  // Not replicated.
  int64_t arrived_millis = 0;         ///< By the boot clock: when this version came here.
  int64_t indexed_millis = kNoLapse;  ///< Where the shard's index of lapses holds it.
  bool counted = false;               ///< Among the shard's live claims.

  /// When its time is up, in milliseconds of the boot clock.
  int64_t LapsesAt() const {
    return ended || ttl_millis == 0 ? kNoLapse : arrived_millis + ttl_millis;
  }
  /// Bytes beside the cell.
  size_t memory_bytes() const { return sizeof(Claim) + text.capacity(); }

  /// Takes over a kClaim item; returns whether it won. `now_millis`: the boot clock's.
  bool Merge(const Version& by, const Item& item, const OriginTable& origins, int64_t now_millis);
};

}  // namespace starling
