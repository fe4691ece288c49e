/// One shard of the keyspace: entries, their indexes, and what waits to be flushed, saved or freed.
///
/// Every member is guarded by `mutex`, which the keyspace locks (keyspace.cc). An entry is worked
/// on as a `LoadedEntry`: loaded (unpacked), merged into, saved (packed). Loading applies the
/// database's cut.
#pragma once

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/btree_set.h>

#include "storage/changed_names.h"
#include "storage/collection.h"
#include "storage/entry.h"
#include "storage/expiry_index.h"
#include "storage/handle_table.h"
#include "storage/keyspace.h"
#include "storage/pending.h"
#include "storage/shard_mutex.h"
#include "storage/shard_undo.h"
#include "storage/slab.h"
#include "storage/time_source.h"
#include "storage/watch.h"

namespace starling {

class Speculation;

struct LoadedEntry {
  KeyRef key;
  CollectionSpace* space = nullptr;  ///< The shard's.
  Handle handle = 0;                 ///< 0: not in memory.
  KeyState state;
  const char* block = nullptr;  ///< The string's long payload, owned by the entry.
  size_t block_size = 0;
  bool merged = false;         ///< Something was written to it through an Access.
  bool expiry_merged = false;  ///< Its expiry is newer than what is saved.
};

class Shard {
 public:
  /// Counters of one database.
  struct Counts {
    size_t keys = 0;
    size_t with_deadline = 0;
  };
  Shard(uint64_t hash_seed, int64_t now_millis, OriginTable& origins, TimeSource& time,
        const ClaimRules& claim_rules = {})
      : hash_seed_(hash_seed),
        origins_(origins),
        time_(time),
        claim_rules_(claim_rules),
        space_{slab_, hash_seed, origins},
        expiry_(now_millis) {}
  ~Shard();

  ShardMutex mutex;
  PendingBuffer pending;
  WatchTable watches;
  /// While a transaction holds the shard: the time that it sees. Else 0.
  int64_t held_at_millis = 0;
  /// The one that covers the shard, or null.
  Speculation* speculation = nullptr;

  // --- entries ---
  LoadedEntry Load(const KeyRef& key);
  LoadedEntry LoadHandle(Handle handle) const;
  /// The entry as its cell has it, the database's cut aside.
  LoadedEntry FindRaw(const KeyRef& key) const;
  /// The same without what the database's cut has killed, for looking at only. A collection that is
  /// killed in part is shown with all its elements.
  LoadedEntry LoadForView(Handle handle) const;
  KeyRef KeyOf(Handle handle) const;
  /// Merges one item; returns whether the entry changed. The caller saves.
  bool Merge(LoadedEntry& entry, const Item& item, OriginIndex origin) {
    const bool changed = MergePart(entry, item, origin);
    if (changed) TouchWatches(entry, item);
    return changed;
  }
  /// Tells who watches the key; of a speculation when it is kept.
  void TouchWatches(const LoadedEntry& entry, const Item& item) {
    if (!watches.empty() && speculation == nullptr) watches.Touch(entry.key.hash, item);
  }
  /// Notes what merging an element's item into the entry's collection has done.
  void NoteElement(const LoadedEntry& entry, const Item& item, OriginIndex origin,
                   const ElementChange& change);
  void Save(LoadedEntry& entry);
  /// What elements must be younger than to count.
  Stamp Reset(const LoadedEntry& entry) const;
  void Touch(const LoadedEntry& entry, uint32_t seconds) {
    SetCellAccessed(slab_.At(entry.handle), seconds);
  }
  size_t MemoryUsage(const LoadedEntry& entry) const;
  void Prefetch(uint64_t hash) const { table_.Prefetch(hash); }

  // --- speculation (shard_undo.cc): to be called before what they name is changed ---
  /// The entry; as it was loaded.
  void Remember(const LoadedEntry& entry) {
    if (speculation != nullptr) Remembered(entry);
  }
  /// An element of the entry's collection, and the entry.
  void RememberElement(const LoadedEntry& entry, ElementType type, std::string_view id);
  void RememberElementAt(const LoadedEntry& entry, ElementType type, size_t position);
  /// The cut of a database.
  void RememberDatabaseCut(uint8_t database);
  /// Whether the speculation has deleted the database: what that killed is still counted.
  bool FlushedInSpeculation(uint8_t database) const;
  /// Appends what was written since it began.
  void AppendWritten(std::vector<Item>& items, const Origin& origin) const;
  /// Ends remembering: what was written stays, or all is as it was.
  void KeepWritten();
  void PutBackWritten();

  // --- databases ---
  const Counts& counts(uint8_t database) const { return counts_[database]; }
  /// The same without what a speculation's FLUSHDB has killed, by a scan where there was one.
  Counts CountKeys(uint8_t database) const;
  Stamp database_cut(uint8_t database) const { return database_cuts_[database]; }
  const Version& database_cut_version(uint8_t database) const {
    return database_cut_versions_[database];
  }
  bool MergeDatabaseCut(uint8_t database, Stamp at, const Version& version);
  /// Scans about `count` entries; `visit(handle)` must not change the table.
  uint64_t Scan(uint64_t cursor, size_t count, const std::function<void(Handle)>& visit) const;
  size_t entries() const { return table_.size(); }
  void RandomBucket(std::mt19937_64& random, std::vector<Handle>& out) const {
    table_.RandomBucket(random, out);
  }
  /// Drops everything (a whole state is about to be taken); counts names for the next checkpoint.
  void Clear();

