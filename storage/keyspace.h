/// The keyspace in memory: sharded, mergeable, dirty-tracked.
///
/// Thread-safe; each shard has one mutex. Work on keys goes through an `Access`, which holds the
/// locks of its keys' shards (taken in ascending order) as long as it lives; what is done under one
/// Access is atomic and travels whole (I6). No system call is made under a lock. Views borrowed
/// from an Access end with the next write through it.
///
/// A thread can hold shards over several accesses (held_shards.h): transactions and scripts.
///
/// Every write draws its own stamp under the lock and is recorded for the next flush (journal.h).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "starling/result.h"
#include "storage/claim_rules.h"
#include "storage/engine.h"
#include "storage/hybrid_clock.h"
#include "storage/item.h"
#include "storage/key_ref.h"
#include "storage/number.h"
#include "storage/origin.h"
#include "storage/score.h"
#include "storage/version_vector.h"

namespace starling {

class Shard;
class Keyspace;
class Records;
struct CollectionSpace;
struct Element;
struct ElementChange;
class OriginTable;
struct LoadedEntry;
struct SeenCollection;
struct Generation;
struct KeyDescription;
struct WalkPosition;

enum class KeyType : uint8_t { kNone, kString, kSet, kHash, kSortedSet, kList, kStream };

/// Databases visible to clients: 0 to 15. Database 16 is the cluster's own (member list).
inline constexpr int kDatabases = 16;
inline constexpr uint8_t kClusterDatabase = 16;
inline constexpr int kAllDatabases = 17;

/// The text a client reads for a payload: a number's canonical text (an integer beyond int64
/// clamped), which is put into `buffer`, or the bytes.
std::string_view TextOf(const Value& value, std::string& buffer);

/// A key as a client sees it now. Borrows from the Access it came from.
struct KeyView {
  KeyType type = KeyType::kNone;
  /// Milliseconds of the hybrid clock, or none.
  std::optional<int64_t> deadline_millis;
  /// Strings: the value, with all counter slots that count added up.
  Value value;
  /// Strings: whether slots count, i.e. the value is a counter that nodes add to concurrently.
  bool counter = false;
  /// Whether somebody holds it: a live claim, whose deadline is what its time to live leaves here.
  bool claimed = false;
  /// Collections: live elements.
  size_t size = 0;
  /// When the key was last read or written before this access: seconds of the hybrid clock, low 32
  /// bits.
  uint32_t accessed_seconds = 0;

  /// Strings: the text a client reads; `buffer` is used for numbers.
  std::string_view Text(std::string& buffer) const { return TextOf(value, buffer); }
};

/// What a scan step gives: where to go on (0: done) and what was found.
using KeyVisitor = std::function<void(std::string_view name, const KeyView& view)>;
using ElementVisitor = std::function<void(std::string_view id, const Value& payload)>;
/// The score to write for a member that has `present`, if any; nothing leaves it as it is.
using ScoreDecision = std::function<std::optional<double>(std::optional<double> present)>;
/// The same, in order; false ends the visit.
using OrderVisitor = std::function<bool(std::string_view id, const Value& payload)>;

class Access {
 public:
  Access(Access&&) noexcept;
  Access& operator=(Access&&) = delete;
  ~Access();

  // --- reading; keys that have expired are not seen ---
  /// The key, or nullopt. Counts as an access (OBJECT IDLETIME) unless `touch` is false.
  std::optional<KeyView> Find(const KeyRef& key, bool touch = true);
  bool Exists(const KeyRef& key) { return Find(key, false).has_value(); }
  /// Bytes the key takes in memory, with its share of the indexes; nullopt when not seen.
  std::optional<size_t> MemoryUsage(const KeyRef& key);
  /// Each part of the key, also where it is not seen (key_description.h); nullopt when nothing of
  /// it is in memory. Costs a walk over its elements.
  std::optional<KeyDescription> Describe(const KeyRef& key);

