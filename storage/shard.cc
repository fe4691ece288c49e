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
  view.accessed_seconds = state.accessed_seconds;
  if (state.HasLiveClaim()) {
    // While it lives it is the key, whatever lies under it.
    view.type = KeyType::kString;
    view.claimed = true;
    view.value = Value::FromText(state.claim->text);
    return view;
  }
  if (state.HasString()) view.type = KeyType::kString;
  for (const KeyType type : kCollectionTypes) {
    if (state.collection.none()) break;
    const ElementType element_type = ElementTypeOf(type);
    const size_t live = state.collection.live(element_type);
    if (live == 0) continue;
    // Where two types meet, the type of the latest live item shows.
    if (view.type != KeyType::kNone) {
      const Stamp other = view.type == KeyType::kString
                              ? state.string.Newest()
                              : state.collection.NewestLive(*entry.space, ElementTypeOf(view.type));
      if (state.collection.NewestLive(*entry.space, element_type) < other) continue;
    }
    view.type = type;
    view.size = live;
  }
  if (view.type == KeyType::kString) {
    view.counter = !state.string.slots.empty();
    view.value = view.counter ? Value::OfNumber(state.string.Sum()) : state.string.base;
  }
  if (view.type != KeyType::kNone && state.HasDeadline()) {
    view.deadline_millis = state.deadline_millis;
  }
  return view;
}

Shard::~Shard() {
  table_.ForEach([this](Handle handle) {
    LoadedEntry entry = LoadHandle(handle);
    delete[] entry.block;
    delete entry.state.claim;
    entry.state.collection.FreeSome(space_, SIZE_MAX);
  });
  for (Collection& collection : dropped_) {
    while (!collection.FreeSome(space_, SIZE_MAX)) {
    }
  }
}

KeyRef Shard::KeyOf(Handle handle) const {
  KeyRef key = CellKey(slab_.At(handle));
  key.hash = HashKey(key.database, key.name, hash_seed_);
  return key;
}

LoadedEntry Shard::FindRaw(const KeyRef& key) const {
  LoadedEntry entry;
  entry.key = key;
  entry.space = &space_;
  entry.handle = table_.Find(key.hash, [&](Handle handle) {
    const KeyRef other = CellKey(slab_.At(handle));
    return other.name == key.name && other.database == key.database;
  });
  if (entry.handle != 0) Unpack(entry);
  return entry;
}

LoadedEntry Shard::Load(const KeyRef& key) {
  LoadedEntry entry = FindRaw(key);
  if (entry.handle == 0) return entry;
  const Stamp cut = database_cuts_[key.database];
  if (cut.none()) return entry;
  // Keys that a database's cut has killed lose their parts when they are next seen.
  const bool parts = ApplyDatabaseCut(entry.state, key.database);
  const bool elements = PurgeCollection(entry);
  if (!parts && !elements) return entry;
  Remember(entry);
  Save(entry);
  // The cell may have moved, and what was borrowed from it with it.
  LoadedEntry saved;
  saved.key = key;
  saved.space = &space_;
  saved.handle = entry.handle;
  if (saved.handle != 0) Unpack(saved);
  return saved;
}

bool Shard::ApplyDatabaseCut(KeyState& state, uint8_t database) const {
  const Stamp cut = database_cuts_[database];
  // A cut of its own that this one covers is no tombstone any more: who misses it gets the
  // database's.
  const bool own_cut = !state.cut.none() && state.cut <= cut;
  if (own_cut) {
    state.cut = {};
    state.cut_version = {};
  }
  return state.ApplyCut(cut) || own_cut;
}

LoadedEntry Shard::LoadForView(Handle handle) const {
  LoadedEntry entry = LoadHandle(handle);
  const Stamp cut = database_cuts_[entry.key.database];
  if (cut.none()) return entry;
  entry.state.ApplyCut(cut);
  if (!entry.state.collection.none() && entry.state.collection.AllUpTo(cut)) {
    entry.state.collection = {};
  }
  return entry;
}

