/// What claims and their transactions wrote, pending until a majority holds it (DESIGN.md section
/// 3).
///
/// A record is what one speculation wrote, whole, as an element of a hash in the cluster's own
/// database: peers, disk, walks and recovery carry it like any element, and nobody applies it, its
/// writer included. The leaseholder overwrites it with its verdict, which keeps the note of a
/// committed one (record_note.h). A node that comes to know both, in whatever order and by whatever
/// way, merges a committed record's items in the same locked step, with their own stamps and once;
/// a void one's never.
///
/// While a record is undecided its keys are reserved: they are not written at the node whose origin
/// the record is of (an own slot in it is absolute, a later one would lose it), and a speculation
/// that meets one is blocked. And no tombstone is freed that the record's items may still meet.
///
/// Thread-safe. A shard's mutex is taken before the one in here.
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "starling/result.h"
#include "storage/engine.h"
#include "storage/item.h"
#include "storage/key_ref.h"
#include "storage/keyspace.h"
#include "storage/record_note.h"

namespace starling {

struct Element;

/// In the order in which they were written.
struct RecordId {
  uint64_t epoch = 0;  ///< The leaseholder's that wrote it.
  Stamp stamp;         ///< Of its first item.

  friend auto operator<=>(const RecordId&, const RecordId&) = default;
};

class Records {
 public:
  static constexpr std::string_view kKeyName = "records";
  /// The longest record, and what undecided ones may take together; so many of them at most.
  static constexpr size_t kMaxRecordBytes = size_t{16} << 20;
  static constexpr size_t kMaxUndecidedBytes = size_t{64} << 20;
  static constexpr size_t kMaxUndecided = 4096;

  explicit Records(Keyspace& keyspace);

  // --- the leaseholder ---
  /// The hash's key: who writes a record holds its shard, too.
  KeyRef key() const;
  struct Written {
    RecordId id;
    Stamp stamp;  ///< Who holds the writer's stream up to this holds the record.
  };
  /// Writes what Speculation::TakeItems gave, which is not empty, for a flush with all else. The
  /// caller holds the shards of the speculation and of `key()`, since it took them, and no
  /// speculation is under way. Errors (nothing changed): kLimitExceeded.
  Result<Written> Write(uint64_t epoch, std::string_view items, RecordNote note = {});
  /// Decides those of `ids` that are undecided; applies them here where `commit`. Locks all shards.
  /// What is decided has been flushed: in one batch the verdict would stand for its record.
  void Decide(std::span<const RecordId> ids, bool commit);
  /// Those that are decided, and that with their verdict are stable, so that nobody needs them.
  std::vector<RecordId> Removable(const Keyspace::Stability& stability) const;
  /// Removes them.
  void Remove(std::span<const RecordId> ids);

  // --- everybody ---
  struct Undecided {
    RecordId id;
    Origin origin;  ///< Whose stream brings it...
    Stamp stamp;    ///< ...up to here.
    struct Key {
      uint8_t database = 0;
      std::string name;  ///< Empty in a database that it deletes.
    };
    std::vector<Key> keys;
  };
  std::vector<Undecided> undecided() const;
  /// Whether one was removed whose verdict has not come. Who removed it had heard that all hold the
  /// verdict: it is on its way in another stream, or was lost here since. Where it does not come in
  /// a stream only the whole state has what the record wrote.
  bool AnyUnsettled() const;
  /// How it was decided, true: it counts. Nothing where it is not, or is not known any more.
  std::optional<bool> VerdictOf(const RecordId& id) const;
  /// A record that counts or may yet count, with such a name in its note.
  struct Noted {
    bool decided = false;
    std::string answer;  ///< Where it is decided.
  };
  /// The latest that count are known for long, void ones not at all.
  std::optional<Noted> FindNoted(const std::string& by) const;
  bool AnyUndecided() const { return undecided_.load(std::memory_order_relaxed) != 0; }
  bool HasUndecidedOf(NodeId node) const;
  /// Whether an undecided record writes to the key. One relaxed load where there is none. Stays
  /// true or false while the caller has the key's shard locked, false as long as it writes none
  /// itself.
  bool IsReserved(const KeyRef& key) const;
  /// Rises with every record that is decided here, after its effect can be seen.
  uint64_t decisions() const { return decisions_.load(std::memory_order_acquire); }
  /// No tombstone from this stamp on may be freed.
  Stamp free_below() const { return Stamp{free_below_.load(std::memory_order_acquire)}; }

