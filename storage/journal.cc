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
      upto_(after.value) {}

void Journal::SetSink(Sink sink) {
  std::lock_guard lock(mutex_);
  sink_ = std::move(sink);
}

Status Journal::Commit() {
  if (logged_writes_.load(std::memory_order_acquire) >= keyspace_.writes()) return {};
  return Flush(false);
}

Status Journal::CommitEmpty() { return Flush(true); }

Status Journal::Flush(bool allow_empty) {
  const uint64_t wanted = keyspace_.writes();
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
  const bool always = appendfsync_.load() == AppendFsync::kAlways;
  const Engine::LogRecord record{unlogged_->header.origin, unlogged_->header.upto,
                                 *unlogged_->bytes};
  if (const Status status = engine_.AppendLog({record}, always); !status) {
    BecomeReadOnly(status.error(), "an append succeeds");
    return Error{Code::kUnknownOutcome, status.error().message};
  }
  if (!always) unsynced_.store(true, std::memory_order_release);
  appended_bytes_.fetch_add(unlogged_->bytes->size(), std::memory_order_relaxed);
  // The last batch of an ended incarnation does not move the new one's stream.
  if (unlogged_->header.origin == keyspace_.origin()) {
    upto_.store(unlogged_->header.upto.value, std::memory_order_release);
  }
  logged_writes_.store(unlogged_->writes, std::memory_order_release);
  if (read_only_.exchange(false, std::memory_order_acq_rel)) {
    log_->warn("event=log_writable reason=\"an append has succeeded: this node serves again\"");
  }
  const Unlogged logged = *std::exchange(unlogged_, std::nullopt);
  if (sink_) sink_(logged.header, logged.bytes);
  return {};
}

/// Once, however often it is tried again.
void Journal::BecomeReadOnly(const Error& error, const char* until) {
  if (read_only_.exchange(true, std::memory_order_acq_rel)) return;
  log_->error("event=append_failed error=\"{}\" reason=\"no key is served until {}\"",
              error.message, until);
}

Status Journal::Append(const std::vector<Engine::LogRecord>& records) {
  return AppendAll(records, {});
}

Status Journal::AppendOnce(const std::vector<Engine::LogRecord>& records,
                           const std::vector<Engine::MetaWrite>& meta) {
  Status status = AppendAll(records, meta);
  if (!status && status.error().code == Code::kUnknownOutcome) {
    in_doubt_.store(true);
    BecomeReadOnly(status.error(), "this node is restarted");
  }
  return status;
}

Status Journal::AppendAll(const std::vector<Engine::LogRecord>& records,
                          const std::vector<Engine::MetaWrite>& meta) {
  if (in_doubt()) return InDoubt();
  const bool sync = appendfsync_.load() == AppendFsync::kAlways || !meta.empty();
  if (Status status = engine_.AppendLog(records, meta, sync); !status) return status;
  if (!sync) unsynced_.store(true, std::memory_order_release);
  for (const Engine::LogRecord& record : records) {
    appended_bytes_.fetch_add(record.bytes.size(), std::memory_order_relaxed);
  }
  return {};
}

Status Journal::Sync() {
  if (!unsynced_.exchange(false, std::memory_order_acq_rel)) return {};
  Status status = engine_.SyncLog();
  if (!status) unsynced_.store(true, std::memory_order_release);
  return status;
}

Result<Journal::Started> Journal::StartStream(const Origin& origin, uint64_t gap) {
  std::lock_guard lock(mutex_);
  if (in_doubt()) return InDoubt();
  if (Status status = AppendUnlogged(); !status) return status.error();
  std::unique_ptr<Generation> generation = keyspace_.CloseGeneration(origin, gap);
  const Stamp after = generation->upto;
  Encode(std::move(generation), false);
  const Stamp ended = unlogged_ ? unlogged_->header.upto : upto();
  upto_.store(0, std::memory_order_release);
  if (Status status = AppendUnlogged(); !status) return status.error();
  return Started{ended, after};
}

}  // namespace starling
