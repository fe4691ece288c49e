/// One key's state and its merge rules: pure functions on plain values (DESIGN.md section 3).
///
/// Each part has a total order of its own, so merging is commutative, associative and idempotent
/// (property-tested in tests/storage/key_state_test.cc). Parts that a cut or a base has killed are
/// dropped at once: whoever sends them again is filtered by the version vector or killed anew by
/// the cut. Not thread-safe; views borrow from the entry they were unpacked from.
#pragma once

#include <optional>
#include <string_view>

#include <absl/container/inlined_vector.h>

#include "storage/item.h"
#include "storage/origin_table.h"

namespace starling {

class Collection;

/// Who wrote a part, and when. Stamp 0: nobody, the part is absent.
struct Version {
  Stamp stamp;
  OriginIndex origin = 0;

  bool none() const { return stamp.none(); }
};

/// Total order of versions: by stamp, then by origin.
bool Later(const Version& a, const Version& b, const OriginTable& origins);

/// What one origin added since `born`.
struct Slot {
  OriginIndex origin = 0;
  Stamp born;
  Stamp stamp;
  Number net;
};

using Slots = absl::InlinedVector<Slot, 4>;

/// A value many origins add to: a base and their slots. A string key, and a numeric element.
struct Register {
  Version version;  ///< Of the base.
  Value base;       ///< kNone with a version: removed (elements only).
  Slots slots;

  /// The slot of `origin`, or null.
  Slot* Find(OriginIndex origin);
  const Slot* Find(OriginIndex origin) const;
  /// Merges a base; returns whether it won. Slots born at or before it are dropped.
  bool MergeBase(const Version& version, const Value& base, const OriginTable& origins);
  /// Merges a slot; returns whether it won. One born at or before `reset` does not count.
  bool MergeSlot(const Slot& slot, Stamp reset);
  /// Drops what was born at or before `cut`; returns whether anything went.
  bool DropUpTo(Stamp cut);
  /// The newest stamp among base and slots.
  Stamp Newest() const;
  /// Base (0 where it is not a number) plus nets. Sums beyond 128 bits are clamped there.
  Number Sum() const;
};

/// The whole state of a key but its elements, which live in a Collection.
struct KeyState {
  Stamp cut;            ///< Everything at or before it is gone; 0: never cut.
  Version cut_version;  ///< Of the cut's own item.
  Register string;
  Version expiry_version;
  int64_t deadline_millis = 0;       ///< 0: none.
  Collection* collection = nullptr;  ///< Owned by the shard.

  // Not replicated.
  uint32_t accessed_seconds = 0;
  uint16_t wheel_place = 0;  ///< Where the expiry index holds the key; 0: not indexed.
  bool changed = false;      ///< On the list for the next checkpoint.
  bool counted = false;      ///< Counted as a key of its database.
  bool counted_deadline = false;

  /// What elements and slots must be younger than to count.
  Stamp Reset() const { return cut > string.version.stamp ? cut : string.version.stamp; }
  bool HasString() const { return !string.version.none() || !string.slots.empty(); }
  bool HasDeadline() const { return deadline_millis != 0; }
  /// Whether nothing is left that would have to be kept.
  bool Empty() const {
    return cut.none() && !HasString() && collection == nullptr && expiry_version.none();
  }

  /// Each returns whether the state changed. Elements are the caller's to purge up to Reset().
  bool MergeCut(Stamp at, const Version& version, const OriginTable& origins);
  bool MergeBase(const Version& version, const Value& value, const OriginTable& origins);
  bool MergeSlot(const Slot& slot);
  bool MergeExpiry(const Version& version, int64_t deadline, const OriginTable& origins);
  /// Drops what a cut from outside the key (its database's) kills; returns whether anything went.
  bool ApplyCut(Stamp at);

 private:
  void DropKilled();
};

}  // namespace starling
