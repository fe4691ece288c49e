// What expires in a shard, and what is freed.
#include <algorithm>
#include <tuple>

#include <absl/container/flat_hash_set.h>

#include "storage/shard.h"

namespace starling {

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
      if (entry.state.wheel_place == 0 || expiry_.TickOf(entry.state.wheel_place) != tick) {
        continue;  // a stale wake-up: it is indexed elsewhere
      }
      entry.state.wheel_place = 0;
      // A deadline that the database's cut has killed deletes nothing.
      if (entry.state.expiry_version.stamp <= database_cuts_[entry.key.database] ||
          !entry.state.HasDeadline()) {
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
  entry.state.wheel_place = expiry_.Add(millis, static_cast<uint32_t>(entry.key.hash));
  Repack(entry);
}

size_t Shard::FreeStable(const Freeable& may_free, size_t limit, VersionVector& floor) {
  constexpr size_t kLongestRun = 128;
  size_t freed = 0;
  std::vector<Tombstone> run;  // elements of one key: mostly what stands side by side
  const auto free_run = [&] {
    if (!run.empty()) freed += FreeElements(run, floor);
    run.clear();
  };
  // Those that are not stable yet go to the end: one origin that lags holds up no other's.
  for (size_t looks = std::min(limit, tombstones_.size()); looks > 0; --looks) {
    Tombstone tombstone = std::move(tombstones_.front());
    tombstones_.pop_front();
    const Origin& origin = origins_.At(tombstone.version.origin);
    const Stamp stamp = tombstone.version.stamp;
    if (!may_free(origin, stamp)) {
      // One that something newer has replaced waits for nobody: others may know nothing of it any
      // more, and nobody would move its stream for it.
      if (IsCurrent(tombstone)) tombstones_.push_back(std::move(tombstone));
    } else if (tombstone.kind == Tombstone::Kind::kElement) {
      const bool goes_on = !run.empty() && run.size() < kLongestRun &&
                           run.front().key_hash == tombstone.key_hash &&
                           (run.front().list_id == nullptr) == (tombstone.list_id == nullptr);
      if (!goes_on) free_run();
      run.push_back(std::move(tombstone));
    } else if (FreeOne(tombstone)) {
      floor.Raise(origin, stamp);
      ++freed;
    }
  }
  free_run();
  return freed;
}

bool Shard::IsCurrent(const LoadedEntry& entry, const Tombstone& tombstone) const {
  const auto same = [&](const Version& version) {
    return version.stamp == tombstone.version.stamp && version.origin == tombstone.version.origin;
  };
  const KeyState& state = entry.state;
  switch (tombstone.kind) {
    case Tombstone::Kind::kCut:
      return !state.cut.none() && same(state.cut_version);
    case Tombstone::Kind::kExpiry:
      return same(state.expiry_version) && ViewOf(entry).type == KeyType::kNone;
    case Tombstone::Kind::kClaim:
      return state.claim != nullptr && state.claim->ended && same(state.claim->version);
    case Tombstone::Kind::kElement:
      return state.collection.HasTombstone(*entry.space, tombstone.name(), tombstone.version);
  }
  return false;
}

bool Shard::IsCurrent(const Tombstone& tombstone) const {
  const auto handles = FindByHash(tombstone.key_hash);
  return std::any_of(handles.begin(), handles.end(),
                     [&](Handle handle) { return IsCurrent(LoadHandle(handle), tombstone); });
}

void Shard::CompactTombstones() {
  absl::flat_hash_set<std::tuple<uint64_t, uint64_t, int, uint64_t>> seen;
  std::deque<Tombstone> current;
  for (Tombstone& tombstone : tombstones_) {
    const bool first = seen.emplace(tombstone.key_hash, tombstone.element_hash,
                                    static_cast<int>(tombstone.kind), tombstone.version.stamp.value)
                           .second;
    if (first && IsCurrent(tombstone)) current.push_back(std::move(tombstone));
  }
  tombstones_.swap(current);
  maybe_replaced_ = 0;
}

bool Shard::FreeOne(const Tombstone& tombstone) {
  for (const Handle handle : FindByHash(tombstone.key_hash)) {
    LoadedEntry entry = LoadHandle(handle);
    KeyState& state = entry.state;
    if (!IsCurrent(entry, tombstone)) continue;
    if (tombstone.kind == Tombstone::Kind::kCut) {
      state.cut = {};
      state.cut_version = {};
    } else if (tombstone.kind == Tombstone::Kind::kClaim) {
      DropClaim(entry);
    } else {
      state.expiry_version = {};
      state.deadline_millis = 0;
    }
    Save(entry);
    return true;
  }
  return false;
}

size_t Shard::FreeElements(const std::vector<Tombstone>& tombstones, VersionVector& floor) {
  std::vector<ElementTombstone> named;
  named.reserve(tombstones.size());
  for (const Tombstone& one : tombstones) named.push_back({one.name(), one.version});
  size_t freed = 0;
  for (const Handle handle : FindByHash(tombstones.front().key_hash)) {
    LoadedEntry entry = LoadHandle(handle);
    Collection& collection = entry.state.collection;
    const Collection before = collection;
    const size_t of_entry = collection.Free(space_, named, [&](const Element& element) {
      const Version& version = element.value.version;
      RecordErasedElement(entry.key, element);
      floor.Raise(origins_.At(version.origin), version.stamp);
    });
    // What was removed already shows nowhere: the entry stands as it did.
    if (of_entry > 0 && (collection != before || collection.size() == 0)) Save(entry);
    freed += of_entry;
  }
  return freed;
}

size_t Shard::FreeDropped(size_t limit) {
  size_t steps = 0;
  while (steps < limit && !dropped_.empty()) {
    constexpr size_t kSlice = 64;
    if (dropped_.back().FreeSome(space_, kSlice)) dropped_.pop_back();
    steps += kSlice;
  }
  return steps;
}

}  // namespace starling
