/// One element of a collection, unpacked: its id within its type, and a register.
///
/// Borrows from where it stands in memory; a list's id may be borrowed from its shard's scratch
/// (collection_space.h) until the next element is unpacked there.
#pragma once

#include <string_view>

#include "storage/register.h"
#include "storage/score.h"

namespace starling {

struct Element {
  ElementType type = ElementType::kNone;
  std::string_view id;
  Register value;
  const char* block = nullptr;  ///< Where a long payload stands.

  /// Whether it is there for a client: added and not removed, or counted up.
  bool live() const {
    return (!value.version.none() && value.base.kind != Value::Kind::kNone) || !value.slots.empty();
  }
  /// Whether nothing is left of it, not even a tombstone.
  bool none() const { return value.version.none() && value.slots.empty(); }
  /// The newest stamp of what is live in it; none where nothing is.
  Stamp NewestLive() const;
  /// The oldest stamp that a cut would have to reach to take anything from it: of the base, or the
  /// birth of a slot.
  Stamp Oldest() const;
  /// What a client reads: the payload, or base plus slots. Borrows from where the element stands,
  /// or from `text` where a score is no exact number.
  Value Payload(ScoreText& text) const;
};

}  // namespace starling
