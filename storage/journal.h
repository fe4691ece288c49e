/// The journal: turns what was written into batches, appends them to the log, hands them on.
///
/// Thread-safe. Any thread may commit; one does the work for all that wait (group commit). The one
/// mutex here serialises flushes and is held over the append. Nothing leaves the node before the append
/// has returned (I7, I10). After a failed append the journal is read-only: every later commit fails with
/// kReadOnly, and what was pending has an unknown outcome.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "starling/result.h"
#include "storage/batch_codec.h"
#include "storage/engine.h"
#include "storage/keyspace.h"

namespace starling {

/// Redis's `appendfsync`.
enum class AppendFsync : uint8_t { kAlways, kEverySecond, kNo };

class Journal {
 public:
  /// Receives each own batch in stream order, after its append, under the journal's mutex: must not
  /// block and must not call back into the journal.
  using Sink = std::function<void(const BatchHeader& header, SharedBytes bytes)>;

  Journal(Keyspace& keyspace, Engine& engine, AppendFsync appendfsync, Stamp after);

  void SetSink(Sink sink);
  void SetAppendFsync(AppendFsync appendfsync) { appendfsync_ = appendfsync; }

  /// Returns once every write made before the call is in the log (synced with kAlways). Costs two
  /// atomic loads when there is nothing to do. Errors: kUnknownOutcome (this append failed),
  /// kReadOnly (an earlier one did).
  Status Commit();
  /// Appends an empty batch so that `upto` moves (an idle origin's stream passes tombstones).
  Status CommitEmpty();
  /// Appends a peer's batch or chunk as it came. Same errors.
  Status Append(const Engine::LogRecord& record);
  /// Syncs what was appended (everysec; also before a clean close).
  Status Sync();

  /// The end of the own stream.
  Stamp upto() const { return Stamp{upto_.load(std::memory_order_acquire)}; }
  bool read_only() const { return read_only_.load(std::memory_order_acquire); }
  /// Begins a new incarnation's stream: the next batch is of `origin`, after none.
  void StartStream(const Origin& origin);

 private:
  Status Flush(bool allow_empty);
  Status Fail(const Error& error);

  Keyspace& keyspace_;
  Engine& engine_;
  std::atomic<AppendFsync> appendfsync_;
  Sink sink_;
  std::mutex mutex_;
  std::atomic<uint64_t> logged_writes_{0};
  std::atomic<uint64_t> upto_;
  std::atomic<bool> read_only_{false};
  std::atomic<bool> unsynced_{false};
};

}  // namespace starling
