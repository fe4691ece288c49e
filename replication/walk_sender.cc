#include "replication/walk_sender.h"

#include <algorithm>
#include <utility>

#include "replication/limits.h"

namespace starling {

WalkSender::WalkSender(Store& store, const MemberList& list, PeerSender& sender,
                       std::shared_ptr<spdlog::logger> log)
    : store_(store), list_(list), sender_(sender), log_(std::move(log)) {}

void WalkSender::OnRequest(NodeId peer, const WalkRequest& request, Instant now) {
  const auto known = walks_.find(peer);
  if (known != walks_.end() && known->second.number == request.walk) return;  // a double
  if (known == walks_.end() && walks_.size() >= limits::kWalksOut) return;
  // All that memory shows from here on must be in the log before it is told (I7), and the vector
  // must not lag behind what the chunks show.
  if (const Status committed = store_.journal().Commit(); !committed) return;
  Walk walk;
  walk.number = request.walk;
  walk.foldings = store_.keyspace().foldings();
  walk.whole = request.whole || !request.covered.Covers(list_.Visible(store_.keyspace().floor()));
  if (!walk.whole) walk.covered = request.covered;
  walk.begin = list_.Visible(store_.vector());
  walk.progress = now;
  walk.sent_at = now;
  log_->info("event=walk_begins peer={} whole={} covered=\"{}\"", peer.ToString(), walk.whole,
             walk.covered.ToString());
  Walk& placed = walks_[peer] = std::move(walk);
  if (!Pump(peer, placed, now)) walks_.erase(peer);
}

Status WalkSender::ReadKeys(Walk& walk, Part& part) {
  std::string chunk = store_.WalkChunk(walk.position, walk.covered, limits::kWalkChunkBytes);
  if (const Status committed = store_.journal().Commit(); !committed) return committed;
  if (store_.keyspace().foldings() != walk.foldings) {
    return Error{Code::kUnavailable, "streams ended while their keys were walked"};
  }
  part.Add(std::make_shared<const std::string>(std::move(chunk)));
  if (!walk.position.done) return {};
  walk.phase = Phase::kStreams;
  walk.end = list_.Visible(store_.vector());
  return {};
}

Status WalkSender::ReadStreams(Walk& walk, Part& part) {
  size_t room = limits::kWalkChunkBytes;
  for (const VersionVector::Entry& entry : walk.end.entries()) {
    if (entry.upto == VersionVector::kOver) continue;  // what was missing came with the keys
    while (walk.begin.Get(entry.origin) < entry.upto) {
      if (room == 0 || part.pieces.size() >= limits::kBatchesPerFrame) return {};
      auto batches = store_.ReadStream(entry.origin, walk.begin.Get(entry.origin), room);
      if (!batches) return batches.error();
      for (SharedBytes& batch : *batches) {
        const Result<BatchHeader> header = DecodedBatch::DecodeHeader(*batch);
        if (!header) return header.error();
        if (header->upto > entry.upto) break;
        walk.begin.Raise(entry.origin, header->upto);
        room -= std::min(room, batch->size());
        part.Add(std::move(batch));
        if (part.pieces.size() >= limits::kBatchesPerFrame) return {};
      }
      if (batches->empty()) {
        return Error{Code::kNotFound, "the log of " + entry.origin.ToString() + " ends early"};
      }
    }
  }
  part.Add(std::make_shared<const std::string>(EncodeChunk({}, walk.end)));
  part.last = true;
  walk.phase = Phase::kDone;
  return {};
}

bool WalkSender::Pump(NodeId peer, Walk& walk, Instant now) {
  while (walk.window.size() < limits::kWalkWindow && walk.phase != Phase::kDone) {
    Part part;
    const Status read = walk.phase == Phase::kKeys ? ReadKeys(walk, part) : ReadStreams(walk, part);
    if (!read) {
      // Mostly: the log was cut meanwhile. The peer asks again and gets a walk from the beginning.
      Abort(peer, walk.number, read.error().message);
      return false;
    }
    walk.window_bytes += part.bytes;
    walk.window.push_back(std::move(part));
    walk.sent_at = now;
    SendPart(peer, walk, walk.first + static_cast<uint32_t>(walk.window.size()) - 1);
  }
  return true;
}

void WalkSender::SendPart(NodeId peer, const Walk& walk, uint32_t index) {
  const Part& part = walk.window[index - walk.first];
  WalkPart message;
  message.walk = walk.number;
  message.index = index;
  message.whole = walk.whole;
  message.last = part.last;
  for (const SharedBytes& piece : part.pieces) message.pieces.push_back(*piece);
  sender_.Send(peer, Lane::kBulk, message);
}

void WalkSender::Abort(NodeId peer, uint64_t number, const std::string& reason) {
  log_->info("event=walk_aborted peer={} reason=\"{}\"", peer.ToString(), reason);
  sender_.Send(peer, Lane::kControl, WalkAbort{number, reason.substr(0, limits::kReasonBytes)});
}

void WalkSender::AbortAll(const std::string& reason) {
  for (const auto& [peer, walk] : walks_) Abort(peer, walk.number, reason);
  walks_.clear();
}

void WalkSender::OnCredit(NodeId peer, const WalkCredit& credit, Instant now) {
  const auto found = walks_.find(peer);
  if (found == walks_.end() || found->second.number != credit.walk) return;
  Walk& walk = found->second;
  if (credit.received <= walk.first) return;
  while (walk.first < credit.received && !walk.window.empty()) {
    walk.window_bytes -= walk.window.front().bytes;
    walk.window.pop_front();
    ++walk.first;
  }
  walk.progress = now;
  const bool finished = walk.phase == Phase::kDone && walk.window.empty();
  if (finished || !Pump(peer, walk, now)) walks_.erase(found);
}

void WalkSender::OnAbort(NodeId peer, const WalkAbort& abort) {
  const auto found = walks_.find(peer);
  if (found != walks_.end() && found->second.number == abort.walk) walks_.erase(found);
}

void WalkSender::Part::Add(SharedBytes piece) {
  bytes += piece->size();
  pieces.push_back(std::move(piece));
}

Instant WalkSender::LostAt(const Walk& walk) {
  return std::max(walk.sent_at, walk.progress) + limits::kWalkResend +
         limits::TransferTime(walk.window_bytes);
}

void WalkSender::OnTick(Instant now) {
  for (auto it = walks_.begin(); it != walks_.end();) {
    Walk& walk = it->second;
    if (now >= std::max(walk.progress + limits::kWalkIdle, LostAt(walk))) {
      Abort(it->first, walk.number, "no progress");
      it = walks_.erase(it);
      continue;
    }
    if (now >= LostAt(walk)) {
      walk.sent_at = now;
      for (uint32_t i = 0; i < walk.window.size(); ++i) SendPart(it->first, walk, walk.first + i);
    }
    ++it;
  }
}

Instant WalkSender::NextTimer() const {
  Instant next = Instant::max();
  for (const auto& [peer, walk] : walks_) {
    next = std::min(next, LostAt(walk));
  }
  return next;
}

}  // namespace starling