LoadedEntry Shard::LoadHandle(Handle handle) const {
  LoadedEntry entry;
  entry.key = KeyOf(handle);
  entry.space = &space_;
  entry.handle = handle;
  Unpack(entry);
  return entry;
}

void Shard::Unpack(LoadedEntry& entry) const {
  UnpackCell(slab_.At(entry.handle), entry.state, &entry.block);
  if (entry.block != nullptr) entry.block_size = entry.state.string.base.bytes.size();
}

Stamp Shard::Reset(const LoadedEntry& entry) const {
  return std::max(entry.state.Reset(), database_cuts_[entry.key.database]);
}

bool Shard::MergePart(LoadedEntry& entry, const Item& item, OriginIndex origin) {
  const Version version{item.stamp, origin};
  const Stamp database_cut = database_cuts_[entry.key.database];
  switch (item.part) {
    case Part::kCut:
      if (item.at <= database_cut || !entry.state.MergeCut(item.at, version, origins_)) {
        return false;
      }
      PurgeCollection(entry);
      if (!claim_rules_.cuts_spare_claims && entry.state.HasLiveClaim()) {
        entry.state.claim->ended = item.at > entry.state.claim->version.stamp;
      }
      AddTombstone(entry.key.hash, Tombstone::Kind::kCut, version);
      return true;
    case Part::kBase:
      if (item.stamp <= database_cut || !entry.state.MergeBase(version, item.value, origins_)) {
        return false;
      }
      PurgeCollection(entry);
      return true;
    case Part::kSlot:
      return item.at > database_cut &&
             entry.state.MergeSlot({origin, item.at, item.stamp, item.value.number}, origins_);
    case Part::kExpiry:
      if (item.stamp <= database_cut ||
          !entry.state.MergeExpiry(version, item.deadline_millis, origins_)) {
        return false;
      }
      entry.expiry_merged = true;
      return true;
    case Part::kElement:
    case Part::kElementSlot:
      return MergeElement(entry, item, origin);
    case Part::kClaim:
      return MergeClaim(entry, item, origin);
    case Part::kDatabaseCut:
      break;  // merged by MergeDatabaseCut
  }
  return false;
}

bool Shard::MergeElement(LoadedEntry& entry, const Item& item, OriginIndex origin) {
  if (speculation != nullptr) RememberElement(entry, item.element_type, item.element);
  const ElementChange change = entry.state.collection.Merge(space_, item, origin, Reset(entry));
  if (change.changed) NoteElement(entry, item, origin, change);
  return change.changed;
}

void Shard::NoteElement(const LoadedEntry& entry, const Item& item, OriginIndex origin,
                        const ElementChange& change) {
  newest_ = std::max(newest_, item.stamp);
  maybe_replaced_ += change.was_tombstone ? 1 : 0;
  if (item.part == Part::kElement && item.removed) {
    AddElementTombstone(entry, item.element_type, item.element, {item.stamp, origin});
  }
  const Stamp since = changed_.since;
  if (change.indexed != ElementType::kNone) {
    // What the key's note stood for has left the block.
    entry.state.collection.ForEach(space_, [&](const Element& element) {
      if (element.type == change.indexed && element.value.Newest() > since) {
        RecordChangedElement(entry, element.type, element.id);
      }
    });
  }
  if (item.stamp > since && change.block_before) {
    if (*change.block_before <= since) changed_.blocks.push_back(entry.key.hash);
  } else if (item.stamp <= since || change.before <= since) {
    // An old base may also have taken the slots with it that were later than `since`.
    RecordChangedElement(entry, item.element_type, item.element);
  }
}

void Shard::AddElementTombstone(const LoadedEntry& entry, ElementType type, std::string_view id,
                                const Version& version) {
  Tombstone tombstone{entry.key.hash, Collection::HashOf(space_, type, id),
                      Tombstone::Kind::kElement, version, nullptr};
  if (type == ElementType::kList) {
    const auto size = static_cast<uint32_t>(id.size());
    tombstone.list_id = std::make_unique_for_overwrite<char[]>(sizeof size + size);
    std::memcpy(tombstone.list_id.get(), &size, sizeof size);
    std::memcpy(tombstone.list_id.get() + sizeof size, id.data(), size);
  }
  tombstones_.push_back(std::move(tombstone));
}