  /// Elements of the collection at `key`; nothing and 0 when there is none of that type.
  bool HasElement(const KeyRef& key, ElementType type, std::string_view id);
  /// The payload; borrows from the Access until its next call.
  std::optional<Value> GetElement(const KeyRef& key, ElementType type, std::string_view id);
  void ForEachElement(const KeyRef& key, ElementType type, const ElementVisitor& visit);
  /// One step of a full iteration with Redis's SCAN guarantee; `cursor` 0 starts, 0 returned ends.
  /// Visits about `count` elements.
  uint64_t ScanElements(const KeyRef& key, ElementType type, uint64_t cursor, size_t count,
                        const ElementVisitor& visit);
  /// A live element drawn uniformly; the collection must be seen and not empty.
  std::string_view RandomElement(const KeyRef& key, ElementType type, std::mt19937_64& random);

  // --- order: sorted sets by (score, member bytes), lists; all in O(log n) (access_ordered.cc) ---
  /// The score of a member of a sorted set.
  std::optional<double> Score(const KeyRef& key, std::string_view member);
  /// The position of an element from the front, 0 the first; nullopt when it is not there.
  std::optional<size_t> RankOf(const KeyRef& key, ElementType type, std::string_view id);
  /// Members of a sorted set with a lower score, or with `inclusive` one at most as high: the
  /// position at which a range by score begins or ends.
  size_t CountBelow(const KeyRef& key, double score, bool inclusive);
  /// The same by member, for sets whose scores are all equal (BYLEX; else the answer means little).
  size_t CountBelowMember(const KeyRef& key, std::string_view member, bool inclusive);
  /// Visits up to `count` elements from position `first` on; with `reverse` positions count from
  /// the back and go to the front. Nothing where `first` is beyond the end.
  void ForEachInOrder(const KeyRef& key, ElementType type, size_t first, size_t count, bool reverse,
                      const OrderVisitor& visit);
  /// The list element at `index` < its length; borrows from the Access until its next call.
  std::optional<Value> ElementAt(const KeyRef& key, size_t index);

  // --- writing; a key seen as expired is deleted first ---
  /// Makes the key a string. Its time to live is dropped unless `keep_ttl`. A claim on it is ended,
  /// or with `keep_ttl` rewritten.
  void SetString(const KeyRef& key, std::string_view text, bool keep_ttl = false);
  /// Sets a counter so that concurrent increments of others survive (GETSET k 0): subtracts what
  /// was observed and adds `value`, where the key is a counter; else as SetString. Drops the time
  /// to live. A claim is ended.
  void ResetCounter(const KeyRef& key, int64_t value);
  /// Adds to the key's integer; 0 when missing. Errors (nothing changed): kWrongType,
  /// kInvalidArgument (not an integer), kOutOfRange (result beyond int64).
  Result<int64_t> Increment(const KeyRef& key, int64_t by);
  /// Adds to the key's decimal value. Errors as Increment; kInvalidArgument: not a float.
  Result<Number> IncrementDecimal(const KeyRef& key, const Number& by);
  /// Whether the key was seen before. Always leaves it unseen.
  bool Delete(const KeyRef& key);
  /// Ends all that the key holds up to now, on every node and also what this one has not heard of:
  /// what a store or a rename does before it writes anew, so that of two at once one stays.
  void Clear(const KeyRef& key);
  /// Sets an absolute deadline; one that is not in the future deletes. False when the key is
  /// unseen.
  bool SetDeadline(const KeyRef& key, int64_t deadline_millis);
  /// Removes the deadline. False when the key is unseen or has none.
  bool ClearDeadline(const KeyRef& key);
  /// Whether the element is new (sets), or was not there (others). The key must be unseen or of
  /// `type`'s collection: the caller has checked.
  bool AddElement(const KeyRef& key, ElementType type, std::string_view id,
                  const Value& payload = {});
  /// Whether it was there. Removing the last clears the key's deadline.
  bool RemoveElement(const KeyRef& key, ElementType type, std::string_view id);
  /// Adds to an integer element (HINCRBY), 0 when missing; increments on several nodes add up. The
  /// key must be unseen or of `type`'s collection. Errors (nothing changed): kInvalidArgument (not
  /// an integer), kOutOfRange (result beyond int64).
  Result<int64_t> IncrementElement(const KeyRef& key, ElementType type, std::string_view id,
                                   int64_t by);
  /// The same for decimals (HINCRBYFLOAT). kInvalidArgument: not an exact decimal; kOutOfRange: the
  /// sum is beyond 128 bits, or an integer beyond 64.
  Result<Number> IncrementElementDecimal(const KeyRef& key, ElementType type, std::string_view id,
                                         const Number& by);
  /// Writes the score that `decide` gives, which is not NaN, unless it is the present one.
  void ChangeScore(const KeyRef& key, std::string_view member, const ScoreDecision& decide);
  /// Adds to a score, 0 when missing; increments on several nodes add up where `by` is an exact
  /// number (score.h), else the sum is written as the score. `by` is not NaN. kOutOfRange (nothing
  /// changed): the sum is not a number (inf - inf).
  Result<double> IncrementScore(const KeyRef& key, std::string_view member, double by);

