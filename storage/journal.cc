#include "storage/journal.h"

#include "storage/pending.h"

namespace starling {

namespace {

Error InDoubt() {
  return {Code::kReadOnly,
          "whether a state was taken is unknown, the disk having failed: restart the node"};
}

}  // namespace

std::string EncodeGeneration(const Generation& generation, Stamp after) {
  std::vector<Item> items;
  for (const PendingBuffer& buffer : generation.buffers) {
    buffer.AppendTo(items, generation.origin);
  }
  if (items.empty()) return {};
  return EncodeBatch({generation.origin, after, generation.upto}, items);
}

Journal::Journal(Keyspace& keyspace, Engine& engine, AppendFsync appendfsync, Stamp after,
                 std::shared_ptr<spdlog::logger> log)
    : keyspace_(keyspace),
      engine_(engine),
      appendfsync_(appendfsync),
      log_(std::move(log)),
      upto_(after.value),
      synced_upto_(after.value) {}

void Journal::SetSink(Sink sink) {
  std::lock_guard lock(mutex_);
  sink_ = std::move(sink);
}

Status Journal::Commit() {
  const uint64_t wanted = keyspace_.writes();
  const auto& done = Always() ? synced_writes_ : logged_writes_;
  if (done.load(std::memory_order_acquire) >= wanted) return {};
  if (Status status = Flush(wanted, false); !status) return status;
  return SyncFlushed(wanted);
}

Status Journal::Log() {
  const uint64_t wanted = keyspace_.writes();
  if (logged_writes_.load(std::memory_order_acquire) >= wanted) return {};
  return Flush(wanted, false);
}

Status Journal::CommitEmpty() {
  const uint64_t wanted = keyspace_.writes();
  if (Status status = Flush(wanted, true); !status) return status;
  std::lock_guard lock(sync_mutex_);
  return SyncAlways();
}

Status Journal::Flush(uint64_t wanted, bool allow_empty) {
  std::lock_guard lock(mutex_);
  if (in_doubt()) return InDoubt();
  if (unlogged_) {
    const Status status = AppendUnlogged();
    if (!status) return Error{Code::kReadOnly, status.error().message};
  }
  // Another thread's flush may have covered this one's writes while it waited for the mutex.
  if (!allow_empty && logged_writes_.load(std::memory_order_acquire) >= wanted) return {};
  Encode(keyspace_.CloseGeneration(), allow_empty);
  return AppendUnlogged();
}

void Journal::Encode(std::unique_ptr<Generation> generation, bool allow_empty) {
  items_.clear();
  for (const PendingBuffer& buffer : generation->buffers) {
    buffer.AppendTo(items_, generation->origin);
  }
  if (items_.empty() && !allow_empty) {
    logged_writes_.store(generation->writes, std::memory_order_release);
  } else {
    const BatchHeader header{generation->origin, upto(), generation->upto};
    unlogged_ = Unlogged{header, std::make_shared<const std::string>(EncodeBatch(header, items_)),
                         generation->writes};
  }
  keyspace_.Recycle(std::move(generation));
}

Status Journal::AppendUnlogged() {
  if (!unlogged_) return {};
  const Engine::LogRecord record{unlogged_->header.origin, unlogged_->header.upto,
                                 *unlogged_->bytes};
  if (const Status status = engine_.AppendLog({record}, /*sync=*/false); !status) {
    BecomeReadOnly(append_failed_, status.error(), "an append succeeds");
    return Error{Code::kUnknownOutcome, status.error().message};
  }
  unsynced_.store(true);  // before the positions that a sync reads
  appended_bytes_.fetch_add(unlogged_->bytes->size(), std::memory_order_relaxed);
  // The last batch of an ended incarnation does not move the new one's stream.
  if (unlogged_->header.origin == keyspace_.origin()) {
    upto_.store(unlogged_->header.upto.value, std::memory_order_release);
  }
  logged_writes_.store(unlogged_->writes, std::memory_order_release);
  EndReadOnly(append_failed_);
  const Unlogged logged = *std::exchange(unlogged_, std::nullopt);
  if (sink_) sink_(logged.header, logged.bytes);
  return {};
}

Status Journal::SyncFlushed(uint64_t wanted) {
  if (!Always() || synced_writes_.load(std::memory_order_acquire) >= wanted) return {};
  std::lock_guard lock(sync_mutex_);
  // Another thread's sync may have covered this one's batch while it waited.
  if (synced_writes_.load(std::memory_order_relaxed) >= wanted) return {};
  return SyncAlways();
}

Status Journal::SyncAlways() {
  if (!Always()) return {};
  const bool failed_before = sync_failed_.load();
  const Status status = SyncAppended();
  if (status) return {};
  BecomeReadOnly(sync_failed_, status.error(), "a sync succeeds");
  return Error{failed_before ? Code::kReadOnly : Code::kUnknownOutcome, status.error().message};
}

Status Journal::SyncAppended() {
  // In this order: what these say was appended, and marked as unsynced, before.
  const uint64_t writes = logged_writes_.load();
  const uint64_t upto = upto_.load();
  if (unsynced_.exchange(false)) {
    if (Status status = engine_.SyncLog(); !status) {
      unsynced_.store(true);
      return status;
    }
  }
  EndReadOnly(sync_failed_);
  synced_upto_.store(upto, std::memory_order_release);
  synced_writes_.store(writes, std::memory_order_release);
  return {};
}

/// Once, however often it is tried again.
void Journal::BecomeReadOnly(std::atomic<bool>& why, const Error& error, const char* until) {
  if (why.exchange(true, std::memory_order_acq_rel)) return;
  log_->error("event=append_failed error=\"{}\" reason=\"no key is served until {}\"",
              error.message, until);
}

void Journal::EndReadOnly(std::atomic<bool>& why) {
  if (!why.exchange(false, std::memory_order_acq_rel)) return;
  log_->warn("event=log_writable reason=\"the disk takes the log again: this node serves again\"");
}

Status Journal::Append(const std::vector<Engine::LogRecord>& records) {
  return AppendAll(records, {}, Always());
}

Status Journal::AppendUnsynced(const std::vector<Engine::LogRecord>& records) {
  return AppendAll(records, {}, /*sync=*/false);
}

Status Journal::AppendOnce(const std::vector<Engine::LogRecord>& records,
                           const std::vector<Engine::MetaWrite>& meta) {
  Status status = AppendAll(records, meta, Always() || !meta.empty());
  if (!status && status.error().code == Code::kUnknownOutcome) {
    BecomeReadOnly(in_doubt_, status.error(), "this node is restarted");
  }
  return status;
}

Status Journal::AppendAll(const std::vector<Engine::LogRecord>& records,
                          const std::vector<Engine::MetaWrite>& meta, bool sync) {
  if (in_doubt()) return InDoubt();
  if (Status status = engine_.AppendLog(records, meta, sync); !status) return status;
  if (!sync) unsynced_.store(true);
  for (const Engine::LogRecord& record : records) {
    appended_bytes_.fetch_add(record.bytes.size(), std::memory_order_relaxed);
  }
  return {};
}

Status Journal::Sync() {
  std::lock_guard lock(sync_mutex_);
  return SyncAppended();
}

Result<Journal::Started> Journal::StartStream(const Origin& origin, uint64_t gap) {
  std::lock_guard lock(mutex_);
  if (in_doubt()) return InDoubt();
  if (Status status = AppendUnlogged(); !status) return status.error();
  std::unique_ptr<Generation> generation = keyspace_.CloseGeneration(origin, gap);
  const Stamp after = generation->upto;
  Encode(std::move(generation), false);
  const Stamp ended = unlogged_ ? unlogged_->header.upto : upto();
  // Nobody who syncs may take the old stream's end for the new one's.
  std::lock_guard syncing(sync_mutex_);
  upto_.store(0, std::memory_order_release);
  synced_upto_.store(0, std::memory_order_release);
  if (Status status = AppendUnlogged(); !status) return status.error();
  if (Status status = SyncAlways(); !status) return status.error();
  return Started{ended, after};
}

}  // namespace starling
