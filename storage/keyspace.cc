#include "storage/keyspace.h"

#include <algorithm>

#include "storage/keyspace_impl.h"
#include "storage/speculation.h"

namespace starling {
namespace {

// A scan's cursor: the shard above, the position in its table below. 0 starts and ends.
constexpr int kShardShift = 32;

}  // namespace

std::string_view TextOf(const Value& value, std::string& buffer) {
  if (value.kind != Value::Kind::kNumber) return value.bytes;
  // A counter's sum beyond int64 is answered clamped.
  buffer = value.number.is_integer() && !value.number.fits_int64()
               ? std::to_string(value.number.ClampedInt64())
               : value.number.ToString();
  return buffer;
}

Keyspace::Impl::Impl(const KeyspaceOptions& options, int64_t now_millis, TimeSource& time)
    : hash_seed(options.hash_seed), claim_rules(options.claim_rules) {
  STARLING_CHECK(options.shards >= 1 && options.shards <= 64 &&
                 std::has_single_bit(static_cast<unsigned>(options.shards)));
  for (int i = 0; i < options.shards; ++i) {
    shards.push_back(std::make_unique<Shard>(hash_seed, now_millis, origins, time, claim_rules));
  }
}

void Keyspace::Impl::Lock(uint64_t mask) {
  ForEachShard(mask, [&](size_t i) { shards[i]->mutex.lock(); });
}

void Keyspace::Impl::Unlock(uint64_t mask) {
  ForEachShard(mask, [&](size_t i) { shards[i]->mutex.unlock(); });
}

Keyspace::Keyspace(const KeyspaceOptions& options, HybridClock& clock)
    : clock_(clock), impl_(std::make_unique<Impl>(options, clock.NowMillis(), clock.time())) {
  impl_->records = std::make_unique<Records>(*this);
}

Keyspace::~Keyspace() = default;

const ClaimRules& Keyspace::claim_rules() const { return impl_->claim_rules; }

Records& Keyspace::records() { return *impl_->records; }

const Records& Keyspace::records() const { return *impl_->records; }

KeyRef Keyspace::Ref(uint8_t database, std::string_view name) const {
  return {database, name, HashKey(database, name, impl_->hash_seed)};
}

Access Keyspace::Lock(const KeyRef& key) {
  return Access(*this, uint64_t{1} << impl_->ShardIndex(key.hash));
}

Access Keyspace::Lock(std::span<const KeyRef> keys) {
  uint64_t mask = 0;
  for (const KeyRef& key : keys) mask |= uint64_t{1} << impl_->ShardIndex(key.hash);
  return Access(*this, mask);
}

Access Keyspace::LockAll() { return Access(*this, impl_->AllShards()); }

void Keyspace::Prefetch(const KeyRef& key) const {
  impl_->shards[impl_->ShardIndex(key.hash)]->Prefetch(key.hash);
}

size_t Keyspace::Size(uint8_t database) const {
  size_t keys = 0;
  for (const auto& shard : impl_->shards) {
    std::lock_guard lock(shard->mutex);
    keys += shard->CountKeys(database).keys;
  }
  return keys;
}

size_t Keyspace::SizeWithDeadline(uint8_t database) const {
  size_t keys = 0;
  for (const auto& shard : impl_->shards) {
    std::lock_guard lock(shard->mutex);
    keys += shard->CountKeys(database).with_deadline;
  }
  return keys;
}

uint64_t Keyspace::Scan(uint8_t database, uint64_t cursor, size_t count, const KeyVisitor& visit) {
  const int64_t clock = NowMillis();
  count = std::max<size_t>(count, 1);
  size_t index = cursor >> kShardShift;
  uint64_t position = static_cast<uint32_t>(cursor);
  for (size_t visited = 0; index < impl_->shards.size(); ++index, position = 0) {
    Shard& shard = *impl_->shards[index];
    std::lock_guard lock(shard.mutex);
    if (visited >= count) return static_cast<uint64_t>(index) << kShardShift;
    const int64_t now = shard.held_at_millis != 0 ? shard.held_at_millis : clock;
    position = shard.Scan(position, count - visited, [&](Handle handle) {
      ++visited;
      const LoadedEntry entry = shard.LoadForView(handle);
      if (entry.key.database != database) return;
      const KeyView view = shard.View(entry, now);
      if (view.type == KeyType::kNone) return;
      if (view.deadline_millis && now > *view.deadline_millis) return;
      visit(entry.key.name, view);
    });
    if (position != 0) return static_cast<uint64_t>(index) << kShardShift | position;
  }
  return 0;
}

std::optional<std::string> Keyspace::RandomKey(uint8_t database, std::mt19937_64& random) {
  const int64_t clock = NowMillis();
  // A shard by its share of the keys, then a bucket of it, then one of its visible keys.
  for (int tries = 0; tries < 100; ++tries) {
    const size_t total = Size(database);
    if (total == 0) return std::nullopt;
    size_t place = random() % total;
    for (const auto& shard : impl_->shards) {
      std::lock_guard lock(shard->mutex);
      const size_t keys = shard->counts(database).keys;
      if (place >= keys) {
        place -= keys;
        continue;
      }
      const int64_t now = shard->held_at_millis != 0 ? shard->held_at_millis : clock;
      for (int buckets = 0; buckets < 100; ++buckets) {
        std::vector<Handle> bucket;
        shard->RandomBucket(random, bucket);
        if (bucket.empty()) continue;
        const LoadedEntry entry = shard->LoadForView(bucket[random() % bucket.size()]);
        const KeyView view = ViewOf(entry);
        if (entry.key.database != database || view.type == KeyType::kNone) continue;
        if (view.deadline_millis && now > *view.deadline_millis) continue;
        return std::string(entry.key.name);
      }
      break;
    }
  }
  // Few of many match (expired, other databases): the first that a scan finds.
  std::optional<std::string> found;
  uint64_t cursor = 0;
  do {
    cursor = Scan(database, cursor, 64, [&](std::string_view name, const KeyView&) {
      if (!found) found = name;
    });
  } while (cursor != 0 && !found);
  return found;
}

void Keyspace::SetOrigin(const Origin& origin) { impl_->own = impl_->origins.IndexOf(origin); }

bool Keyspace::HasRoomForOrigins(size_t count) const { return impl_->origins.HasRoomFor(count); }

Origin Keyspace::origin() const { return impl_->origins.At(impl_->own); }

void Keyspace::FlushDatabase(uint8_t database) {
  {
    Access access = LockAll();
    access.EndClaims(database);
    const Stamp stamp = clock_.Draw();
    Item item;
    item.part = Part::kDatabaseCut;
    item.database = database;
    item.stamp = stamp;
    item.at = stamp;
    Speculation* const speculation = impl_->shards[0]->speculation;
    for (const auto& shard : impl_->shards) {
      STARLING_CHECK(shard->speculation == speculation);
      if (speculation != nullptr) shard->RememberDatabaseCut(database);
      shard->MergeDatabaseCut(database, stamp, {stamp, impl_->own});
    }
    access.Record(*impl_->shards[0], item, database);
    if (speculation != nullptr) {
      // Its keys go when it is kept; until then each as it is next seen.
      speculation->flushed_ |= uint64_t{1} << database;
      if (impl_->records->AnyUndecided()) speculation->blocked_ = true;
      return;
    }
  }
  FreeKilled(database);
}

void Keyspace::FreeKilled(uint8_t database) {
  constexpr size_t kSlice = 256;
  for (const auto& shard : impl_->shards) {
    uint64_t cursor = 0;
    do {
      // Entries may go while the lock is free between slices: the scan's guarantee covers that.
      std::lock_guard lock(shard->mutex);
      std::vector<std::string> names;
      cursor = shard->Scan(cursor, kSlice, [&](Handle handle) {
        const KeyRef key = shard->KeyOf(handle);
        if (key.database == database) names.emplace_back(key.name);
      });
      // Loading applies the database's cut.
      for (const std::string& name : names) shard->Load(Ref(database, name));
    } while (cursor != 0);
  }
}

std::unique_ptr<Generation> Keyspace::CloseGeneration() { return Close(impl_->own, 0); }

std::unique_ptr<Generation> Keyspace::CloseGeneration(const Origin& next, uint64_t gap) {
  return Close(impl_->origins.IndexOf(next), gap);
}

std::unique_ptr<Generation> Keyspace::Close(OriginIndex next, uint64_t gap) {
  std::unique_ptr<Generation> generation;
  {
    std::lock_guard lock(impl_->spare_mutex);
    generation = std::move(impl_->spare);
  }
  if (!generation) {
    generation = std::make_unique<Generation>();
    generation->buffers.resize(impl_->shards.size());
  }
  impl_->Lock(impl_->AllShards());
  for (size_t i = 0; i < impl_->shards.size(); ++i) {
    PendingBuffer& pending = impl_->shards[i]->pending;
    if (!pending.empty()) std::swap(pending, generation->buffers[i]);
  }
  // No transaction is under way (it would hold a lock), so `upto` falls between transactions; every
  // stamp drawn so far is at or below it and every later one above.
  generation->upto = clock_.Draw();
  clock_.Observe(Stamp{generation->upto.value + gap});
  generation->writes = writes_.load(std::memory_order_acquire);
  generation->origin = origin();
  impl_->own = next;
  impl_->Unlock(impl_->AllShards());
  return generation;
}

void Keyspace::Recycle(std::unique_ptr<Generation> generation) {
  for (PendingBuffer& buffer : generation->buffers) {
    if (!buffer.empty()) buffer.Clear();
  }
  std::lock_guard lock(impl_->spare_mutex);
  impl_->spare = std::move(generation);
}

size_t Keyspace::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& shard : impl_->shards) {
    std::lock_guard lock(shard->mutex);
    bytes += shard->memory_bytes();
  }
  return bytes;
}

}  // namespace starling
