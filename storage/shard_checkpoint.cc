// What a shard gives to a checkpoint and takes back at start-up.
#include <utility>

#include "storage/shard.h"

namespace starling {

Shard::ChangedNames Shard::TakeChanged() { return std::exchange(changed_, {}); }

bool Shard::EncodeChanged(ChangedNames& names, size_t limit,
                          std::vector<Engine::StateWrite>& writes) {
  if (!names.erased_done) {
    names.erased_done = true;
    for (const std::string& prefix : names.erased_prefixes) {
      writes.push_back({prefix, std::nullopt, true});
    }
    for (const std::string& name : names.erased) writes.push_back({name, std::nullopt, false});
  }
  for (; names.next_entry < names.entries.size(); ++names.next_entry) {
    if (writes.size() >= limit) return false;
    for (const Handle handle : FindByHash(names.entries[names.next_entry])) {
      LoadedEntry entry = LoadHandle(handle);
      if (!entry.state.changed) continue;
      writes.push_back(
          {StateName{StateName::Kind::kEntry, entry.key.database, entry.key.name, {}, {}}.Encode(),
           EncodeState(entry.state, origins_), false});
      entry.state.changed = false;
      Repack(entry);
    }
  }
  for (; names.next_element < names.elements.size(); ++names.next_element) {
    if (writes.size() >= limit) return false;
    const auto [key_hash, element_hash] = names.elements[names.next_element];
    for (const Handle handle : FindByHash(key_hash)) {
      const LoadedEntry entry = LoadHandle(handle);
      if (entry.state.collection == nullptr) continue;
      entry.state.collection->ForEachWithHash(element_hash, [&](const Element& element) {
        writes.push_back({StateName{StateName::Kind::kElement, entry.key.database, entry.key.name,
                                    element.type, element.id}
                              .Encode(),
                          EncodeElement(element.value, origins_), false});
      });
    }
  }
  return true;
}

void Shard::PutBack(ChangedNames names) {
  for (const uint64_t hash : names.entries) {
    for (const Handle handle : FindByHash(hash)) {
      LoadedEntry entry = LoadHandle(handle);
      if (entry.state.changed) continue;
      entry.state.changed = true;
      Repack(entry);
      changed_.entries.push_back(hash);
    }
  }
  changed_.elements.insert(changed_.elements.end(), names.elements.begin(), names.elements.end());
  // Erasing again what has come back meanwhile is mended by its own record, which is written after.
  changed_.erased.insert(changed_.erased.end(), names.erased.begin(), names.erased.end());
  changed_.erased_prefixes.insert(changed_.erased_prefixes.end(), names.erased_prefixes.begin(),
                                  names.erased_prefixes.end());
}

Status Shard::Restore(const KeyRef& key, const StateName& name, std::string_view value) {
  LoadedEntry entry = Load(key);
  if (name.kind == StateName::Kind::kEntry) {
    Collection* const collection = entry.state.collection;
    const Status status = DecodeState(value, origins_, entry.state);
    if (!status) return status;
    entry.state.collection = collection;
    if (!entry.state.cut.none()) {
      tombstones_.push_back({key.hash, 0, Tombstone::Kind::kCut, entry.state.cut_version});
    }
  } else {
    Element element;
    element.type = name.element_type;
    element.id = name.element;
    const Status status = DecodeElement(value, origins_, element.value);
    if (!status) return status;
    if (entry.state.collection == nullptr) {
      entry.state.collection = new Collection(slab_, hash_seed_);
    }
    if (!element.live()) {
      tombstones_.push_back({key.hash, entry.state.collection->HashOf(element.type, element.id),
                             Tombstone::Kind::kElement, element.value.version});
    }
    entry.state.collection->Restore(element);
  }
  CountAndIndex(entry);
  Repack(entry);
  return {};
}

}  // namespace starling
