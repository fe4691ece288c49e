// Which cluster this node is in: created, met, joined, left by others' decision.
#include <algorithm>
#include <sstream>

#include "replication/limits.h"
#include "replication/peer_codec.h"
#include "replication/replicator_impl.h"
#include "storage/records.h"

namespace starling {

void Replicator::Impl::LoadRecords() {
  const auto read = [this](const char* name) -> std::optional<std::string> {
    auto record = store_.GetRecord(name);
    if (record) return *record;
    log_->error("event=record_unreadable record={} error=\"{}\"", name, record.error().message);
    return std::nullopt;
  };
  const auto decode = [&](const char* name) -> std::optional<ClusterRecord> {
    const auto bytes = read(name);
    if (!bytes) return std::nullopt;
    auto record = DecodeClusterRecord(*bytes);
    if (record) return *record;
    log_->error("event=record_unreadable record={} error=\"{}\"", name, record.error().message);
    return std::nullopt;
  };
  record_ = decode(record_names::kCluster);
  if (const Status hidden = joining_.Load(); !hidden) {
    log_->error("event=record_unreadable error=\"{}\"", hidden.error().message);
  }
  list_.Refresh(record_);
  if (const Status stopped = forgetting_.Load(); !stopped) {
    log_->error("event=record_unreadable error=\"{}\"", stopped.error().message);
  }
  ClusterCreation::Options creation;
  creation.name = store_.name();
  creation.voters = options_.voters;
  creation.expect = static_cast<uint32_t>(std::max(options_.expect, 0));
  creation.persist = [this](const ClusterRecord& record, bool created) {
    return store_.PutRecord(created ? record_names::kCluster : record_names::kProposal,
                            EncodeClusterRecord(record));
  };
  creation_ = std::make_unique<ClusterCreation>(std::move(creation), links_, random_,
                                                decode(record_names::kProposal));
  if (const auto addresses = read(record_names::kAddresses)) {
    std::istringstream lines(*addresses);
    for (std::string name, address; std::getline(lines, name) && std::getline(lines, address);) {
      dialer_.SetMember(NodeId::FromName(name), address, Instant{});
    }
  }
}

void Replicator::Impl::Adopt(const ClusterRecord& record, bool persisted, bool created,
                             Instant now) {
  if (!persisted) {
    const Status status = store_.PutRecord(record_names::kCluster, EncodeClusterRecord(record));
    if (!status) {
      log_->error("event=cluster_not_adopted error=\"{}\"", status.error().message);
      return;
    }
  }
  record_ = record;
  joining_.Abandon();
  list_.Refresh(record_);
  list_dirty_ = true;
  clocks_.SetMembers(list_.members().size());
  leasing_.Begin(record, created, now);
  Emit(EventEffect::Kind::kClusterJoined, store_.name(), "cluster " + std::to_string(record.id));
  for (const auto& [peer, cluster] : peer_cluster_) {
    creation_->RemovePeer(NameOfPeer(peer));
    Announce(peer);
    Activate(peer, now);
  }
}

void Replicator::Impl::Meet(const ClusterRecord& record, Instant now) {
  if (record_) return;
  // What two phases created, and what the folder created for this node, needs no state of others.
  const auto proposal = store_.GetRecord(record_names::kProposal);
  bool created_with_us = false;
  if (proposal && *proposal) {
    const auto decoded = DecodeClusterRecord(**proposal);
    created_with_us = decoded && decoded->id == record.id;
  }
  const bool alone = record.first_members.size() == 1 && record.first_members[0] == store_.name();
  if (created_with_us || alone) {
    // Voters that join it later cannot show that they have promised nothing: they resume together.
    const bool others_vote =
        alone && !record.voters.empty() && record.voters != record.first_members;
    return Adopt(record, /*persisted=*/false, /*created=*/!others_vote, now);
  }
  Enter(record, std::nullopt);
}

/// `ended`: up to which incarnation this node's streams have ended, if they have.
void Replicator::Impl::Enter(const ClusterRecord& record, std::optional<uint64_t> ended) {
  const Status noted = ended ? joining_.NoteEnd(*ended) : Status();
  if (!noted) {
    log_->error("event=not_entered error=\"{}\"", noted.error().message);
    return;
  }
  if (!joining_.target()) {
    if (record_) {
      // Once it has begun again nobody tells it any more: a restart has to know by itself.
      if (const Status wanted = joining_.WantAgain(record); !wanted) {
        log_->error("event=not_entered error=\"{}\"", wanted.error().message);
        return;
      }
      log_->warn("event=forgotten node={} detail=\"returns by taking the whole state\"",
                 store_.name());
    } else {
      log_->info("event=joining cluster={} node={}", record.id, store_.name());
    }
  }
  if (!record_) joining_.Want(record);
  SilenceStreams();
  if (!ended || store_.origin().incarnation > *ended) return;
  const auto raised = store_.RaiseIncarnation("the former one has ended", /*stamps=*/0, *ended);
  if (!raised) log_->error("event=incarnation_not_raised error=\"{}\"", raised.error().message);
}

void Replicator::Impl::Announce(NodeId peer) {
  if (!record_) return;
  ClusterAnnounce announce{*record_, false, 0, {}};
  if (const MemberList::End* end = list_.EndOf(NameOfPeer(peer))) {
    announce.forgotten = true;
    announce.ended = end->incarnation;
    announce.ends = end->streams;
  }
  links_.Send(peer, Lane::kControl, announce);
}

/// Who is to enter, for the first time or again, tells of no stream before it has: what it writes
/// again has older stamps than what its clients write meanwhile, and stability relies on the end of
/// the stream that it reports.
void Replicator::Impl::SilenceStreams() {
  for (const auto& [peer, cluster] : peer_cluster_) streams_.RemovePeer(peer);
  walk_sender_.AbortAll(kEntersItself);
}

void Replicator::Impl::Activate(NodeId peer, Instant now) {
  const auto cluster = peer_cluster_.find(peer);
  const bool same = record_ && cluster != peer_cluster_.end() && cluster->second == record_->id;
  if (!same || joining_.target() || streams_.HasPeer(peer) ||
      list_.EndOf(NameOfPeer(peer)) != nullptr)
    return;
  streams_.AddPeer(peer, now);
}

void Replicator::Impl::RefreshList(Instant now) {
  list_dirty_ = false;
  leasing_.RefreshEpochs(now);
  list_.SetVoters(leasing_.lease().voters().names);
  const std::vector<std::string> before = list_.members();
  if (!list_.Refresh(record_)) return;
  clocks_.SetMembers(list_.members().size());
  for (const std::string& name : before) {
    if (list_.IsMember(name)) continue;
    const NodeId id = NodeId::FromName(name);
    Emit(EventEffect::Kind::kMemberForgotten, name, "its stream has ended");
    streams_.RemovePeer(id);
    if (!links_.Connected(id)) {
      dialer_.RemoveMember(id);
      swim_.Remove(name);
    } else {
      Announce(id);
    }
  }
  const bool begun = !std::binary_search(before.begin(), before.end(), store_.name()) &&
                     list_.IsMember(store_.id()) && record_;
  if (begun) {
    log_->info("event=begun node={} cluster={}", store_.name(), record_->id);
  }
  for (const auto& [peer, cluster] : peer_cluster_) Activate(peer, now);
  MarkOver();
  streams_.ReportToAll(now);
}

void Replicator::Impl::MarkOver() {
  if (!record_ || joining_.target()) return;
  if (!ending_.Mark()) TakeStateAnew();
}

/// The node holds what only the cluster's whole state can mend.
void Replicator::Impl::TakeStateAnew() {
  if (const Status wanted = joining_.WantAnew(*record_); !wanted) {
    log_->error("event=reentry_not_persisted error=\"{}\"", wanted.error().message);
    return;
  }
  SilenceStreams();
}

void Replicator::Impl::EndEarlierStreams() {
  if (!record_ || joining_.target() || !list_.IsMember(store_.id())) return;
  std::vector<const VersionVector*> others;
  for (const NodeId member : MemberIds()) {
    if (member == store_.id()) continue;
    const VersionVector* latest = stability_.LatestOf(member, list_.digest());
    if (latest == nullptr || !links_.Connected(member)) return;
    others.push_back(latest);
  }
  if (ending_.Write(others)) list_dirty_ = true;
}

// --- messages about clusters ---

bool Replicator::Impl::OutgrownEnd(const ClusterAnnounce& announce) const {
  return list_.IsMember(store_.id()) && list_.BeginOf(store_.name()) > announce.ended;
}

/// It says that this node has ended, and not that it has begun anew. Mostly it is about to hear of
/// that. But who wrote it may have ended itself by then, and it counts for nobody: then this node
/// has to enter once more, by whoever may say so. That does no harm to one that need not.
bool Replicator::Impl::IsDisputedForLong(NodeId peer, Instant now) {
  const auto [since, fresh] = disputed_.try_emplace(peer, now);
  return now >= since->second + limits::kBeginDisputed;
}

void Replicator::Impl::On(NodeId from, const ClusterAnnounce& message, Instant now) {
  creation_->RemovePeer(NameOfPeer(from));
  if (record_ && record_->id != message.record.id) {
    return links_.Refuse(
        from,
        {RefusalCode::kClusterId, "this node is in cluster " + std::to_string(record_->id) +
                                      ", the peer in " + std::to_string(message.record.id) +
                                      "; see --join for how to move a node"},
        now);
  }
  peer_cluster_[from] = message.record.id;
  if (!record_) return Meet(message.record, now);
  const bool ended = message.forgotten && (!OutgrownEnd(message) || IsDisputedForLong(from, now));
  if (ended || !message.forgotten) disputed_.erase(from);
  if (ended) return Enter(message.record, message.ended);
  Activate(from, now);
}

void Replicator::Impl::On(NodeId from, const CreationOffer& message, Instant now) {
  if (record_) return Announce(from);
  creation_->OnOffer(NameOfPeer(from), message, now);
}

void Replicator::Impl::On(NodeId from, const CreationProposal& message, Instant) {
  if (record_) return Announce(from);
  creation_->OnProposal(NameOfPeer(from), message);
}

void Replicator::Impl::On(NodeId from, const CreationAccept& message, Instant now) {
  if (record_) return Announce(from);
  const auto created = creation_->OnAccept(NameOfPeer(from), message);
  if (created) Adopt(*created, /*persisted=*/true, /*created=*/true, now);
}

void Replicator::Impl::On(NodeId from, const BeginRequest& message, Instant now) {
  // Only for itself, only of this cluster or of none, and only by a member whose own entry counts.
  const uint64_t cluster = peer_cluster_[from];
  const bool sound = record_ && message.name == NameOfPeer(from) &&
                     (cluster == 0 || cluster == record_->id) && list_.IsMember(store_.id()) &&
                     !joining_.target();
  if (!sound || list_.IsMember(message.name)) return;
  const MemberList::End* end = list_.EndOf(message.name);
  const uint64_t epoch = StandingNow(now).epoch;
  if (end != nullptr) {
    if (message.incarnation <= end->incarnation) return;
    // Its end was a decision of a leaseholder's, and so is that it begins anew: a member that does
    // not lead may have ended meanwhile, and what it writes then counts nowhere.
    if (epoch == 0) return;
  }
  list_.WriteBegin(message.name, message.incarnation);
  if (const Status committed = store_.journal().Commit(); !committed) {
    log_->error("event=begin_not_written error=\"{}\"", committed.error().message);
  } else if (epoch != 0) {
    leasing_.AwaitMajority(epoch, store_.journal().upto());
  }
  list_dirty_ = true;
}

/// Also of who is linked here: what has begun at another member is brought to its end.
void Replicator::Impl::On(NodeId from, const ForgetRequest& message, Instant) {
  // It answers when it has entered.
  if (joining_.target()) return joining_.ExpectNothingOf(message.names);
  if (!record_ || !list_.IsMember(from)) return;
  if (!forgetting_.OnRequest(from, message)) return;
  log_->warn("event=missed_ends node={} members=\"{}\" detail=\"takes the whole state\"",
             store_.name(), JoinNames(message.names));
  TakeStateAnew();
}

void Replicator::Impl::On(NodeId from, const ForgetReport& message, Instant now) {
  if (!record_) return;
  const Forgetting::Standing standing = StandingNow(now);
  if (forgetting_.OnReport(NameOfPeer(from), message, standing, now)) leasing_.Abstain(now);
  AdvanceForgetting(now);
}

void Replicator::Impl::On(NodeId from, const LeaseMessage& message, Instant now) {
  const auto cluster = peer_cluster_.find(from);
  const bool ours = record_ && cluster != peer_cluster_.end() && cluster->second == record_->id;
  if (ours) leasing_.OnMessage(from, message, now);
}

// --- entering ---

void Replicator::Impl::AdvanceJoining(Instant now) {
  if (!joining_.target() || walk_receiver_.busy() || store_.journal().in_doubt()) return;
  if (now < next_entry_) return;
  std::vector<NodeId> able;
  for (const auto& [peer, cluster] : peer_cluster_) {
    if (cluster == joining_.target()->id) able.push_back(peer);
  }
  if (able.empty()) return;
  next_entry_ = now + limits::kRoundInterval;
  const NodeId asked = able[asked_++ % able.size()];
  // In this order on one lane; where the first is lost the state is refused, and both asked again.
  links_.Send(asked, Lane::kControl, BeginRequest{store_.name(), store_.origin().incarnation});
  walk_receiver_.Begin(asked, {}, /*whole=*/true, now);
}

void Replicator::Impl::WarnIfOutside(Instant now) {
  const auto& target = joining_.target();
  const bool taken_in = target && std::ranges::any_of(peer_cluster_, [&](const auto& peer) {
                          return peer.second == target->id;
                        });
  if (taken_in || (record_ && !target)) return outside_warning_.reset();
  if (!outside_warning_) outside_warning_ = now + limits::kOutsideFor;
  if (now < *outside_warning_) return;
  outside_warning_ = now + limits::kOutsideAgain;
  log_->warn(
      "event=in_no_cluster node={} waits_for=\"{}\" detail=\"until then claims are refused\"",
      store_.name(),
      target ? "a member of cluster " + std::to_string(target->id) + " that answers"
             : creation_->Waiting());
}

bool Replicator::Impl::GivesWalks(NodeId peer) const {
  return list_.EndOf(NameOfPeer(peer)) == nullptr && !list_.IsStopped(peer);
}

void Replicator::Impl::WriteOwnEnd(const MemberList::End& end) {
  list_.WriteEnd(store_.name(), end);
  const Status committed = store_.journal().Commit();
  log_->warn(
      "event=end_cut_short node={} detail=\"nobody had the rest, which was written again\"{}",
      store_.name(), committed ? "" : " error=\"" + committed.error().message + "\"");
}

void Replicator::Impl::TakeWalk(WalkReceiver::Taken taken, Instant now) {
  Stamp newest;
  for (const std::string& piece : taken.pieces) {
    const auto decoded = DecodedBatch::Decode(piece);
    if (!decoded) {
      return links_.Refuse(taken.from, {RefusalCode::kProtocol, decoded.error().message}, now);
    }
    newest = std::max(newest, decoded->vector().Newest());
  }
  if (auto skewed = clocks_.JudgeStamp(newest, store_.clock().NowMillis())) {
    return links_.Refuse(taken.from, {RefusalCode::kClockSkew, *skewed}, now);
  }
  const auto target = joining_.target();
  const bool whole = target || taken.whole;
  // What it has of its own stream may lie beyond its end, decided already or being agreed on.
  if (!target && !GivesWalks(taken.from)) return;
  const Status status = target
                            ? joining_.Complete({taken.from, taken.whole, std::move(taken.pieces)})
                            : store_.ApplyWalk(taken.pieces, taken.whole);
  if (!status && status.error().code == Code::kUnavailable) {
    log_->info("event=walk_refused peer={} reason=\"{}\"", NameOfPeer(taken.from),
               status.error().message);
    return;
  }
  if (!status) {
    log_->error("event=walk_refused peer={} error=\"{}\"", NameOfPeer(taken.from),
                status.error().message);
    return;
  }
  // Only now: later that stream is over, and no own stream ever passes the end of all stamps.
  if (target && joining_.rewritten()) {
    newest = std::max(newest, store_.vector().Get(*joining_.rewritten()));
  }
  streams_.NoteContent(newest);
  Emit(EventEffect::Kind::kWalkTaken, NameOfPeer(taken.from),
       whole ? "whole state" : "what the log no longer had");
  list_dirty_ = true;
  if (target) {
    Adopt(*target, /*persisted=*/true, /*created=*/false, now);
    if (!joining_.took_anew()) forgetting_.OnEntered();
    if (const auto& end = joining_.cut_short()) WriteOwnEnd(*end);
  } else if (store_.keyspace().records().AnyUnsettled()) {
    log_->warn("event=record_unsettled node={} detail=\"takes the whole state\"", store_.name());
    TakeStateAnew();
  }
  leasing_.OnProgress(now);
  streams_.ReportToAll(now);
}

}  // namespace starling
