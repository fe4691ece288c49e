#include "storage/rocks_engine.h"

#include <rocksdb/env.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "storage/check.h"
#include "storage/damage_record.h"
#include "storage/rocks_keys.h"
#include "storage/rocks_log_files.h"
#include "storage/rocks_options.h"
#include "storage/rocks_status.h"

namespace starling::rocks {
namespace {

/// What a write batch adds to key and value of one record, at most.
constexpr size_t kRecordOverhead = 32;
constexpr size_t kBatchHeader = 12;
constexpr size_t kReadAheadBytes = 1 << 20;

rocksdb::Slice SliceOf(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

rocksdb::ReadOptions WalkOptions() {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = kReadAheadBytes;
  return options;
}

/// The least key above all that begin with `prefix`; nullopt where there is none (all bytes 0xFF).
std::optional<std::string> Successor(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF') prefix.pop_back();
  if (prefix.empty()) return std::nullopt;
  prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace

void CompactionBell::Ring() {
  {
    std::lock_guard lock(mutex_);
    ++rings_;
  }
  rung_.notify_all();
}

void CompactionBell::OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status*) {
  failed_.store(true, std::memory_order_release);
  Ring();
}

void CompactionBell::WaitBriefly() {
  // Bounded, in case the compaction ended between the caller's look and this wait.
  constexpr std::chrono::milliseconds kAWhile(100);
  std::unique_lock lock(mutex_);
  const uint64_t seen = rings_;
  rung_.wait_for(lock, kAWhile, [&] { return rings_ != seen || failed(); });
}

RocksEngine::~RocksEngine() {
  for (rocksdb::ColumnFamilyHandle* family : families_) db_->DestroyColumnFamilyHandle(family);
}

rocksdb::WriteOptions RocksEngine::WalOptions(bool sync) const {
  rocksdb::WriteOptions options;
  options.disableWAL = in_memory();
  options.sync = sync && !in_memory();
  return options;
}

Error RocksEngine::LogFailed(const rocksdb::Status& status, std::string_view doing) {
  log_failures_.fetch_add(1);
  return WriteErrorOf(status, doing);
}

// --- log ---

Status RocksEngine::AppendLog(const std::vector<LogRecord>& records,
                              const std::vector<MetaWrite>& meta_writes, bool sync) {
  if (damage_on_disk_.load(std::memory_order_relaxed)) {
    // Whoever appends has finished opening, so it has drawn its consequences from the damage.
    if (Status status = ForgetDamage(folder_); !status) return status;
    damage_on_disk_ = false;
  }
  size_t bytes = kBatchHeader;
  for (const LogRecord& record : records) {
    bytes += kLogKeyBytes + record.bytes.size() + kRecordOverhead;
  }
  rocksdb::WriteBatch batch(bytes);
  for (const LogRecord& record : records) {
    const LogKey key(record.origin, record.upto);
    const auto status = batch.Put(log(), SliceOf(key.view()), SliceOf(record.bytes));
    if (!status.ok()) return ErrorOf(status, "append to the log");
  }
  for (const MetaWrite& write : meta_writes) {
    const auto status = batch.Put(meta(), SliceOf(write.name), SliceOf(write.value));
    if (!status.ok()) return ErrorOf(status, "append to the log");
  }
  const auto status = db_->Write(WalOptions(sync), &batch);
  if (!status.ok()) return LogFailed(status, "append to the log");
  std::lock_guard lock(origins_mutex_);
  for (const LogRecord& record : records) dropped_.try_emplace(record.origin);
  return {};
}

Status RocksEngine::SyncLog() {
  if (in_memory()) return {};
  if (log_failures_.load() != failures_left_.load()) return LeaveFailedLog();
  const auto status = db_->SyncWAL();
  // What a failed sync has not written it never writes: the next one must not trust the file.
  if (!status.ok()) return LogFailed(status, "sync the log");
  return {};
}

/// RocksDB asserts that nobody syncs a file whose last write failed before it was ever synced, and
/// a file whose sync has failed may be told to be synced without what was to be written then. Once
/// RocksDB writes again, what that file held is put into tables, and the file is needed no more.
Status RocksEngine::LeaveFailedLog() {
  const uint64_t failures = log_failures_.load();
  const auto status = db_->Flush(rocksdb::FlushOptions(), families_);
  if (!status.ok()) return ErrorOf(status, "sync the log, to which a write failed");
  failures_left_.store(failures);
  return {};
}

Status RocksEngine::ReadLog(const Origin& origin, Stamp after, const LogVisitor& visit) {
  if (after.value == UINT64_MAX) return {};
  const LogKey first(origin, after.next());
  const LogKey last(origin, Stamp{UINT64_MAX});
  const std::string end = last.str() + '\0';
  const rocksdb::Slice bound = SliceOf(end);
  rocksdb::ReadOptions options = WalkOptions();
  options.iterate_upper_bound = &bound;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, log()));
  for (it->Seek(SliceOf(first.view())); it->Valid(); it->Next()) {
    const std::string_view key = it->key().ToStringView();
    if (!visit({origin, LogKeyUpto(key), it->value().ToStringView()})) break;
  }
  if (!it->status().ok()) return ErrorOf(it->status(), "read the log");
  return {};
}

Result<std::vector<Origin>> RocksEngine::LogOrigins() {
  std::vector<Origin> origins;
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(WalkOptions(), log()));
  it->SeekToFirst();
  while (it->Valid()) {
    const std::string_view key = it->key().ToStringView();
    if (key.size() != kLogKeyBytes) {
      return Error{Code::kCorruption, "a key of the log family in " + folder_ + " has " +
                                          std::to_string(key.size()) + " bytes instead of " +
                                          std::to_string(kLogKeyBytes)};
    }
    origins.push_back(LogKeyOrigin(key));
    it->Seek(SliceOf(LogKey(origins.back(), Stamp{UINT64_MAX}).str() + '\0'));
  }
  if (!it->status().ok()) return ErrorOf(it->status(), "read the log");
  return origins;
}