  // --- claims (shard_claims.cc) ---
  /// What a client sees of the entry, a claim's time to live included, as a deadline by the hybrid
  /// clock, whose now is `now_millis`.
  KeyView View(const LoadedEntry& entry, int64_t now_millis) const;
  /// Keys that somebody holds.
  size_t live_claims() const { return live_claims_; }
  /// Whether there may be one, for who has not locked the shard: never denied of a key that a
  /// speculation is about to give up.
  bool MayHaveClaims() const { return may_have_claims_.load(std::memory_order_relaxed); }
  std::vector<std::string> ClaimedKeys(uint8_t database) const;
  bool IsLapsed(const Claim& claim) const { return claim.LapsesAt() < ClaimMillis(); }
  /// What a live claim has left: 0 if it does not lapse, at least 1 otherwise.
  int64_t RemainingMillis(const Claim& claim) const;
  /// Visits up to `limit` keys whose claim's time is up, the longest ago first.
  void VisitLapsed(size_t limit, const std::function<void(const LoadedEntry&)>& visit) const;
  /// When the next claim's time is up, in milliseconds of the boot clock, or Claim::kNoLapse.
  int64_t next_lapse() const;

  // --- upkeep ---
  /// Calls `expired(entry)` for keys whose deadline is below `now_millis`; at most `limit` looks.
  size_t Expire(int64_t now_millis, size_t limit, const std::function<void(LoadedEntry&)>& expired);
  /// Looks again at an entry at `millis` (a deletion that was put off).
  void LookAgain(LoadedEntry& entry, int64_t millis);
  /// Whether the tombstone of this version may go.
  using Freeable = std::function<bool(const Origin&, Stamp)>;
  /// Looks at up to `limit` tombstones, frees those that may go and raises `floor` by them.
  size_t FreeStable(const Freeable& may_free, size_t limit, VersionVector& floor);
  size_t tombstones() const { return tombstones_.size(); }
  /// Frees elements of dropped collections.
  size_t FreeDropped(size_t limit);

  // --- checkpoint ---
  ChangedNames TakeChanged();
  /// At start-up, when all records of the state family are restored: what changes from now on is
  /// noted (changed_names.h).
  void EndRestore() { changed_.since = maybe_saved_ = newest_; }
  /// Bytes of the names of vanished records that wait for the next checkpoint.
  size_t erased_bytes() const { return changed_.erased.bytes() + changed_.erased_prefixes.bytes(); }
  /// Appends records for what `names` tells, as it stands now; false when it stopped at `limit`
  /// records, or steps, or at about a megabyte: its lock is held meanwhile.
  bool EncodeChanged(ChangedNames& names, size_t limit, std::vector<Engine::StateWrite>& writes);
  /// Puts all of it back for the next checkpoint.
  void PutBack(ChangedNames names);
  /// Takes over a record of the state family. Errors: kCorruption.
  Status Restore(const KeyRef& key, const StateName& name, std::string_view value);

  size_t memory_bytes() const;

 private:
  void ShowClaims() { may_have_claims_.store(live_claims_ > 0, std::memory_order_relaxed); }
  struct Tombstone {
    uint64_t key_hash;
    uint64_t element_hash;  // with kElement
    enum class Kind : uint8_t { kCut, kExpiry, kElement, kClaim } kind;
    Version version;
    std::unique_ptr<char[]> list_id;  // with kElement of a list: its length, its id

    ElementName name() const;
  };

