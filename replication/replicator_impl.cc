// Links and messages: which machine hears what.
#include "replication/replicator_impl.h"

#include <algorithm>

#include "replication/limits.h"
#include "storage/check.h"

namespace starling {
namespace {

uint64_t Draw(std::mt19937_64& random) {
  uint64_t drawn = 0;
  while (drawn == 0) drawn = random();
  return drawn;
}

/// All but what membership, the lease, orders and acknowledgements are kept up with.
bool NeedsKeyspace(const PeerMessage& message) {
  return !std::holds_alternative<SwimMessage>(message) &&
         !std::holds_alternative<LeaseMessage>(message) &&
         !std::holds_alternative<ForwardingMessage>(message) &&
         !std::holds_alternative<Report>(message);
}

}  // namespace

Replicator::Impl::Impl(const ReplicatorOptions& options, Store& store,
                       std::shared_ptr<spdlog::logger> log)
    : options_(options),
      store_(store),
      log_(std::move(log)),
      random_(options.random_seed),
      session_(Draw(random_)),
      list_(store.keyspace()),
      clocks_(options.max_clock_skew),
      links_(*this, store.name(), options.secret, random_, log_),
      dialer_(options.advertise, random_),
      swim_({store.name(), options.advertise,
             static_cast<uint64_t>(store.clock().time().WallMillis())},
            links_, random_),
      streams_(store, list_, clocks_, links_, random_, log_),
      walk_sender_(store, list_, links_, log_),
      walk_receiver_(links_, random_() >> 16),
      joining_(store, list_, log_),
      forgetting_(store, list_, links_, log_),
      ending_(store, list_, log_),
      leasing_(store, list_, links_, links_, streams_, stability_, joining_, random_,
               {session_, options.lease_rules}, log_),
      forwarding_(store, links_, *this),
      order_book_(store, links_, *this),
      own_start_(store.journal().upto()) {
  LoadRecords();
}

// --- inputs ---

Replicator::Impl::Input::Input(Impl& impl, Effects& effects, Instant now) : impl_(impl), now_(now) {
  STARLING_CHECK(impl_.effects_ == nullptr);
  impl_.effects_ = &effects;
  impl_.links_.BindEffects(&effects);
  if (impl_.swim_.StoodStill(now)) {
    impl_.clocks_.OnPause();
    impl_.asked_before_pause_ = impl_.swim_.asked();
  }
}

Replicator::Impl::Input::~Input() {
  impl_.leasing_.NoticeLoss(now_);
  impl_.leasing_.Look(now_);
  const bool suspended = impl_.suspended_;
  if (!suspended) impl_.AdvanceJoining(now_);
  for (int i = 0; i < 4 && (impl_.list_dirty_ || !impl_.handed_in_.empty()); ++i) {
    if (impl_.list_dirty_ && !suspended) impl_.RefreshList(now_);
    while (!impl_.handed_in_.empty()) {
      impl_.TakeOwnBatches(std::exchange(impl_.handed_in_, {}), now_);
    }
  }
  impl_.TellOfLease(now_);
  impl_.FollowHolder(impl_.leasing_.told(), now_);
  impl_.FlushEvents();
  impl_.CheckLeft(now_);
  impl_.effects_ = nullptr;
  impl_.links_.BindEffects(nullptr);
}

void Replicator::Impl::TellOfLease(Instant now) {
  const bool took = leasing_.TookState();
  if (took) {
    RefreshList(now);
    leasing_.GiveBackIfUnable(now);  // that state may say that this node has ended, or is to
  }
  leasing_.Tell(now, *effects_);
  if (took) streams_.ReportToAll(now);
}

void Replicator::Impl::TakeOwnBatches(std::span<const OwnBatch> batches, Instant now) {
  for (const OwnBatch& batch : batches) {
    const bool own = batch.header.origin == store_.origin();
    if (own && !own_first_) own_first_ = batch.header.upto;
  }
  streams_.OnLocalBatches(batches, now);
}

void Replicator::Impl::Emit(EventEffect::Kind kind, const std::string& member,
                            const std::string& detail) {
  effects_->emplace_back(EventEffect{kind, member, detail});
}

void Replicator::Impl::FlushEvents() {
  for (EventEffect& event : swim_.TakeEvents()) {
    if (event.kind == EventEffect::Kind::kMemberDown) {
      leasing_.OnPeerSilent(NodeId::FromName(event.member));
    }
    effects_->emplace_back(std::move(event));
  }
}

std::string Replicator::Impl::NameOfPeer(NodeId peer) const {
  const Hello* hello = links_.HelloOf(peer);
  return hello == nullptr ? peer.ToString() : hello->node_name;
}

std::chrono::milliseconds Replicator::Impl::Ahead(Stamp clock) const {
  return std::chrono::milliseconds(clock.millis() - store_.clock().NowMillis());
}

// --- links ---

Hello Replicator::Impl::MakeHello() {
  Hello hello;
  hello.protocol = kProtocolRange;
  hello.cluster_name = options_.cluster_name;
  hello.cluster_id = record_ ? record_->id : 0;
  hello.node_name = store_.name();
  hello.incarnation = store_.origin().incarnation;
  hello.session = session_;
  hello.wall_millis = store_.clock().time().WallMillis();
  hello.clock = Stamp::FirstOf(store_.clock().NowMillis());
  hello.address = options_.advertise;
  const size_t members =
      std::max<size_t>(list_.members().size(), static_cast<size_t>(std::max(options_.expect, 1)));
  hello.members = static_cast<uint32_t>(members);
  hello.boot_id = options_.boot_id;
  hello.process = options_.process;
  return hello;
}

std::optional<Refusal> Replicator::Impl::Admit(const Hello& hello) {
  if (hello.node_name == store_.name()) {
    if (hello.session == session_) return Refusal{RefusalCode::kName, "this is the node itself"};
    return Refusal{RefusalCode::kNodeConnected,
                   "another process is named '" + store_.name() + "' too; see --name"};
  }
  const NodeId peer = NodeId::FromName(hello.node_name);
  size_t members = std::max<size_t>(list_.members().size(), hello.members);
  // Who of the two is to join counts too.
  if (record_ && !list_.IsMember(hello.node_name)) ++members;
  if (!record_ && hello.cluster_id != 0) ++members;
  if (auto skewed = clocks_.JudgePeer(peer, Ahead(hello.clock), members)) {
    Emit(EventEffect::Kind::kClockSkew, hello.node_name, *skewed);
    return Refusal{RefusalCode::kClockSkew, *skewed};
  }
  return std::nullopt;
}

void Replicator::Impl::OnPeer(NodeId peer, const Hello& hello, const Address& dialled,
                              Instant now) {
  if (!dialled.empty()) dialer_.OnFound(dialled, peer, /*self=*/false);
  if (!hello.address.empty()) dialer_.SetMember(peer, hello.address, now);
  dialer_.OnLinked(peer, now);
  clocks_.Note(peer, Ahead(hello.clock));
  swim_.OnLinked(hello.node_name, hello.address, now);
  stability_.OnLink(peer);
  leasing_.OnPeerLost(peer);  // what its link before this one said
  forwarding_.OnPeer(peer, hello.session, now);
  order_book_.OnPeer({peer, hello.session});
  peer_process_[peer] = {hello.session, hello.boot_id, hello.process};
  peer_cluster_[peer] = hello.cluster_id;
  peer_origin_[peer] = Origin{peer, hello.incarnation};
  if (record_) {
    Announce(peer);
    Activate(peer, now);
  } else if (hello.cluster_id == 0) {
    creation_->AddPeer(hello.node_name, now);
  }
}

void Replicator::Impl::OnPeerLost(NodeId peer, const std::string& name, Instant now) {
  streams_.RemovePeer(peer);
  leasing_.OnPeerLost(peer);
  if (const auto process = peer_process_.extract(peer)) {
    const Process& was = process.mapped();
    const bool here = !was.line.empty() && !was.boot_id.empty() &&
                      was.boot_id == options_.boot_id && was.line != options_.process;
    if (here) effects_->emplace_back(ProcessEffect{was.session, was.line});
  }
  walk_sender_.RemovePeer(peer);
  walk_receiver_.RemovePeer(peer);
  clocks_.Remove(peer);
  peer_cluster_.erase(peer);
  disputed_.erase(peer);
  if (creation_) creation_->RemovePeer(name);
  forwarding_.OnPeerLost(peer, now);
  order_book_.OnPeerLost(peer, now);
  swim_.OnUnlinked(name, now);
  dialer_.OnLost(peer, now);
}

void Replicator::Impl::OnDialEnded(const Address& dialled, const std::optional<Hello>& peer,
                                   Instant now) {
  if (peer) {
    const bool self = peer->session == session_;
    // Another process of the own name is called again: it may go, and another come in its place.
    if (self || peer->node_name != store_.name()) {
      dialer_.OnFound(dialled, NodeId::FromName(peer->node_name), self);
    }
  }
  dialer_.OnFailed(dialled, now);
}

void Replicator::Impl::OnMessage(NodeId from, const PeerMessage& message, Instant now) {
  swim_.OnHeard(NameOfPeer(from), now);
  forwarding_.OnHeard(from, now);
  if (suspended_ && NeedsKeyspace(message)) return;
  std::visit([&](const auto& one) { On(from, one, now); }, message);
}

// --- streams and walks ---

void Replicator::Impl::On(NodeId from, const Batches& message, Instant now) {
  const auto applied = streams_.OnBatches(from, message, now);
  if (!applied) {
    const bool skew = applied.error().code == Code::kRefused;
    links_.Refuse(from,
                  {skew ? RefusalCode::kClockSkew : RefusalCode::kProtocol,
                   applied.error().message.substr(0, limits::kReasonBytes)},
                  now);
    list_dirty_ = true;
    return;
  }
  list_dirty_ = list_dirty_ || applied->cluster_items;
  if (applied->any) {
    leasing_.OnProgress(now);
    forwarding_.OnProgress(now);
  }
}

void Replicator::Impl::On(NodeId from, const Want& message, Instant now) {
  streams_.OnWant(from, message, now);
}

void Replicator::Impl::On(NodeId from, const Report& message, Instant now) {
  if (message.full) clocks_.Note(from, Ahead(message.clock));
  if (record_ && peer_cluster_.contains(from)) {
    // Only who has this node in its cluster reports to it: its announcement may have been lost.
    peer_cluster_[from] = record_->id;
    Activate(from, now);
  }
  if (!streams_.HasPeer(from)) return;
  if (message.origin.node == from) peer_origin_[from] = message.origin;
  stability_.OnReport(from, message);
  if (!suspended_) NoticeLostWrites(from, message);
  leasing_.OnReport(from, message);
  streams_.OnReport(from, message, now);
}

/// A peer that holds more of the own stream than this process ever wrote knows it from before: the
/// folder is older than the node (a copy, a restored snapshot; COUNTEREXAMPLES 28).
void Replicator::Impl::NoticeLostWrites(NodeId from, const Report& report) {
  const Stamp theirs = report.vector.Get(store_.origin());
  const bool not_ours = theirs > own_start_ && (!own_first_ || theirs < *own_first_);
  const bool beyond = theirs > store_.journal().upto();
  if (!record_ || !list_.IsMember(store_.id()) || !(not_ours || beyond)) return;
  const std::string detail = NameOfPeer(from) + " holds more of this node's stream than it does";
  const bool wrote_since = own_first_.has_value();
  // Without own writes since the start, the lost ones arrive as any stream does. Else two histories
  // stand under one origin: the cluster's counts, and what was written here is issued again.
  const Status wanted = wrote_since ? joining_.WantAgain(*record_) : Status();
  if (wrote_since && wanted) SilenceStreams();
  const auto raised =
      wanted ? store_.RaiseIncarnation(detail) : Result<Store::Between>(wanted.error());
  if (!raised) {
    log_->error("event=incarnation_not_raised error=\"{}\"", raised.error().message);
    return;
  }
  Emit(EventEffect::Kind::kIncarnationRaised, store_.name(), detail);
  own_start_ = Stamp{};
  own_first_.reset();
  streams_.ReportToAll({});
}

void Replicator::Impl::On(NodeId from, const WalkHint&, Instant now) {
  if (!record_ || joining_.target() || !GivesWalks(from)) return;
  if (!walk_receiver_.MakeRoomFor(from, now)) return;
  walk_receiver_.Begin(from, streams_.Visible(), /*whole=*/false, now);
}

void Replicator::Impl::On(NodeId from, const WalkRequest& message, Instant now) {
  if (!record_) return;
  // What it has may be its own beyond its end, over what counts. Only where writes were lost, and
  // nobody may have a state without such, is one given whole; joining.h sorts it out.
  if (joining_.target() && (!message.whole || joining_.after_end())) {
    return walk_sender_.Abort(from, message.walk, kEntersItself);
  }
  walk_sender_.OnRequest(from, message, now);
}

void Replicator::Impl::On(NodeId from, const WalkPart& message, Instant now) {
  if (auto taken = walk_receiver_.OnPart(from, message, now)) TakeWalk(*std::move(taken), now);
}

void Replicator::Impl::On(NodeId from, const WalkCredit& message, Instant now) {
  walk_sender_.OnCredit(from, message, now);
}

void Replicator::Impl::On(NodeId from, const WalkAbort& message, Instant) {
  walk_sender_.OnAbort(from, message);
  walk_receiver_.OnAbort(from, message);
}

void Replicator::Impl::On(NodeId from, const SwimMessage& message, Instant now) {
  const bool answer =
      message.kind == SwimMessage::Kind::kAck || message.kind == SwimMessage::Kind::kNack;
  if (answer && message.sequence > asked_before_pause_) clocks_.OnAnswered(from);
  swim_.OnMessage(NameOfPeer(from), message, now);
}

// --- upkeep ---

void Replicator::Impl::TickKeyspace(Instant now) {
  if (!record_) creation_->OnTick(now);
  walk_sender_.OnTick(now);
  walk_receiver_.OnTick(now);
  if (record_) AdvanceForgetting(now);
  Upkeep(now);
  if (record_) streams_.OnTick(now);
}

Instant Replicator::Impl::NextKeyspaceTimer() const {
  const Instant next = std::min({walk_sender_.NextTimer(), walk_receiver_.NextTimer(),
                                 forgetting_.NextTimer(), next_upkeep_});
  return std::min(next, record_ ? streams_.NextTimer() : creation_->NextTimer());
}

void Replicator::Impl::Upkeep(Instant now) {
  if (now < next_upkeep_) return;
  next_upkeep_ = now + limits::kRoundInterval;
  list_dirty_ = true;
  JudgeOwnClock();
  CommitEmptyIfWaited();
  FollowMembers(now);
  DropStrangers(now);
  ForgetTheAbsent(now);
  SaveAddresses();
  EndEarlierStreams();
  MarkOver();
  WarnIfOutside(now);
  if (record_ && !list_.IsMember(store_.id())) {
    const MemberList::End* end = list_.EndOf(store_.name());
    Enter(*record_, end == nullptr ? std::nullopt : std::optional(end->incarnation));
  }
  for (const auto& [peer, cluster] : peer_cluster_) {
    if (cluster == 0) Announce(peer);  // it may not have heard
  }
  for (const auto& [peer, cluster] : peer_cluster_) {
    if (!streams_.HasPeer(peer)) Announce(peer);  // the one before may have been lost
  }
}

/// Tombstones, and slots to be folded, wait until every member's own stream has passed them: an
/// idle one moves once for them. One that has not begun moves for those tombstones, too, that
/// others still keep and that this node has never seen, having taken the state of somebody who had
/// freed them.
void Replicator::Impl::CommitEmptyIfWaited() {
  const bool waited = store_.keyspace().tombstones() > 0 || store_.WaitsToFold();
  if (!waited && !store_.journal().upto().none()) return;
  if (store_.journal().upto() >= streams_.last_content()) return;
  if (const Status committed = store_.journal().CommitEmpty(); !committed) {
    log_->warn("event=empty_batch_failed error=\"{}\"", committed.error().message);
  }
}

void Replicator::Impl::JudgeOwnClock() {
  if (clocks_.Awaits()) return;
  const auto ahead = clocks_.OwnAhead();
  if (ahead.has_value() == clock_ahead_) return;
  clock_ahead_ = ahead.has_value();
  Emit(EventEffect::Kind::kClockSkew, store_.name(),
       ahead ? "this node's clock is " + std::to_string(ahead->count()) +
                   " ms ahead of the members' median: it draws no stamps until the clock is set"
             : "this node's clock agrees with the members' again");
}

void Replicator::Impl::FollowMembers(Instant now) {
  for (const auto& [name, member] : swim_.members()) {
    const NodeId id = NodeId::FromName(name);
    const bool gone =
        member.state == MemberState::kLeft || (list_.EndOf(name) != nullptr && !member.linked);
    if (gone) {
      dialer_.RemoveMember(id);
    } else if (!member.address.empty()) {
      dialer_.SetMember(id, member.address, now);
    }
  }
}

/// Processes that came and went without belonging leave no trace (I9).
void Replicator::Impl::DropStrangers(Instant now) {
  std::vector<std::string> gone;
  for (const auto& [name, member] : swim_.members()) {
    const bool away = member.state == MemberState::kDead || member.state == MemberState::kLeft;
    const bool long_ago = now >= member.changed + limits::kStrangerKept;
    if (away && long_ago && !member.linked && !list_.IsMember(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) {
    swim_.Remove(name);
    dialer_.RemoveMember(NodeId::FromName(name));
    peer_origin_.erase(NodeId::FromName(name));
  }
}

void Replicator::Impl::SaveAddresses() {
  std::string text;
  for (const auto& [name, member] : swim_.members()) {
    const bool useful =
        !member.address.empty() && member.state != MemberState::kLeft && list_.IsMember(name);
    if (useful) text += name + "\n" + member.address + "\n";
  }
  if (text.empty() || text == saved_addresses_) return;
  if (store_.PutRecord(record_names::kAddresses, text)) saved_addresses_ = text;
}

void Replicator::Impl::CheckLeft(Instant now) {
  if (!leaving_ || left_) return;
  const VersionVector visible = streams_.Visible();
  VersionVector own;
  for (const Origin& origin : {store_.origin(), joining_.rewritten().value_or(store_.origin())}) {
    own.Set(origin, visible.Get(origin));
  }
  // Who is about to enter a cluster hands over after it has entered: its stream counts only then.
  bool handed_over = peer_cluster_.empty() || (own.empty() && !joining_.target());
  for (const auto& [peer, cluster] : peer_cluster_) {
    const VersionVector* held = streams_.HeldBy(peer);
    handed_over = handed_over || (held != nullptr && held->Covers(own));
  }
  if (!handed_over && now < leave_until_) return;
  swim_.Leave();
  left_ = true;
}

std::vector<NodeId> Replicator::Impl::MemberIds() const {
  std::vector<NodeId> ids;
  for (const std::string& name : list_.members()) ids.push_back(NodeId::FromName(name));
  return ids;
}

std::optional<VersionVector> Replicator::Impl::WantedFor(const VersionVector& positions) const {
  VersionVector wanted;
  const Origin own = store_.origin();
  for (const VersionVector::Entry& position : positions.entries()) {
    const Origin& origin = position.origin;
    const bool counts = origin == own || list_.AcceptedUpto(origin) >= position.upto;
    // What lies beyond a member's end was dropped, even where all that precedes it is over.
    if (!counts && origin.node != own.node) return std::nullopt;
    bool issued_again = false;
    if (!counts) {
      const VersionVector held = store_.vector();
      for (const VersionVector::Entry& later : held.entries()) {
        if (later.origin.node != own.node || later.origin == own) continue;
        if (later.origin.incarnation <= origin.incarnation) continue;
        wanted.Raise(later.origin, later.upto);
        issued_again = true;
      }
    }
    if (!issued_again) wanted.Raise(origin, position.upto);
  }
  return wanted;
}

Keyspace::Stability Replicator::Impl::ComputeStability() {
  // Its stream has passed what a power loss leaves of it.
  const Stamp passed = store_.journal().held();
  if (!record_) return {store_.vector(), passed};
  if (!list_.IsMember(store_.id())) return {};
  const VersionVector held = streams_.Visible();
  return stability_.Compute({MemberIds(), store_.id(), held, passed, list_.digest()});
}

}  // namespace starling