Status RocksEngine::LearnOrigins() {
  const Result<std::vector<Origin>> origins = LogOrigins();
  if (!origins) return origins.error();
  std::lock_guard lock(origins_mutex_);
  for (const Origin& origin : *origins) dropped_.try_emplace(origin);
  return {};
}

Status RocksEngine::DropLog(const Origin& origin, Stamp upto) {
  {
    std::lock_guard lock(origins_mutex_);
    const auto known = dropped_.find(origin);
    // Nothing is there, or no more than was dropped before: spares the log a useless record.
    if (known == dropped_.end() || known->second >= upto) return {};
  }
  const LogKey first(origin, Stamp{});
  const std::string end = LogKey(origin, upto).str() + '\0';
  auto status = db_->DeleteRange(WalOptions(false), log(), SliceOf(first.view()), SliceOf(end));
  if (!status.ok()) return LogFailed(status, "drop log records");
  if (Status remembered = RememberDrop(origin, upto); !remembered) return remembered;
  std::lock_guard lock(drop_mutex_);
  return DropDeadLogFiles(*db_, *log());
}

Status RocksEngine::RememberDrop(const Origin& origin, Stamp upto) {
  const LogKey first(origin, Stamp{});
  // Held over the look: an append enters its origin after its write, so either the look sees the
  // record or the origin is entered again after it was taken out here.
  std::lock_guard lock(origins_mutex_);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(WalkOptions(), log()));
  it->Seek(SliceOf(first.view()));
  if (!it->status().ok()) return ErrorOf(it->status(), "read the log");
  if (it->Valid() && LogKeyOrigin(it->key().ToStringView()) == origin) {
    Stamp& dropped = dropped_[origin];
    dropped = std::max(dropped, upto);
  } else {
    dropped_.erase(origin);
  }
  return {};
}

uint64_t RocksEngine::LogBytes() {
  std::vector<std::pair<std::string, std::string>> bounds;
  {
    std::lock_guard lock(origins_mutex_);
    for (const auto& [origin, dropped] : dropped_) {
      bounds.emplace_back(LogKey(origin, dropped).str() + '\0',
                          LogKey(origin, Stamp{UINT64_MAX}).str() + '\0');
    }
  }
  if (bounds.empty()) return 0;
  std::vector<rocksdb::Range> ranges;
  for (const auto& [first, end] : bounds) ranges.emplace_back(SliceOf(first), SliceOf(end));
  std::vector<uint64_t> sizes(ranges.size());
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.include_files = true;
  const auto status = db_->GetApproximateSizes(options, log(), ranges.data(),
                                               static_cast<int>(ranges.size()), sizes.data());
  uint64_t total = 0;
  if (!status.ok()) {
    // An estimate that is too high costs an early checkpoint, one too low an unbounded log.
    db_->GetIntProperty(log(), rocksdb::DB::Properties::kTotalSstFilesSize, &total);
    return total;
  }
  for (const uint64_t size : sizes) total += size;
  return total;
}

