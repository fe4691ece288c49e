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

/// A collection with the space that its functions take.
struct SeenCollection {
  Collection collection;
  CollectionSpace& space;
};

}  // namespace starling
