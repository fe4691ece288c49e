/// The Engine on RocksDB 7.8. Opened by OpenRocksEngine (engine.h).
///
/// Thread-safe; RocksDB does its own locking, and the mutexes here guard only what they stand
/// beside. One write batch per append. `log` and `meta` go through RocksDB's write-ahead log,
/// `state` does not: it lives in its memtable until it is flushed, memtable by memtable in order,
/// so what a crash leaves is a prefix. In memory (no folder) nothing goes through the write-ahead
/// log.
#pragma once

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/engine.h"

namespace starling::rocks {

/// Wakes whoever waits for compaction to have merged files.
class CompactionBell final : public rocksdb::EventListener {
 public:
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { Ring(); }
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status*) override;

  /// Returns after the next ring, at once after an error, or after a while: the caller looks again.
  void WaitBriefly();
  bool failed() const { return failed_.load(std::memory_order_acquire); }

 private:
  void Ring();

  std::mutex mutex_;
  std::condition_variable rung_;
  uint64_t rings_ = 0;
  std::atomic<bool> failed_{false};
};

/// The data folder's lock: an advisory one of this process, which its children do not inherit.
class FolderLock {
 public:
  /// kUnavailable names the folder and, where known, the process that has it.
  static Result<std::unique_ptr<FolderLock>> Take(const std::string& folder);
  explicit FolderLock(rocksdb::FileLock* lock) : lock_(lock) {}
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  rocksdb::FileLock* lock_;
};

class RocksEngine final : public Engine {
 public:
  static Result<std::unique_ptr<Engine>> Open(const RocksEngineOptions& options);
  ~RocksEngine() override;

  Status AppendLog(const std::vector<LogRecord>& records, const std::vector<MetaWrite>& meta,
                   bool sync) override;
  Status SyncLog() override;
  Status ReadLog(const Origin& origin, Stamp after, const LogVisitor& visit) override;
  Result<std::vector<Origin>> LogOrigins() override;
  Status DropLog(const Origin& origin, Stamp upto) override;
  uint64_t LogBytes() override;

  Status WriteState(const std::vector<StateWrite>& writes) override;
  Status FlushState() override;
  Status ReadState(const StateVisitor& visit) override;

  Status PutMeta(std::string_view name, std::string_view value) override;
  Result<std::optional<std::string>> GetMeta(std::string_view name) override;

  const std::vector<Damage>& damage() const override { return damage_; }
  Status Backup(const std::string& folder) override;

 private:
  explicit RocksEngine(std::string folder) : folder_(std::move(folder)) {}
  Status OpenOnDisk();
  Status OpenDatabase(rocksdb::DBOptions options, const std::string& path);
  Status LearnOrigins();
  Status RememberDrop(const Origin& origin, Stamp upto);
  Status PaceState(uint64_t written);
  Result<std::string> EndOfPrefix(const std::string& prefix, const std::vector<StateWrite>& writes);

  rocksdb::ColumnFamilyHandle* log() const { return families_[1]; }
  rocksdb::ColumnFamilyHandle* state() const { return families_[2]; }
  rocksdb::ColumnFamilyHandle* meta() const { return families_[3]; }
  bool in_memory() const { return folder_.empty(); }
  rocksdb::WriteOptions WalOptions(bool sync) const;
  /// Notes that a write to the log has failed; as WriteErrorOf.
  Error LogFailed(const rocksdb::Status& status, std::string_view doing);
  /// In place of a sync, after such a failure. Blocks while tables are written.
  Status LeaveFailedLog();

  const std::string folder_;
  std::unique_ptr<FolderLock> lock_;
  std::unique_ptr<rocksdb::Env> memory_;  // in memory only; outlives db_
  std::shared_ptr<CompactionBell> bell_ = std::make_shared<CompactionBell>();
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;
  std::vector<Damage> damage_;
  std::atomic<bool> damage_on_disk_{false};  // until the first append after opening
  std::atomic<uint64_t> log_failures_{0};    // writes to it that failed...
  std::atomic<uint64_t> failures_left_{0};   // ...and how many when its file was left last

  std::mutex drop_mutex_;  // one DropDeadLogFiles at a time
  std::mutex origins_mutex_;
  std::map<Origin, Stamp> dropped_;  // per origin in the log, up to where it is dropped
  std::mutex state_mutex_;
  uint64_t unflushed_state_bytes_ = 0;
};

}  // namespace starling::rocks
