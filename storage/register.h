/// What merges by itself: a value with its version, and what origins have added to it.
///
/// A string key is one, and so is each element of a collection. Pure functions on plain values;
/// views borrow from where they were unpacked. Not thread-safe.
#pragma once

#include <absl/container/inlined_vector.h>

#include "storage/item.h"
#include "storage/origin_table.h"

namespace starling {

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
  /// Merges a slot; returns whether it won. One born at or before `reset` does not count. Where a
  /// new origin adds, slots that may be folded are.
  bool MergeSlot(const Slot& slot, Stamp reset, const OriginTable& origins);
  /// Makes one slot of all whose streams are over (OriginTable::MayFold), so that a thousand
  /// restarts leave one (I9). Nobody asks for them one by one any more, and a later reset kills all
  /// or none of them. It has the version of the latest of them, however often it was folded.
  void FoldSlots(const OriginTable& origins);
  /// Drops what was born at or before `cut`; returns whether anything went.
  bool DropUpTo(Stamp cut);
  /// The newest stamp among base and slots.
  Stamp Newest() const;
  /// Base (0 where it is not a number) plus nets. Sums beyond 128 bits are clamped there.
  Number Sum() const;
};

}  // namespace starling
