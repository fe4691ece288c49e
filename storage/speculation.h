/// Commands that are run before it is decided whether they may have run.
///
/// A thread that holds shards (held_shards.h) begins a speculation. What it then writes through any
/// access is seen by itself alone - not by the disk, peers, watches or later readers - until it is
/// kept; or it is rolled back, as if it had never been. So a transaction that finds on the way that
/// it needs a majority leaves nothing (I13). What stays after a rollback: stamps that were drawn,
/// access times of keys that were read, and room that was made in tables.
///
/// Keeping is the way of nearly all and costs little: what is written is merged at once, and a log
/// of what was there before is dropped. Used by the thread that began it, while it holds all shards
/// that it holds now; not while it commits the journal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "storage/key_ref.h"

namespace starling {

class Keyspace;

class Speculation {
 public:
  /// Covers the shards that the calling thread holds, none of which another speculation covers.
  explicit Speculation(Keyspace& keyspace);
  /// Rolls back what was not ended.
  ~Speculation();
  Speculation(const Speculation&) = delete;
  Speculation& operator=(const Speculation&) = delete;

  /// Whether a live claim was read or written, or one granted: the effect needs a majority.
  bool touched_claim() const { return touched_claim_; }
  /// Whether a claim was granted, changed or ended.
  bool changed_claim() const { return changed_claim_; }
  /// Whether anything was written.
  bool wrote() const { return writes_ > 0; }
  /// Whether something was met that has to be decided first: the caller stops, rolls back and
  /// waits.
  bool blocked() const { return blocked_; }
  /// The first key, without its name, that was met while an undecided record writes to it.
  const std::optional<KeyRef>& met() const { return met_; }

  /// What was written is written: it is flushed with the rest, and who watches is told.
  void Keep();
  /// All is as it was.
  void Rollback();
  /// What was written, with its stamps, as bytes for a record (DecodedBatch reads them); it is
  /// rolled back here.
  std::string TakeItems();

 private:
  friend class Access;
  friend class Keyspace;

  void Meet(KeyRef key) {
    blocked_ = true;
    key.name = {};  // who looks at it later may not have it any more
    if (!met_) met_ = key;
  }
  template <typename End>
  void EndShards(End&& end);

  Keyspace& keyspace_;
  uint64_t shard_mask_ = 0;  // 0: ended
  uint64_t writes_ = 0;      // items drawn
  uint64_t flushed_ = 0;     // bit i: database i was deleted
  bool touched_claim_ = false;
  bool changed_claim_ = false;
  bool blocked_ = false;
  std::optional<KeyRef> met_;
};

}  // namespace starling
