#include "replication/replicator.h"

#include <algorithm>

#include "replication/limits.h"
#include "replication/replicator_impl.h"

namespace starling {

Replicator::Replicator(const ReplicatorOptions& options, Store& store,
                       std::shared_ptr<spdlog::logger> log)
    : impl_(std::make_unique<Impl>(options, store, std::move(log))) {}

Replicator::~Replicator() = default;

void Replicator::Start(Instant now, Effects& effects) {
  Impl& impl = *impl_;
  Impl::Input input(impl, effects, now);
  impl.dialer_.Set(Dialer::kSeed, impl.options_.seeds, /*replace=*/true, now);
  if (!impl.record_) {
    if (const auto created = impl.creation_->Start(now)) {
      impl.Adopt(*created, /*persisted=*/true, /*created=*/true, now);
    }
  } else {
    impl.leasing_.Begin(*impl.record_, /*created=*/false, now);
    impl.clocks_.SetMembers(impl.list_.members().size());
  }
}

void Replicator::OnConnected(LinkId link, const Address& dialled, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->links_.OnConnected(link, dialled, now);
}

void Replicator::OnDialFailed(const Address& address, bool refused, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  if (refused) {
    for (const auto& [name, member] : impl_->swim_.members()) {
      if (member.address != address || member.linked) continue;
      const std::string gone = name;  // the table changes below
      impl_->swim_.OnRefused(gone, now);
      break;
    }
  }
  impl_->dialer_.OnFailed(address, now);
}

void Replicator::OnDisconnected(LinkId link, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->links_.OnDisconnected(link, now);
  const auto connected = [this](NodeId id) { return impl_->links_.Connected(id); };
  if (impl_->leaving_) return;
  for (Address& address : impl_->dialer_.Due(now, connected)) {
    effects.emplace_back(DialEffect{std::move(address)});
  }
}

void Replicator::OnFrame(LinkId link, std::string_view frame, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->links_.OnFrame(link, frame, now);
}

void Replicator::RememberLocalBatch(const BatchHeader& header, SharedBytes bytes) {
  impl_->streams_.RememberLocalBatch(header, std::move(bytes));
}

void Replicator::OnLocalBatches(std::vector<OwnBatch> batches, Instant now, Effects& effects) {
  if (impl_->effects_ != nullptr) {  // a commit of the replicator's own, within another input
    std::move(batches.begin(), batches.end(), std::back_inserter(impl_->handed_in_));
    return;
  }
  Impl::Input input(*impl_, effects, now);
  impl_->TakeOwnBatches(batches, now);
}

void Replicator::SetSuspended(bool suspended, Instant now, Effects& effects) {
  Impl& impl = *impl_;
  if (impl.suspended_ == suspended) return;
  Impl::Input input(impl, effects, now);
  impl.suspended_ = suspended;
  impl.leasing_.SetSuspended(suspended, now);
  if (suspended) return;
  impl.list_dirty_ = true;
  impl.streams_.ReportToAll(now);
}

void Replicator::OnTick(Instant now, Effects& effects) {
  Impl& impl = *impl_;
  Impl::Input input(impl, effects, now);
  impl.links_.OnTick(now);
  impl.swim_.OnTick(now);
  if (!impl.suspended_) impl.TickKeyspace(now);
  if (impl.record_) impl.leasing_.OnTick(now);
  impl.forwarding_.OnTick(now);
  impl.order_book_.OnTick(now);
  if (impl.leaving_) return;
  const auto connected = [&impl](NodeId id) { return impl.links_.Connected(id); };
  for (Address& address : impl.dialer_.Due(now, connected)) {
    effects.emplace_back(DialEffect{std::move(address)});
  }
}

Instant Replicator::NextTimer() const {
  const Impl& impl = *impl_;
  const auto connected = [&impl](NodeId id) { return impl.links_.Connected(id); };
  Instant next = std::min(impl.links_.NextTimer(), impl.swim_.NextTimer());
  if (!impl.suspended_) next = std::min(next, impl.NextKeyspaceTimer());
  next = std::min({next, impl.forwarding_.NextTimer(), impl.order_book_.NextTimer()});
  if (impl.record_) next = std::min(next, impl.leasing_.NextTimer());
  if (impl.leaving_ && !impl.left_) next = std::min(next, impl.leave_until_);
  if (impl.leaving_) return next;
  return std::min(next, impl.dialer_.NextTimer(connected));
}

void Replicator::OnMeetingFolder(const std::vector<Address>& addresses,
                                 const std::optional<ClusterRecord>& record, Instant now,
                                 Effects& effects) {
  Impl& impl = *impl_;
  Impl::Input input(impl, effects, now);
  impl.dialer_.Set(Dialer::kFolder, addresses, /*replace=*/true, now);
  if (!record || impl.suspended_) return;
  if (!impl.record_) {
    impl.Meet(*record, now);
  } else if (impl.record_->id != record->id &&
             impl.refused_folder_.insert(std::to_string(record->id)).second) {
    impl.Emit(EventEffect::Kind::kPeerRefused, impl.store_.name(),
              "the meeting folder belongs to cluster " + std::to_string(record->id) +
                  ", this node's data to cluster " + std::to_string(impl.record_->id) +
                  "; start it on an empty data folder to join the former");
  }
}

void Replicator::AddSeeds(const std::vector<Address>& seeds, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->dialer_.Set(Dialer::kSeed, seeds, /*replace=*/false, now);
}

void Replicator::Leave(Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  if (impl_->leaving_) return;
  impl_->leaving_ = true;
  impl_->leave_until_ = now + limits::kLeaveTime;
  if (const Status committed = impl_->store_.journal().Commit(); !committed) {
    impl_->log_->error("event=leave_uncommitted error=\"{}\"", committed.error().message);
  }
  impl_->leasing_.Resign(now);
  impl_->streams_.ReportToAll(now);
}

bool Replicator::Left() const { return impl_->left_; }

Status Replicator::Forget(const std::vector<std::string>& names, Instant now, Effects& effects) {
  Impl& impl = *impl_;
  Impl::Input input(impl, effects, now);
  if (!impl.record_) return Error{Code::kRefused, "this node is in no cluster yet"};
  for (const std::string& name : names) {
    if (auto why = impl.WhyNotEnded(name, now)) return *std::move(why);
  }
  if (names.empty()) return Error{Code::kInvalidArgument, "no member named"};
  return impl.BeginForgetting({names.begin(), names.end()}, now);
}

std::optional<Error> Replicator::Impl::WhyNotEnded(const std::string& name, Instant now) const {
  if (name == store_.name()) {
    return Error{Code::kRefused, "'" + name + "' is this node; stop it, and ask who leads then"};
  }
  if (!list_.IsMember(name)) return Error{Code::kNotFound, "no member '" + name + "'"};
  if (leasing_.Votes(name)) {
    return Error{Code::kRefused, "'" + name +
                                     "' is a voter, and the voters decide on ends: first " +
                                     "STARLING VOTERS REMOVE " + name + ", then forget it"};
  }
  const auto member = swim_.members().find(name);
  const bool alive =
      links_.Hears(NodeId::FromName(name), now) ||
      (member != swim_.members().end() && (member->second.state == MemberState::kAlive ||
                                           member->second.state == MemberState::kSuspect));
  if (alive) return Error{Code::kRefused, "'" + name + "' is alive; stop it first"};
  return std::nullopt;
}

Result<std::string> Replicator::ChangeVoters(const VoterRequest& request, Instant now,
                                             Effects& effects) {
  Impl& impl = *impl_;
  Impl::Input input(impl, effects, now);
  if (!impl.record_) return Error{Code::kUnavailable, "this node is in no cluster yet"};
  Result<std::string> changed = impl.leasing_.ChangeVoters(request, now);
  impl.list_dirty_ = true;  // what was written counts at the end of this input
  return changed;
}

void Replicator::AwaitMajority(uint64_t epoch, Stamp upto, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->leasing_.AwaitMajority(epoch, upto);
}

void Replicator::AskHoldings(Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->streams_.AskHoldings(now);
}

void Replicator::Submit(std::vector<std::pair<uint64_t, Order>> orders, Instant now,
                        Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->FollowHolder(impl_->leasing_.View(now), now);
  impl_->forwarding_.Submit(std::move(orders), now);
}

bool Replicator::OutOfReach(Instant now) const { return impl_->forwarding_.OutOfReach(now); }

void Replicator::OnClientGone(uint64_t client, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->forwarding_.OnClientGone(client);
}

void Replicator::OnExecuted(const PeerProcess& peer, std::vector<ExecutedOrder> executed,
                            Stamp upto, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->order_book_.OnExecuted(peer, std::move(executed), upto);
}

void Replicator::OnProcessEnded(uint64_t session, Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->leasing_.OnProcessEnded(session, now);
  impl_->forwarding_.OnProcessEnded(session, now);
  impl_->order_book_.OnProcessEnded(session);
}

void Replicator::UseEpochFolder(EpochFolder& folder, uint64_t cluster, const std::string& boot_id,
                                Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->leasing_.UseFolder(folder, cluster, boot_id, now);
}

void Replicator::OnEpochFolder(Instant now, Effects& effects) {
  Impl::Input input(*impl_, effects, now);
  impl_->leasing_.OnFolder(now);
}

std::optional<ClusterRecord> Replicator::cluster() const { return impl_->record_; }

LeaseView Replicator::lease_view(Instant now) const { return impl_->leasing_.View(now); }

const char* NameOf(LeaseMode mode) {
  switch (mode) {
    case LeaseMode::kFolder:
      return "folder";
    case LeaseMode::kNamed:
      return "named";
    case LeaseMode::kNone:
      break;
  }
  return "none";
}

uint64_t Replicator::LeadsEpoch(Instant now) const { return impl_->leasing_.LeadsEpoch(now); }

LeaseInfo Replicator::lease(Instant now) const {
  const Leasing& leasing = impl_->leasing_;
  const Lease& lease = leasing.lease();
  const uint64_t led = leasing.LeadsEpoch(now);
  LeaseInfo info;
  info.mode = leasing.mode();
  info.view = leasing.View(now);
  if (info.view.leading) {
    info.valid_for =
        std::chrono::duration_cast<std::chrono::milliseconds>(info.view.valid_until - now);
  }
  info.voters = lease.voters().names;
  info.voters_version = info.voters.empty() ? 0 : lease.voters().version;
  info.voters_held = leasing.VotersHeld();
  info.voters_wanted = leasing.VotersWantedNow();
  info.epoch = led != 0 ? led : lease.epoch();
  info.holding = led != 0;
  info.promised = lease.promised();
  info.recovering = lease.recovering();
  return info;
}

std::vector<MemberInfo> Replicator::members() const {
  const Impl& impl = *impl_;
  const VersionVector held = impl.streams_.Visible();
  const Origin own = impl.store_.origin();
  std::map<std::string, MemberInfo> all;
  for (const std::string& name : impl.list_.members()) {
    all[name].state = MemberState::kDead;  // unless somebody has heard of it
  }
  for (const auto& [name, member] : impl.swim_.members()) {
    MemberInfo& info = all[name];
    info.address = member.address;
    info.state = member.state;
    info.rtt = member.rtt;
    const bool ended = impl.list_.EndOf(name) != nullptr;
    if (ended) info.state = MemberState::kForgotten;
  }
  MemberInfo& self = all[impl.store_.name()];
  self.address = impl.options_.advertise;
  self.state = impl.left_ ? MemberState::kLeft : MemberState::kAlive;
  self.self = true;
  std::vector<MemberInfo> infos;
  for (auto& [name, info] : all) {
    info.name = name;
    info.id = NodeId::FromName(name);
    info.connected = impl.links_.Connected(info.id);
    const auto origin = impl.peer_origin_.find(info.id);
    const Origin present = info.self                           ? own
                           : origin != impl.peer_origin_.end() ? origin->second
                                                               : Origin{info.id, 0};
    info.held = held.Get(present);
    const VersionVector* theirs = impl.streams_.HeldBy(info.id);
    info.acknowledged = info.self ? held.Get(own) : theirs ? theirs->Get(own) : Stamp{};
    infos.push_back(std::move(info));
  }
  return infos;
}

Keyspace::Stability Replicator::stability() const { return impl_->ComputeStability(); }

std::optional<std::string> Replicator::WriteRefusal() const {
  if (!impl_->clock_ahead_) return std::nullopt;
  return "this node's clock is ahead of the members' median by more than max_clock_skew";
}

int Replicator::HoldersOf(const VersionVector& positions) const {
  const Impl& impl = *impl_;
  const std::optional<VersionVector> wanted = impl.WantedFor(positions);
  if (!wanted) return 0;
  int holders = impl.store_.vector().Covers(*wanted) ? 1 : 0;
  for (const auto& [peer, cluster] : impl.peer_cluster_) {
    const VersionVector* held = impl.streams_.HeldBy(peer);
    if (held != nullptr && impl.list_.IsMember(peer) && held->Covers(*wanted)) ++holders;
  }
  return holders;
}

}  // namespace starling
