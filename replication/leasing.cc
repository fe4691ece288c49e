#include "replication/leasing.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "replication/joining.h"
#include "replication/limits.h"
#include "replication/peer_codec.h"

namespace starling {
Leasing::Leasing(Store& store, const MemberList& list, const Links& links, PeerSender& sender,
                 Streams& streams, const Stability& stability, const Joining& joining,
                 std::mt19937_64& random, const Options& options,
                 std::shared_ptr<spdlog::logger> log)
    : store_(store),
      list_(list),
      links_(links),
      sender_(sender),
      streams_(streams),
      stability_(stability),
      joining_(joining),
      options_(options),
      log_(std::move(log)),
      lease_({.name = store.name(), .session = options.session, .rules = options.rules}, *this,
             random, log_) {
  streams_.SayLease([this] { return Streams::LeaseWords{lease_.promised(), leads()}; });
}

void Leasing::Begin(const ClusterRecord& record, bool created, Instant now) {
  if (begun_) return;
  begun_ = true;
  created_ = created;
  last_loss_ = store_.last_loss();
  std::optional<LeaseRecord> known;
  if (const auto bytes = store_.GetRecord(record_names::kLease); bytes && *bytes) {
    const auto decoded = DecodeLeaseRecord(**bytes);
    if (decoded) {
      known = *decoded;
    } else {
      log_->error("event=record_unreadable record={} error=\"{}\"", record_names::kLease,
                  decoded.error().message);
    }
  } else if (created) {
    LeaseRecord fresh;
    fresh.incarnation = last_loss_;
    if (Persist(fresh)) known = fresh;
  }
  VoterSet voters = ReadVoters(store_.keyspace());
  if (voters.version == 0) voters = {1, record.voters};
  lease_.Start(known, last_loss_, voters, now);
  cluster_ = record;
  RefreshEpochs(now);
  BeginFolder();
}

void Leasing::UseFolder(EpochFolder& folder, uint64_t cluster, const std::string& boot_id,
                        Instant now) {
  voting_ = {&folder, cluster, boot_id};
  BeginFolder();
  OnFolder(now);
}

void Leasing::BeginFolder() {
  if (!begun_ || folder_ || voting_.folder == nullptr || voting_.cluster != cluster_.id) return;
  if (!lease_.voters().names.empty()) return;
  folder_ = std::make_unique<FolderLeasing>(
      *voting_.folder, EpochHolder{store_.name(), options_.session, voting_.boot_id},
      FolderLeasing::Node{store_, streams_, stability_, [this] { return HighestKnown(); },
                          [this](uint64_t epoch) { return WriteEpoch(epoch, {}); },
                          [this] { return ListNow(); }, [this] { return Belongs(ListNow()); },
                          created_},
      log_);
  look_ = true;
}

bool Leasing::Belongs(const MemberList& list) const {
  return list.IsMember(store_.id()) && !list.IsStopped(store_.id());
}

MemberList Leasing::ListNow() const {
  MemberList list(store_.keyspace());
  list.Refresh(cluster_);
  list.Cap(list_.caps());
  return list;
}

/// Who is about to enter or to end, or cannot write, would only keep those who can from leading.
bool Leasing::MayLead(Instant now) const {
  return Belongs(list_) && !joining_.target() && !store_.journal().read_only() &&
         now >= abstains_until_;
}

void Leasing::Abstain(Instant now) {
  if (!folder_ || suspended_) return;
  // Told once a second, by each who might lead instead.
  abstains_until_ = now + 3 * limits::kRoundInterval;
  OnFolder(now);
}

void Leasing::GiveBackIfUnable(Instant now) {
  if (folder_ && folder_->leads() != 0 && !MayLead(now)) OnFolder(now);
}

void Leasing::SetSuspended(bool suspended, Instant now) {
  suspended_ = suspended;
  look_ = true;
  lease_.SetMayStand(!suspended, now);
}

void Leasing::Look(Instant now) {
  if (!suspended_ && std::exchange(look_, false)) OnFolder(now);
}

void Leasing::OnFolder(Instant now) {
  if (MayLook()) folder_->OnChange(MayLead(now), now);
  FollowHandOver(now);
}

void Leasing::OnProcessEnded(uint64_t session, Instant now) {
  lease_.OnProcessEnded(session, now);
  OnFolder(now);
}

void Leasing::OnTick(Instant now) {
  // Who cannot write only keeps those who can from leading.
  if (lease_.leads() != 0 && store_.journal().read_only()) lease_.Resign(now);
  lease_.OnTick(now);
  if (MayLook()) folder_->OnTick(MayLead(now), now);
  FollowHandOver(now);
}

Instant Leasing::NextTimer() const {
  Instant next = lease_.NextTimer();
  if (MayLook()) next = std::min(next, folder_->NextTimer(!suspended_));
  return next;
}

void Leasing::Resign(Instant now) {
  lease_.Resign(now);
  if (folder_) folder_->Resign();
}

void Leasing::OnPeerSilent(NodeId peer) {
  const auto known = peers_.find(peer);
  if (known != peers_.end()) known->second.leads = 0;
}

void Leasing::OnPeerLost(NodeId peer) {
  peers_.erase(peer);
  look_ = true;  // its process may have ended
}

uint64_t Leasing::LeadsEpoch(Instant now) const {
  if (folder_) return folder_->Holding(now) ? folder_->leads() : 0;
  if (!options_.rules.lease_is_checked) return lease_.leads();
  return lease_.Holding(now) ? lease_.epoch() : 0;
}

LeaseMode Leasing::mode() const {
  if (!begun_) return LeaseMode::kNone;
  if (!lease_.voters().names.empty()) return LeaseMode::kNamed;
  return folder_ ? LeaseMode::kFolder : LeaseMode::kNone;
}

uint64_t Leasing::HighestKnown() const {
  uint64_t highest = known_epoch_;
  for (const auto& [id, peer] : peers_) highest = std::max(highest, peer.leads);
  return highest;
}

void Leasing::NoticeLoss(Instant now) {
  if (!begun_ || store_.last_loss() == last_loss_) return;
  last_loss_ = store_.last_loss();
  lease_.OnIncarnation(last_loss_, now);
}

void Leasing::OnMessage(NodeId from, const LeaseMessage& message, Instant now) {
  const Hello* hello = links_.HelloOf(from);
  if (!begun_ || hello == nullptr) return;
  lease_.OnMessage({hello->node_name, hello->session}, message, now);
}

/// A voter may hold of an ended stream what does not count any more: that is not asked for.
bool Leasing::Holds(const VersionVector& vector) const {
  return streams_.Visible().Covers(list_.Wanted(vector));
}

Status Leasing::Persist(const LeaseRecord& record) {
  return store_.PutRecord(record_names::kLease, EncodeLeaseRecord(record));
}

EpochRecord Leasing::RecordOf(uint64_t epoch, const VoterSet& voters) const {
  const EpochRecords records = ReadEpochRecords(store_.keyspace());
  const auto since = records.lower_bound(epoch);
  const uint64_t follows = since == records.begin() ? 0 : std::prev(since)->first;
  return {store_.name(), ListNow().Visible(store_.vector()), voters, follows};
}

Status Leasing::WriteEpoch(uint64_t epoch, const VoterSet& voters) {
  const EpochRecord record = RecordOf(epoch, voters);
  WriteEpochRecord(store_.keyspace(), epoch, record);
  if (Status committed = store_.journal().Commit(); !committed) return committed;
  majority_.Begin({epoch, store_.origin(), store_.journal().upto(), record.vector});
  known_epoch_ = epoch;
  known_ = record;
  return {};
}

void Leasing::Send(const std::string& voter, const LeaseMessage& message) {
  sender_.Send(NodeId::FromName(voter), Lane::kControl, message);
}

void Leasing::Pull(const std::string& voter) { streams_.ReportTo(NodeId::FromName(voter)); }

// --- what others say, and what others hear ---

void Leasing::OnReport(NodeId from, const Report& report) {
  const Hello* hello = links_.HelloOf(from);
  if (hello == nullptr) return;
  const bool any = !options_.rules.only_own_epoch_counts;
  majority_.OnReport(hello->node_name, any ? majority_.epoch() : report.promised, report.vector);
  Peer& peer = peers_[from];
  if (report.sequence <= peer.sequence) return;
  peer = {report.sequence, report.leads};
}

void Leasing::RefreshEpochs(Instant now) {
  if (!begun_) return;
  const EpochRecords records = ReadEpochRecords(store_.keyspace());
  if (!records.empty() && records.rbegin()->first > known_epoch_) {
    known_epoch_ = records.rbegin()->first;
    known_ = records.rbegin()->second;
  }
  const VoterSet voters = ReadVoters(store_.keyspace());
  if (voters.version <= lease_.voters().version) return;
  lease_.SetVoters(voters, now);
  if (!folder_ || voters.names.empty()) return;
  folder_->Resign();  // named voters have taken its place
  folder_.reset();
}

/// A holder waits for a majority that holds its epoch's beginning before it can acknowledge
/// anything: the voter reports as soon as it does, without waiting for the next round.
void Leasing::AcknowledgeBeginning() {
  if (known_epoch_ <= acknowledged_epoch_ || lease_.promised() != known_epoch_) return;
  const NodeId holder = NodeId::FromName(known_.holder);
  if (holder == store_.id() || !streams_.HasPeer(holder) || !Holds(known_.vector)) return;
  // Of the own stream the report says only what is held for good.
  if (known_.vector.Get(store_.origin()) > store_.journal().held()) return;
  acknowledged_epoch_ = known_epoch_;
  streams_.ReportTo(holder);
}

void Leasing::AwaitMajority(uint64_t epoch, Stamp upto) {
  if (majority_.epoch() == epoch) majority_.Await(upto);
}

LeaseView Leasing::View(Instant now) const {
  LeaseView view;
  view.epoch = known_epoch_;
  const NodeId* holder = nullptr;
  for (const auto& [id, peer] : peers_) {
    if (peer.leads == 0 || peer.leads < view.epoch) continue;
    view.epoch = peer.leads;
    holder = &id;
  }
  const uint64_t led = LeadsEpoch(now);
  if (led != 0 && led >= view.epoch) {
    const Instant until = folder_ ? folder_->valid_until() : lease_.valid_until();
    return {led, true, until, store_.name(), majority_.begun()};
  }
  const Hello* hello = holder == nullptr ? nullptr : links_.HelloOf(*holder);
  if (hello != nullptr) view.holder = hello->node_name;
  return view;
}

std::optional<Stamp> Leasing::AdvanceMajority(Instant now) {
  if (majority_.epoch() != 0 && leads() != majority_.epoch()) majority_.End();
  if (!majority_.waits()) {
    if (folder_) folder_->Relieve(now);
    return std::nullopt;
  }
  if (folder_) {  // the only voter: what it holds counts
    const Stamp kept = folder_->Keep(now);
    if (leads() != majority_.epoch()) {
      majority_.End();
      return std::nullopt;
    }
    return majority_.Advance(VoterSet{1, {store_.name()}}, store_.name(), kept, {});
  }
  return majority_.Advance(lease_.voters(), store_.name(), store_.journal().held(),
                           list_.Visible(majority_.beginning().vector));
}

void Leasing::Tell(Instant now, Effects& effects) {
  if (!begun_) return;
  AcknowledgeBeginning();
  const std::optional<Stamp> held = suspended_ ? std::nullopt : AdvanceMajority(now);
  if (!suspended_) AdvanceChange(now);
  if (leads() != said_) {
    said_ = leads();
    streams_.ReportToAll(now);
  }
  LeaseView view = View(now);
  if (view != told_) {
    told_ = std::move(view);
    effects.emplace_back(LeaseEffect{told_});
  }
  if (held) effects.emplace_back(MajorityEffect{majority_.epoch(), *held});
}

}  // namespace starling
