/// One node's state: keyspace, journal and engine under one roof, recovered and checkpointed.
///
/// Thread-safe unless a function says otherwise. `Maintain` is called by one background thread (in
/// the simulator: by the scheduler).
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "starling/result.h"
#include "storage/batch_codec.h"
#include "storage/engine.h"
#include "storage/hybrid_clock.h"
#include "storage/journal.h"
#include "storage/keyspace.h"
#include "storage/walk_position.h"

namespace starling {

struct StoreOptions {
  /// The node's name; fixes its id. A folder that belongs to another name is refused.
  std::string name;
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  KeyspaceOptions keyspace;
  /// Log bytes that start a checkpoint; an eighth of them once nothing is written. Smaller: quicker
  /// start, more writing.
  /// The log of the interval before the last checkpoint is kept for peers that lag.
  uint64_t checkpoint_log_bytes = 64 << 20;
  /// How long after its deadline a key is deleted by a node that did not set the deadline.
  std::chrono::milliseconds foreign_expiry_delay{2000};
  /// Identifies the running kernel; a changed one after an unclean end may have lost unsynced log.
  std::string boot_id;
  /// Identifies the folder itself (inode, birth time): differs in a copy.
  std::string folder_identity;
  /// Whether state ends with the process (`appendonly no`).
  bool ephemeral = false;
  /// Opened from a backup (`--restore`): begin a new incarnation.
  bool restored = false;
};

class Store {
 public:
  /// Recovers from `engine`. Errors: kCorruption (names what), kRefused (another name's folder),
  /// kIo.
  static Result<std::unique_ptr<Store>> Open(const StoreOptions& options,
                                             std::unique_ptr<Engine> engine, TimeSource& time,
                                             std::shared_ptr<spdlog::logger> log);
  ~Store();

  Keyspace& keyspace() { return *keyspace_; }
  Journal& journal() { return *journal_; }
  HybridClock& clock() { return clock_; }
  Engine& engine() { return *engine_; }

  NodeId id() const { return id_; }
  const std::string& name() const { return options_.name; }
  Origin origin() const { return keyspace_->origin(); }

  // --- streams ---
  /// Up to where each origin's stream is held, the own one included. All of it is in the log.
  VersionVector vector() const;
  /// Applies a batch of another origin's stream: filter, append, merge, advance. Returns whether it
  /// was new. Errors (nothing changed): kUnavailable when it does not follow what is held (ask for
  /// what is missing), kRefused (own origin), kCorruption, kLimitExceeded (too many origins), or
  /// the journal's.
  Result<bool> ApplyBatch(const DecodedBatch& batch, std::string_view bytes);
  /// A batch that has come from elsewhere; borrows both.
  struct Received {
    const DecodedBatch& batch;
    std::string_view bytes;
  };
  /// The same for batches that follow each other in one stream, at least one: they are appended at
  /// once. Returns how many of them, the last ones, were new. Errors: as above, for all of them.
  Result<size_t> ApplyRun(std::span<const Received> run);
  /// Batches of `origin` after `after`, at most about `max_bytes` and at least one, oldest first.
  /// kNotFound when the log does not reach back to `after`.
  Result<std::vector<SharedBytes>> ReadStream(const Origin& origin, Stamp after, size_t max_bytes);

  /// Says that the streams of `last`'s node up to `last` are over and held to their ends, which the
  /// caller knows: one entry of the vector stands for them from now on. `at` is after all of their
  /// stamps: once every member's own stream has passed it, their slots may be folded. No state is
  /// written: say it again after a restart.
  void MarkOver(const Origin& last, Stamp at);
  /// Whether slots of streams that are over cannot be folded yet.
  bool WaitsToFold() const;

  // --- walks: what the log no longer has ---
  /// One chunk of a walk for a peer that holds `covered`; a fresh `position` starts and is
  /// `done` at the end.
  /// The chunks carry no vector: the walk is complete only together with the streams from its
  /// beginning to its end (replication/walk_sender).
  std::string WalkChunk(WalkPosition& position, const VersionVector& covered, size_t max_bytes);
  /// What takes effect in the same step as a walk, on disk as in memory.
  struct WithWalk {
    /// A whole stream of this node's, other than its present one, batch after batch.
    std::vector<std::string> stream;
    std::vector<Engine::MetaWrite> records;  ///< As by PutRecord.
  };
  /// Takes a whole walk in one step and advances the vector to the chunks' (EncodeChunk's `vector`;
  /// at least one chunk has one). Chunks may be stream batches too. `whole_state`: first drops what
  /// is held here, covered there and absent there. Errors (nothing changed): kCorruption, or the
  /// journal's; after kUnknownOutcome a restart shows whether it was taken, and the journal is
  /// read-only until then.
  Status ApplyWalk(const std::vector<std::string>& chunks, bool whole_state,
                   const WithWalk& with = {});

