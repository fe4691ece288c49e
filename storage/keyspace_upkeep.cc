// Merging what others wrote, walks, expiry and freeing, checkpoint records.
#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "storage/entry.h"
#include "storage/item_list.h"
#include "storage/keyspace_impl.h"
#include "storage/walk_position.h"

namespace starling {

void Keyspace::Impl::MergeItem(const Item& item) {
  const OriginIndex origin = origins.IndexOf(item.origin);
  // A record is applied with what brings its verdict, or the verdict's record.
  if (Records::IsRecordItem(item)) records->Arrived(item);
  if (item.part == Part::kDatabaseCut) {
    for (const auto& shard : shards) {
      shard->MergeDatabaseCut(item.database, item.at, {item.stamp, origin});
    }
    return;
  }
  const KeyRef key{item.database, item.key, HashKey(item.database, item.key, hash_seed)};
  Shard& shard = *shards[ShardIndex(key.hash)];
  LoadedEntry entry = shard.Load(key);
  if (entry.handle == 0) {
    entry.state.accessed_seconds = static_cast<uint32_t>(item.stamp.millis() / 1000);
  }
  if (shard.Merge(entry, item, origin)) shard.Save(entry);
}

void Keyspace::Merge(std::span<const Item> items) {
  uint64_t mask = 0;
  std::array<bool, kAllDatabases> cut{};
  for (const Item& item : items) {
    if (item.part == Part::kDatabaseCut) {
      mask = impl_->AllShards();
      cut[item.database] = true;
    } else if (Records::IsRecordItem(item)) {
      mask = impl_->AllShards();
    } else {
      mask |= uint64_t{1} << impl_->ShardIndex(HashKey(item.database, item.key, impl_->hash_seed));
    }
  }
  impl_->Lock(mask);
  for (const Item& item : items) impl_->MergeItem(item);
  impl_->Unlock(mask);
  for (uint8_t database = 0; database < kAllDatabases; ++database) {
    if (cut[database]) FreeKilled(database);
  }
  FreeKilledByRecords();
}

void Keyspace::FreeKilledByRecords() {
  for (uint32_t cut = impl_->records->TakeFlushed(); cut != 0; cut &= cut - 1) {
    FreeKilled(static_cast<uint8_t>(std::countr_zero(cut)));
  }
}

void Keyspace::MergeAll(std::span<const std::vector<Item>> lists) {
  {
    Access access = LockAll();
    for (const std::vector<Item>& items : lists) {
      for (const Item& item : items) impl_->MergeItem(item);
    }
  }
  FreeKilledIn(lists);
}

void Keyspace::FreeKilledIn(std::span<const std::vector<Item>> lists) {
  std::array<bool, kAllDatabases> cut{};
  for (const std::vector<Item>& items : lists) {
    for (const Item& item : items) cut[item.database] |= item.part == Part::kDatabaseCut;
  }
  for (uint8_t database = 0; database < kAllDatabases; ++database) {
    if (cut[database]) FreeKilled(database);
  }
  FreeKilledByRecords();
}

void Keyspace::Impl::VisitDatabaseCuts(const VersionVector& covered,
                                       const std::function<void(const Item&)>& visit) const {
  for (uint8_t database = 0; database < kAllDatabases; ++database) {
    const Stamp at = shards[0]->database_cut(database);
    if (at.none()) continue;
    const Version& version = shards[0]->database_cut_version(database);
    Item item;
    item.part = Part::kDatabaseCut;
    item.database = database;
    item.origin = origins.At(version.origin);
    item.stamp = version.stamp;
    item.at = at;
    if (!covered.Covers(item.origin, item.stamp)) visit(item);
  }
}

namespace {

/// Builds items of one key, leaving out what is covered.
class ItemVisitor {
 public:
  ItemVisitor(const KeyRef& key, const OriginTable& origins, const VersionVector& covered,
              const std::function<void(const Item&)>& visit)
      : key_(key), origins_(origins), covered_(covered), visit_(visit) {}

  void Visit(const KeyState& state, CollectionSpace& space) const {
    if (!state.cut.none()) {
      Item item = New(Part::kCut, state.cut_version);
      item.at = state.cut;
      Emit(item);
    }
    Visit(state.string, Part::kBase, Part::kSlot, {}, {});
    if (!state.expiry_version.none()) {
      Item item = New(Part::kExpiry, state.expiry_version);
      item.deadline_millis = state.deadline_millis;
      Emit(item);
    }
    if (state.claim != nullptr) Visit(*state.claim);
    state.collection.ForEach(space, [&](const Element& element) { Visit(element); });
  }
  void Visit(const Claim& claim) const {
    Item item = New(Part::kClaim, claim.version);
    item.at = claim.token;
    item.deadline_millis = claim.ttl_millis;
    item.removed = claim.ended;
    if (!claim.ended) item.value = Value::Bytes(claim.text);
    Emit(item);
  }
  void Visit(const Element& element) const {
    Visit(element.value, Part::kElement, Part::kElementSlot, element.type, element.id);
  }