  std::vector<Handle> FindByHash(uint64_t hash) const;
  void AddTombstone(uint64_t key_hash, Tombstone::Kind kind, const Version& version) {
    tombstones_.push_back({key_hash, 0, kind, version, nullptr});
    ++maybe_replaced_;  // it may itself replace one
  }
  void AddElementTombstone(const LoadedEntry& entry, ElementType type, std::string_view id,
                           const Version& version);
  /// Notes an element for the next checkpoint.
  void RecordChangedElement(const LoadedEntry& entry, ElementType type, std::string_view id);
  /// Whether it is a list's element that was added after `stamp`. Others do not tell when.
  static bool AddedAfter(const Element& element, Stamp stamp);
  bool EncodeErased(ChangedNames& names, size_t limit, std::vector<Engine::StateWrite>& writes);
  class EncodedSlice;
  bool EncodeEntries(ChangedNames& names, EncodedSlice& slice,
                     std::vector<Engine::StateWrite>& writes);
  bool EncodeBlocks(ChangedNames& names, size_t limit, EncodedSlice& slice,
                    std::vector<Engine::StateWrite>& writes);
  void EncodeElement(const LoadedEntry& entry, const Element& element,
                     std::vector<Engine::StateWrite>& writes);
  /// Whether any entry of its key's hash still holds what the tombstone stands for.
  bool IsCurrent(const Tombstone& tombstone) const;
  /// Whether this entry does.
  bool IsCurrent(const LoadedEntry& entry, const Tombstone& tombstone) const;
  /// Forgets tombstones that later writes have replaced, so that the queue does not outgrow what it
  /// stands for while a member is away.
  void CompactTombstones();
  uint64_t HashOf(Handle handle) const { return KeyOf(handle).hash; }
  /// Drops what the database's cut has killed, elements aside; returns whether anything went.
  bool ApplyDatabaseCut(KeyState& state, uint8_t database) const;
  /// Appends records of the elements that have this name.
  void EncodeElements(uint64_t key_hash, const ElementName& name,
                      std::vector<Engine::StateWrite>& writes);
  Status RestoreParts(LoadedEntry& entry, std::string_view value);
  Status RestoreElement(LoadedEntry& entry, const StateName& name, std::string_view value);
  bool MergePart(LoadedEntry& entry, const Item& item, OriginIndex origin);
  bool MergeElement(LoadedEntry& entry, const Item& item, OriginIndex origin);
  bool MergeClaim(LoadedEntry& entry, const Item& item, OriginIndex origin);
  /// Counts the claim and indexes it by when its time is up.
  void CountClaim(LoadedEntry& entry);
  void UnindexClaim(const LoadedEntry& entry);
  void DropClaim(LoadedEntry& entry);
  /// In a speculation: leaves the claim of the time before, which is about to change, for a way
  /// back.
  void CopyRememberedClaim(LoadedEntry& entry);
  void RestoreClaim(LoadedEntry& entry, std::unique_ptr<Claim> claim);
  int64_t BootMillis() const;
  /// Now, by the clock that claims are timed by, and when one that was written at `stamp` has come.
  int64_t ClaimMillis() const;
  int64_t ArrivalMillis(Stamp stamp) const;
  // shard_undo.cc
  ShardUndo& BeginUndo();
  ShardUndo::Entry& Remembered(const LoadedEntry& entry);
  /// Whether its elements have to be remembered one by one.
  bool RememberCollection(ShardUndo::Entry& saved);
  void RememberAllElements(const LoadedEntry& entry);
  void NoteBefore(ShardUndo::Entry& saved, const Element& element, bool was_there);
  /// Whether the collection that is to be dropped is kept for a way back.
  bool SetCollectionAside(const LoadedEntry& entry);
  void TouchWritten();
  void PutBack(Collection& collection, const ShardUndo::ElementBefore& before);
  void PutBack(const ShardUndo::Entry& saved);
  void PutBackClaim(LoadedEntry& now, const Claim* before);
  void FreeWhole(Collection& collection);
  /// Before the entry's block is freed: keeps it for a way back, where it is of the time before.
  void LeaveBlock(LoadedEntry& entry);
  /// Puts the entry's cell where it belongs.
  void StoreCell(LoadedEntry& entry, const KeyState& state, const char* block);
  bool PurgeCollection(LoadedEntry& entry);
  void DropCollection(LoadedEntry& entry);
  void CountAndIndex(LoadedEntry& entry);
  void Unpack(LoadedEntry& entry) const;
  void Repack(LoadedEntry& entry);
  void Erase(LoadedEntry& entry);
  bool FreeOne(const Tombstone& tombstone);
  /// Frees those that are still there of one key's elements, all of lists or all of other types;
  /// `floor` is raised by them. Returns how many.
  size_t FreeElements(const std::vector<Tombstone>& tombstones, VersionVector& floor);
  void RecordErasedElement(const KeyRef& key, const Element& element);

  static constexpr size_t kCompactAt = 4096;

  uint64_t hash_seed_;
  OriginTable& origins_;
  TimeSource& time_;
  const ClaimRules claim_rules_;
  Slab slab_;
  mutable CollectionSpace space_;  // its bytes are also those of long strings
  HandleTable table_;
  ExpiryIndex expiry_;
  std::array<Counts, kAllDatabases> counts_{};
  std::array<Stamp, kAllDatabases> database_cuts_{};
  std::array<Version, kAllDatabases> database_cut_versions_{};
  std::deque<Tombstone> tombstones_;
  size_t maybe_replaced_ = 0;  // of them, counted since they were last gone through
  std::vector<Collection> dropped_;
  size_t live_claims_ = 0;
  std::atomic<bool> may_have_claims_{false};
  absl::btree_multiset<std::pair<int64_t, uint64_t>> lapses_;  // (when, key hash)
  ChangedNames changed_{Stamp{UINT64_MAX}};
  Stamp maybe_saved_{UINT64_MAX};  // an element of a list that is younger has no record
  Stamp newest_;                   // no element is newer
  std::unique_ptr<ShardUndo> undo_;
};

/// The hash of a key name in its database.
uint64_t HashKey(uint8_t database, std::string_view name, uint64_t seed);

/// What a client sees of a loaded entry, deadlines that have passed and a claim's time to live
/// aside; nothing when the type is kNone.
KeyView ViewOf(const LoadedEntry& entry);

/// The element type of a collection's key type and back.
ElementType ElementTypeOf(KeyType type);

}  // namespace starling