ElementName Shard::Tombstone::name() const {
  if (!list_id) return {element_hash, std::nullopt};
  uint32_t size;
  std::memcpy(&size, list_id.get(), sizeof size);
  return {element_hash, std::string_view(list_id.get() + sizeof size, size)};
}

void Shard::RecordChangedElement(const LoadedEntry& entry, ElementType type, std::string_view id) {
  if (type == ElementType::kList) {
    changed_.lists.push_back(entry.key.hash);
    changed_.list_ids.Add(id);
  } else {
    changed_.elements.emplace_back(entry.key.hash, Collection::HashOf(space_, type, id));
  }
}

void Shard::RecordErasedElement(const KeyRef& key, const Element& element) {
  if (AddedAfter(element, maybe_saved_)) return;
  changed_.erased.Add(
      StateName{StateName::Kind::kElement, key.database, key.name, element.type, element.id}
          .Encode());
}

bool Shard::PurgeCollection(LoadedEntry& entry) {
  Collection& collection = entry.state.collection;
  if (collection.none()) return false;
  const Stamp reset = Reset(entry);
  const auto record = [&](const Element& element, bool whole) {
    maybe_replaced_ += element.live() ? 0 : 1;
    if (whole) {
      RecordErasedElement(entry.key, element);
    } else {
      RecordChangedElement(entry, element.type, element.id);
    }
  };
  const bool all = collection.AllUpTo(reset);
  if (speculation != nullptr && !all) RememberAllElements(entry);
  const bool changed = all || collection.Purge(space_, reset, record);
  if (collection.AllUpTo(reset) || collection.size() == 0) DropCollection(entry);
  return changed;
}

void Shard::DropCollection(LoadedEntry& entry) {
  changed_.erased_prefixes.Add(
      StateName{StateName::Kind::kElement, entry.key.database, entry.key.name, {}, {}}
          .ElementPrefix());
  maybe_replaced_ += entry.state.collection.tombstones();
  // Freed in slices (FreeDropped), so that deleting a large collection stalls nobody.
  if (speculation == nullptr || !SetCollectionAside(entry)) {
    dropped_.push_back(entry.state.collection);
  }
  entry.state.collection = {};
}

void Shard::CountAndIndex(LoadedEntry& entry) {
  KeyState& state = entry.state;
  const KeyView view = ViewOf(entry);
  Counts& counts = counts_[entry.key.database];
  const bool visible = view.type != KeyType::kNone;
  const bool with_deadline =
      visible && (view.claimed ? state.claim->ttl_millis != 0 : state.HasDeadline());
  const bool vanished = !visible && (state.counted || entry.handle == 0 || entry.expiry_merged);
  counts.keys += static_cast<size_t>(visible) - static_cast<size_t>(state.counted);
  counts.with_deadline +=
      static_cast<size_t>(with_deadline) - static_cast<size_t>(state.counted_deadline);
  state.counted = visible;
  state.counted_deadline = with_deadline;
  CountClaim(entry);
  if (vanished && !state.expiry_version.none()) {
    // An expiry of nothing: its key's value may still be on the way; goes when it is stable.
    AddTombstone(entry.key.hash, Tombstone::Kind::kExpiry, state.expiry_version);
  }
  if (!state.HasDeadline()) return;
  if (state.wheel_place != 0 &&
      expiry_.TickFor(state.deadline_millis) >= expiry_.TickOf(state.wheel_place)) {
    return;
  }
  state.wheel_place = expiry_.Add(state.deadline_millis, static_cast<uint32_t>(entry.key.hash));
}