 private:
  Item New(Part part, const Version& version) const {
    Item item;
    item.part = part;
    item.database = key_.database;
    item.key = key_.name;
    item.origin = origins_.At(version.origin);
    item.stamp = version.stamp;
    return item;
  }

  void Visit(Register value, Part base, Part slot_part, ElementType type,
             std::string_view id) const {
    // Whoever sees a key twice must not see its slots in two forms.
    value.FoldSlots(origins_);
    if (!value.version.none()) {
      Item item = New(base, value.version);
      item.element_type = type;
      item.element = id;
      item.value = value.base;
      item.removed = base == Part::kElement && value.base.kind == Value::Kind::kNone;
      Emit(item);
    }
    for (const Slot& slot : value.slots) {
      Item item = New(slot_part, {slot.stamp, slot.origin});
      item.element_type = type;
      item.element = id;
      item.at = slot.born;
      item.value = Value::OfNumber(slot.net);
      Emit(item);
    }
  }

  void Emit(const Item& item) const {
    if (!covered_.Covers(item.origin, item.stamp)) visit_(item);
  }

  const KeyRef& key_;
  const OriginTable& origins_;
  const VersionVector& covered_;
  const std::function<void(const Item&)>& visit_;
};

}  // namespace

void Keyspace::Impl::VisitItems(const LoadedEntry& entry, const VersionVector& covered,
                                const std::function<void(const Item&)>& visit) const {
  ItemVisitor(entry.key, origins, covered, visit).Visit(entry.state, *entry.space);
}

void Keyspace::ReplaceState(std::span<const std::vector<Item>> chunks,
                            const VersionVector& covered) {
  ItemList kept;
  std::optional<Access> access(LockAll());
  const auto keep = [&](const Item& item) { kept.Add(item); };
  // What stands in one slot here may stand in several there.
  impl_->origins.AllowFolding({});
  impl_->VisitDatabaseCuts(covered, keep);
  for (const auto& shard : impl_->shards) {
    uint64_t cursor = 0;
    do {
      cursor = shard->Scan(cursor, SIZE_MAX, [&](Handle handle) {
        impl_->VisitItems(shard->LoadHandle(handle), covered, keep);
      });
    } while (cursor != 0);
    shard->Clear();
  }
  impl_->records->Clear();
  for (const std::vector<Item>& chunk : chunks) {
    for (const Item& item : chunk) impl_->MergeItem(item);
  }
  for (const Item& item : kept.items()) impl_->MergeItem(item);
  access.reset();
  FreeKilledIn(chunks);
}

bool Keyspace::Walk(WalkPosition& position, const VersionVector& covered, size_t max_bytes,
                    const std::function<void(const Item&)>& visit) {
  constexpr size_t kItemBytes = 64;
  size_t bytes = 0;
  const std::function<void(const Item&)> counted = [&](const Item& item) {
    bytes += kItemBytes + item.key.size() + item.element.size() + item.value.bytes.size();
    visit(item);
  };
  if (!std::exchange(position.begun, true)) {
    std::lock_guard lock(impl_->shards[0]->mutex);
    impl_->VisitDatabaseCuts(covered, counted);
    // Records go first: one that is decided while the walk is under way, which may have left keys
    // of it behind already, is known where its verdict then comes to.
    position.large.push_back({kClusterDatabase, std::string(Records::kKeyName), {}});
    position.records = true;
  }
  do {
    if (position.done) return true;
    if (position.records) {
      Shard& shard = *impl_->shards[impl_->ShardIndex(impl_->records->key().hash)];
      std::lock_guard lock(shard.mutex);
      impl_->WalkSome(shard, position, covered, counted);
      position.records = !position.large.empty();
      continue;
    }
    Shard& shard = *impl_->shards[position.shard];
    std::lock_guard lock(shard.mutex);
    impl_->WalkSome(shard, position, covered, counted);
    if (!position.large.empty() || position.bucket != 0) continue;
    position.done = ++position.shard == impl_->shards.size();
  } while (bytes < max_bytes);
  return position.done;
}

void Keyspace::Impl::WalkSome(Shard& shard, WalkPosition& position, const VersionVector& covered,
                              const std::function<void(const Item&)>& visit) {
  const size_t kStep = position.records ? 8 : 256;
  if (position.large.empty()) {
    position.bucket = shard.Scan(position.bucket, 1, [&](Handle handle) {
      LoadedEntry entry = shard.LoadHandle(handle);
      const Collection& collection = entry.state.collection;
      if (entry.key.database == kClusterDatabase && entry.key.name == Records::kKeyName) {
        entry.state.collection = {};  // its elements went first
      } else if (!collection.none() && !collection.packed()) {
        position.large.push_back({entry.key.database, std::string(entry.key.name), {}});
        entry.state.collection = {};
      }
      VisitItems(entry, covered, visit);
    });
    return;
  }
  WalkPosition::Key& next = position.large.back();
  const KeyRef key{next.database, next.name, HashKey(next.database, next.name, hash_seed)};
  // Where it has gone meanwhile, its cut is on the way in a stream.
  const LoadedEntry entry = shard.Load(key);
  const ItemVisitor visitor(entry.key, origins, covered, visit);
  const bool ended = entry.state.collection.Walk(
      *entry.space, next.elements, kStep, [&](const Element& element) { visitor.Visit(element); });
  if (ended) position.large.pop_back();
}

size_t Keyspace::DeleteExpired(size_t limit, std::chrono::milliseconds foreign_delay) {
  const int64_t now = NowMillis();
  size_t deleted = 0;
  for (const auto& shard : impl_->shards) {
    if (deleted >= limit) break;
    const uint64_t mask = uint64_t{1} << (&shard - impl_->shards.data());
    Access access(*this, mask);
    shard->Expire(now, limit - deleted, [&](LoadedEntry& entry) {
      const int64_t deadline = entry.state.deadline_millis;
      const bool own = entry.state.expiry_version.origin == impl_->own;
      if (!own && now <= deadline + foreign_delay.count()) {
        shard->LookAgain(entry, deadline + foreign_delay.count());
        return;
      }
      access.DeleteExpiredEntry(entry);
      shard->Save(entry);
      ++deleted;
    });
  }
  return deleted;
}

std::vector<Keyspace::LapsedClaim> Keyspace::LapsedClaims(size_t limit) const {
  std::vector<LapsedClaim> lapsed;
  for (const auto& shard : impl_->shards) {
    if (lapsed.size() >= limit) break;
    std::lock_guard lock(shard->mutex);
    shard->VisitLapsed(limit - lapsed.size(), [&](const LoadedEntry& entry) {
      lapsed.push_back({entry.key.database, std::string(entry.key.name), entry.state.claim->token});
    });
  }
  return lapsed;
}

std::optional<std::chrono::milliseconds> Keyspace::NextLapse() const {
  int64_t next = Claim::kNoLapse;
  for (const auto& shard : impl_->shards) {
    if (!shard->MayHaveClaims()) continue;
    std::lock_guard lock(shard->mutex);
    next = std::min(next, shard->next_lapse());
  }
  if (next == Claim::kNoLapse) return std::nullopt;
  return std::chrono::milliseconds(next + 1);
}

size_t Keyspace::FreeDropped(size_t limit) {
  size_t freed = 0;
  for (const auto& shard : impl_->shards) {
    if (freed >= limit) break;
    std::lock_guard lock(shard->mutex);
    freed += shard->FreeDropped(limit - freed);
  }
  return freed;
}

size_t Keyspace::FreeStable(const Stability& stability, size_t limit,
                            const Checkpointed* checkpointed, bool* held_back) {
  const Stamp free_below = impl_->records->free_below();
  const Shard::Freeable may_free = [&](const Origin& origin, Stamp stamp) {
    if (stamp >= free_below || !stability.Covers(origin, stamp)) return false;
    const bool replayable = checkpointed != nullptr && checkpointed->vector.Covers(origin, stamp) &&
                            !checkpointed->stable.Covers(origin, stamp);
    if (replayable && held_back != nullptr) *held_back = true;
    return !replayable;
  };
  size_t freed = 0;
  VersionVector raised;
  for (const auto& shard : impl_->shards) {
    if (freed >= limit) break;
    // The floor is raised before the lock is released: nobody sees a freed state above its floor.
    std::lock_guard lock(shard->mutex);
    freed += shard->FreeStable(may_free, limit - freed, raised);
    RaiseFloor(raised);
  }
  return freed;
}

void Keyspace::AllowFolding(const VersionVector& over) {
  RaiseFloor(over);
  impl_->origins.AllowFolding(over);
}

uint64_t Keyspace::foldings() const { return impl_->origins.foldings(); }

size_t Keyspace::tombstones() const {
  size_t count = 0;
  for (const auto& shard : impl_->shards) {
    std::lock_guard lock(shard->mutex);
    count += shard->tombstones();
  }
  return count;
}

VersionVector Keyspace::floor() const {
  std::lock_guard lock(impl_->floor_mutex);
  return impl_->floor;
}

void Keyspace::RaiseFloor(const VersionVector& floor) {
  std::lock_guard lock(impl_->floor_mutex);
  impl_->floor.MergeFrom(floor);
}

struct Keyspace::Changed {
  std::vector<ChangedNames> shards;
  size_t shard = 0;
  bool database_cuts = true;
  std::vector<Engine::StateWrite> late;     // of records, as they stand
  std::vector<Engine::StateWrite> records;  // undecided ones, as they stood
};

void Keyspace::ChangedDeleter::operator()(Changed* changed) const { delete changed; }

Keyspace::ChangedPtr Keyspace::TakeChanged() {
  Access access = LockAll();
  ChangedPtr changed(new Changed);
  for (const auto& shard : impl_->shards) changed->shards.push_back(shard->TakeChanged());
  changed->records = impl_->records->EncodeUndecided();
  return changed;
}

void Keyspace::EndRestore() {
  for (const auto& shard : impl_->shards) {
    std::lock_guard lock(shard->mutex);
    shard->EndRestore();
  }
}

size_t Keyspace::erased_name_bytes() const {
  size_t bytes = 0;
  for (const auto& shard : impl_->shards) {
    std::lock_guard lock(shard->mutex);
    bytes += shard->erased_bytes();
  }
  return bytes;
}

bool Keyspace::EncodeChanged(Changed& changed, size_t limit,
                             std::vector<Engine::StateWrite>& writes) {
  if (changed.database_cuts) {
    changed.database_cuts = false;
    std::lock_guard lock(impl_->shards[0]->mutex);
    for (uint8_t database = 0; database < kAllDatabases; ++database) {
      const Shard& shard = *impl_->shards[0];
      const Stamp cut = shard.database_cut(database);
      if (cut.none() && !impl_->cuts_on_disk[database]) continue;
      std::optional<std::string> value;  // none: another state was taken, which has no such cut
      if (!cut.none()) {
        value = EncodeDatabaseCut(cut, shard.database_cut_version(database), impl_->origins);
      }
      impl_->cuts_on_disk.set(database);
      writes.push_back({StateName{StateName::Kind::kDatabaseCut, database, {}, {}, {}}.Encode(),
                        std::move(value)});
    }
  }
  const std::string records = impl_->records->StatePrefix();
  const auto is_record = [&](const Engine::StateWrite& write) {
    return write.key.starts_with(records);
  };
  for (; changed.shard < changed.shards.size(); ++changed.shard) {
    Shard& shard = *impl_->shards[changed.shard];
    const auto first = static_cast<ptrdiff_t>(writes.size());
    bool more = false;
    {
      std::lock_guard lock(shard.mutex);
      more = !shard.EncodeChanged(changed.shards[changed.shard], limit, writes);
    }
    const auto from = std::stable_partition(writes.begin() + first, writes.end(),
                                            [&](const auto& write) { return !is_record(write); });
    std::move(from, writes.end(), std::back_inserter(changed.late));
    writes.erase(from, writes.end());
    if (more) return true;
  }
  // Records go last: a kill within this checkpoint leaves either what they say, to be decided anew
  // by the log, or all that they have done. And last of them those that were undecided, so that no
  // later form of them stands in this checkpoint.
  for (auto* list : {&changed.late, &changed.records}) {
    std::move(list->begin(), list->end(), std::back_inserter(writes));
    list->clear();
  }
  return false;
}

void Keyspace::PutBack(ChangedPtr changed) {
  for (size_t i = 0; i < changed->shards.size(); ++i) {
    std::lock_guard lock(impl_->shards[i]->mutex);
    impl_->shards[i]->PutBack(std::move(changed->shards[i]));
  }
}

Status Keyspace::RestoreRecord(std::string_view name, std::string_view value) {
  const Result<StateName> parsed = StateName::Decode(name);
  if (!parsed) return parsed.error();
  if (parsed->database >= kAllDatabases) return Error{Code::kCorruption, "database out of range"};
  if (parsed->kind == StateName::Kind::kDatabaseCut) {
    Stamp cut;
    Version version;
    const Status status = DecodeDatabaseCut(value, impl_->origins, cut, version);
    if (!status) return status;
    impl_->cuts_on_disk.set(parsed->database);
    for (const auto& shard : impl_->shards) {
      std::lock_guard lock(shard->mutex);
      shard->MergeDatabaseCut(parsed->database, cut, version);
    }
    return {};
  }
  const KeyRef key = Ref(parsed->database, parsed->key);
  Shard& shard = *impl_->shards[impl_->ShardIndex(key.hash)];
  std::lock_guard lock(shard.mutex);
  if (Status status = shard.Restore(key, *parsed, value); !status) return status;
  if (key.database != kClusterDatabase || key.name != Records::kKeyName ||
      parsed->element_type != ElementType::kHash) {
    return {};
  }
  const LoadedEntry entry = shard.FindRaw(key);
  const auto element =
      entry.state.collection.Find(*entry.space, ElementType::kHash, parsed->element);
  if (!element) return {};
  return impl_->records->Restored(*element, impl_->origins.At(element->value.version.origin));
}

}  // namespace starling
