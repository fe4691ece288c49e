/// What the access_*.cc files share: not for other files.
#pragma once

#include "storage/keyspace.h"
#include "storage/shard.h"

namespace starling {

inline Item ItemOf(Part part, const KeyRef& key) {
  Item item;
  item.part = part;
  item.database = key.database;
  item.key = key.name;
  return item;
}

inline Item ElementItemOf(Part part, const KeyRef& key, ElementType type, std::string_view id) {
  Item item = ItemOf(part, key);
  item.element_type = type;
  item.element = id;
  return item;
}

/// Makes `item` the own slot after `by` was added to it; `own` is the slot as it stands, or null.
/// False, with `item` unchanged, where this node's own net would overflow.
inline bool AddToOwnSlot(Item& item, const Slot* own, const Number& by) {
  std::optional<Number> net = by;
  if (own != nullptr) net = Number::Sum(own->net, by);
  if (!net) return false;
  if (own != nullptr) item.at = own->born;
  item.value = Value::OfNumber(*net);
  return true;
}

/// What a decimal shows after `by` was added. kOutOfRange: beyond 128 bits, or an integer beyond
/// 64, which would be read clamped.
inline Result<Number> DecimalSum(const Number& current, const Number& by) {
  std::optional<Number> sum = Number::Sum(current, by);
  if (sum) sum = sum->Normalized();
  if (!sum || (sum->is_integer() && !sum->fits_int64())) {
    return Error{Code::kOutOfRange, "the sum is beyond 128 bits, or an integer beyond 64"};
  }
  return *sum;
}

inline Error OwnNetOverflows() {
  return {Code::kOutOfRange, "what this node has added is beyond 128 bits"};
}

/// A collection with the space that its functions take.
struct SeenCollection {
  Collection collection;
  CollectionSpace& space;
};

}  // namespace starling