void Shard::Save(LoadedEntry& entry) {
  KeyState& state = entry.state;
  if (!state.collection.none() && state.collection.size() == 0) DropCollection(entry);
  if (state.Empty()) {
    if (entry.handle != 0) Erase(entry);
    return;
  }
  CountAndIndex(entry);
  if (!state.changed) {
    state.changed = true;
    changed_.entries.push_back(entry.key.hash);
  }
  Repack(entry);
  const size_t tombstones = tombstones_.size();
  if (tombstones >= kCompactAt && speculation == nullptr && maybe_replaced_ >= tombstones / 2)
    CompactTombstones();
}

void Shard::Repack(LoadedEntry& entry) {
  if (entry.block != nullptr) {
    space_.outside_bytes -= entry.block_size;
    if (speculation != nullptr && entry.state.string.base.bytes.data() != entry.block) {
      LeaveBlock(entry);
    }
  }
  entry.block = KeepPayload(entry.state.string, entry.block);
  entry.block_size = entry.block == nullptr ? 0 : entry.state.string.base.bytes.size();
  space_.outside_bytes += entry.block_size;
  StoreCell(entry, entry.state, entry.block);
}

void Shard::LeaveBlock(LoadedEntry& entry) {
  ShardUndo::Entry& saved = Remembered(entry);
  if (saved.block != entry.block) return;
  saved.block_replaced = true;
  entry.block = nullptr;
}

void Shard::StoreCell(LoadedEntry& entry, const KeyState& state, const char* block) {
  absl::InlinedVector<uint8_t, 512> scratch(CellBound(entry.key.name, state));
  const size_t size = PackCell(scratch.data(), entry.key, state, block);
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
  changed_.erased.Add(
      StateName{StateName::Kind::kEntry, entry.key.database, entry.key.name, {}, {}}.Encode());
  DropClaim(entry);
  table_.Erase(entry.key.hash, entry.handle, [this](Handle handle) { return HashOf(handle); });
  space_.outside_bytes -= entry.block_size;
  if (speculation != nullptr && entry.block != nullptr) LeaveBlock(entry);
  delete[] entry.block;
  slab_.Free(entry.handle);
  entry.handle = 0;
  entry.block = nullptr;
  // Whoever goes on with the entry makes a new one.
  entry.state.counted = entry.state.counted_deadline = entry.state.changed = false;
  entry.state.wheel_place = 0;
}

size_t Shard::MemoryUsage(const LoadedEntry& entry) const {
  constexpr size_t kIndexShare = 8;  // a table slot at the usual fill
  size_t bytes = slab_.SizeOf(entry.handle) + kIndexShare + entry.block_size;
  if (entry.state.wheel_place != 0) bytes += sizeof(uint32_t);
  bytes += entry.state.collection.memory_bytes(*entry.space);
  if (entry.state.claim != nullptr) bytes += entry.state.claim->memory_bytes();
  return bytes;
}

bool Shard::MergeDatabaseCut(uint8_t database, Stamp at, const Version& version) {
  if (at < database_cuts_[database] ||
      (at == database_cuts_[database] &&
       !Later(version, database_cut_versions_[database], origins_))) {
    return false;
  }
  if (!watches.empty() && speculation == nullptr) watches.TouchDatabase(database);
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
    if (!entry.state.collection.none()) DropCollection(entry);
    Erase(entry);
  }
  tombstones_.clear();
  database_cuts_ = {};
  database_cut_versions_ = {};
  watches.TouchAll();
}

std::vector<Handle> Shard::FindByHash(uint64_t hash) const {
  std::vector<Handle> found;
  table_.ForEachCandidate(static_cast<uint32_t>(hash), [&](Handle handle) {
    if (HashOf(handle) == hash) found.push_back(handle);
  });
  return found;
}

size_t Shard::memory_bytes() const {
  size_t bytes = slab_.bytes() + table_.memory_bytes() + expiry_.memory_bytes() +
                 space_.outside_bytes + tombstones_.size() * sizeof(Tombstone) +
                 lapses_.size() * sizeof(std::pair<int64_t, uint64_t>);
  return bytes;
}

}  // namespace starling
