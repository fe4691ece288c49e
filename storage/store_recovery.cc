// Who this node is, and what its folder holds: identity, state, log.
#include <algorithm>
#include <sstream>

#include "storage/records.h"
#include "storage/state_records.h"
#include "storage/store.h"

namespace starling {
namespace {

constexpr std::string_view kIdentityRecord = "identity";
/// Left by RestoreBackup: the folder's content has lived on elsewhere.
constexpr std::string_view kRestoredRecord = "restored";

}  // namespace

Result<std::optional<Store::Identity>> Store::ReadIdentity() {
  Result<std::optional<std::string>> record = engine_->GetMeta(kIdentityRecord);
  if (!record) return record.error();
  if (!*record) return std::optional<Identity>();
  Identity identity;
  std::istringstream lines(**record);
  std::string incarnation, clean, synced, last_loss;
  std::getline(lines, identity.name);
  std::getline(lines, incarnation);
  std::getline(lines, identity.folder);
  std::getline(lines, identity.boot);
  std::getline(lines, clean);
  std::getline(lines, synced);
  const std::optional<int64_t> number = Number::ParseInt(incarnation);
  if (!number || lines.fail()) {
    return Error{Code::kCorruption, "the folder's identity record is malformed"};
  }
  identity.incarnation = static_cast<uint64_t>(*number);
  identity.clean = clean == "clean";
  identity.synced_always = synced == "always";
  std::getline(lines, last_loss);  // not there: an earlier version wrote it
  identity.last_loss = static_cast<uint64_t>(Number::ParseInt(last_loss).value_or(*number));
  return std::optional<Identity>(identity);
}

Status Store::WriteIdentity(bool clean) {
  const bool always = options_.appendfsync == AppendFsync::kAlways;
  return engine_->PutMeta(
      kIdentityRecord, options_.name + '\n' + std::to_string(incarnation_) + '\n' +
                           options_.folder_identity + '\n' + options_.boot_id + '\n' +
                           (clean ? "clean" : "open") + '\n' + (always ? "always" : "lazy") + '\n' +
                           std::to_string(last_loss()) + '\n');
}

Result<Store::Reason> Store::ReasonForNewIncarnation(const std::optional<Identity>& identity) {
  if (!identity) return Reason{"the folder is new"};
  if (identity->name != options_.name) {
    return Error{Code::kRefused, "the data folder belongs to node \"" + identity->name +
                                     "\", this node is \"" + options_.name +
                                     "\": use that name, or another folder"};
  }
  Result<std::optional<std::string>> restored = engine_->GetMeta(kRestoredRecord);
  if (!restored) return restored.error();
  if (options_.restored || (*restored && **restored == "yes")) {
    return Reason{"the folder was restored from a backup"};
  }
  if (options_.ephemeral) return Reason{"the node is ephemeral"};
  if (identity->folder != options_.folder_identity) return Reason{"the folder was copied"};
  if (!engine_->damage().empty()) return Reason{"the log had a damaged tail"};
  if (!identity->clean && identity->boot != options_.boot_id) {
    // With `always` too, peers may hold own batches that were not synced yet (journal.h).
    return Reason{"the host went down with unsynced log", /*loss=*/!identity->synced_always};
  }
  return Reason{};
}

uint64_t Store::NextIncarnation(uint64_t last) {
  const auto now = static_cast<uint64_t>(std::max<int64_t>(1, clock_.time().WallMillis()));
  return std::max(last + 1, now);
}

Status Store::Recover() {
  Result<std::optional<Identity>> identity = ReadIdentity();
  if (!identity) return identity.error();
  for (const Engine::Damage& damage : engine_->damage()) {
    log_->warn(
        "event=log_cut node={} file={} position={} dropped_bytes={} reason=\"{}\" "
        "hint=\"missing writes come back from peers\"",
        options_.name, damage.file, damage.position, damage.dropped, damage.reason);
  }
  Result<Reason> reason = ReasonForNewIncarnation(*identity);
  if (!reason) return reason.error();
  if (Status status = ReadState(); !status) return status;
  keyspace_->EndRestore();
  keyspace_->records().NoteHeld(vector_);
  if (Status status = ReplayLog(); !status) return status;

  incarnation_ = *identity ? (*identity)->incarnation : 0;
  last_loss_ = *identity ? (*identity)->last_loss : 0;
  const bool rises = !reason->text.empty();
  if (rises) incarnation_ = NextIncarnation(incarnation_);
  if (rises && reason->loss) last_loss_ = incarnation_;
  // What a killed process had appended and not synced counts as held from now on.
  if (options_.appendfsync == AppendFsync::kAlways) {
    if (Status status = engine_->SyncLog(); !status) return status;
  }
  if (Status status = WriteIdentity(false); !status) return status;
  if (Status status = engine_->PutMeta(kRestoredRecord, "no"); !status) return status;
  const Origin origin{id_, incarnation_};
  keyspace_->SetOrigin(origin);
  recovered_upto_ = vector_.Get(origin);
  vector_.Set(origin, Stamp{});
  journal_ =
      std::make_unique<Journal>(*keyspace_, *engine_, options_.appendfsync, recovered_upto_, log_);
  last_sync_ = clock_.time().Monotonic();
  if (rises && *identity) {
    log_->warn("event=incarnation_raised node={} incarnation={} reason=\"{}\"", options_.name,
               incarnation_, reason->text);
  }
  return {};
}

Status Store::ReadState() {
  Status status = engine_->ReadState([&](std::string_view name, std::string_view value) -> Status {
    if (name != kVectorRecord && name != kFloorRecord) {
      return keyspace_->RestoreRecord(name, value);
    }
    Result<StateVector> record = StateVector::Decode(value);
    if (!record) return record.error();
    if (name == kFloorRecord) {
      keyspace_->RaiseFloor(record->vector);
    } else {
      vector_ = record->vector;
      walks_ = record->walks;
    }
    return {};
  });
  checkpointed_.vector = previous_vector_ = vector_;
  checkpoint_walks_ = walks_;
  clock_.Observe(vector_.Newest());
  return status;
}

Status Store::ReplayLog() {
  Result<std::vector<Origin>> origins = engine_->LogOrigins();
  if (!origins) return origins.error();
  for (const Origin& origin : *origins) {
    if (origin.node != NodeId{}) continue;
    if (origin.incarnation <= walks_) {
      // Its checkpoint ended before it had dropped this.
      if (Status status = engine_->DropLog(origin, Stamp{UINT64_MAX}); !status) return status;
      continue;
    }
    if (Status status = ReplayWalk(origin); !status) return status;
    walks_ = origin.incarnation;
  }
  return ReplayStreams(nullptr);
}

Status Store::ReplayWalk(const Origin& name) {
  std::optional<WalkRecord> head;
  std::vector<DecodedBatch> chunks;
  std::optional<Error> error;
  Status status = engine_->ReadLog(name, Stamp{}, [&](const Engine::LogRecord& record) {
    if (!head) {
      Result<WalkRecord> decoded = WalkRecord::Decode(record.bytes);
      if (decoded) {
        head = *std::move(decoded);
      } else {
        error = decoded.error();
      }
      return decoded.ok();
    }
    Result<DecodedBatch> chunk = DecodedBatch::Decode(record.bytes);
    if (!chunk) {
      error = chunk.error();
      return false;
    }
    chunks.push_back(*std::move(chunk));
    return true;
  });
  if (!status) return status;
  if (error) return *error;
  if (!head || chunks.size() != head->chunks) {
    log_->warn("event=walk_incomplete node={} number={} hint=\"peers send it again\"",
               options_.name, name.incarnation);
    return {};
  }
  if (status = ReplayStreams(&head->held); !status) return status;
  return MergeWalk(chunks, head->whole_state);
}

Status Store::ReplayStreams(const VersionVector* limit) {
  Result<std::vector<Origin>> origins = engine_->LogOrigins();
  if (!origins) return origins.error();
  for (const Origin& origin : *origins) {
    if (origin.node == NodeId{}) continue;
    if (Status status = ReplayStream(origin, limit); !status) return status;
  }
  return {};
}

Status Store::ReplayStream(const Origin& origin, const VersionVector* limit) {
  std::optional<Error> error;
  Status status =
      engine_->ReadLog(origin, vector_.Get(origin), [&](const Engine::LogRecord& record) {
        if (limit != nullptr && !limit->Covers(origin, record.upto)) return false;
        Result<DecodedBatch> batch = DecodedBatch::Decode(record.bytes);
        if (!batch) {
          error = Error{batch.error().code, "log record of stream " + origin.ToString() + " at " +
                                                std::to_string(record.upto.value) + ": " +
                                                batch.error().message};
          return false;
        }
        if (batch->header().after > vector_.Get(origin)) {
          // Batches are appended in order, so a gap means that something between was lost; peers
          // have it, or it was this node's and the incarnation has risen with the damage found.
          log_->warn("event=log_gap node={} stream={} at={} hint=\"the rest comes from peers\"",
                     options_.name, origin.ToString(), batch->header().after.value);
          return false;
        }
        MergeUncovered(batch->items());
        recovered_bytes_ += record.bytes.size();
        clock_.Observe(record.upto);
        vector_.Raise(origin, record.upto);
        return true;
      });
  if (!status) return status;
  if (error) return *error;
  return {};
}

}  // namespace starling