  // --- the keyspace and the store ---
  /// Whether an item may be one of a record.
  static bool IsRecordItem(const Item& item) {
    return item.database == kClusterDatabase && item.key == kKeyName;
  }
  /// Whether what `items` have of records keeps the rules: kCorruption names what does not.
  static Status Check(std::span<const Item> items);
  /// Whether they say that records count, and nothing else: what follows from what a majority
  /// holds, so that whoever forgets it comes to know it again.
  static bool AreCommits(std::span<const Item> items);
  /// An item that is about to be merged; all shards are locked.
  void Arrived(const Item& item);
  /// An element as it stood on disk. kCorruption.
  Status Restored(const Element& element, const Origin& origin);
  /// What a checkpoint or a walk brought is complete: records in streams that are held so far have
  /// been here, and what they wrote, where their verdict has.
  void NoteHeld(const VersionVector& held);
  /// The whole state is about to be taken.
  void Clear();
  /// The undecided ones as records of the state family; all shards are locked. A checkpoint holds
  /// them as they are when its names are taken: a verdict that comes later is in the log that is
  /// kept, and would not find what it decides where it had been overwritten.
  std::vector<Engine::StateWrite> EncodeUndecided() const;
  /// What the names of their state records begin with.
  std::string StatePrefix() const;
  /// Databases that records have deleted since the last call: bit i.
  uint32_t TakeFlushed() { return flushed_.exchange(0, std::memory_order_acq_rel); }

 private:
  enum class Verdict : uint8_t { kNone, kCommit, kVoid };
  struct Record {
    bool known = false;    ///< The record itself has been here.
    bool removed = false;  ///< Removed from the hash: once it is decided nothing is left to know.
    Origin origin;         ///< Its.
    Stamp first;
    Stamp stamp;
    std::string items;  ///< While it is undecided; its element may be a later form already.
    RecordNote note;    ///< Likewise.
    std::vector<Undecided::Key> keys;
    Verdict verdict = Verdict::kNone;
    Origin verdict_origin;
    Stamp verdict_stamp;

    size_t bytes() const { return items.size() + note.answer.size(); }
  };
  struct Content;  // of an element, decoded

  static std::string FieldOf(const RecordId& id);
  static std::optional<RecordId> IdOf(std::string_view field);
  /// What is wrong with a record's value, in words; else null, and `out` has it.
  static const char* Parse(std::string_view bytes, const Origin& origin, Stamp stamp, Content& out);
  static std::string EncodeVerdict(Verdict verdict, const Record& record);

  Keyspace::Impl& impl() const;
  Shard& RecordShard() const;
  /// The register of the element; nothing where it is not there.
  std::optional<Element> FindElement(const RecordId& id) const;
  /// Each of these with mutex_ locked.
  void NoteRecord(const RecordId& id, Content& value, const Origin& origin, Stamp stamp);
  void NoteVerdict(const RecordId& id, const Content& value, const Origin& origin, Stamp stamp);
  void Reserve(const RecordId& id, const Record& record, int by);
  void Forget(const RecordId& id);
  void Settle(const RecordId& id);  ///< Forgets it if it was removed and is decided.

  /// Merges a committed record's items; all shards are locked, mutex_ is not.
  void Apply(std::string_view items);

  Keyspace& keyspace_;
  std::atomic<size_t> undecided_{0};
  std::atomic<uint64_t> decisions_{0};
  std::atomic<uint64_t> free_below_{UINT64_MAX};
  std::atomic<uint32_t> flushed_{0};
  mutable std::mutex mutex_;
  std::map<RecordId, Record> records_;
  // Of undecided ones: few, while those that are decided stay until all members have them.
  std::set<RecordId> open_;
  std::multiset<Stamp> firsts_;
  size_t undecided_bytes_ = 0;
  RecordAnswers answers_;
  absl::flat_hash_map<uint64_t, int> reserved_;      // undecided records by key hash
  std::array<int, kAllDatabases> reserved_whole_{};  // and by database that they delete
};

}  // namespace starling
