// What a shard gives to a checkpoint and takes back at start-up.
#include <algorithm>
#include <utility>

#include "storage/shard.h"
#include "storage/state_records.h"

namespace starling {
namespace {

/// Encoded under the shard's lock at once: a value may be large, and so many of them are not to be
/// held twice.
constexpr size_t kSliceBytes = 1 << 20;

}  // namespace

/// What one call encodes.
class Shard::EncodedSlice {
 public:
  EncodedSlice(const std::vector<Engine::StateWrite>& writes, size_t limit)
      : writes_(writes), limit_(limit), counted_(writes.size()) {}

  bool Full() {
    for (; counted_ < writes_.size(); ++counted_) bytes_ += StateBytes(writes_[counted_]);
    return writes_.size() >= limit_ || bytes_ >= kSliceBytes;
  }

 private:
  const std::vector<Engine::StateWrite>& writes_;
  const size_t limit_;
  size_t counted_;
  size_t bytes_ = 0;
};

ChangedNames Shard::TakeChanged() {
  changed_.taken = newest_;
  maybe_saved_ = newest_;
  return std::exchange(changed_, ChangedNames{newest_});
}

bool Shard::AddedAfter(const Element& element, Stamp stamp) {
  if (element.type != ElementType::kList || element.id.size() < kListStepBytes) return false;
  // The last step of its place; a hostile peer's may be later than the element itself.
  const Stamp added = StampOfListStep(element.id.data() + element.id.size() - kListStepBytes);
  return added > stamp && added <= element.value.Newest();
}

bool Shard::EncodeChanged(ChangedNames& names, size_t limit,
                          std::vector<Engine::StateWrite>& writes) {
  EncodedSlice slice(writes, limit);
  // What vanished goes first: what has come back since has a record behind it.
  if (!EncodeErased(names, limit, writes) || !EncodeEntries(names, slice, writes) ||
      !EncodeBlocks(names, limit, slice, writes)) {
    return false;
  }
  for (; names.next.element < names.elements.size(); ++names.next.element) {
    if (slice.Full()) return false;
    const auto [key_hash, element_hash] = names.elements[names.next.element];
    EncodeElements(key_hash, {element_hash, std::nullopt}, writes);
  }
  for (; names.next.list < names.lists.size(); ++names.next.list) {
    if (slice.Full()) return false;
    EncodeElements(names.lists[names.next.list], {0, names.list_ids.Next(names.next.list_id)},
                   writes);
  }
  return true;
}

bool Shard::EncodeErased(ChangedNames& names, size_t limit,
                         std::vector<Engine::StateWrite>& writes) {
  while (!names.erased_prefixes.AtEnd(names.next.erased_prefix)) {
    if (writes.size() >= limit) return false;
    writes.push_back(
        {std::string(names.erased_prefixes.Next(names.next.erased_prefix)), std::nullopt, true});
  }
  while (!names.erased.AtEnd(names.next.erased)) {
    if (writes.size() >= limit) return false;
    writes.push_back({std::string(names.erased.Next(names.next.erased)), std::nullopt, false});
  }
  return true;
}

bool Shard::EncodeEntries(ChangedNames& names, EncodedSlice& slice,
                          std::vector<Engine::StateWrite>& writes) {
  for (; names.next.entry < names.entries.size(); ++names.next.entry) {
    if (slice.Full()) return false;
    for (const Handle handle : FindByHash(names.entries[names.next.entry])) {
      LoadedEntry entry = LoadHandle(handle);
      if (!entry.state.changed) continue;
      writes.push_back(
          {StateName{StateName::Kind::kEntry, entry.key.database, entry.key.name, {}, {}}.Encode(),
           EncodeState(entry.state, origins_), false});
      entry.state.changed = false;
      Repack(entry);
    }
  }
  return true;
}

bool Shard::EncodeBlocks(ChangedNames& names, size_t limit, EncodedSlice& slice,
                         std::vector<Engine::StateWrite>& writes) {
  constexpr size_t kStep = 256;
  size_t steps = writes.size();
  for (; names.next.block < names.blocks.size(); ++names.next.block, names.next.in_block = {}) {
    const std::vector<Handle> handles = FindByHash(names.blocks[names.next.block]);
    for (const Handle handle : handles) {
      const LoadedEntry entry = LoadHandle(handle);
      const auto encode = [&](const Element& element) {
        // What was added to a list after the names were taken may go without leaving a trace. What
        // was removed since then is in the log that is kept, and noted for the next checkpoint.
        if (element.value.Newest() <= names.since || AddedAfter(element, names.taken)) return;
        if (!element.live() && element.value.version.stamp > names.taken) return;
        EncodeElement(entry, element, writes);
      };
      for (bool done = false; !done;) {
        if ((steps >= limit || slice.Full()) && handles.size() == 1) return false;
        done = entry.state.collection.WalkBlocks(space_, names.next.in_block, names.since, kStep,
                                                 encode);
        steps += kStep;
      }
    }
  }
  return true;
}

void Shard::EncodeElement(const LoadedEntry& entry, const Element& element,
                          std::vector<Engine::StateWrite>& writes) {
  writes.push_back({StateName{StateName::Kind::kElement, entry.key.database, entry.key.name,
                              element.type, element.id}
                        .Encode(),
                    starling::EncodeElement(element.value, origins_), false});
}

void Shard::EncodeElements(uint64_t key_hash, const ElementName& name,
                           std::vector<Engine::StateWrite>& writes) {
  for (const Handle handle : FindByHash(key_hash)) {
    const LoadedEntry entry = LoadHandle(handle);
    entry.state.collection.ForEachNamed(
        space_, name, [&](const Element& element) { EncodeElement(entry, element, writes); });
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
  changed_.PutBack(names);
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
  if (entry.state.claim != nullptr) return Error{Code::kCorruption, "a key that is there twice"};
  std::unique_ptr<Claim> claim;
  if (Status status = DecodeState(value, origins_, entry.state, claim); !status) return status;
  if (claim != nullptr) RestoreClaim(entry, std::move(claim));
  const bool held_parts = !entry.state.Empty();
  ApplyDatabaseCut(entry.state, entry.key.database);
  if (held_parts && entry.state.Empty()) {
    changed_.erased.Add(
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
  newest_ = std::max(newest_, element.value.Newest());
  entry.state.collection.Restore(space_, element);
  return {};
}

}  // namespace starling
