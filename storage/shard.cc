#include "storage/shard.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "storage/payload_block.h"

namespace starling {

uint64_t HashKey(uint8_t database, std::string_view name, uint64_t seed) {
  return XXH3_64bits_withSeed(name.data(), name.size(), seed + database);
}

ElementType ElementTypeOf(KeyType type) {
  switch (type) {
    case KeyType::kSet:
      return ElementType::kSet;
    case KeyType::kHash:
      return ElementType::kHash;
    case KeyType::kSortedSet:
      return ElementType::kSortedSet;
    case KeyType::kList:
      return ElementType::kList;
    case KeyType::kStream:
      return ElementType::kStream;
    case KeyType::kNone:
    case KeyType::kString:
      break;
  }
  return ElementType::kNone;
}

namespace {

constexpr KeyType kCollectionTypes[] = {KeyType::kSet, KeyType::kHash, KeyType::kSortedSet,
                                        KeyType::kList, KeyType::kStream};

}  // namespace

KeyView ViewOf(const LoadedEntry& entry) {
  const KeyState& state = entry.state;
  KeyView view;
  Stamp newest;
  if (state.HasString()) {
    view.type = KeyType::kString;
    newest = state.string.Newest();
  }
  // Where two types meet, the type of the latest live item shows.
  for (const KeyType type : kCollectionTypes) {
    if (state.collection == nullptr) break;
    const ElementType element_type = ElementTypeOf(type);
    const size_t live = state.collection->live(element_type);
    if (live == 0 || state.collection->newest(element_type) < newest) continue;
    newest = state.collection->newest(element_type);
    view.type = type;
    view.size = live;
    view.collection = state.collection;
  }
  if (view.type == KeyType::kString) {
    view.counter = !state.string.slots.empty();
    view.value = view.counter ? Value::OfNumber(state.string.Sum()) : state.string.base;
  }
  if (view.type != KeyType::kNone && state.HasDeadline()) {
    view.deadline_millis = state.deadline_millis;
  }
  view.accessed_seconds = state.accessed_seconds;
  return view;
}

Shard::~Shard() {
  table_.ForEach([this](Handle handle) {
    LoadedEntry entry = LoadHandle(handle);
    delete[] entry.block;
    delete entry.state.collection;
  });
}

KeyRef Shard::KeyOf(Handle handle) const {
  KeyRef key = CellKey(slab_.At(handle));
  key.hash = HashKey(key.database, key.name, hash_seed_);
  return key;
}

LoadedEntry Shard::Load(const KeyRef& key) {
  LoadedEntry entry;
  entry.key = key;
  entry.handle = table_.Find(key.hash, [&](Handle handle) {
    const KeyRef other = CellKey(slab_.At(handle));
    return other.name == key.name && other.database == key.database;
  });
  if (entry.handle == 0) return entry;
  Unpack(entry);
  const Stamp cut = database_cuts_[key.database];
  if (cut.none()) return entry;
  // Keys that a database's cut has killed lose their parts when they are next seen.
  const bool parts = entry.state.ApplyCut(cut);
  const bool elements = PurgeCollection(entry);
  if (parts || elements) Save(entry);
  return entry;
}

LoadedEntry Shard::LoadHandle(Handle handle) const {
  LoadedEntry entry;
  entry.key = KeyOf(handle);
  entry.handle = handle;
  Unpack(entry);
  return entry;
}

void Shard::Unpack(LoadedEntry& entry) const {
  UnpackCell(slab_.At(entry.handle), entry.state, &entry.block);
  if (entry.block != nullptr) entry.block_size = entry.state.string.base.bytes.size();
}

bool Shard::KilledByDatabase(const LoadedEntry& entry) const {
  const Stamp cut = database_cuts_[entry.key.database];
  const KeyState& state = entry.state;
  return !cut.none() && state.string.version.stamp <= cut &&
         std::all_of(state.string.slots.begin(), state.string.slots.end(),
                     [&](const Slot& slot) { return slot.born <= cut; }) &&
         (state.collection == nullptr || state.collection->AllUpTo(cut));
}

Stamp Shard::Reset(const LoadedEntry& entry) const {
  return std::max(entry.state.Reset(), database_cuts_[entry.key.database]);
}

bool Shard::Merge(LoadedEntry& entry, const Item& item, OriginIndex origin) {
  const Version version{item.stamp, origin};
  const Stamp database_cut = database_cuts_[entry.key.database];
  switch (item.part) {
    case Part::kCut:
      if (item.at <= database_cut || !entry.state.MergeCut(item.at, version, origins_)) {
        return false;
      }
      PurgeCollection(entry);
      tombstones_.push_back({entry.key.hash, 0, Tombstone::Kind::kCut, version});
      return true;
    case Part::kBase:
      if (item.stamp <= database_cut || !entry.state.MergeBase(version, item.value, origins_)) {
        return false;
      }
      PurgeCollection(entry);
      return true;
    case Part::kSlot:
      return item.at > database_cut &&
             entry.state.MergeSlot({origin, item.at, item.stamp, item.value.number});
    case Part::kExpiry:
      return item.stamp > database_cut &&
             entry.state.MergeExpiry(version, item.deadline_millis, origins_);
    case Part::kElement:
    case Part::kElementSlot:
      return MergeElement(entry, item, origin);
    case Part::kDatabaseCut:
      break;  // merged by MergeDatabaseCut
  }
  return false;
}

bool Shard::MergeElement(LoadedEntry& entry, const Item& item, OriginIndex origin) {
  Collection*& collection = entry.state.collection;
  if (collection == nullptr) collection = new Collection(slab_, hash_seed_);
  if (!collection->Merge(item, origin, Reset(entry), origins_)) {
    if (collection->size() == 0) {
      delete collection;
      collection = nullptr;
    }
    return false;
  }
  const uint64_t element_hash = collection->HashOf(item.element_type, item.element);
  changed_.elements.emplace_back(entry.key.hash, element_hash);
  if (item.part == Part::kElement && item.removed) {
    tombstones_.push_back(
        {entry.key.hash, element_hash, Tombstone::Kind::kElement, {item.stamp, origin}});
  }
  return true;
}

std::function<void(const Element&)> Shard::ErasedElementRecorder(const LoadedEntry& entry) {
  return [this, key = entry.key](const Element& element) {
    changed_.erased.push_back(
        StateName{StateName::Kind::kElement, key.database, key.name, element.type, element.id}
            .Encode());
  };
}

bool Shard::PurgeCollection(LoadedEntry& entry) {
  if (entry.state.collection == nullptr) return false;
  const Stamp reset = Reset(entry);
  const bool changed = entry.state.collection->AllUpTo(reset) ||
                       entry.state.collection->Purge(reset, ErasedElementRecorder(entry));
  if (entry.state.collection->AllUpTo(reset) || entry.state.collection->size() == 0) {
    DropCollection(entry);
  }
  return changed;
}

void Shard::DropCollection(LoadedEntry& entry) {
  changed_.erased_prefixes.push_back(
      StateName{StateName::Kind::kElement, entry.key.database, entry.key.name, {}, {}}
          .ElementPrefix());
  // Freed in slices (FreeDropped), so that deleting a large collection stalls nobody.
  dropped_.emplace_back(entry.state.collection);
  entry.state.collection = nullptr;
}

void Shard::CountAndIndex(LoadedEntry& entry) {
  KeyState& state = entry.state;
  const KeyView view = ViewOf(entry);
  Counts& counts = counts_[entry.key.database];
  const bool visible = view.type != KeyType::kNone;
  const bool with_deadline = visible && state.HasDeadline();
  const bool vanished = !visible && (state.counted || entry.handle == 0);
  counts.keys += static_cast<size_t>(visible) - static_cast<size_t>(state.counted);
  counts.with_deadline +=
      static_cast<size_t>(with_deadline) - static_cast<size_t>(state.counted_deadline);
  state.counted = visible;
  state.counted_deadline = with_deadline;
  if (vanished && !state.expiry_version.none()) {
    // An expiry of nothing: its key's value may still be on the way; goes when it is stable.
    tombstones_.push_back({entry.key.hash, 0, Tombstone::Kind::kExpiry, state.expiry_version});
  }
  if (!state.HasDeadline()) return;
  if (state.fire_tick != 0 && expiry_.TickFor(state.deadline_millis) >= state.fire_tick) return;
  state.fire_tick = expiry_.Add(state.deadline_millis, static_cast<uint32_t>(entry.key.hash));
}

void Shard::Save(LoadedEntry& entry) {
  KeyState& state = entry.state;
  if (state.collection != nullptr && state.collection->size() == 0) DropCollection(entry);
  const bool empty = state.cut.none() && !state.HasString() && state.collection == nullptr &&
                     state.expiry_version.none();
  if (empty) {
    if (entry.handle != 0) Erase(entry);
    return;
  }
  CountAndIndex(entry);
  if (!state.changed) {
    state.changed = true;
    changed_.entries.push_back(entry.key.hash);
  }
  Repack(entry);
}

void Shard::Repack(LoadedEntry& entry) {
  if (entry.block != nullptr) outside_bytes_ -= entry.block_size;
  entry.block = KeepPayload(entry.state.string, entry.block);
  entry.block_size = entry.block == nullptr ? 0 : entry.state.string.base.bytes.size();
  outside_bytes_ += entry.block_size;
  absl::InlinedVector<uint8_t, 512> scratch(CellBound(entry.key.name, entry.state));
  const size_t size = PackCell(scratch.data(), entry.key, entry.state, entry.block);
  const auto hash_of = [this](Handle handle) { return HashOf(handle); };
  if (entry.handle == 0) {
    entry.handle = slab_.Allocate(size);
    std::memcpy(slab_.At(entry.handle), scratch.data(), size);
    table_.Insert(entry.key.hash, entry.handle, hash_of);
  } else if (slab_.SizeOf(entry.handle) == Slab::RoundUp(size)) {
    std::memcpy(slab_.At(entry.handle), scratch.data(), size);
  } else {
    const Handle old = entry.handle;
    entry.handle = slab_.Allocate(size);
    std::memcpy(slab_.At(entry.handle), scratch.data(), size);
    table_.Replace(entry.key.hash, old, entry.handle);
    slab_.Free(old);
  }
}

void Shard::Erase(LoadedEntry& entry) {
  Counts& counts = counts_[entry.key.database];
  counts.keys -= entry.state.counted ? 1 : 0;
  counts.with_deadline -= entry.state.counted_deadline ? 1 : 0;
  changed_.erased.push_back(
      StateName{StateName::Kind::kEntry, entry.key.database, entry.key.name, {}, {}}.Encode());
  table_.Erase(entry.key.hash, entry.handle, [this](Handle handle) { return HashOf(handle); });
  outside_bytes_ -= entry.block_size;
  delete[] entry.block;
  slab_.Free(entry.handle);
  entry.handle = 0;
  entry.block = nullptr;
}

size_t Shard::MemoryUsage(const LoadedEntry& entry) const {
  constexpr size_t kIndexShare = 8;  // a table slot at the usual fill
  size_t bytes = slab_.SizeOf(entry.handle) + kIndexShare + entry.block_size;
  if (entry.state.fire_tick != 0) bytes += sizeof(uint32_t);
  if (entry.state.collection != nullptr) bytes += entry.state.collection->memory_bytes();
  return bytes;
}

bool Shard::MergeDatabaseCut(uint8_t database, Stamp at, const Version& version) {
  if (at <= database_cuts_[database]) return false;
  database_cuts_[database] = at;
  database_cut_versions_[database] = version;
  return true;
}

uint64_t Shard::Scan(uint64_t cursor, size_t count,
                     const std::function<void(Handle)>& visit) const {
  size_t visited = 0;
  do {
    cursor = table_.Scan(cursor, [&](Handle handle) {
      ++visited;
      visit(handle);
    });
  } while (cursor != 0 && visited < count);
  return cursor;
}

void Shard::Clear() {
  std::vector<Handle> handles;
  table_.ForEach([&](Handle handle) { handles.push_back(handle); });
  for (const Handle handle : handles) {
    LoadedEntry entry = LoadHandle(handle);
    if (entry.state.collection != nullptr) DropCollection(entry);
    Erase(entry);
  }
  tombstones_.clear();
}

size_t Shard::Expire(int64_t now_millis, size_t limit,
                     const std::function<void(LoadedEntry&)>& expired) {
  std::vector<Handle> found;
  return expiry_.Advance(now_millis, limit, [&](uint32_t hash, uint32_t tick) {
    found.clear();
    table_.ForEachCandidate(hash, [&](Handle handle) {
      if (static_cast<uint32_t>(HashOf(handle)) == hash) found.push_back(handle);
    });
    for (const Handle handle : found) {
      LoadedEntry entry = LoadHandle(handle);
      if (entry.state.fire_tick != tick) continue;  // a stale wake-up: it is indexed elsewhere
      entry.state.fire_tick = 0;
      if (!entry.state.HasDeadline()) {
        Repack(entry);
      } else if (now_millis > entry.state.deadline_millis) {
        expired(entry);
      } else {
        LookAgain(entry, entry.state.deadline_millis);
      }
    }
  });
}

void Shard::LookAgain(LoadedEntry& entry, int64_t millis) {
  entry.state.fire_tick = expiry_.Add(millis, static_cast<uint32_t>(entry.key.hash));
  Repack(entry);
}

size_t Shard::FreeStable(const Keyspace::Stability& stability, size_t limit, VersionVector& floor) {
  size_t freed = 0;
  while (freed < limit && !tombstones_.empty()) {
    const Tombstone tombstone = tombstones_.front();
    const Origin& origin = origins_.At(tombstone.version.origin);
    const Stamp stamp = tombstone.version.stamp;
    if (stamp > stability.passed || !stability.covered.Covers(origin, stamp)) break;
    tombstones_.pop_front();
    if (!FreeOne(tombstone)) continue;
    floor.Raise(origin, stamp);
    ++freed;
  }
  return freed;
}

bool Shard::FreeOne(const Tombstone& tombstone) {
  const auto same = [&](const Version& version) {
    return version.stamp == tombstone.version.stamp && version.origin == tombstone.version.origin;
  };
  for (const Handle handle : FindByHash(tombstone.key_hash)) {
    LoadedEntry entry = LoadHandle(handle);
    KeyState& state = entry.state;
    switch (tombstone.kind) {
      case Tombstone::Kind::kCut:
        if (state.cut.none() || !same(state.cut_version)) continue;
        state.cut = {};
        state.cut_version = {};
        break;
      case Tombstone::Kind::kExpiry:
        if (!same(state.expiry_version) || ViewOf(entry).type != KeyType::kNone) continue;
        state.expiry_version = {};
        state.deadline_millis = 0;
        break;
      case Tombstone::Kind::kElement:
        if (state.collection == nullptr ||
            !state.collection->Free(tombstone.element_hash, tombstone.version.stamp,
                                    ErasedElementRecorder(entry))) {
          continue;
        }
        break;
    }
    Save(entry);
    return true;
  }
  return false;
}

size_t Shard::FreeDropped(size_t limit) {
  size_t steps = 0;
  while (steps < limit && !dropped_.empty()) {
    constexpr size_t kSlice = 64;
    if (dropped_.back()->FreeSome(kSlice)) dropped_.pop_back();
    steps += kSlice;
  }
  return steps;
}

std::vector<Handle> Shard::FindByHash(uint64_t hash) const {
  std::vector<Handle> found;
  table_.ForEachCandidate(static_cast<uint32_t>(hash), [&](Handle handle) {
    if (HashOf(handle) == hash) found.push_back(handle);
  });
  return found;
}

size_t Shard::memory_bytes() const {
  size_t bytes = slab_.bytes() + table_.memory_bytes() + expiry_.memory_bytes() + outside_bytes_ +
                 tombstones_.size() * sizeof(Tombstone);
  return bytes;
}

}  // namespace starling
