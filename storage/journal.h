/// The journal: turns what was written into batches, appends them to the log, hands them on.
///
/// Thread-safe. Any thread may commit; one does the work for all that wait (group commit). One
/// mutex serialises flushes and is held over the append, another one syncs, so that the next batch
/// is appended while the disk takes the one before. No batch leaves the node before its append has
/// returned, and no reply before what it tells is also synced, with kAlways (I7, I10): peers sync a
/// batch while this node still does, and may hold what a power loss takes from it. So its
/// incarnation rises then (store_recovery.cc), and it counts itself among a batch's holders only up
/// to held(). After a failed append the journal is read-only: what was pending has an unknown
/// outcome and is kept; later commits try the same batch again (appending it twice is harmless, it
/// has the same name), fail with kReadOnly while that fails, and end the read-only state when it
/// succeeds. So it is after a failed sync.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <spdlog/logger.h>

#include "starling/result.h"
#include "storage/batch_codec.h"
#include "storage/engine.h"
#include "storage/keyspace.h"

namespace starling {

/// Redis's `appendfsync`.
enum class AppendFsync : uint8_t { kAlways, kEverySecond, kNo };

/// A closed generation as the batch that follows `after` in its origin's stream; empty where
/// nothing was written.
std::string EncodeGeneration(const Generation& generation, Stamp after);

class Journal {
 public:
  /// Receives each own batch in stream order, after its append and before its sync, under the
  /// journal's mutex: must not block and must not call back into the journal.
  using Sink = std::function<void(const BatchHeader& header, SharedBytes bytes)>;

  /// `log` is told when appends begin to fail and when one succeeds again.
  Journal(Keyspace& keyspace, Engine& engine, AppendFsync appendfsync, Stamp after,
          std::shared_ptr<spdlog::logger> log);

  void SetSink(Sink sink);
  void SetAppendFsync(AppendFsync appendfsync) { appendfsync_ = appendfsync; }
  AppendFsync appendfsync() const { return appendfsync_; }

  /// Returns once every write made before the call is in the log (synced with kAlways). Costs three
  /// atomic loads when there is nothing to do. Errors: kUnknownOutcome (this append or sync
  /// failed), kReadOnly (an earlier one did).
  Status Commit();
  /// Its first half: the same without the sync. For who commits later, before anybody is told.
  Status Log();
  /// Appends an empty batch so that `upto` moves (an idle origin's stream passes tombstones).
  Status CommitEmpty();
  /// Appends records that came from peers, all or none, and syncs them with kAlways. Errors: the
  /// engine's; kReadOnly while the outcome of an AppendOnce is unknown.
  Status Append(const std::vector<Engine::LogRecord>& records);
  /// The same for what a power loss may take although this node has said that it holds it: it is
  /// synced with what comes after it, or by Sync.
  Status AppendUnsynced(const std::vector<Engine::LogRecord>& records);
  /// The same for what may not stand there a second time in another form, with `meta` in the same
  /// atomic step (synced where there is any). An unknown outcome leaves the journal read-only until
  /// the process ends: only a restart can tell.
  Status AppendOnce(const std::vector<Engine::LogRecord>& records,
                    const std::vector<Engine::MetaWrite>& meta);
  /// Syncs what was appended (every second, unless never; also before a clean close).
  Status Sync();

  /// The end of the own stream, as the log has it and peers may.
  Stamp upto() const { return Stamp{upto_.load(std::memory_order_acquire)}; }
  /// Up to where this node is one of those that hold the own stream as `appendfsync` means it: with
  /// kAlways what is synced.
  Stamp held() const {
    return Always() ? Stamp{synced_upto_.load(std::memory_order_acquire)} : upto();
  }
  bool read_only() const {
    return append_failed_.load(std::memory_order_acquire) ||
           sync_failed_.load(std::memory_order_acquire) || in_doubt();
  }
  /// Whether an AppendOnce's outcome is unknown, so that only a restart ends the read-only state.
  bool in_doubt() const { return in_doubt_.load(std::memory_order_acquire); }
  struct Started {
    Stamp ended;  ///< Where the ended stream ended; none: it held nothing.
    Stamp after;  ///< No stamp of the ended stream is above this.
  };
  /// Ends the present stream, logging what is pending, and begins that of a new incarnation, whose
  /// stamps leave the first `gap` after `after` free. Errors as Commit; the new stream may have
  /// begun all the same.
  Result<Started> StartStream(const Origin& origin, uint64_t gap);
  /// Bytes appended so far, peers' batches included.
  uint64_t appended_bytes() const { return appended_bytes_.load(std::memory_order_relaxed); }

 private:
  Status AppendAll(const std::vector<Engine::LogRecord>& records,
                   const std::vector<Engine::MetaWrite>& meta, bool sync);
  bool Always() const {
    return appendfsync_.load(std::memory_order_acquire) == AppendFsync::kAlways;
  }
  /// Appends what was written before the `wanted`-th write, the last of them included.
  Status Flush(uint64_t wanted, bool allow_empty);
  /// Returns once those are synced, with kAlways.
  Status SyncFlushed(uint64_t wanted);
  /// The same for all that was appended; under sync_mutex_.
  Status SyncAlways();
  /// Syncs what was appended before the call; under sync_mutex_.
  Status SyncAppended();
  /// Encodes a closed generation into `unlogged_`, if it holds anything or may be empty.
  void Encode(std::unique_ptr<Generation> generation, bool allow_empty);
  /// Appends `unlogged_`; keeps it and turns read-only when that fails.
  Status AppendUnlogged();
  /// `why`: of the flags below, the one that says so.
  void BecomeReadOnly(std::atomic<bool>& why, const Error& error, const char* until);
  void EndReadOnly(std::atomic<bool>& why);

  struct Unlogged {
    BatchHeader header;
    SharedBytes bytes;
    uint64_t writes = 0;
  };

  Keyspace& keyspace_;
  Engine& engine_;
  std::atomic<AppendFsync> appendfsync_;
  Sink sink_;
  std::shared_ptr<spdlog::logger> log_;
  std::mutex mutex_;  // taken before sync_mutex_
  std::optional<Unlogged> unlogged_;
  std::vector<Item> items_;  // scratch
  std::atomic<uint64_t> logged_writes_{0};
  std::atomic<uint64_t> upto_;
  std::mutex sync_mutex_;  // one sync at a time
  // Change under sync_mutex_, behind the two above.
  std::atomic<uint64_t> synced_writes_{0};
  std::atomic<uint64_t> synced_upto_;
  std::atomic<uint64_t> appended_bytes_{0};
  std::atomic<bool> append_failed_{false};
  std::atomic<bool> sync_failed_{false};  // with kAlways
  std::atomic<bool> in_doubt_{false};     // an AppendOnce's outcome is unknown
  std::atomic<bool> unsynced_{false};
};

}  // namespace starling
