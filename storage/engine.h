/// The disk under the keyspace: one interface, so that RocksDB stands behind one door and the
/// simulator can put a disk there that forgets what was not synced.
///
/// Three families: `log` (batches by (origin, upto)), `state` (entries by database and key, and the
/// vector they are complete to), `meta` (small named records). Thread-safe. Calls block on I/O. A
/// failed write says in its error what failed; nothing of the one call was written, or
/// (kUnknownOutcome) it may have been.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "starling/result.h"
#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling {

class Engine {
 public:
  /// What opening had to cut off a damaged log, for the warning and for a new incarnation.
  struct Damage {
    std::string file;
    uint64_t position = 0;  ///< Bytes before the first damaged record.
    uint64_t dropped = 0;   ///< Bytes cut off after it.
    std::string reason;
  };

  struct LogRecord {
    Origin origin;
    Stamp upto;
    std::string_view bytes;
  };

  /// Called per record; returning false ends the walk.
  using LogVisitor = std::function<bool(const LogRecord&)>;
  using StateVisitor = std::function<Status(std::string_view key, std::string_view value)>;

  struct StateWrite {
    std::string key;
    std::optional<std::string> value;  ///< Absent: delete.
    bool prefix = false;               ///< With no value: delete every key that begins with `key`.
  };

  virtual ~Engine() = default;

  struct MetaWrite {
    std::string name;
    std::string value;
  };

  // --- log ---
  /// Appends records, and writes `meta` beside them, all in one atomic step; with `sync` it returns
  /// after they are on stable storage.
  virtual Status AppendLog(const std::vector<LogRecord>& records,
                           const std::vector<MetaWrite>& meta, bool sync) = 0;
  Status AppendLog(const std::vector<LogRecord>& records, bool sync) {
    return AppendLog(records, {}, sync);
  }
  /// Makes all that was appended before durable.
  virtual Status SyncLog() = 0;
  /// Records of `origin` with upto > `after`, ascending.
  virtual Status ReadLog(const Origin& origin, Stamp after, const LogVisitor& visit) = 0;
  /// All origins that have a record in the log, ascending.
  virtual Result<std::vector<Origin>> LogOrigins() = 0;
  /// Drops records of `origin` with upto <= `upto`.
  virtual Status DropLog(const Origin& origin, Stamp upto) = 0;
  /// Bytes the log takes, approximately.
  virtual uint64_t LogBytes() = 0;

  // --- state ---
  /// Writes without syncing; visible after a crash only once FlushState has returned (in order: a
  /// later write never survives without the earlier ones).
  virtual Status WriteState(const std::vector<StateWrite>& writes) = 0;
  /// Makes all state writes before durable.
  virtual Status FlushState() = 0;
  /// Every entry in key order.
  virtual Status ReadState(const StateVisitor& visit) = 0;

  // --- meta ---
  /// Writes one record durably.
  virtual Status PutMeta(std::string_view name, std::string_view value) = 0;
  virtual Result<std::optional<std::string>> GetMeta(std::string_view name) = 0;

  // --- whole ---
  /// What opening cut off, empty when nothing.
  virtual const std::vector<Damage>& damage() const = 0;
  /// A consistent copy in `folder` (which must not exist), checksums verified after writing.
  virtual Status Backup(const std::string& folder) = 0;
};

/// Options of the RocksDB engine.
struct RocksEngineOptions {
  /// Data folder; created with mode 0700 when missing. Empty: RocksDB's in-memory environment,
  /// nothing on disk (`appendonly no`).
  std::string folder;
};

/// Opens or creates the folder. Errors: kUnavailable when another process has it open (names the
/// folder and, where known, the process), kIo, kCorruption (names the file). A damaged log tail is
/// not an error: it is cut and told in damage().
Result<std::unique_ptr<Engine>> OpenRocksEngine(const RocksEngineOptions& options);

}  // namespace starling
