// What the background thread does: sync, expire, free, checkpoint; and the end.
#include <algorithm>
#include <iterator>

#include "storage/records.h"
#include "storage/state_records.h"
#include "storage/store.h"

namespace starling {

std::chrono::milliseconds Store::Maintain(const Keyspace::Stability& stability) {
  constexpr size_t kSlice = 2000;
  constexpr std::chrono::milliseconds kIdle{100};
  const std::chrono::nanoseconds now = clock_.time().Monotonic();
  // With kAlways, too, there is what did not wait for it (AppendUnsynced).
  if (journal_->appendfsync() != AppendFsync::kNo && now - last_sync_ >= std::chrono::seconds(1)) {
    last_sync_ = now;
    if (const Status status = journal_->Sync(); !status) {
      log_->error("event=sync_failed node={} error=\"{}\"", options_.name, status.error().message);
    }
  }
  const size_t deleted = keyspace_->DeleteExpired(kSlice, options_.foreign_expiry_delay);
  {
    std::lock_guard lock(mutex_);
    stable_ = stability;
    // What a record may still meet counts as stable only when it is gone.
    const Stamp below = keyspace_->records().free_below();
    if (stable_.passed >= below) stable_.passed = Stamp{below.value - 1};
  }
  const size_t freed = FreeStable(stability, kSlice);
  AllowFolding(stability);
  const size_t dropped = keyspace_->FreeDropped(kSlice);
  const bool more = deleted >= kSlice || freed >= kSlice || dropped >= kSlice;
  if (deleted > 0) {
    if (const Status status = journal_->Commit(); !status) return kIdle;
  }
  if (CheckpointDue(now)) {
    if (const Status status = Checkpoint(); !status) {
      log_->error("event=checkpoint_failed node={} error=\"{}\"", options_.name,
                  status.error().message);
    }
  }
  return more ? std::chrono::milliseconds(1) : kIdle;
}

bool Store::CheckpointDue(std::chrono::nanoseconds now) {
  // Names of what vanished wait in memory: after a mass deletion they must go soon.
  constexpr size_t kMaxErasedBytes = 16 << 20;
  // After a burst, the names of what changed give their memory back, and the next start is quick.
  constexpr std::chrono::seconds kQuiet{5};
  const uint64_t bytes = recovered_bytes_ + journal_->appended_bytes();
  if (bytes != seen_bytes_) quiet_since_ = now;
  seen_bytes_ = bytes;
  const uint64_t interval = bytes - checkpoint_bytes_;
  const bool worth =
      interval >= options_.checkpoint_log_bytes / 8 || held_back_ || WaitsToCheckpointOver();
  const bool quiet = now - quiet_since_ >= kQuiet && worth;
  return quiet || interval >= options_.checkpoint_log_bytes ||
         keyspace_->erased_name_bytes() >= kMaxErasedBytes;
}

bool Store::WaitsToCheckpointOver() {
  std::unique_lock writing(checkpoint_mutex_, std::try_to_lock);
  if (!writing.owns_lock()) return false;
  std::lock_guard lock(mutex_);
  return std::any_of(over_at_.begin(), over_at_.end(), [this](const auto& over) {
    return vector_.OverUpTo(over.first) > checkpointed_.vector.OverUpTo(over.first);
  });
}

size_t Store::FreeStable(const Keyspace::Stability& stability, size_t limit) {
  // Not while a checkpoint is writing: it has taken the names of what changed, and what is freed
  // before its record is written would stay on disk as it was, under a vector that says otherwise.
  std::unique_lock lock(checkpoint_mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return 0;
  bool held_back = false;
  const size_t freed = keyspace_->FreeStable(stability, limit, &checkpointed_, &held_back);
  held_back_ = held_back;
  return freed;
}

void Store::AllowFolding(const Keyspace::Stability& stability) {
  // Not while a checkpoint is written, nor while a whole state is taken.
  std::unique_lock lock(checkpoint_mutex_, std::try_to_lock);
  std::unique_lock applying(apply_mutex_, std::try_to_lock);
  if (!lock.owns_lock() || !applying.owns_lock()) return;
  VersionVector over;
  {
    std::lock_guard guard(mutex_);
    for (const auto& [node, at] : over_at_) {
      // A record of the checkpoint may hold a folded slot only where its vector says that the
      // streams are over: else a restart would add their log to it. And every reset that could come
      // between two of the slots must be known.
      if (stability.passed < at || keyspace_->records().HasUndecidedOf(node)) continue;
      const uint64_t incarnation =
          std::min({vector_.OverUpTo(node), checkpointed_.vector.OverUpTo(node),
                    stability.covered.OverUpTo(node)});
      if (incarnation != 0) over.Set({node, incarnation}, VersionVector::kOver);
    }
    if (over == folding_) return;
    folding_ = over;
  }
  keyspace_->AllowFolding(over);
}

Status Store::Checkpoint() {
  std::lock_guard lock(checkpoint_mutex_);
  if (Status status = journal_->Commit(); !status) return status;
  const uint64_t bytes = recovered_bytes_ + journal_->appended_bytes();
  const uint64_t interval = bytes - checkpoint_bytes_.exchange(bytes);
  // Taken before the changed names: all that it covers is in memory and marked.
  StateVector reached;
  Keyspace::Stability stable;
  {
    std::lock_guard applying(apply_mutex_);
    {
      // Before the vector: what becomes stable between the two is not yet called so.
      std::lock_guard guard(mutex_);
      stable = stable_;
      reached.walks = walks_;
    }
    reached.vector = vector();
  }
  if (Status status = WriteChanged(); !status) return status;
  Status status = engine_->WriteState({{std::string(kVectorRecord), reached.Encode()}});
  if (status) status = engine_->FlushState();
  if (!status) return status;
  // The interval's log stays for peers that lag, unless it is long (this node has caught up with
  // others in one go): those who lack it take a walk then (I9).
  const bool keep = interval <= 2 * options_.checkpoint_log_bytes;
  previous_vector_ = keep ? checkpointed_.vector : reached.vector;
  checkpointed_ = {reached.vector, std::move(stable)};
  const uint64_t walks = std::exchange(checkpoint_walks_, reached.walks);
  DropOldLog();
  for (uint64_t number = walks + 1; number <= reached.walks; ++number) {
    if (status = engine_->DropLog({NodeId{}, number}, Stamp{UINT64_MAX}); !status) return status;
  }
  last_checkpoint_millis_ = clock_.time().WallMillis();
  return {};
}

Status Store::WriteChanged() {
  constexpr size_t kSlice = 4096;          // records encoded under a shard's lock
  constexpr size_t kWriteBytes = 4 << 20;  // gathered for one sync of the log
  constexpr size_t kPiece = 256;           // records written at once...
  constexpr size_t kPieceBytes = 1 << 20;  // ...and bytes, but for a record that is larger
  // The floor goes first: a state that lacks a freed tombstone is never without the floor above it.
  Status status = engine_->WriteState(
      {{std::string(kFloorRecord), StateVector{keyspace_->floor(), 0}.Encode()}});
  if (!status) return status;
  Keyspace::ChangedPtr changed = keyspace_->TakeChanged();
  bool more = true;
  while (more && status) {
    std::vector<Engine::StateWrite> writes;
    for (size_t bytes = 0; more && bytes < kWriteBytes;) {
      const size_t before = writes.size();
      more = keyspace_->EncodeChanged(*changed, before + kSlice, writes);
      for (size_t i = before; i < writes.size(); ++i) bytes += StateBytes(writes[i]);
    }
    // The state may never hold what the log could lose: log first, durably, then state.
    status = journal_->Commit();
    if (status) status = engine_->SyncLog();
    // In pieces: while RocksDB takes one, the journal waits.
    for (auto next = writes.begin(); status && next != writes.end();) {
      const auto first = next;
      size_t bytes = 0;
      do {
        bytes += StateBytes(*next);
        ++next;
      } while (next != writes.end() && next - first < static_cast<ptrdiff_t>(kPiece) &&
               bytes + StateBytes(*next) <= kPieceBytes);
      status = engine_->WriteState({std::make_move_iterator(first), std::make_move_iterator(next)});
    }
  }
  if (!status) keyspace_->PutBack(std::move(changed));
  return status;
}

void Store::DropOldLog() {
  const auto drop = [this](const Origin& origin, Stamp upto) {
    if (const Status status = engine_->DropLog(origin, upto); !status) {
      log_->warn("event=log_not_dropped node={} stream={} error=\"{}\"", options_.name,
                 origin.ToString(), status.error().message);
    }
  };
  for (const VersionVector::Entry& entry : previous_vector_.entries()) {
    if (entry.upto != VersionVector::kOver) drop(entry.origin, entry.upto);
  }
  // One entry stands for all streams of a node that are over; the log has them one by one.
  const Result<std::vector<Origin>> logged = engine_->LogOrigins();
  if (!logged) return;
  for (const Origin& origin : *logged) {
    const bool over = previous_vector_.Get(origin) == VersionVector::kOver;
    if (origin.node != NodeId{} && over) drop(origin, VersionVector::kOver);
  }
}

Status Store::Close() {
  if (Status status = Checkpoint(); !status) return status;
  if (Status status = journal_->Sync(); !status) return status;
  return WriteIdentity(true);
}

Status Store::Backup(const std::string& folder) {
  if (Status status = Checkpoint(); !status) return status;
  return engine_->Backup(folder);
}

}  // namespace starling