  // --- identity ---
  /// What lies between two incarnations.
  struct Between {
    Origin origin;  ///< That nobody has used.
    Stamp after;    ///< Above all stamps of the old incarnation...
    Stamp before;   ///< ...and at or below this none of the new one's.
  };
  /// Starts a new incarnation, e.g. because a peer holds more of this origin than the node does.
  /// Leaves `stamps` free between the two, and rises beyond `above`. Counts as a loss (last_loss).
  /// Errors: the journal's; the incarnation may have risen all the same.
  Result<Between> RaiseIncarnation(std::string_view reason, uint64_t stamps = 0,
                                   uint64_t above = 0);
  /// The incarnation that began when this node last lost, or may have lost, what it had told others
  /// that it holds. Not later than the present one: where each batch of others was synced before it
  /// was acknowledged, a power loss takes at most what is the node's own and was told to nobody but
  /// by the batch itself.
  uint64_t last_loss() const { return last_loss_.load(std::memory_order_acquire); }
  /// Changes when the log is synced, from the next append on. Errors: kIo (a weaker setting is then
  /// not in force; a stronger one is, but a restart may not know it).
  Status SetAppendFsync(AppendFsync appendfsync);
  /// What must survive a restart besides keys: cluster id, creation record.
  Status PutRecord(std::string_view name, std::string_view value);
  Result<std::optional<std::string>> GetRecord(std::string_view name);

  // --- upkeep ---
  /// Syncs (everysec), deletes expired keys, frees stable tombstones, checkpoints when due; bounded
  /// work per call. Returns when it wants to be called again.
  std::chrono::milliseconds Maintain(const Keyspace::Stability& stability);
  /// Writes changed entries and the vector, flushes, drops the log below (SAVE).
  Status Checkpoint();
  /// Wall clock milliseconds of the last finished checkpoint; 0: none yet.
  int64_t last_checkpoint_millis() const { return last_checkpoint_millis_; }
  /// Commits, checkpoints, syncs, marks the end as clean.
  Status Close();
  /// A verified copy of the data folder in `folder`, which must not exist.
  Status Backup(const std::string& folder);

 private:
  /// What the folder says of itself, and of how it was left.
  struct Identity {
    std::string name;
    uint64_t incarnation = 0;
    std::string folder;
    std::string boot;
    bool clean = false;
    bool synced_always = false;
    uint64_t last_loss = 0;
  };
  /// Why the incarnation rises; empty: it does not.
  struct Reason {
    std::string text;
    bool loss = true;  ///< Of what others were told.
  };

  Store(const StoreOptions& options, std::unique_ptr<Engine> engine, TimeSource& time,
        std::shared_ptr<spdlog::logger> log);
  // store_recovery.cc
  Status Recover();
  Result<std::optional<Identity>> ReadIdentity();
  Status WriteIdentity(bool clean);
  Result<Reason> ReasonForNewIncarnation(const std::optional<Identity>& identity);
  uint64_t NextIncarnation(uint64_t last);
  Status ReadState();
  /// Replays walks, each after the streams that were held before it, then the rest of the streams.
  Status ReplayLog();
  Status ReplayWalk(const Origin& name);
  /// Replays streams up to `limit`; null: to their ends.
  Status ReplayStreams(const VersionVector* limit);
  Status ReplayStream(const Origin& origin, const VersionVector* limit);
  /// Merges what a logged batch or walk holds beyond the vector.
  Status MergeWalk(const std::vector<DecodedBatch>& chunks, bool whole_state);
  /// Appends a walk and `with` to the log, as number walks_ + 1.
  Status LogWalk(const std::vector<std::string>& chunks, bool whole_state, const WithWalk& with);
  void MergeUncovered(const std::vector<Item>& items);
  // store_upkeep.cc
  bool CheckpointDue(std::chrono::nanoseconds now);
  /// Whether streams have ended since the checkpoint: only with the next may their slots be folded.
  bool WaitsToCheckpointOver();
  size_t FreeStable(const Keyspace::Stability& stability, size_t limit);
  /// Lets slots of streams be folded that are over for all members and in the checkpoint.
  void AllowFolding(const Keyspace::Stability& stability);
  Status WriteChanged();
  void DropOldLog();

  StoreOptions options_;
  NodeId id_;
  std::shared_ptr<spdlog::logger> log_;
  std::unique_ptr<Engine> engine_;
  HybridClock clock_;
  std::unique_ptr<Keyspace> keyspace_;
  std::unique_ptr<Journal> journal_;
  uint64_t incarnation_ = 0;
  std::atomic<uint64_t> last_loss_{0};
  Stamp recovered_upto_;  // of the own stream

  std::mutex apply_mutex_;           // one batch or walk at a time
  mutable std::mutex mutex_;         // guards the next four
  VersionVector vector_;             // of others' streams; the own entry is the journal's
  std::map<NodeId, Stamp> over_at_;  // of MarkOver
  VersionVector folding_;            // what may be folded (keyspace.h)
  Keyspace::Stability stable_;       // as Maintain was last told
  uint64_t walks_ = 0;               // taken so far; names their log records

  std::mutex checkpoint_mutex_;
  Keyspace::Checkpointed checkpointed_;  // to what the state family is complete
  std::atomic<bool> held_back_{false};   // tombstones wait for a checkpoint
  VersionVector previous_vector_;        // of the checkpoint before: the log below it is dropped
  uint64_t checkpoint_walks_ = 0;
  uint64_t recovered_bytes_ = 0;               // of log that was replayed at the start
  std::atomic<uint64_t> checkpoint_bytes_{0};  // journal's appended bytes at the last checkpoint
  std::atomic<int64_t> last_checkpoint_millis_{0};
  uint64_t seen_bytes_ = 0;                  // what CheckpointDue saw
  std::chrono::nanoseconds quiet_since_{0};  // and since when
  std::chrono::nanoseconds last_sync_{0};
};

}  // namespace starling
