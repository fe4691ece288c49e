// How a shard remembers what it was when a speculation began, and goes back there.
#include "storage/shard_undo.h"

#include "storage/reused_buffer.h"
#include "storage/shard.h"

namespace starling {

// --- what is remembered ---

KeyRef ShardUndo::KeyOf(const Entry& entry) const {
  KeyRef key;
  if (entry.existed) {
    key = CellKey(CellOf(entry));
  } else {
    key.database = entry.database;
    key.name = std::string_view(bytes).substr(entry.offset, entry.size);
  }
  key.hash = entry.hash;
  return key;
}

ShardUndo::Entry* ShardUndo::Find(const KeyRef& key) {
  const auto same = [&](const Entry& entry) {
    return entry.hash == key.hash && entry.database == key.database &&
           KeyOf(entry).name == key.name;
  };
  if (entries.size() > kScanned) {
    const auto found = index.find(key.hash);
    if (found == index.end()) return nullptr;
    if (same(entries[found->second])) return &entries[found->second];
  }
  for (Entry& entry : entries) {
    if (same(entry)) return &entry;
  }
  return nullptr;
}

ShardUndo::Entry& ShardUndo::Add(const KeyRef& key, const uint8_t* cell, size_t cell_size) {
  Entry& entry = entries.emplace_back();
  entry.hash = key.hash;
  entry.database = key.database;
  entry.existed = cell != nullptr;
  entry.offset = bytes.size();
  const std::string_view kept =
      cell == nullptr ? key.name : std::string_view(reinterpret_cast<const char*>(cell), cell_size);
  entry.size = kept.size();
  bytes.append(kept);
  if (entries.size() == kScanned + 1) {
    for (size_t i = 0; i < kScanned; ++i) index.try_emplace(entries[i].hash, i);
  }
  if (entries.size() > kScanned) index.try_emplace(key.hash, entries.size() - 1);
  return entry;
}

void ShardUndo::Clear() {
  begun = false;
  EmptyKeeping(entries, kKeptBytes);
  EmptyKeeping(elements, kKeptBytes);
  EmptyKeeping(bytes, kKeptBytes);
  database_cuts.clear();
  if (!index.empty()) index.clear();
}

ShardUndo::NamesEnd ShardUndo::EndOf(const ChangedNames& names) {
  return {names.entries.size(),         names.blocks.size(),    names.elements.size(),
          names.lists.size(),           names.list_ids.bytes(), names.erased.bytes(),
          names.erased_prefixes.bytes()};
}

void ShardUndo::CutBack(ChangedNames& names, const NamesEnd& end) {
  names.entries.resize(end.entries);
  names.blocks.resize(end.blocks);
  names.elements.resize(end.elements);
  names.lists.resize(end.lists);
  names.list_ids.CutBack(end.list_ids);
  names.erased.CutBack(end.erased);
  names.erased_prefixes.CutBack(end.erased_prefixes);
}

// --- remembering ---

ShardUndo& Shard::BeginUndo() {
  if (!undo_) undo_ = std::make_unique<ShardUndo>();
  ShardUndo& undo = *undo_;
  if (undo.begun) return undo;
  undo.begun = true;
  undo.tombstones = tombstones_.size();
  undo.maybe_replaced = maybe_replaced_;
  undo.dropped = dropped_.size();
  undo.live_claims = live_claims_;
  undo.newest = newest_;
  undo.names = ShardUndo::EndOf(changed_);
  pending.Mark();
  return undo;
}

ShardUndo::Entry& Shard::Remembered(const LoadedEntry& entry) {
  ShardUndo& undo = BeginUndo();
  if (ShardUndo::Entry* known = undo.Find(entry.key)) return *known;
  if (entry.handle == 0) return undo.Add(entry.key, nullptr, 0);
  ShardUndo::Entry& saved = undo.Add(entry.key, slab_.At(entry.handle), slab_.SizeOf(entry.handle));
  saved.block = entry.block;
  saved.block_size = entry.block_size;
  saved.claim = entry.state.claim;
  saved.collection = entry.state.collection;
  return saved;
}

bool Shard::RememberCollection(ShardUndo::Entry& saved) {
  if (saved.collection.none() || saved.collection_dropped) return false;
  if (!saved.collection.packed()) return true;
  if (!saved.imaged) saved.image = saved.collection.CloneBlock(space_);
  saved.imaged = true;
  return false;
}

void Shard::RememberElement(const LoadedEntry& entry, ElementType type, std::string_view id) {
  ShardUndo::Entry& saved = Remembered(entry);
  if (!RememberCollection(saved)) return;
  if (const auto element = saved.collection.Find(space_, type, id)) {
    NoteBefore(saved, *element, true);
  } else {
    Element absent;
    absent.type = type;
    absent.id = id;
    NoteBefore(saved, absent, false);
  }
}

void Shard::RememberElementAt(const LoadedEntry& entry, ElementType type, size_t position) {
  ShardUndo::Entry& saved = Remembered(entry);
  if (!RememberCollection(saved)) return;
  saved.collection.VisitInOrder(space_, type, position, false, [&](const Element& element) {
    NoteBefore(saved, element, true);
    return false;
  });
}

void Shard::RememberAllElements(const LoadedEntry& entry) {
  ShardUndo::Entry& saved = Remembered(entry);
  if (!RememberCollection(saved)) return;
  saved.collection.ForEach(space_,
                           [&](const Element& element) { NoteBefore(saved, element, true); });
}

void Shard::NoteBefore(ShardUndo::Entry& saved, const Element& element, bool was_there) {
  ShardUndo::ElementBefore& before = undo_->elements.emplace_back();
  before.entry = static_cast<size_t>(&saved - undo_->entries.data());
  before.type = element.type;
  before.was_there = was_there;
  before.id = element.id;
  before.value = element.value;
  if (element.value.base.kind == Value::Kind::kBytes) before.text = element.value.base.bytes;
  saved.lists_changed |= element.type == ElementType::kList;
}

bool Shard::SetCollectionAside(const LoadedEntry& entry) {
  ShardUndo::Entry& saved = Remembered(entry);
  if (saved.collection.none() || saved.imaged || saved.collection_dropped) return false;
  if (saved.collection.packed()) {
    saved.image = saved.collection;
    saved.imaged = true;
  } else {
    saved.collection_dropped = true;
  }
  return true;
}

void Shard::RememberDatabaseCut(uint8_t database) {
  BeginUndo().database_cuts.push_back(
      {database, database_cuts_[database], database_cut_versions_[database]});
}

bool Shard::FlushedInSpeculation(uint8_t database) const {
  if (speculation == nullptr || !undo_ || !undo_->begun) return false;
  for (const ShardUndo::DatabaseCut& cut : undo_->database_cuts) {
    if (cut.database == database) return true;
  }
  return false;
}

Shard::Counts Shard::CountKeys(uint8_t database) const {
  if (!FlushedInSpeculation(database)) return counts_[database];
  Counts counts;
  table_.ForEach([&](Handle handle) {
    const LoadedEntry entry = LoadForView(handle);
    const KeyView view = ViewOf(entry);
    if (entry.key.database != database || view.type == KeyType::kNone) return;
    ++counts.keys;
    const bool timed =
        view.claimed ? entry.state.claim->ttl_millis != 0 : entry.state.HasDeadline();
    counts.with_deadline += timed ? 1 : 0;
  });
  return counts;
}

// --- the end ---

void Shard::AppendWritten(std::vector<Item>& items, const Origin& origin) const {
  if (undo_ && undo_->begun) pending.AppendMarked(items, origin);
}

void Shard::KeepWritten() {
  if (!undo_ || !undo_->begun) return;
  ShowClaims();
  for (ShardUndo::Entry& saved : undo_->entries) {
    if (saved.block_replaced) delete[] saved.block;
    if (saved.claim_replaced) {
      space_.outside_bytes -= saved.claim->memory_bytes();
      delete saved.claim;
    }
    if (saved.imaged) saved.image.FreeSome(space_, SIZE_MAX);
    if (saved.collection_dropped) dropped_.push_back(saved.collection);
  }
  if (!watches.empty()) TouchWritten();
  pending.KeepMarked();
  undo_->Clear();
}

void Shard::TouchWritten() {
  std::vector<Item> items;
  pending.AppendMarked(items, {});
  for (const Item& item : items) {
    if (item.part == Part::kDatabaseCut) continue;  // below, in every shard
    watches.Touch(HashKey(item.database, item.key, hash_seed_), item);
  }
  for (const ShardUndo::DatabaseCut& cut : undo_->database_cuts) {
    watches.TouchDatabase(cut.database);
  }
}

void Shard::PutBackWritten() {
  if (!undo_ || !undo_->begun) return;
  ShardUndo& undo = *undo_;
  for (auto next = undo.elements.rbegin(); next != undo.elements.rend(); ++next) {
    PutBack(undo.entries[next->entry].collection, *next);
  }
  for (const ShardUndo::Entry& saved : undo.entries) PutBack(saved);
  for (auto next = undo.database_cuts.rbegin(); next != undo.database_cuts.rend(); ++next) {
    database_cuts_[next->database] = next->cut;
    database_cut_versions_[next->database] = next->version;
  }
  while (tombstones_.size() > undo.tombstones) tombstones_.pop_back();
  maybe_replaced_ = undo.maybe_replaced;
  for (; dropped_.size() > undo.dropped; dropped_.pop_back()) FreeWhole(dropped_.back());
  live_claims_ = undo.live_claims;
  ShowClaims();
  newest_ = undo.newest;
  ShardUndo::CutBack(changed_, undo.names);
  for (const ShardUndo::Entry& saved : undo.entries) {
    // The list's blocks have kept the stamps of what is gone: later ones would not be noted.
    if (saved.lists_changed) changed_.blocks.push_back(saved.hash);
  }
  pending.DropMarked();
  undo.Clear();
}

void Shard::FreeWhole(Collection& collection) {
  while (!collection.FreeSome(space_, SIZE_MAX)) {
  }
}

void Shard::PutBack(Collection& collection, const ShardUndo::ElementBefore& before) {
  Version gone;
  collection.Update(space_, before.type, before.id, [&](Element& element) {
    // What was not there leaves as a tombstone of stamps that the collection knows already.
    gone = {element.value.Newest(), 0};
    element.value = before.value;
    if (before.value.base.kind == Value::Kind::kBytes) element.value.base.bytes = before.text;
    if (!before.was_there) element.value.version = gone;
    return true;
  });
  if (before.was_there) return;
  ElementTombstone tombstone{Collection::NameOf(space_, before.type, before.id), gone};
  collection.Free(space_, {&tombstone, 1}, [](const Element&) {});
}

void Shard::PutBack(const ShardUndo::Entry& saved) {
  LoadedEntry now = FindRaw(undo_->KeyOf(saved));
  KeyState& state = now.state;
  counts_[saved.database].keys -= state.counted ? 1 : 0;
  counts_[saved.database].with_deadline -= state.counted_deadline ? 1 : 0;
  if (now.block != nullptr && now.block != saved.block) {
    space_.outside_bytes -= now.block_size;
    delete[] now.block;
  }
  if (saved.block_replaced) space_.outside_bytes += saved.block_size;
  if (state.claim != saved.claim) PutBackClaim(now, saved.claim);
  Collection collection = saved.collection;
  const bool replaced = saved.collection.none() || saved.imaged || saved.collection_dropped;
  if (replaced) FreeWhole(state.collection);
  if (saved.imaged) collection = saved.image;
  if (!saved.existed) {
    if (now.handle == 0) return;
    table_.Erase(saved.hash, now.handle, [this](Handle handle) { return HashOf(handle); });
    slab_.Free(now.handle);
    return;
  }
  KeyState before;
  const char* block = nullptr;
  UnpackCell(undo_->CellOf(saved), before, &block);
  before.collection = collection;
  counts_[saved.database].keys += before.counted ? 1 : 0;
  counts_[saved.database].with_deadline += before.counted_deadline ? 1 : 0;
  StoreCell(now, before, block);
}

void Shard::PutBackClaim(LoadedEntry& now, const Claim* before) {
  if (now.state.claim != nullptr) {
    UnindexClaim(now);
    space_.outside_bytes -= now.state.claim->memory_bytes();
    delete now.state.claim;
  }
  if (before != nullptr && before->indexed_millis != Claim::kNoLapse) {
    lapses_.emplace(before->indexed_millis, now.key.hash);
  }
}

}  // namespace starling
