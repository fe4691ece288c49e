/// What keyspace.cc, access.cc and keyspace_upkeep.cc share: not for other files.
#pragma once

#include <bit>
#include <bitset>
#include <memory>
#include <mutex>
#include <vector>

#include "storage/keyspace.h"
#include "storage/origin_table.h"
#include "storage/records.h"
#include "storage/shard.h"

namespace starling {

struct Keyspace::Impl {
  Impl(const KeyspaceOptions& options, int64_t now_millis, TimeSource& time);

  uint64_t hash_seed;
  ClaimRules claim_rules;
  OriginTable origins;
  std::vector<std::unique_ptr<Shard>> shards;  // count is a power of two
  std::atomic<OriginIndex> own{0};
  std::unique_ptr<Records> records;

  std::mutex floor_mutex;
  VersionVector floor;

  std::mutex spare_mutex;
  std::unique_ptr<Generation> spare;        // emptied buffers for the next generation
  std::bitset<kAllDatabases> cuts_on_disk;  // databases whose cut the state may have; checkpoints'

  size_t ShardIndex(uint64_t hash) const { return (hash >> 32) & (shards.size() - 1); }
  uint64_t AllShards() const { return ~uint64_t{0} >> (64 - shards.size()); }
  void Lock(uint64_t mask);
  void Unlock(uint64_t mask);
  /// Merges one item into its entry under held locks and saves.
  void MergeItem(const Item& item);
  /// All items an entry holds, not covered by `covered`.
  void VisitItems(const LoadedEntry& entry, const VersionVector& covered,
                  const std::function<void(const Item&)>& visit) const;
  /// A step of a walk: one bucket, or some elements of a large collection.
  void WalkSome(Shard& shard, WalkPosition& position, const VersionVector& covered,
                const std::function<void(const Item&)>& visit);
  void VisitDatabaseCuts(const VersionVector& covered,
                         const std::function<void(const Item&)>& visit) const;
};

/// Shards in a mask, ascending.
template <typename Visit>
void ForEachShard(uint64_t mask, Visit&& visit) {
  for (; mask != 0; mask &= mask - 1) visit(static_cast<size_t>(std::countr_zero(mask)));
}

}  // namespace starling