  // Lists: the key must be unseen or a list. Each element draws a stamp of its own, which with the
  // origin is its place (list_position.h).
  /// Adds an element at the left or right end.
  void PushElement(const KeyRef& key, bool left, const Value& payload);
  /// Adds an element before position `index` <= length; at the length it is a push to the right.
  void InsertElementAt(const KeyRef& key, size_t index, const Value& payload);
  /// Replaces the element at `index` < length.
  void SetElementAt(const KeyRef& key, size_t index, const Value& payload);
  /// Removes up to `count` elements of a list or sorted set from position `first` on, or with
  /// `reverse` from there back to the front; returns how many. `taken` sees each before it goes and
  /// must not call the Access. Removing the last clears the key's deadline.
  size_t RemoveRange(const KeyRef& key, ElementType type, size_t first, size_t count,
                     bool reverse = false, const ElementVisitor& taken = nullptr);

  // --- claims (claim.h, access_claims.cc) ---
  // What is written to a key with a live claim by the calls above is a claim write: the value is
  // rewritten with the time that remains, or the claim is ended, together with all that lies under
  // it. Such a write needs a majority, so it is allowed within a speculation only (else it is a bug
  // of ours): whoever writes without one asks HasLiveClaim before.
  /// Costs one load where the key's shard has no claims.
  bool HasLiveClaim(const KeyRef& key);
  /// The fencing token of the live claim: the stamp that granted it.
  std::optional<Stamp> ClaimToken(const KeyRef& key);
  /// Grants a claim of a key that is not seen; nothing where it is. `ttl_millis` 0: until it is
  /// released.
  std::optional<Stamp> Claim(const KeyRef& key, std::string_view text, int64_t ttl_millis);
  /// Ends the claim if it is live and has this token; returns whether. Also one whose time is up.
  bool EndClaim(const KeyRef& key, Stamp token);
  /// As SetString, but a live claim stays, with its token; its time to live is dropped unless
  /// `keep_ttl` (SET XX).
  void RewriteString(const KeyRef& key, std::string_view text, bool keep_ttl);

  /// Writes the observed state of `from` under `to` with new stamps, replacing what is seen there.
  /// False when `from` is unseen.
  bool Copy(const KeyRef& from, const KeyRef& to);

 private:
  friend class Keyspace;
  Access(Keyspace& keyspace, uint64_t shard_mask);

