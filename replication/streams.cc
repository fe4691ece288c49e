#include "replication/streams.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "replication/limits.h"

namespace starling {

Streams::Streams(Store& store, const MemberList& list, const ClockJudge& clocks, PeerSender& sender,
                 std::mt19937_64& random, std::shared_ptr<spdlog::logger> log)
    : store_(store),
      list_(list),
      clocks_(clocks),
      sender_(sender),
      random_(random),
      log_(std::move(log)) {
  NoteContent(store_.vector().Newest());
}

void Streams::AddPeer(NodeId peer, Instant now) {
  peers_[peer] = Peer{};
  peers_[peer].progress = now;
  sender_.Send(peer, Lane::kControl, MakeReport(/*round=*/true));
}

void Streams::RemovePeer(NodeId peer) { peers_.erase(peer); }

const VersionVector* Streams::HeldBy(NodeId peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : &found->second.held;
}

/// All of a report but what it says is held: that is taken at the same moment as the promise.
Report Streams::BeginReport() const {
  Report report;
  report.sequence = ++sequence_;
  report.origin = store_.origin();
  report.list_digest = list_.digest();
  report.clock = Stamp::FirstOf(store_.clock().NowMillis());
  const LeaseWords words = lease_words_();
  report.promised = words.promised;
  report.leads = words.leads;
  return report;
}

Report Streams::MakeReport(bool round) const {
  Report report = BeginReport();
  report.round = round;
  report.full = true;
  report.vector = Visible();
  // Whoever counts this node among the holders of its stream counts what a power loss leaves.
  report.vector.Set(report.origin,
                    std::min(report.vector.Get(report.origin), store_.journal().held()));
  report.floor = list_.Visible(store_.keyspace().floor());
  return report;
}

void Streams::ReportTo(NodeId peer) {
  if (HasPeer(peer)) sender_.Send(peer, Lane::kControl, MakeReport(/*round=*/true));
}

void Streams::ReportToAll(Instant) {
  if (peers_.empty()) return;
  std::vector<NodeId> all;
  for (const auto& [id, peer] : peers_) all.push_back(id);
  sender_.Send(all, Lane::kControl, MakeReport(/*round=*/true));
}

void Streams::AskHoldings(Instant now) {
  if (peers_.empty() || now < asked_ + limits::kAskHoldings) return;
  asked_ = now;
  std::vector<NodeId> all;
  for (const auto& [id, peer] : peers_) all.push_back(id);
  Report report = BeginReport();
  report.asks = true;
  sender_.Send(all, Lane::kControl, report);
}

// --- sending ---

bool Streams::WindowOpen(const Peer& peer) {
  return peer.in_flight.size() < limits::kInFlightFrames &&
         peer.in_flight_bytes < limits::kInFlightBytes;
}

Stamp Streams::From(const Peer& peer, const Origin& origin) {
  return std::max(peer.held.Get(origin), peer.sent.Get(origin));
}

void Streams::Track(Peer& peer, const Origin& origin, Stamp upto, size_t bytes, Instant now) {
  if (peer.in_flight.empty()) peer.progress = now;
  peer.in_flight.push_back({origin, upto, bytes});
  peer.in_flight_bytes += bytes;
  peer.sent.Raise(origin, upto);
}

void Streams::ForgetSent(Peer& peer) {
  peer.in_flight.clear();
  peer.in_flight_bytes = 0;
  peer.sent = {};
}

std::vector<NodeId> Streams::Targets(NodeId except) {
  std::vector<NodeId> targets;
  for (const auto& [id, peer] : peers_) {
    if (id != except) targets.push_back(id);
  }
  if (peers_.size() <= limits::kPushToAll) return targets;
  const size_t fanout = std::min(limits::kPushFanout, targets.size());
  for (size_t i = 0; i < fanout; ++i) {
    const size_t drawn = i + random_() % (targets.size() - i);
    std::swap(targets[i], targets[drawn]);
  }
  targets.resize(fanout);
  return targets;
}

void Streams::OnLocalBatches(std::span<const OwnBatch> batches, Instant now) {
  for (const OwnBatch& batch : batches) {
    NoteContent(batch.header.upto);
    RememberLocalBatch(batch.header, batch.bytes);
  }
  while (!batches.empty()) {
    size_t count = 1;
    size_t bytes = batches[0].bytes->size();
    for (; count < batches.size() && count < limits::kBatchesPerFrame; ++count) {
      const BatchHeader& header = batches[count].header;
      const BatchHeader& before = batches[count - 1].header;
      bytes += batches[count].bytes->size();
      const bool follows = header.origin == before.origin && header.after == before.upto;
      if (!follows || bytes > limits::kGatherBytes) break;
    }
    Push(batches.first(count), now);
    batches = batches.subspan(count);
  }
}

void Streams::Push(std::span<const OwnBatch> run, Instant now) {
  const Origin& origin = run.front().header.origin;
  const Stamp after = run.front().header.after;
  const Stamp upto = run.back().header.upto;
  if (list_.AcceptedUpto(origin) < upto) {  // what is behind that nobody would take
    if (run.size() > 1) {
      for (size_t i = 0; i < run.size(); ++i) Push(run.subspan(i, 1), now);
    }
    return;
  }
  Batches message;
  size_t bytes = 0;
  for (const OwnBatch& batch : run) {
    message.batches.push_back(*batch.bytes);
    bytes += batch.bytes->size();
  }
  std::vector<NodeId> following;
  for (const NodeId id : Targets(store_.id())) {
    Peer& peer = peers_.at(id);
    if (!WindowOpen(peer)) continue;
    if (From(peer, origin) == after) {
      Track(peer, origin, upto, bytes, now);
      following.push_back(id);
    } else {
      Pump(id, peer, origin, upto, now);
    }
  }
  if (!following.empty()) sender_.Send(following, Lane::kBulk, message);
}

void Streams::RememberLocalBatch(const BatchHeader& header, SharedBytes bytes) {
  const bool known = !recent_.empty() && recent_.back().header.origin == header.origin &&
                     recent_.back().header.upto >= header.upto;
  if (known) return;
  recent_bytes_ += bytes->size();
  recent_.push_back({header, std::move(bytes)});
  TrimRecent();
}

void Streams::TrimRecent() {
  // Members who come later read the log; beside them only the meeting folder reads the stream.
  const size_t limit = peers_.empty() ? limits::kGatherBytes : limits::kRecentBytes;
  while (recent_bytes_ > limit && !recent_.empty()) {
    const BatchHeader& oldest = recent_.front().header;
    const bool unheld = std::any_of(peers_.begin(), peers_.end(), [&](const auto& peer) {
      return !peer.second.held.Covers(oldest.origin, oldest.upto);
    });
    if (unheld && recent_bytes_ <= limits::kUnheldBytes) break;
    recent_bytes_ -= recent_.front().bytes->size();
    recent_.pop_front();
  }
}

void Streams::Relay(NodeId from, const BatchHeader& header, std::string_view bytes, Instant now) {
  if (peers_.size() <= limits::kPushToAll) return;
  std::vector<NodeId> lacking;
  for (const NodeId id : Targets(from)) {
    Peer& peer = peers_.at(id);
    const bool follows = From(peer, header.origin) == header.after;
    if (id == header.origin.node || !follows || !WindowOpen(peer)) continue;
    Track(peer, header.origin, header.upto, bytes.size(), now);
    lacking.push_back(id);
  }
  if (!lacking.empty()) sender_.Send(lacking, Lane::kBulk, Batches{{bytes}});
}

Result<std::vector<SharedBytes>> Streams::Gather(const Origin& origin, Stamp after) {
  // Stamps rise over incarnations, too.
  const auto first =
      std::partition_point(recent_.begin(), recent_.end(),
                           [&](const OwnBatch& recent) { return recent.header.upto <= after; });
  const bool here =
      first != recent_.end() && first->header.origin == origin && first->header.after == after;
  if (!here) return store_.ReadStream(origin, after, limits::kGatherBytes);
  std::vector<SharedBytes> batches;
  size_t bytes = 0;
  for (auto it = first; it != recent_.end(); ++it) {
    if (!batches.empty() && (bytes + it->bytes->size() > limits::kGatherBytes ||
                             batches.size() == limits::kBatchesPerFrame)) {
      break;
    }
    // A new incarnation; or one is missing, that was taken later than what follows it.
    if (it->header.origin != origin || it->header.after != after) break;
    after = it->header.upto;
    bytes += it->bytes->size();
    batches.push_back(it->bytes);
  }
  return batches;
}

void Streams::Pump(NodeId id, Peer& peer, const Origin& origin, Stamp upto, Instant now) {
  while (WindowOpen(peer)) {
    const Stamp after = From(peer, origin);
    if (after >= upto) return;
    Result<std::vector<SharedBytes>> batches = Gather(origin, after);
    if (!batches) return Hint(id, peer, now);
    Batches message;
    size_t bytes = 0;
    Stamp reached = after;
    for (const SharedBytes& batch : *batches) {
      const Result<BatchHeader> header = DecodedBatch::DecodeHeader(*batch);
      if (!header || header->upto > upto || message.batches.size() == limits::kBatchesPerFrame) {
        break;
      }
      message.batches.push_back(*batch);
      bytes += batch->size();
      reached = std::max(reached, header->upto);
    }
    if (reached == after) return;
    Track(peer, origin, reached, bytes, now);
    sender_.Send(id, Lane::kBulk, message);
  }
}

void Streams::PumpForeign(NodeId id, Peer& peer, bool same_list, Instant now) {
  const VersionVector ours = Visible();
  for (const VersionVector::Entry& entry : ours.entries()) {
    if (entry.origin == store_.origin()) continue;
    if (entry.upto == VersionVector::kOver) {
      // No log has these streams any more. Under the same list the peer would have marked them too.
      const bool lacks = same_list && !peer.held.Covers(entry.origin, entry.upto);
      if (lacks) Hint(id, peer, now);
      continue;
    }
    // Its author pushes it too. What we have had for a round, or what its author cannot push for
    // want of a link here, the peer may get from us.
    const bool author_here = peers_.contains(entry.origin.node);
    const Stamp settled = author_here ? last_round_.Get(entry.origin) : entry.upto;
    if (From(peer, entry.origin) < settled) Pump(id, peer, entry.origin, entry.upto, now);
  }
}

void Streams::Hint(NodeId id, Peer& peer, Instant now) {
  if (now < peer.hinted + limits::kRoundInterval) return;
  peer.hinted = now;
  sender_.Send(id, Lane::kControl, WalkHint{});
}

// --- receiving ---

void Streams::Ask(NodeId from, Peer& peer, const Origin& origin, Stamp after, Instant now) {
  const auto asked = peer.wanted.find(origin);
  if (asked != peer.wanted.end() && now < asked->second + limits::kWantInterval) return;
  peer.wanted[origin] = now;
  sender_.Send(from, Lane::kControl, Want{origin, after});
}

Result<bool> Streams::Takes(NodeId from, const BatchHeader& header) const {
  const Origin& origin = header.origin;
  // What another member holds of a stopped stream it reports, too; a candidate may have to pull it.
  const bool stopped =
      list_.IsStopped(origin.node) && (list_.IsStopped(from) || !list_.IsMember(from));
  if (origin == store_.origin() || list_.AcceptedUpto(origin) < header.upto || stopped) {
    return false;
  }
  if (auto ahead = clocks_.JudgeStamp(header.upto, store_.clock().NowMillis())) {
    return Error{Code::kRefused, *ahead};
  }
  return true;
}

Status Streams::ApplyRun(NodeId from, std::span<const Store::Received> run, Applied& applied,
                         VersionVector& changed, Instant now) {
  const Origin origin = run.front().batch.header().origin;
  const Result<size_t> fresh = store_.ApplyRun(run);
  if (!fresh && fresh.error().code == Code::kUnavailable) {
    Ask(from, peers_.at(from), origin, store_.vector().Get(origin), now);
    return {};
  }
  if (!fresh && run.size() > 1) {  // one of them is at fault
    for (size_t i = 0; i < run.size(); ++i) {
      if (Status one = ApplyRun(from, run.subspan(i, 1), applied, changed, now); !one) return one;
    }
    return {};
  }
  if (!fresh) {
    if (fresh.error().code == Code::kCorruption) return fresh.error();
    log_->error("event=apply_failed origin={} error=\"{}\"", origin.ToString(),
                fresh.error().message);
    return {};
  }
  // A double is acknowledged again: the first acknowledgement may be lost.
  changed.Raise(origin, run.back().batch.header().upto);
  for (const auto& [batch, bytes] : run.last(*fresh)) {
    if (!batch.items().empty()) NoteContent(batch.header().upto);
    applied.any = true;
    for (const Item& item : batch.items()) {
      applied.cluster_items = applied.cluster_items || item.database == kClusterDatabase;
    }
    Relay(from, batch.header(), bytes, now);
  }
  return {};
}

Result<Streams::Applied> Streams::OnBatches(NodeId from, const Batches& batches, Instant now) {
  Applied applied;
  if (!peers_.contains(from)) return applied;
  VersionVector changed;
  Status failure;
  std::deque<DecodedBatch> decoded;
  std::vector<Store::Received> run;
  const auto apply = [&] {
    Status status = run.empty() ? Status() : ApplyRun(from, run, applied, changed, now);
    run.clear();
    decoded.clear();
    return status;
  };
  const auto take = [&](std::string_view bytes) -> Status {
    const Result<BatchHeader> header = DecodedBatch::DecodeHeader(bytes);
    if (!header) return header.error();
    const Result<bool> takes = Takes(from, *header);
    if (!takes) return takes.error();
    if (!*takes) return {};
    if (!run.empty()) {
      const BatchHeader& before = decoded.back().header();
      const bool follows = header->origin == before.origin && header->after == before.upto;
      if (Status status = follows ? Status() : apply(); !status) return status;
    }
    Result<DecodedBatch> batch = DecodedBatch::Decode(bytes);
    if (!batch) return batch.error();
    decoded.push_back(*std::move(batch));
    run.push_back({decoded.back(), bytes});
    return {};
  };
  for (const std::string_view bytes : batches.batches) {
    if (failure = take(bytes); !failure) break;
  }
  // What came before a bad one counts.
  if (Status status = apply(); failure.ok() && !status) failure = status;
  if (!changed.empty()) {
    Report report = BeginReport();
    const VersionVector held = Visible();
    for (const VersionVector::Entry& entry : changed.entries()) {
      report.vector.Set(entry.origin, held.Get(entry.origin));
    }
    sender_.Send(from, Lane::kControl, report);
  }
  if (!failure) return failure.error();
  return applied;
}

void Streams::OnWant(NodeId from, const Want& want, Instant now) {
  const auto found = peers_.find(from);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  const Stamp upto = Visible().Get(want.origin);
  if (want.after >= upto) return;
  // It may ask for less than it said it holds: its disk was lost. Then what it asks for counts.
  peer.held.Set(want.origin, want.after);
  peer.sent.Set(want.origin, Stamp{});
  std::erase_if(peer.in_flight, [&](const InFlight& frame) {
    if (frame.origin != want.origin) return false;
    peer.in_flight_bytes -= frame.bytes;
    return true;
  });
  Pump(from, peer, want.origin, upto, now);
}

void Streams::OnReport(NodeId from, const Report& report, Instant now) {
  const auto found = peers_.find(from);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.held.MergeFrom(report.vector);
  TrimRecent();
  const size_t before = peer.in_flight.size();
  std::erase_if(peer.in_flight, [&](const InFlight& frame) {
    if (!peer.held.Covers(frame.origin, frame.upto)) return false;
    peer.in_flight_bytes -= frame.bytes;
    return true;
  });
  if (peer.in_flight.size() != before) peer.progress = now;
  const Instant lost =
      peer.progress + limits::kPushLost + limits::TransferTime(peer.in_flight_bytes);
  if (!peer.in_flight.empty() && now >= lost) {
    ForgetSent(peer);
    peer.progress = now;
  }
  Pump(from, peer, store_.origin(), Visible().Get(store_.origin()), now);
  if (report.round) PumpForeign(from, peer, report.list_digest == list_.digest(), now);
  if (report.asks) sender_.Send(from, Lane::kControl, MakeReport(/*round=*/false));
}

void Streams::OnTick(Instant now) {
  if (now < next_round_) return;
  next_round_ = now + limits::kRoundInterval;
  ReportToAll(now);
  last_round_ = Visible();
  for (auto& [id, peer] : peers_) {
    std::erase_if(peer.wanted,
                  [now](const auto& asked) { return now >= asked.second + limits::kWantInterval; });
  }
}

Instant Streams::NextTimer() const { return next_round_; }

}  // namespace starling
