#include "storage/held_shards.h"

#include <utility>

#include "storage/keyspace_impl.h"

namespace starling {

HeldShards::HeldShards(Keyspace& keyspace, std::span<const KeyRef> keys) : keyspace_(keyspace) {
  for (const KeyRef& key : keys) {
    shard_mask_ |= uint64_t{1} << keyspace_.impl_->ShardIndex(key.hash);
  }
  Hold();
}

HeldShards::HeldShards(Keyspace& keyspace) : keyspace_(keyspace) {
  bool held = true;
  for (const auto& shard : keyspace_.impl_->shards) held = held && shard->mutex.HeldHere();
  if (held) return;
  shard_mask_ = keyspace_.impl_->AllShards();
  Hold();
}

void HeldShards::Hold() {
  ForEachShard(shard_mask_, [&](size_t i) {
    Shard& shard = *keyspace_.impl_->shards[i];
    STARLING_CHECK(!shard.mutex.HeldHere());
    shard.mutex.Hold();
  });
  // The time after the wait: writes before it, by whomever, are past.
  const int64_t now = keyspace_.NowMillis();
  ForEachShard(shard_mask_, [&](size_t i) { keyspace_.impl_->shards[i]->held_at_millis = now; });
}

void HeldShards::Release() {
  ForEachShard(std::exchange(shard_mask_, 0), [&](size_t i) {
    Shard& shard = *keyspace_.impl_->shards[i];
    STARLING_CHECK(shard.speculation == nullptr);
    shard.held_at_millis = 0;
    shard.mutex.Release();
  });
}

}  // namespace starling