  Shard& ShardOf(const KeyRef& key);
  std::optional<KeyView> FindEntry(const KeyRef& key, bool touch, LoadedEntry& entry);
  /// The collection that a client sees at the key under `type`, or none.
  SeenCollection Seen(const KeyRef& key, ElementType type);
  /// The entry, loaded, with its expiry applied: deleted by an item when it has passed.
  LoadedEntry LoadForWrite(const KeyRef& key);
  /// Within a transaction, for which time stands still: puts off a deadline that the clock has
  /// meanwhile reached, so that what is written now is deleted with the rest of the key.
  void OutliveTransaction(LoadedEntry& entry);
  /// Deletes an expired entry by the cut that all nodes write: the last stamp of its deadline.
  void DeleteExpiredEntry(LoadedEntry& entry);
  /// Saves the entry if anything was written to it.
  void Keep(LoadedEntry& entry);
  /// Draws a stamp, merges the item as ours, records it for the flush. The caller keeps the entry.
  Stamp Write(LoadedEntry& entry, Item& item);
  /// The same with the stamp that the item has, just drawn.
  void WriteStamped(LoadedEntry& entry, Item& item);
  /// Keeps what was merged for the flush.
  void Record(Shard& shard, const Item& item, uint64_t hash);
  /// Tells a speculation of a live claim, and of what has to be decided first.
  void NoteMet(const Shard& shard, const LoadedEntry& entry);
  void WriteElement(LoadedEntry& entry, ElementType type, std::string_view id,
                    const Value& payload);
  /// Writes what `decide(element as it stands, item)` makes of an item of the element, which is
  /// found once; false: it has declined, and nothing was written.
  template <typename Decide>
  bool ChangeElement(LoadedEntry& entry, ElementType type, std::string_view id, Decide&& decide);
  /// Draws the item's stamp and merges it into its element.
  bool MergeOwn(Element& element, Item& item, Stamp reset);
  /// Notes and records an item that was merged into the entry's collection.
  void Wrote(LoadedEntry& entry, const Item& item, const ElementChange& change);
  /// Removes the live element at a position.
  void RemoveAt(LoadedEntry& entry, ElementType type, size_t position, const ElementVisitor& taken);
  /// A new list element with the id that `make_id(stamp)` gives.
  template <typename MakeId>
  void WriteListElement(LoadedEntry& entry, const Value& payload, MakeId&& make_id);
  /// Moves the list's shorter side, seen from `index`, to its end: ids become short again.
  void ShortenListIds(LoadedEntry& entry, size_t index);
  void WriteExpiry(LoadedEntry& entry, int64_t deadline_millis);
  /// Clears a deadline that no key has: of a collection just emptied, or, before a key is made
  /// anew, one that outlived the old (an EXPIRE elsewhere, later than the DEL).
  void DropDeadlineOfNothing(LoadedEntry& entry);
  void WriteString(LoadedEntry& entry, std::string_view text);
  /// Adds `by`, which makes `sum`. False, with nothing written, where this node's own net would
  /// overflow.
  bool AddToString(LoadedEntry& entry, const Number& by, const Number& sum);
  // Claims: the entry has a live one.
  void WriteClaim(LoadedEntry& entry, Item& item);
  void RewriteClaim(LoadedEntry& entry, std::string_view text, int64_t ttl_millis);
  /// With the time that remains.
  void RewriteClaim(LoadedEntry& entry, std::string_view text);
  void SetClaimDeadline(LoadedEntry& entry, int64_t deadline_millis);
  void WriteClaimEnd(LoadedEntry& entry);
  /// Ends the claim, if there is a live one, and cuts the key; returns whether there was.
  bool EndLiveClaim(LoadedEntry& entry);
  /// Ends all claims of a database, whose cut follows.
  void EndClaims(uint8_t database);

  /// The hybrid clock as it was when this Access first asked.
  int64_t NowMillis();

  Keyspace& keyspace_;
  uint64_t shard_mask_;  // bit i: shard i is locked
  int64_t now_millis_ = 0;
  /// The collection seen last: asking it again costs no look-up of its key. Writing ends it.
  struct {
    std::string_view key;
    uint64_t hash = 0;
    uint8_t database = 0;
    ElementType type = ElementType::kNone;  // kNone: there is none
    uintptr_t collection = 0;
    CollectionSpace* space = nullptr;
  } last_seen_;
  ScoreText score_text_;  // what a payload borrows that stands nowhere
};

struct KeyspaceOptions {
  /// Power of two, 1 to 64. More shards: less contention; fewer: less fixed memory (~20 KB each).
  int shards = 16;
  /// Seeds the key hash; random in production, fixed in the simulator.
  uint64_t hash_seed = 0;
  ClaimRules claim_rules = {};  ///< For tests only: one may be left out.
};

class Keyspace {
 public:
  Keyspace(const KeyspaceOptions& options, HybridClock& clock);
  ~Keyspace();

