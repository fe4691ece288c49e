/// The smallest thing that replicates: one part of one key, written by one origin at one stamp.
///
/// A key's state is a product of parts, each merged by its own order (DESIGN.md section 3), so
/// (origin, stamp) fixes an item's content. Views borrow; whoever builds an item says from where.
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/number.h"
#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling {

/// The numbers are the wire and disk format: never reuse one.
enum class Part : uint8_t {
  kCut = 1,          ///< Everything of the key stamped (slot: born) at or before `at` is gone.
  kBase = 2,         ///< A string value.
  kSlot = 3,         ///< What one origin added to a counter since `at`.
  kExpiry = 4,       ///< A deadline, or none.
  kElement = 5,      ///< One element of a collection: payload, or removed.
  kElementSlot = 6,  ///< What one origin added to a numeric element since `at`.
  kDatabaseCut = 7,  ///< A cut of a whole database (`FLUSHDB`); key is empty.
  kClaim = 8,        ///< Who holds the key, or that nobody does any more (claim.h).
};

enum class ElementType : uint8_t {
  kNone = 0,
  kSet = 1,
  kHash = 2,
  kSortedSet = 3,
  kList = 4,
  kStream = 5,
};

/// A string payload: bytes, or a number that stands for its canonical text.
struct Value {
  enum class Kind : uint8_t { kNone = 0, kBytes = 1, kNumber = 2 };

  Kind kind = Kind::kNone;
  std::string_view bytes;  ///< kBytes only; borrowed.
  Number number;           ///< kNumber only.

  static Value Bytes(std::string_view bytes) { return {Kind::kBytes, bytes, {}}; }
  static Value OfNumber(Number number) { return {Kind::kNumber, {}, number}; }
  /// Text that is exactly an int64 in Redis's form becomes a number, all else bytes.
  static Value FromText(std::string_view text);
};

struct Item {
  Part part = Part::kBase;
  uint8_t database = 0;
  ElementType element_type = ElementType::kNone;  ///< kElement, kElementSlot.
  bool removed = false;  ///< kElement: the element is removed. kClaim: the claim is ended.
  std::string_view key;
  std::string_view element;  ///< kElement, kElementSlot: the element's id within its type.
  Origin origin;
  Stamp stamp;
  /// kCut, kDatabaseCut: the stamp cut at. kSlot, kElementSlot: when the slot was born. kClaim: the
  /// stamp that granted it. Else none.
  Stamp at;
  /// kExpiry: milliseconds of the hybrid clock, 0 for "no deadline". kClaim: how many of them it
  /// has left to live, 0 for "it does not lapse".
  int64_t deadline_millis = 0;
  /// kBase, kElement: the payload. kSlot, kElementSlot: the net, as a number. kClaim: the value as
  /// bytes.
  Value value;
};

}  // namespace starling
