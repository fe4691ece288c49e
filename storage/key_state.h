/// One key's state and its merge rules: pure functions on plain values (DESIGN.md section 3).
///
/// Each part has a total order of its own, so merging is commutative, associative and idempotent
/// (property-tested in tests/storage/key_state_test.cc). Parts that a cut or a base has killed are
/// dropped at once: whoever sends them again is filtered by the version vector or killed anew by
/// the cut. Not thread-safe; views borrow from the entry they were unpacked from.
#pragma once

#include "storage/claim.h"
#include "storage/collection.h"
#include "storage/expiry_index.h"
#include "storage/register.h"

namespace starling {

/// The whole state of a key but its elements, which live in a Collection, and its claim.
struct KeyState {
  Stamp cut;            ///< Everything at or before it is gone; 0: never cut.
  Version cut_version;  ///< Of the cut's own item.
  Register string;
  Version expiry_version;
  int64_t deadline_millis = 0;  ///< 0: none.
  Collection collection;        ///< Owned by the shard.
  Claim* claim = nullptr;       ///< Owned by the shard; null: never claimed.

  // Not replicated.
  uint32_t accessed_seconds = 0;
  WheelPlace wheel_place = 0;  ///< Where the expiry index holds the key; 0: not indexed.
  bool changed = false;        ///< On the list for the next checkpoint.
  bool counted = false;        ///< Counted as a key of its database.
  bool counted_deadline = false;

  /// What elements and slots must be younger than to count.
  Stamp Reset() const { return cut > string.version.stamp ? cut : string.version.stamp; }
  bool HasString() const { return !string.version.none() || !string.slots.empty(); }
  bool HasDeadline() const { return deadline_millis != 0; }
  bool HasLiveClaim() const { return claim != nullptr && !claim->ended; }
  /// Whether nothing is left that would have to be kept.
  bool Empty() const {
    return cut.none() && !HasString() && collection.none() && expiry_version.none() &&
           claim == nullptr;
  }

  /// Each returns whether the state changed. Elements are the caller's to purge up to Reset().
  bool MergeCut(Stamp at, const Version& version, const OriginTable& origins);
  bool MergeBase(const Version& version, const Value& value, const OriginTable& origins);
  bool MergeSlot(const Slot& slot, const OriginTable& origins);
  bool MergeExpiry(const Version& version, int64_t deadline, const OriginTable& origins);
  /// Drops what a cut from outside the key (its database's) kills; returns whether anything went.
  bool ApplyCut(Stamp at);

 private:
  void DropKilled();
};

}  // namespace starling