  // --- names and locks ---
  KeyRef Ref(uint8_t database, std::string_view name) const;
  Access Lock(const KeyRef& key);
  Access Lock(std::span<const KeyRef> keys);
  Access LockAll();
  /// Hints that `key` is about to be used: fetches its map slot into the cache.
  void Prefetch(const KeyRef& key) const;

  // --- whole databases ---
  /// Keys of a database, those expired but not yet deleted included, as Redis counts.
  size_t Size(uint8_t database) const;
  /// Keys with a deadline among them.
  size_t SizeWithDeadline(uint8_t database) const;
  /// One step over a database with Redis's SCAN guarantee: a key seen during the whole iteration is
  /// visited at least once. Visits about `count` keys under their shard's lock; the visitor must
  /// not call back into the keyspace.
  uint64_t Scan(uint8_t database, uint64_t cursor, size_t count, const KeyVisitor& visit);
  std::optional<std::string> RandomKey(uint8_t database, std::mt19937_64& random);
  /// Deletes every key of the database (FLUSHDB): one item, then memory is freed shard by shard.
  /// Ends its claims: where there are any, only within a speculation.
  void FlushDatabase(uint8_t database);

  // --- clock ---
  HybridClock& clock() { return clock_; }
  int64_t NowMillis() const { return clock_.NowMillis(); }

  // --- writes since the last flush; used by the journal ---
  /// Number of writes so far: a reply may leave once the journal has logged this many.
  uint64_t writes() const { return writes_.load(std::memory_order_acquire); }
  /// Closes the current generation of own writes under all shard locks: what it holds, and `upto`.
  std::unique_ptr<Generation> CloseGeneration();
  /// The same, and in the same moment what is written from now on is `next`'s; the first `gap`
  /// stamps after `upto` are drawn by nobody.
  std::unique_ptr<Generation> CloseGeneration(const Origin& next, uint64_t gap);
  /// Gives a generation's buffers back for reuse.
  void Recycle(std::unique_ptr<Generation> generation);
  void SetOrigin(const Origin& origin);
  Origin origin() const;

  // --- merging what others wrote ---
  /// Merges items of one batch under all their shards' locks. Idempotent.
  void Merge(std::span<const Item> items);
  /// Whether this process can still take items of `count` origins that it may not know yet (a
  /// hostile peer could invent them without end).
  bool HasRoomForOrigins(size_t count) const;
  /// Merges several lists in one step, under all locks.
  void MergeAll(std::span<const std::vector<Item>> lists);
  /// Replaces the whole state by `chunks` and those present items that `covered` does not cover
  /// (DESIGN.md section 3, Freeing), in one step.
  void ReplaceState(std::span<const std::vector<Item>> chunks, const VersionVector& covered);
  /// Visits, from `position` on, items of about `max_bytes`, those covered by `covered` left out;
  /// true at the end. Keys present throughout are visited at least once. A large collection is gone
  /// through in steps, its shard free between them.
  bool Walk(WalkPosition& position, const VersionVector& covered, size_t max_bytes,
            const std::function<void(const Item&)>& visit);

  // --- claims (claim.h) ---
  const ClaimRules& claim_rules() const;  ///< As given.
  struct LapsedClaim {
    uint8_t database = 0;
    std::string key;
    Stamp token;
  };
  /// Whether a live claim holds the key, or an undecided record writes to it (records.h). Locks
  /// nothing where there are none.
  bool IsClaimed(const KeyRef& key);
  /// Whether the database has a live claim. Costs a scan of shards that have claims.
  bool HasLiveClaims(uint8_t database) const;
  /// Up to `limit` keys whose claim's time is up here, in no order. They stay held until the
  /// leaseholder ends them.
  std::vector<LapsedClaim> LapsedClaims(size_t limit) const;
  /// When LapsedClaims has the next one, by the boot clock (TimeSource::Monotonic); nothing while
  /// no claim has a time to live.
  std::optional<std::chrono::milliseconds> NextLapse() const;

