#include "replication/reissue.h"

#include <algorithm>

#include "storage/walk_position.h"

namespace starling {

void Reissue::Capture(Keyspace& keyspace, NodeId node, const Origin& current,
                      const VersionVector& accepted) {
  constexpr size_t kStep = 1 << 20;
  const auto keep = [&](const Item& item) {
    const bool own = item.origin.node == node && item.origin != current;
    if (!own || item.part == Part::kDatabaseCut || item.database == kClusterDatabase) return;
    items_.Add(item);
  };
  WalkPosition position;
  while (!keyspace.Walk(position, accepted, kStep, keep)) {
  }
  for (const Item& item : items_.items()) {
    theirs_.try_emplace(KeyName(item.database, std::string(item.key)));
  }
}

void Reissue::Compare(const DecodedBatch& piece) {
  for (const Item& item : piece.items()) {
    if (item.part == Part::kDatabaseCut) {
      Stamp& cut = database_cuts_[item.database];
      cut = std::max(cut, item.at);
      continue;
    }
    const auto found = theirs_.find(KeyName(item.database, std::string(item.key)));
    if (found == theirs_.end()) continue;
    Theirs& theirs = found->second;
    theirs.present = theirs.present || item.part != Part::kCut;
    if (item.part == Part::kSlot || item.part == Part::kElementSlot) {
      auto& slot =
          theirs.slots[PartName(item.element_type, std::string(item.element), item.origin)];
      slot = {item.at, item.value.number};
      continue;
    }
    if (item.part == Part::kElement) {
      Stamp& element = theirs.elements[std::string(item.element)];
      element = std::max(element, item.stamp);
    }
    theirs.latest = std::max(theirs.latest, item.stamp);
    if (item.part == Part::kCut) theirs.reset = std::max(theirs.reset, item.at);
    if (item.part == Part::kBase) theirs.reset = std::max(theirs.reset, item.stamp);
  }
}

bool Reissue::WriteSlot(Access& access, const KeyRef& key, const Item& item,
                        const Theirs& theirs) const {
  Number net = item.value.number;
  const auto held =
      theirs.slots.find(PartName(item.element_type, std::string(item.element), item.origin));
  if (held != theirs.slots.end() && held->second.first == item.at) {
    const auto rest = Number::Sum(net, held->second.second.Negated());
    if (!rest) return false;
    net = *rest;
  }
  if (net.units == 0) return false;
  if (item.part == Part::kElementSlot) {
    const auto seen = access.Find(key, false);
    if (seen && seen->type == KeyType::kString) return false;  // another type holds the key now
    return item.element_type == ElementType::kSortedSet
               ? access.IncrementScore(key, item.element, NearestDouble(net)).ok()
               : access.IncrementElementDecimal(key, item.element_type, item.element, net).ok();
  }
  if (net.is_integer() && net.fits_int64()) {
    return access.Increment(key, net.ClampedInt64()).ok();
  }
  return access.IncrementDecimal(key, net).ok();
}

bool Reissue::WriteItem(Access& access, const KeyRef& key, const Item& item,
                        const Theirs& theirs) const {
  const auto cut = database_cuts_.find(item.database);
  const Stamp reset = std::max(theirs.reset, cut == database_cuts_.end() ? Stamp{} : cut->second);
  switch (item.part) {
    case Part::kCut:
      return theirs.present && item.stamp > theirs.latest && access.Delete(key);
    case Part::kBase: {
      if (item.stamp <= std::max(theirs.latest, reset)) return false;
      std::string buffer;
      std::string_view text = item.value.bytes;
      if (item.value.kind == Value::Kind::kNumber) text = buffer = item.value.number.ToString();
      access.SetString(key, text, /*keep_ttl=*/true);
      return true;
    }
    case Part::kSlot:
      return item.at > reset && WriteSlot(access, key, item, theirs);
    case Part::kExpiry:
      if (item.stamp <= std::max(theirs.latest, reset)) return false;
      return item.deadline_millis == 0 ? access.ClearDeadline(key)
                                       : access.SetDeadline(key, item.deadline_millis);
    case Part::kElement: {
      const auto element = theirs.elements.find(std::string(item.element));
      const Stamp later = element == theirs.elements.end() ? Stamp{} : element->second;
      if (item.stamp <= std::max(later, reset)) return false;
      if (item.removed) return access.RemoveElement(key, item.element_type, item.element);
      const auto seen = access.Find(key, false);
      if (seen && seen->type == KeyType::kString) return false;  // another type holds the key now
      access.AddElement(key, item.element_type, item.element, item.value);
      return true;
    }
    case Part::kElementSlot: {
      const auto element = theirs.elements.find(std::string(item.element));
      const Stamp later = element == theirs.elements.end() ? Stamp{} : element->second;
      return item.at > std::max(later, reset) && WriteSlot(access, key, item, theirs);
    }
    default:
      return false;
  }
}

size_t Reissue::Write(Keyspace& keyspace) const {
  // Within a key: what resets it, then what stands on that, then the deadline.
  static constexpr Part kOrder[] = {Part::kCut,     Part::kBase,        Part::kSlot,
                                    Part::kElement, Part::kElementSlot, Part::kExpiry};
  std::map<KeyName, std::vector<const Item*>> keys;
  for (const Item& item : items_.items()) {
    keys[KeyName(item.database, std::string(item.key))].push_back(&item);
  }
  size_t written = 0;
  for (const auto& [name, items] : keys) {
    const KeyRef key = keyspace.Ref(name.first, name.second);
    Access access = keyspace.Lock(key);
    for (const Part part : kOrder) {
      for (const Item* item : items) {
        if (item->part == part && WriteItem(access, key, *item, theirs_.at(name))) ++written;
      }
    }
  }
  return written;
}

}  // namespace starling
