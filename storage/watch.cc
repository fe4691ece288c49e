#include "storage/watch.h"

#include "storage/keyspace_impl.h"

namespace starling {
namespace {

/// A node of the map, one of the table, an allocator's share of each.
constexpr size_t kWatchBytes = 192;

/// Whether the item can only take something away. A key that was not seen when its watch began, and
/// is untouched, has nothing to lose but what had expired: that is no change, as in Redis.
bool OnlyRemoves(const Item& item) { return item.part == Part::kCut || item.removed; }

}  // namespace

void WatchTable::Add(uint64_t hash, uint8_t database, Watch& watch) {
  watches_.emplace(hash, Place{database, &watch});
}

void WatchTable::Remove(uint64_t hash, const Watch& watch) {
  auto [next, end] = watches_.equal_range(hash);
  while (next != end && next->second.watch != &watch) ++next;
  if (next != end) watches_.erase(next);
}

void WatchTable::Touch(uint64_t hash, const Item& item) {
  const auto [begin, end] = watches_.equal_range(hash);
  for (auto next = begin; next != end; ++next) {
    const Watch& watch = *next->second.watch;
    if (watch.seen || !OnlyRemoves(item)) watch.Touch();
  }
}

void WatchTable::TouchDatabase(uint8_t database) {
  for (const auto& [hash, place] : watches_) {
    if (place.database != database || !place.watch->seen) continue;
    place.watch->Touch();
  }
}

void WatchTable::TouchAll() {
  for (const auto& [hash, place] : watches_) {
    place.watch->Touch();
  }
}

void Watches::Add(const KeyRef& key) {
  auto [place, fresh] = watches_.try_emplace({key.database, std::string(key.name)});
  if (!fresh) return;
  bytes_ += kWatchBytes + key.name.size();
  Watch& watch = place->second;
  watch.touched = &touched_;
  watch.listener = listener_;
  Access access = keyspace_.Lock(key);
  watch.seen = access.Exists(key);
  Keyspace::Impl& impl = *keyspace_.impl_;
  impl.shards[impl.ShardIndex(key.hash)]->watches.Add(key.hash, key.database, watch);
}

void Watches::Clear() {
  for (const auto& [name, watch] : watches_) {
    const KeyRef key = keyspace_.Ref(name.first, name.second);
    Access access = keyspace_.Lock(key);
    Keyspace::Impl& impl = *keyspace_.impl_;
    impl.shards[impl.ShardIndex(key.hash)]->watches.Remove(key.hash, watch);
  }
  watches_.clear();
  bytes_ = 0;
  touched_.store(false, std::memory_order_relaxed);
}

void Watches::AppendKeys(std::vector<KeyRef>& keys) const {
  for (const auto& [name, watch] : watches_) {
    keys.push_back(keyspace_.Ref(name.first, name.second));
  }
}

bool Watches::Unchanged() {
  if (touched()) return false;
  for (const auto& [name, watch] : watches_) {
    if (!watch.seen) continue;
    const KeyRef key = keyspace_.Ref(name.first, name.second);
    if (!keyspace_.Lock(key).Exists(key)) return false;  // expired
  }
  return true;
}

}  // namespace starling