  /// What waits for a majority (records.h).
  Records& records();
  const Records& records() const;

  // --- memory that can go ---
  /// Deletes what has expired, at most `limit` keys: own keys at once, those whose expiry another
  /// origin wrote `foreign_delay` later (they delete it first). Returns how many were deleted.
  size_t DeleteExpired(size_t limit, std::chrono::milliseconds foreign_delay);
  /// What the cluster knows everywhere (DESIGN.md section 2, "stable").
  struct Stability {
    VersionVector covered;  ///< Held by every member.
    Stamp passed;           ///< Every member's own stream is beyond this.

    bool Covers(const Origin& origin, Stamp stamp) const {
      return stamp <= passed && covered.Covers(origin, stamp);
    }
  };
  /// Frees elements of deleted collections, at most about `limit`; returns how many.
  size_t FreeDropped(size_t limit);
  /// The last checkpoint: what it holds, and what was stable when its vector was taken.
  struct Checkpointed {
    VersionVector vector;
    Stability stable;
  };
  /// Frees stable tombstones, none that a record may still meet (Records::free_below), at most
  /// `limit`; returns how many. One that the checkpoint holds must
  /// have been stable then: the next checkpoint erases it, and a kill inside that leaves a state
  /// without it, onto which all is replayed that came after the vector (I8). `held_back`: whether
  /// one waits for that. Null: there is no checkpoint.
  size_t FreeStable(const Stability& stability, size_t limit,
                    const Checkpointed* checkpointed = nullptr, bool* held_back = nullptr);
  /// From now on slots of origins that `over` has as over may be folded (origin_table.h). Who lacks
  /// something of those streams needs the whole state: they become part of the floor first.
  void AllowFolding(const VersionVector& over);
  /// Changes with what may be folded. A walk that it changed under may show the same slot twice.
  uint64_t foldings() const;
  size_t tombstones() const;
  /// The vector up to which this node has freed.
  VersionVector floor() const;
  void RaiseFloor(const VersionVector& floor);

  // --- checkpoint and recovery; used by the store ---
  /// What changed since the last take, in an opaque form; ask for it record by record.
  struct Changed;
  struct ChangedDeleter {
    void operator()(Changed* changed) const;
  };
  using ChangedPtr = std::unique_ptr<Changed, ChangedDeleter>;
  /// Takes the names of all that changed or vanished, under all shard locks.
  ChangedPtr TakeChanged();
  /// Bytes of the names of vanished records that wait for a checkpoint.
  size_t erased_name_bytes() const;
  /// Appends state records for the next about `limit` of them, as they stand now; false at the end.
  bool EncodeChanged(Changed& changed, size_t limit, std::vector<Engine::StateWrite>& writes);
  /// Puts back what was taken, because writing it failed.
  void PutBack(ChangedPtr changed);
  /// Takes over one record of the state family. Errors: kCorruption.
  Status RestoreRecord(std::string_view name, std::string_view value);
  /// All records are restored: what changes from now on has changed since.
  void EndRestore();

  /// Bytes in use by entries, collections and indexes.
  size_t memory_bytes() const;

 private:
  friend class Access;
  friend class HeldShards;
  friend class Records;
  friend class Speculation;
  friend class Watches;
  struct Impl;

  std::unique_ptr<Generation> Close(OriginIndex next, uint64_t gap);
  /// Drops what a database's cut has killed, in slices.
  void FreeKilled(uint8_t database);
  void FreeKilledIn(std::span<const std::vector<Item>> lists);
  /// The same for those of records that were applied.
  void FreeKilledByRecords();

  HybridClock& clock_;
  std::atomic<uint64_t> writes_{0};
  std::unique_ptr<Impl> impl_;
};

}  // namespace starling
