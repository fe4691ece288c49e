#include "replication/folder_leasing.h"

#include <algorithm>
#include <utility>

#include "replication/limits.h"
#include "replication/vector_text.h"

namespace starling {
namespace {

constexpr size_t kLengthBytes = 8;
constexpr int kWalkAttempts = 3;
/// Begins a record by which a holder gave the folder's vote away; version and names follow.
constexpr std::string_view kHandOver = "voters";

/// Whom a record hands the vote to, if it is of that kind.
Result<std::optional<VoterSet>> HandedOver(const std::string& record) {
  const Result<std::vector<std::string>> pieces = UnpackPieces(record);
  if (!pieces) return pieces.error();
  if (pieces->empty() || pieces->front() != kHandOver) return std::optional<VoterSet>();
  if (pieces->size() < 3) return Error{Code::kCorruption, "a vote that is given to nobody"};
  std::string_view version = (*pieces)[1];
  const std::optional<uint64_t> number = TakeNumber(version);
  if (!number || !version.empty()) return Error{Code::kCorruption, "voters without a version"};
  return std::optional(VoterSet{*number, {pieces->begin() + 2, pieces->end()}});
}

}  // namespace

std::string PackPieces(std::span<const std::string> pieces) {
  size_t bytes = 0;
  for (const std::string& piece : pieces) bytes += kLengthBytes + piece.size();
  std::string packed;
  packed.reserve(bytes);
  for (const std::string& piece : pieces) {
    for (size_t i = 0; i < kLengthBytes; ++i) {
      packed += static_cast<char>(piece.size() >> (8 * i) & 0xff);
    }
    packed += piece;
  }
  return packed;
}

Result<std::vector<std::string>> UnpackPieces(std::string_view packed) {
  std::vector<std::string> pieces;
  while (!packed.empty()) {
    if (packed.size() < kLengthBytes) return Error{Code::kCorruption, "a piece is cut off"};
    uint64_t size = 0;
    for (size_t i = 0; i < kLengthBytes; ++i) {
      size |= uint64_t{static_cast<unsigned char>(packed[i])} << (8 * i);
    }
    packed.remove_prefix(kLengthBytes);
    if (size > packed.size()) return Error{Code::kCorruption, "a piece is cut off"};
    pieces.emplace_back(packed.substr(0, size));
    packed.remove_prefix(size);
  }
  return pieces;
}

FolderLeasing::FolderLeasing(EpochFolder& folder, const EpochHolder& self, Node node,
                             std::shared_ptr<spdlog::logger> log)
    : node_(std::move(node)),
      self_(self),
      log_(log),
      lease_({.self = self, .created = node_.created}, folder, *this, std::move(log)) {}

void FolderLeasing::OnTick(bool able, Instant now) {
  if (now >= std::max(lease_.NextTimer(), able_again_)) OnChange(able, now);
}

void FolderLeasing::OnChange(bool able, Instant now) {
  now_ = now;
  // What is kept belongs to one stream of this node's.
  const bool same_stream = lease_.epoch() == 0 || origin_ == node_.store.origin();
  if (!able || !same_stream) lease_.Resign();
  if (!able) able_again_ = now + limits::kAbleAgain;
  if (able && !resigned_) lease_.OnChange(now);
}

Instant FolderLeasing::NextTimer(bool keeps) const {
  if (resigned_) return Instant::max();
  const Instant look = std::max(lease_.NextTimer(), able_again_);
  const bool owes = keeps && keep_failed_ && lease_.epoch() != 0;
  return owes ? std::min(look, keep_again_) : look;
}

void FolderLeasing::Resign() {
  resigned_ = true;
  lease_.Resign();
}

// --- what is kept ---

VersionVector FolderLeasing::Visible(const MemberList& list) const {
  return list.Visible(node_.store.vector());
}

VersionVector FolderLeasing::HeldByAll(const MemberList& list) const {
  VersionVector held = Visible(list);
  for (const std::string& name : list.members()) {
    const NodeId id = NodeId::FromName(name);
    if (id == node_.store.id()) continue;
    // Of who is linked the newest is known, of others what they said last.
    const VersionVector* known = node_.streams.HeldBy(id);
    if (known == nullptr || known->empty()) known = node_.stability.KnownOf(id);
    held.IntersectWith(known == nullptr ? VersionVector() : *known);
  }
  held.MergeFrom(list.Visible(node_.store.keyspace().floor()));
  return held;
}

Status FolderLeasing::ReadStreams(VersionVector from, const VersionVector& to, size_t limit,
                                  std::vector<std::string>& pieces) {
  size_t bytes = 0;
  for (const VersionVector::Entry& entry : to.entries()) {
    if (from.Covers(entry.origin, entry.upto)) continue;
    if (entry.upto == VersionVector::kOver) {
      return Error{Code::kNotFound, "no log has streams that are over"};
    }
    while (from.Get(entry.origin) < entry.upto) {
      const Stamp after = from.Get(entry.origin);
      auto batches = node_.store.ReadStream(entry.origin, after, limits::kWalkChunkBytes);
      if (!batches) return batches.error();
      for (const SharedBytes& batch : *batches) {
        const Result<BatchHeader> header = DecodedBatch::DecodeHeader(*batch);
        if (!header) return header.error();
        if (header->upto > entry.upto) break;
        from.Raise(entry.origin, header->upto);
        bytes += batch->size();
        pieces.push_back(*batch);
      }
      if (from.Get(entry.origin) == after) {
        return Error{Code::kNotFound, "the log of " + entry.origin.ToString() + " ends early"};
      }
      if (bytes > limit) {
        return Error{Code::kLimitExceeded, "more than " + std::to_string(limit) + " bytes to keep"};
      }
    }
  }
  return {};
}

Result<std::vector<std::string>> FolderLeasing::ReadSince(const MemberList& list,
                                                          const VersionVector& covered) {
  const VersionVector end = Visible(list);
  std::vector<std::string> pieces = {EncodeChunk({}, covered)};
  if (Status read = ReadStreams(covered, end, limits::kKeptBytes, pieces); !read) {
    return read.error();
  }
  pieces.push_back(EncodeChunk({}, end));
  return pieces;
}

/// As walk_sender.h has it, all in one.
Result<std::vector<std::string>> FolderLeasing::WalkSince(const MemberList& list,
                                                          const VersionVector& covered) {
  Store& store = node_.store;
  const uint64_t foldings = store.keyspace().foldings();
  VersionVector begin = Visible(list);
  std::vector<std::string> pieces = {EncodeChunk({}, covered)};
  size_t bytes = 0;
  for (WalkPosition position; !position.done;) {
    pieces.push_back(store.WalkChunk(position, covered, limits::kWalkChunkBytes));
    bytes += pieces.back().size();
    if (bytes > limits::kSnapshotBytes) {
      return Error{Code::kLimitExceeded,
                   "what not all members hold is more than a folder can keep"};
    }
  }
  if (Status committed = store.journal().Commit(); !committed) return committed.error();
  if (store.keyspace().foldings() != foldings) {
    return Error{Code::kUnavailable, "streams ended while their keys were walked"};
  }
  const VersionVector end = Visible(list);
  for (const VersionVector::Entry& entry : end.entries()) {
    if (entry.upto == VersionVector::kOver) begin.Raise(entry.origin, entry.upto);
  }
  if (Status read = ReadStreams(begin, end, limits::kSnapshotBytes, pieces); !read) {
    return read.error();
  }
  pieces.push_back(EncodeChunk({}, end));
  return pieces;
}

Result<std::string> FolderLeasing::Snapshot() {
  if (Status committed = node_.store.journal().Commit(); !committed) return committed.error();
  const MemberList list = node_.list();
  const VersionVector covered = HeldByAll(list);
  Result<std::vector<std::string>> pieces = ReadSince(list, covered);
  for (int i = 0; !pieces && i < kWalkAttempts; ++i) pieces = WalkSince(list, covered);
  if (!pieces) return pieces.error();
  // Claims that live and records that are undecided are keys like others: who does not hold them is
  // not covered, and who takes this holds what is. Only a member that has lost its disk, and is the
  // last, goes on without what all once held, its claims among it (TakeOver).
  const Result<DecodedBatch> end = DecodedBatch::Decode(pieces->back());
  if (!end) return end.error();
  origin_ = node_.store.origin();
  snapshot_end_ = end->vector().Get(origin_);
  return PackPieces(*pieces);
}

Status FolderLeasing::KeepStream(Instant now) {
  const Stamp end = node_.store.journal().upto();
  std::vector<std::string> pieces;
  size_t bytes = 0;
  Stamp reached = kept_;
  bool reaches = true;
  while (reached < end && reaches) {
    const auto batches = node_.streams.ReadOwn(reached);
    const Stamp before = reached;
    for (size_t i = 0; batches && i < batches->size(); ++i) {
      const Result<BatchHeader> header = DecodedBatch::DecodeHeader(*(*batches)[i]);
      if (!header) return header.error();
      reached = header->upto;
      bytes += (*batches)[i]->size();
      pieces.push_back(*(*batches)[i]);
    }
    reaches = reached > before && bytes <= limits::kKeptBytes;
  }
  // What nobody waited for has become too much, or the log has dropped it.
  if (!reaches) {
    Status kept = lease_.KeepSnapshot(now);
    if (kept) kept_ = snapshot_end_;
    return kept;
  }
  if (pieces.empty()) return {};
  Status kept = lease_.Keep(PackPieces(pieces), now);
  if (kept) kept_ = reached;
  return kept;
}

Stamp FolderLeasing::Keep(Instant now) {
  now_ = now;
  if (lease_.epoch() != kept_epoch_) {
    kept_epoch_ = lease_.epoch();
    kept_ = snapshot_end_;
    confirmed_ = {};
    keep_again_ = {};
  }
  if (now < keep_again_) return confirmed_;
  if (!lease_.Holding(now) || origin_ != node_.store.origin()) {
    keep_again_ = now + limits::kKeepRetry;
    return confirmed_;
  }
  if (const Status kept = KeepStream(now); !kept) {
    keep_again_ = now + limits::kKeepRetry;
    if (!std::exchange(keep_failed_, true)) {
      log_->error("event=epoch_not_kept epoch={} error=\"{}\"", lease_.epoch(),
                  kept.error().message);
    }
    return confirmed_;
  }
  keep_failed_ = false;
  if (lease_.Confirm(now)) confirmed_ = kept_;
  return confirmed_;
}

void FolderLeasing::Relieve(Instant now) {
  now_ = now;
  if (lease_.kept_bytes() > limits::kKeptBytes) lease_.BeginNext(now);
}

Status FolderLeasing::HandOver(const VoterSet& voters, Instant now) {
  std::vector<std::string> pieces = {std::string(kHandOver), std::to_string(voters.version)};
  pieces.insert(pieces.end(), voters.names.begin(), voters.names.end());
  if (Status kept = lease_.Keep(PackPieces(pieces), now); !kept) return kept;
  if (lease_.Confirm(now)) return {};
  return Error{Code::kUnknownOutcome, "the lease was lost meanwhile: see STARLING VOTERS"};
}

// --- taking over ---

Status FolderLeasing::TakeSnapshot(const EpochContent& earlier) {
  Result<std::vector<std::string>> pieces = UnpackPieces(*earlier.snapshot);
  if (!pieces) return pieces.error();
  if (pieces->size() < 2) return Error{Code::kCorruption, "a snapshot without its vectors"};
  const Result<DecodedBatch> first = DecodedBatch::Decode(pieces->front());
  if (!first) return first.error();
  const Result<DecodedBatch> last = DecodedBatch::Decode(pieces->back());
  if (!last) return last.error();
  if (!first->is_chunk() || !last->is_chunk()) {
    return Error{Code::kCorruption, "a snapshot without its vectors"};
  }
  const MemberList list = node_.list();
  const VersionVector held = Visible(list);
  if (held.Covers(list.Wanted(last->vector()))) return {};
  Store& store = node_.store;
  const bool own_held = last->vector().Get(store.origin()) <= store.journal().upto();
  if (!own_held || !held.Covers(list.Wanted(first->vector()))) {
    return Error{
        Code::kNotFound,
        "this node lacks what the folder does not keep, since all members were taken to hold "
        "it: another member has to bring it the state first; if none is left, remove the "
        "epoch-* files of the meeting folder to go on without what only they keep"};
  }
  pieces->erase(pieces->begin());
  if (Status taken = store.ApplyWalk(*pieces, /*whole_state=*/false); !taken) return taken;
  node_.streams.NoteContent(last->vector().Newest());
  took_state_ = true;
  return {};
}

Status FolderLeasing::TakeRecord(const MemberList& list, const std::string& record) {
  const Result<std::vector<std::string>> batches = UnpackPieces(record);
  if (!batches) return batches.error();
  Store& store = node_.store;
  for (const std::string& bytes : *batches) {
    const Result<DecodedBatch> batch = DecodedBatch::Decode(bytes);
    if (!batch) return batch.error();
    if (batch->is_chunk()) return Error{Code::kCorruption, "a record that is no batch"};
    const BatchHeader& header = batch->header();
    if (store.vector().Covers(header.origin, header.upto)) continue;
    // Of one that has ended meanwhile nothing more counts. One that is stopped may have led since
    // this node was asked to stop it: what it reported then counts in no epoch that may follow.
    if (list.AcceptedUpto(header.origin) < header.upto) continue;
    if (header.origin == store.origin()) {
      return Error{Code::kNotFound, "this node has lost what it wrote"};
    }
    if (const auto applied = store.ApplyBatch(*batch, bytes); !applied) return applied.error();
    if (!batch->items().empty()) node_.streams.NoteContent(header.upto);
    took_state_ = true;
  }
  return {};
}

Status FolderLeasing::TakeOver(const EpochContent& earlier) {
  if (!earlier.records.empty()) {
    const Result<std::optional<VoterSet>> given = HandedOver(earlier.records.back());
    if (!given) return given.error();
    if (*given) {
      handed_over_ = **given;
      return Error{Code::kRefused, "the folder votes no more: " + JoinNames((*given)->names) +
                                       " was made the first named voter"};
    }
  }
  Status taken = TakeSnapshot(earlier);
  const MemberList list = node_.list();  // the holder may have begun since this node heard of it
  for (size_t i = 0; taken && i < earlier.records.size(); ++i) {
    taken = TakeRecord(list, earlier.records[i]);
  }
  if (taken) {
    lacking_since_.reset();
    if (node_.belongs()) return {};
    // Its snapshot would have what it wrote beyond its end.
    return Error{Code::kRefused, "this node was forgotten, or is about to be: another one leads"};
  }
  if (taken.error().code != Code::kNotFound) return taken;
  // Nobody can have more than this node, but who is still about to start.
  if (!lacking_since_) lacking_since_ = now_;
  const bool alone = list.members().size() <= 1;
  const bool restarted = !earlier.holder || earlier.holder->boot_id != self_.boot_id;
  if (!(alone || restarted) || now_ < *lacking_since_ + limits::kResumeWait) return taken;
  log_->warn(
      "event=lease_without_past node={} detail=\"this node had lost what was not synced: what a "
      "majority acknowledged last may be gone\"",
      node_.store.name());
  lacking_since_.reset();
  return {};
}

}  // namespace starling
