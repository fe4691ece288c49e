#include "replication/walk_receiver.h"

#include <algorithm>
#include <utility>

#include "storage/check.h"

namespace starling {

void WalkReceiver::Begin(NodeId peer, const VersionVector& covered, bool whole, Instant now) {
  STARLING_CHECK(!busy());
  from_ = peer;
  request_ = WalkRequest{++number_, whole, covered};
  whole_ = whole;
  received_ = 0;
  progress_ = now;
  asked_at_ = now;
  sender_.Send(peer, Lane::kControl, request_);
}

void WalkReceiver::Take(std::vector<std::string> pieces) {
  for (std::string& piece : pieces) {
    staged_bytes_ += piece.size();
    pieces_.push_back(std::move(piece));
  }
  ++received_;
}

std::optional<WalkReceiver::Taken> WalkReceiver::OnPart(NodeId peer, const WalkPart& part,
                                                        Instant now) {
  if (from_ != peer || part.walk != number_) {
    // Nobody waits for it; the sender may stop.
    sender_.Send(peer, Lane::kControl, WalkAbort{part.walk, "not asked for"});
    return std::nullopt;
  }
  if (part.index >= received_ + limits::kWalkWindow) return std::nullopt;
  if (part.index >= received_ && !early_.contains(part.index)) {
    Early& early = early_[part.index];
    early.last = part.last;
    for (const std::string_view piece : part.pieces) early.pieces.emplace_back(piece);
    whole_ = whole_ || part.whole;
    progress_ = now;
  }
  bool complete = false;
  for (auto next = early_.find(received_); next != early_.end() && !complete;
       next = early_.find(received_)) {
    complete = next->second.last;
    Take(std::move(next->second.pieces));
    early_.erase(next);
  }
  sender_.Send(peer, Lane::kControl, WalkCredit{number_, received_});
  if (staged_bytes_ > limits::kStagedBytes) {
    sender_.Send(peer, Lane::kControl, WalkAbort{number_, "more than a node may stage"});
    Drop();
    return std::nullopt;
  }
  if (!complete) return std::nullopt;
  Taken taken{peer, whole_, std::exchange(pieces_, {})};
  patience_ = limits::kWalkStalled;
  Drop();
  return taken;
}

bool WalkReceiver::MakeRoomFor(NodeId peer, Instant now) {
  if (!busy()) return true;
  if (peer == *from_ || now < progress_ + patience_) return false;
  patience_ = std::min<Instant>(2 * patience_, limits::kWalkIdle);
  sender_.Send(*from_, Lane::kControl, WalkAbort{number_, "another peer gives it"});
  Drop();
  return true;
}

void WalkReceiver::Drop() {
  from_.reset();
  early_.clear();
  pieces_ = {};
  staged_bytes_ = 0;
}

void WalkReceiver::OnAbort(NodeId peer, const WalkAbort& abort) {
  if (from_ == peer && abort.walk == number_) Drop();
}

void WalkReceiver::RemovePeer(NodeId peer) {
  if (from_ == peer) Drop();
}

void WalkReceiver::OnTick(Instant now) {
  if (!busy()) return;
  if (now >= progress_ + limits::kWalkIdle) return Drop();
  // No part yet: the request may be lost, or the sender busy with others.
  if (received_ == 0 && early_.empty() && now >= asked_at_ + limits::kWalkResend) {
    asked_at_ = now;
    sender_.Send(*from_, Lane::kControl, request_);
  }
}

Instant WalkReceiver::NextTimer() const {
  if (!busy()) return Instant::max();
  const Instant idle = progress_ + limits::kWalkIdle;
  if (received_ > 0 || !early_.empty()) return idle;
  return std::min<Instant>(idle, asked_at_ + limits::kWalkResend);
}

}  // namespace starling