// --- state ---

Result<std::string> RocksEngine::EndOfPrefix(const std::string& prefix,
                                             const std::vector<StateWrite>& writes) {
  if (std::optional<std::string> end = Successor(prefix)) return *std::move(end);
  // No key bounds this prefix (it is empty, or all 0xFF): the end is past the last key there is.
  std::string last;
  for (const StateWrite& write : writes) last = std::max(last, write.key);
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator({}, state()));
  it->SeekToLast();
  if (it->Valid()) last = std::max(last, it->key().ToString());
  if (!it->status().ok()) return ErrorOf(it->status(), "read the state");
  return last + '\0';
}

Status RocksEngine::WriteState(const std::vector<StateWrite>& writes) {
  uint64_t bytes = kBatchHeader;
  for (const StateWrite& write : writes) {
    bytes += write.key.size() + (write.value ? write.value->size() : 0) + kRecordOverhead;
  }
  rocksdb::WriteBatch batch(bytes);
  for (const StateWrite& write : writes) {
    rocksdb::Status status;
    if (write.value) {
      status = batch.Put(state(), SliceOf(write.key), SliceOf(*write.value));
    } else if (write.prefix) {
      const Result<std::string> end = EndOfPrefix(write.key, writes);
      if (!end) return end.error();
      status = batch.DeleteRange(state(), SliceOf(write.key), SliceOf(*end));
    } else {
      status = batch.Delete(state(), SliceOf(write.key));
    }
    if (!status.ok()) return ErrorOf(status, "write the state");
  }
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  const auto status = db_->Write(options, &batch);
  if (!status.ok()) return ErrorOf(status, "write the state");
  return PaceState(bytes);
}

/// Makes the writer of a checkpoint flush, and wait for compaction, by itself: where RocksDB has to
/// force it, it stops the writers of all families, so a checkpoint would hold up the log.
Status RocksEngine::PaceState(uint64_t written) {
  {
    std::lock_guard lock(state_mutex_);
    unflushed_state_bytes_ += written;
    if (unflushed_state_bytes_ < kStateFlushBytes) return {};
  }
  if (Status status = FlushState(); !status) return status;
  const std::string files_property =
      rocksdb::DB::Properties::kNumFilesAtLevelPrefix + std::to_string(0);
  std::string files;
  while (!bell_->failed() && db_->GetProperty(state(), files_property, &files) &&
         std::stoi(files) >= kStateFilesToWait) {
    bell_->WaitBriefly();
  }
  return {};
}

Status RocksEngine::FlushState() {
  {
    std::lock_guard lock(state_mutex_);
    unflushed_state_bytes_ = 0;
  }
  const auto status = db_->Flush(rocksdb::FlushOptions(), state());
  if (!status.ok()) return ErrorOf(status, "flush the state");
  return {};
}

Status RocksEngine::ReadState(const StateVisitor& visit) {
  const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(WalkOptions(), state()));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    Status status = visit(it->key().ToStringView(), it->value().ToStringView());
    if (!status) return status;
  }
  if (!it->status().ok()) return ErrorOf(it->status(), "read the state");
  return {};
}

// --- meta ---

Status RocksEngine::PutMeta(std::string_view name, std::string_view value) {
  const auto status = db_->Put(WalOptions(true), meta(), SliceOf(name), SliceOf(value));
  if (!status.ok()) return LogFailed(status, "write the record " + std::string(name));
  return {};
}

Result<std::optional<std::string>> RocksEngine::GetMeta(std::string_view name) {
  std::string value;
  const auto status = db_->Get(rocksdb::ReadOptions(), meta(), SliceOf(name), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return ErrorOf(status, "read the record " + std::string(name));
  return std::optional<std::string>(std::move(value));
}

}  // namespace starling::rocks
