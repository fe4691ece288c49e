#include "storage/speculation.h"

#include <utility>
#include <vector>

#include "storage/batch_codec.h"
#include "storage/keyspace_impl.h"

namespace starling {

Speculation::Speculation(Keyspace& keyspace) : keyspace_(keyspace) {
  Keyspace::Impl& impl = *keyspace_.impl_;
  for (size_t i = 0; i < impl.shards.size(); ++i) {
    Shard& shard = *impl.shards[i];
    if (!shard.mutex.HeldHere()) continue;
    STARLING_CHECK(shard.speculation == nullptr);
    shard.speculation = this;
    shard_mask_ |= uint64_t{1} << i;
  }
}

Speculation::~Speculation() { Rollback(); }

template <typename End>
void Speculation::EndShards(End&& end) {
  ForEachShard(std::exchange(shard_mask_, 0), [&](size_t i) {
    Shard& shard = *keyspace_.impl_->shards[i];
    STARLING_CHECK(shard.mutex.HeldHere());
    shard.speculation = nullptr;
    end(shard);
  });
}

void Speculation::Keep() {
  EndShards([](Shard& shard) { shard.KeepWritten(); });
  if (writes_ > 0) keyspace_.writes_.fetch_add(writes_, std::memory_order_release);
  ForEachShard(std::exchange(flushed_, 0),
               [&](size_t database) { keyspace_.FreeKilled(static_cast<uint8_t>(database)); });
}

void Speculation::Rollback() {
  EndShards([](Shard& shard) { shard.PutBackWritten(); });
  flushed_ = 0;
}

std::string Speculation::TakeItems() {
  std::vector<Item> items;
  ForEachShard(shard_mask_, [&](size_t i) {
    keyspace_.impl_->shards[i]->AppendWritten(items, keyspace_.origin());
  });
  if (!keyspace_.claim_rules().records_hold_all) {
    std::erase_if(items, [](const Item& item) { return item.part != Part::kClaim; });
  }
  std::string bytes = EncodeChunk(items, {});
  Rollback();
  return bytes;
}

}  // namespace starling
