#include "storage/store.h"

#include <algorithm>
#include <set>

#include "storage/check.h"
#include "storage/item_list.h"
#include "storage/origin_table.h"
#include "storage/records.h"
#include "storage/state_records.h"

namespace starling {
namespace {

/// A walk's log records stand under an origin that no node has: (no node, number of the walk).
Origin WalkOrigin(uint64_t number) { return {NodeId{}, number}; }

std::string RecordName(std::string_view name) { return std::string("record.").append(name); }

Error TooManyOrigins() {
  return {Code::kLimitExceeded, "more than " + std::to_string(OriginTable::kMaxOrigins) +
                                    " origins in this process's life: restart it"};
}

/// Whether they are batches of one node's stream that follow each other.
Status CheckFollowing(std::span<const Store::Received> run) {
  for (size_t i = 0; i < run.size(); ++i) {
    const DecodedBatch& batch = run[i].batch;
    if (batch.is_chunk()) return Error{Code::kInvalidArgument, "a chunk is not a stream's batch"};
    if (batch.header().origin.node == NodeId{}) {
      return Error{Code::kCorruption, "a batch of no node"};  // the walks' log is under that name
    }
    if (i == 0) continue;
    const BatchHeader& before = run[i - 1].batch.header();
    if (batch.header().origin != before.origin || batch.header().after != before.upto) {
      return Error{Code::kInvalidArgument, "batches that do not follow each other"};
    }
  }
  return {};
}

}  // namespace

Store::Store(const StoreOptions& options, std::unique_ptr<Engine> engine, TimeSource& time,
             std::shared_ptr<spdlog::logger> log)
    : options_(options),
      id_(NodeId::FromName(options.name)),
      log_(std::move(log)),
      engine_(std::move(engine)),
      clock_(time),
      keyspace_(std::make_unique<Keyspace>(options.keyspace, clock_)) {}

Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::Open(const StoreOptions& options,
                                           std::unique_ptr<Engine> engine, TimeSource& time,
                                           std::shared_ptr<spdlog::logger> log) {
  if (options.name.empty() || options.name.find('\n') != std::string::npos) {
    return Error{Code::kInvalidArgument, "a node needs a name of one line"};
  }
  std::unique_ptr<Store> store(new Store(options, std::move(engine), time, std::move(log)));
  if (const Status status = store->Recover(); !status) return status.error();
  return store;
}

VersionVector Store::vector() const {
  VersionVector vector;
  {
    std::lock_guard lock(mutex_);
    vector = vector_;
  }
  vector.Set(keyspace_->origin(), journal_->upto());
  return vector;
}

void Store::MergeUncovered(const std::vector<Item>& items) {
  std::vector<Item> fresh;
  {
    std::lock_guard lock(mutex_);
    for (const Item& item : items) {
      if (!vector_.Covers(item.origin, item.stamp)) fresh.push_back(item);
    }
  }
  keyspace_->Merge(fresh);
}

Result<bool> Store::ApplyBatch(const DecodedBatch& batch, std::string_view bytes) {
  const Received received{batch, bytes};
  const Result<size_t> fresh = ApplyRun({&received, 1});
  if (!fresh) return fresh.error();
  return *fresh == 1;
}

Result<size_t> Store::ApplyRun(std::span<const Received> run) {
  const Origin run_origin = run.front().batch.header().origin;
  if (Status status = CheckFollowing(run); !status) return status.error();
  if (run_origin == origin()) {
    return Error{Code::kRefused, "a batch of this node's own stream " + run_origin.ToString()};
  }
  std::lock_guard applying(apply_mutex_);
  const Stamp held = [&] {
    std::lock_guard lock(mutex_);
    return vector_.Get(run_origin);
  }();
  while (!run.empty() && run.front().batch.header().upto <= held) run = run.subspan(1);
  if (run.empty()) return size_t{0};
  if (run.front().batch.header().after > held) {
    return Error{Code::kUnavailable,
                 "the batch does not follow what is held of stream " + run_origin.ToString()};
  }
  if (!keyspace_->HasRoomForOrigins(1)) return TooManyOrigins();
  std::vector<Engine::LogRecord> records;
  bool commits_alone = true;
  for (const auto& [batch, bytes] : run) {
    if (Status status = Records::Check(batch.items()); !status) return status.error();
    commits_alone = commits_alone && Records::AreCommits(batch.items());
    records.push_back({run_origin, batch.header().upto, bytes});
  }
  // Logged before it is merged: nobody here can see what the log does not hold (I7). That records
  // count need not be synced: they are, at a majority, and with that it can be told again.
  const Status logged =
      commits_alone ? journal_->AppendUnsynced(records) : journal_->Append(records);
  if (!logged) return logged.error();
  const Stamp upto = run.back().batch.header().upto;
  clock_.Observe(upto);
  for (const auto& [batch, bytes] : run) {
    if (batch.header().after >= held) {
      keyspace_->Merge(batch.items());
    } else {
      MergeUncovered(batch.items());
    }
  }
  std::lock_guard lock(mutex_);
  vector_.Raise(run_origin, upto);
  return run.size();
}

Result<std::vector<SharedBytes>> Store::ReadStream(const Origin& origin, Stamp after,
                                                   size_t max_bytes) {
  const Stamp held = vector().Get(origin);
  std::vector<SharedBytes> batches;
  if (held <= after) return batches;
  size_t bytes = 0;
  std::optional<Error> error;
  Stamp reached = after;
  Status status = engine_->ReadLog(origin, after, [&](const Engine::LogRecord& record) {
    if (record.upto > held) return false;
    const Result<BatchHeader> header = DecodedBatch::DecodeHeader(record.bytes);
    if (!header) {
      error = header.error();
      return false;
    }
    if (header->after > reached) return false;
    reached = record.upto;
    batches.push_back(std::make_shared<const std::string>(record.bytes));
    bytes += record.bytes.size();
    return bytes < max_bytes;
  });
  if (!status) return status.error();
  if (error) return *error;
  if (batches.empty()) {
    return Error{Code::kNotFound,
                 "the log does not reach back to what is asked of stream " + origin.ToString()};
  }
  return batches;
}

std::string Store::WalkChunk(WalkPosition& position, const VersionVector& covered,
                             size_t max_bytes) {
  ItemList items;
  keyspace_->Walk(position, covered, max_bytes, [&](const Item& item) { items.Add(item); });
  return EncodeChunk(items.items(), {});
}

Status Store::LogWalk(const std::vector<std::string>& chunks, bool whole_state,
                      const WithWalk& with) {
  const Origin walk = WalkOrigin(walks_ + 1);
  const std::string head = WalkRecord{whole_state, chunks.size(), vector()}.Encode();
  std::vector<Engine::LogRecord> records = {{walk, Stamp{1}, head}};
  for (const std::string& chunk : chunks) {
    records.push_back({walk, Stamp{records.size() + 1}, chunk});
  }
  for (const std::string& batch : with.stream) {
    const Result<BatchHeader> header = DecodedBatch::DecodeHeader(batch);
    if (!header) return header.error();
    records.push_back({header->origin, header->upto, batch});
  }
  std::vector<Engine::MetaWrite> meta;
  for (const auto& [name, value] : with.records) meta.push_back({RecordName(name), value});
  return journal_->AppendOnce(records, meta);
}

Status Store::ApplyWalk(const std::vector<std::string>& chunks, bool whole_state,
                        const WithWalk& with) {
  std::vector<DecodedBatch> decoded;
  bool vector_known = false;
  bool empty = true;
  for (const std::string& chunk : chunks) {
    Result<DecodedBatch> batch = DecodedBatch::Decode(chunk);
    if (!batch) return batch.error();
    vector_known |= batch->is_chunk() && !batch->vector().empty();
    empty &= batch->items().empty();
    decoded.push_back(*std::move(batch));
  }
  // The vector is empty where nobody has written anything yet.
  if (decoded.empty() || (!vector_known && !empty)) {
    return Error{Code::kCorruption, "a walk without its vector"};
  }
  VersionVector stream;
  for (const std::string& batch : with.stream) {
    Result<DecodedBatch> own = DecodedBatch::Decode(batch);
    if (!own) return own.error();
    STARLING_CHECK(own->header().origin.node == id_ && own->header().origin != origin());
    stream.Raise(own->header().origin, own->header().upto);
    decoded.push_back(*std::move(own));
  }
  std::lock_guard applying(apply_mutex_);
  std::set<Origin> origins;
  for (const DecodedBatch& chunk : decoded) {
    if (Status status = Records::Check(chunk.items()); !status) return status;
    for (const Item& item : chunk.items()) origins.insert(item.origin);
  }
  if (!keyspace_->HasRoomForOrigins(origins.size())) return TooManyOrigins();
  if (Status status = LogWalk(chunks, whole_state, with); !status) return status;
  Status status = MergeWalk(decoded, whole_state);
  std::lock_guard lock(mutex_);
  vector_.MergeFrom(stream);
  ++walks_;
  return status;
}

Status Store::MergeWalk(const std::vector<DecodedBatch>& chunks, bool whole_state) {
  VersionVector reached;
  Stamp newest;
  std::vector<std::vector<Item>> lists;
  // With the own stream: an old walk may bring back what was written, deleted and freed here.
  const VersionVector held = journal_ ? vector() : vector_;
  for (const DecodedBatch& chunk : chunks) {
    if (chunk.is_chunk()) reached.MergeFrom(chunk.vector());
    std::vector<Item>& list = lists.emplace_back();
    for (const Item& item : chunk.items()) {
      newest = std::max(newest, item.stamp);
      if (whole_state || !held.Covers(item.origin, item.stamp)) list.push_back(item);
    }
  }
  clock_.Observe(std::max(newest, reached.Newest()));
  // Of streams that are over here exactly the sender's part is taken: slots that were folded here
  // cannot be told apart any more.
  VersionVector over;
  for (const VersionVector::Entry& entry : held.entries()) {
    if (entry.upto == VersionVector::kOver) over.Set(entry.origin, entry.upto);
  }
  if (whole_state) {
    {
      std::lock_guard lock(mutex_);
      for (const VersionVector::Entry& entry : over.entries()) {
        vector_.ForgetOver(entry.origin.node);
        over_at_.erase(entry.origin.node);
      }
      folding_ = {};
    }
    VersionVector covered = reached;
    covered.MergeFrom(over);
    keyspace_->ReplaceState(lists, covered);
    // What the sender had freed is unknown here: who lags behind its vector needs the whole state
    // too.
    keyspace_->RaiseFloor(reached);
  } else {
    keyspace_->MergeAll(lists);
  }
  keyspace_->records().NoteHeld(reached);
  if (journal_) reached.Set(origin(), Stamp{});  // the own stream is the journal's
  std::lock_guard lock(mutex_);
  vector_.MergeFrom(reached);
  return {};
}

void Store::MarkOver(const Origin& last, Stamp at) {
  std::lock_guard applying(apply_mutex_);
  std::lock_guard lock(mutex_);
  vector_.Raise(last, VersionVector::kOver);
  over_at_[last.node] = at;
}

bool Store::WaitsToFold() const {
  std::lock_guard lock(mutex_);
  return std::any_of(over_at_.begin(), over_at_.end(), [this](const auto& over) {
    return vector_.OverUpTo(over.first) != folding_.OverUpTo(over.first);
  });
}

Result<Store::Between> Store::RaiseIncarnation(std::string_view reason, uint64_t stamps,
                                               uint64_t above) {
  std::lock_guard applying(apply_mutex_);
  const Origin old = origin();
  const Origin between{id_, NextIncarnation(std::max(incarnation_, above))};
  const Origin next{id_, between.incarnation + 1};
  incarnation_ = next.incarnation;
  last_loss_ = next.incarnation;
  if (Status status = WriteIdentity(false); !status) return status.error();
  const Result<Journal::Started> started = journal_->StartStream(next, stamps);
  if (!started) return started.error();
  std::lock_guard lock(mutex_);
  vector_.Raise(old, started->ended);
  log_->warn("event=incarnation_raised node={} incarnation={} reason=\"{}\"", options_.name,
             next.incarnation, reason);
  return Between{between, started->after, Stamp{started->after.value + stamps}};
}

Status Store::SetAppendFsync(AppendFsync appendfsync) {
  std::lock_guard applying(apply_mutex_);
  if (journal_->appendfsync() == appendfsync) return {};
  // The folder says "always" only while that has been practised without a gap.
  const bool always = appendfsync == AppendFsync::kAlways;
  if (!always) {
    options_.appendfsync = appendfsync;
    if (Status status = WriteIdentity(false); !status) return status;
  }
  journal_->SetAppendFsync(appendfsync);
  if (!always) return {};
  if (Status status = journal_->Sync(); !status) return status;
  options_.appendfsync = appendfsync;
  return WriteIdentity(false);
}

Status Store::PutRecord(std::string_view name, std::string_view value) {
  return engine_->PutMeta(RecordName(name), value);
}

Result<std::optional<std::string>> Store::GetRecord(std::string_view name) {
  return engine_->GetMeta(RecordName(name));
}

}  // namespace starling
