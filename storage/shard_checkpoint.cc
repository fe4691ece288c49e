// What a shard gives to a checkpoint and takes back at start-up.
#include <algorithm>
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
    EncodeElements(key_hash, {element_hash, std::nullopt}, writes);
  }
  for (; names.next_list_element < names.list_elements.size(); ++names.next_list_element) {
    if (writes.size() >= limit) return false;
    const auto [key_hash, end] = names.list_elements[names.next_list_element];
    const size_t begin =
        names.next_list_element == 0 ? 0 : names.list_elements[names.next_list_element - 1].second;
    const std::string_view ids = names.list_ids;
    EncodeElements(key_hash, {0, ids.substr(begin, end - begin)}, writes);
  }
  return true;
}

void Shard::EncodeElements(uint64_t key_hash, const ElementName& name,
                           std::vector<Engine::StateWrite>& writes) {
  for (const Handle handle : FindByHash(key_hash)) {
    const LoadedEntry entry = LoadHandle(handle);
    entry.state.collection.ForEachNamed(space_, name, [&](const Element& element) {
      writes.push_back({StateName{StateName::Kind::kElement, entry.key.database, entry.key.name,
                                  element.type, element.id}
                            .Encode(),
                        EncodeElement(element.value, origins_), false});
    });
  }
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
  for (const auto& [key_hash, end] : names.list_elements) {
    changed_.list_elements.emplace_back(key_hash, changed_.list_ids.size() + end);
  }
  changed_.list_ids.append(names.list_ids);
  // Erasing again what has come back meanwhile is mended by its own record, which is written after.
  changed_.erased.insert(changed_.erased.end(), names.erased.begin(), names.erased.end());
  changed_.erased_prefixes.insert(changed_.erased_prefixes.end(), names.erased_prefixes.begin(),
                                  names.erased_prefixes.end());
}

Status Shard::Restore(const KeyRef& key, const StateName& name, std::string_view value) {
  LoadedEntry entry = Load(key);
  const Status status = name.kind == StateName::Kind::kEntry ? RestoreParts(entry, value)
                                                             : RestoreElement(entry, name, value);
  if (!status || (entry.handle == 0 && entry.state.Empty())) return status;
  const Stamp newest = std::max(entry.state.string.Newest(), entry.state.expiry_version.stamp);
  entry.state.accessed_seconds =
      std::max(entry.state.accessed_seconds, static_cast<uint32_t>(newest.millis() / 1000));
  CountAndIndex(entry);
  Repack(entry);
  return {};
}

Status Shard::RestoreParts(LoadedEntry& entry, std::string_view value) {
  if (Status status = DecodeState(value, origins_, entry.state); !status) return status;
  const bool held_parts = !entry.state.Empty();
  ApplyDatabaseCut(entry.state, entry.key.database);
  if (held_parts && entry.state.Empty()) {
    changed_.erased.push_back(
        StateName{StateName::Kind::kEntry, entry.key.database, entry.key.name, {}, {}}.Encode());
  }
  if (!entry.state.cut.none()) {
    AddTombstone(entry.key.hash, Tombstone::Kind::kCut, entry.state.cut_version);
  }
  return {};
}

Status Shard::RestoreElement(LoadedEntry& entry, const StateName& name, std::string_view value) {
  Element element;
  element.type = name.element_type;
  element.id = name.element;
  if (Status status = DecodeElement(value, origins_, element.value); !status) return status;
  // A checkpoint may have ended between the cut that killed an element and the end of its record.
  const bool killed = element.value.DropUpTo(Reset(entry));
  if (element.none()) {
    RecordErasedElement(entry.key, element);
    return {};
  }
  if (killed) RecordChangedElement(entry, element.type, element.id);
  if (!element.live()) {
    AddElementTombstone(entry, element.type, element.id, element.value.version);
  }
  entry.state.accessed_seconds = std::max(
      entry.state.accessed_seconds, static_cast<uint32_t>(element.value.Newest().millis() / 1000));
  entry.state.collection.Restore(space_, element);
  return {};
}

}  // namespace starling
