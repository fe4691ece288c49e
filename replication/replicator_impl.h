/// How the machines of replication/ are put together: who hears what, and in which order.
///
/// Thin: every protocol lives in its own file. replicator_impl.cc has links and messages,
/// replicator_cluster.cc which cluster this node is in. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "replication/clock_judge.h"
#include "replication/cluster_creation.h"
#include "replication/dialer.h"
#include "replication/ending.h"
#include "replication/forgetting.h"
#include "replication/forwarding.h"
#include "replication/joining.h"
#include "replication/leasing.h"
#include "replication/links.h"
#include "replication/member_list.h"
#include "replication/order_book.h"
#include "replication/replicator.h"
#include "replication/stability.h"
#include "replication/streams.h"
#include "replication/swim.h"
#include "replication/walk_receiver.h"
#include "replication/walk_sender.h"

namespace starling {

struct Replicator::Impl final : public LinkHost, public OrderTaker, public OrderRunner {
  Impl(const ReplicatorOptions& options, Store& store, std::shared_ptr<spdlog::logger> log);

  /// Binds the caller's effects for one input; what the input's own commits hand in meanwhile is
  /// taken at its end.
  class Input;

  // --- LinkHost ---
  Hello MakeHello() override;
  std::optional<Refusal> Admit(const Hello& hello) override;
  void OnPeer(NodeId peer, const Hello& hello, const Address& dialled, Instant now) override;
  void OnPeerLost(NodeId peer, const std::string& name, Instant now) override;
  void OnDialEnded(const Address& dialled, const std::optional<Hello>& peer, Instant now) override;
  void OnMessage(NodeId from, const PeerMessage& message, Instant now) override;

  // --- OrderTaker, OrderRunner ---
  void Deliver(uint64_t order, OrderResult result, std::string text,
               const OrderPosition& position) override;
  void Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) override;
  void DropClients(const PeerProcess& peer, const std::vector<uint64_t>& clients) override;
  void DropProcess(const PeerProcess& peer) override;

  void TellOfLease(Instant now);
  void TakeOwnBatches(std::span<const OwnBatch> batches, Instant now);

  // --- messages, by kind ---
  void On(NodeId from, const Batches& message, Instant now);
  void On(NodeId from, const Want& message, Instant now);
  void On(NodeId from, const Report& message, Instant now);
  void On(NodeId from, const WalkHint& message, Instant now);
  void On(NodeId from, const WalkRequest& message, Instant now);
  void On(NodeId from, const WalkPart& message, Instant now);
  void On(NodeId from, const WalkCredit& message, Instant now);
  void On(NodeId from, const WalkAbort& message, Instant now);
  void On(NodeId from, const SwimMessage& message, Instant now);
  void On(NodeId from, const ClusterAnnounce& message, Instant now);
  void On(NodeId from, const CreationOffer& message, Instant now);
  void On(NodeId from, const CreationProposal& message, Instant now);
  void On(NodeId from, const CreationAccept& message, Instant now);
  void On(NodeId from, const BeginRequest& message, Instant now);
  void On(NodeId from, const ForgetRequest& message, Instant now);
  void On(NodeId from, const ForgetReport& message, Instant now);
  void On(NodeId from, const LeaseMessage& message, Instant now);
  void On(NodeId from, const ForwardingMessage& message, Instant now);
  void On(NodeId, const Hello&, Instant) {}  // the links keep these to themselves
  void On(NodeId, const Proof&, Instant) {}
  void On(NodeId, const Refusal&, Instant) {}
  void On(NodeId, const Fragment&, Instant) {}

  // --- which cluster ---
  static constexpr const char* kEntersItself = "this node is entering the cluster itself";
  void LoadRecords();
  /// This node is in `record`'s cluster from now on; `persisted`: its record is on disk already.
  /// `created`: in a creation that it took part in.
  void Adopt(const ClusterRecord& record, bool persisted, bool created, Instant now);
  /// Another node, or the folder, says that this cluster exists, while we are in none.
  void Meet(const ClusterRecord& record, Instant now);
  void Announce(NodeId peer);
  /// Streams flow with those of the same cluster that were not forgotten.
  void Activate(NodeId peer, Instant now);
  void RefreshList(Instant now);
  void AdvanceJoining(Instant now);
  /// A node may wait for long to be in a cluster: its operator has to know for what.
  void WarnIfOutside(Instant now);
  void WriteOwnEnd(const MemberList::End& end);
  void TakeWalk(WalkReceiver::Taken taken, Instant now);
  /// Whether to take from `peer` what the log no longer has.
  bool GivesWalks(NodeId peer) const;
  void SilenceStreams();
  void MarkOver();
  void TakeStateAnew();
  void EndEarlierStreams();
  void Enter(const ClusterRecord& record, std::optional<uint64_t> ended);
  bool OutgrownEnd(const ClusterAnnounce& announce) const;
  bool IsDisputedForLong(NodeId peer, Instant now);

  // --- upkeep ---
  /// Whatever works on the keyspace, by time.
  void TickKeyspace(Instant now);
  Instant NextKeyspaceTimer() const;
  void Upkeep(Instant now);
  void CommitEmptyIfWaited();
  void NoticeLostWrites(NodeId from, const Report& report);
  void JudgeOwnClock();
  void FollowMembers(Instant now);
  /// Tells the forwarding who holds the lease.
  void FollowHolder(const LeaseView& view, Instant now);
  void DropStrangers(Instant now);
  /// The leaseholder ends whom nobody has heard for `forget_after`.
  void ForgetTheAbsent(Instant now);
  /// Why the member cannot be ended; nothing: it can, at the leaseholder.
  std::optional<Error> WhyNotEnded(const std::string& name, Instant now) const;
  /// The one door to it, for the operator and for ForgetTheAbsent.
  Status BeginForgetting(const std::set<std::string>& names, Instant now);
  Forgetting::Standing StandingNow(Instant now) const;
  void AdvanceForgetting(Instant now);
  void SaveAddresses();
  void FlushEvents();
  void CheckLeft(Instant now);
  void Emit(EventEffect::Kind kind, const std::string& member, const std::string& detail);
  std::string NameOfPeer(NodeId peer) const;
  std::chrono::milliseconds Ahead(Stamp clock) const;
  std::vector<NodeId> MemberIds() const;
  Keyspace::Stability ComputeStability();
  /// What a member holds that holds all this; nullopt: some of it counts nowhere any more.
  std::optional<VersionVector> WantedFor(const VersionVector& positions) const;

  ReplicatorOptions options_;
  Store& store_;
  std::shared_ptr<spdlog::logger> log_;
  std::mt19937_64 random_;
  uint64_t session_;
  Effects* effects_ = nullptr;
  std::vector<OwnBatch> handed_in_;

  std::optional<ClusterRecord> record_;
  MemberList list_;
  ClockJudge clocks_;
  Links links_;
  Dialer dialer_;
  Swim swim_;
  Stability stability_;
  Streams streams_;
  WalkSender walk_sender_;
  WalkReceiver walk_receiver_;
  Joining joining_;
  Forgetting forgetting_;
  Ending ending_;
  Leasing leasing_;
  Forwarding forwarding_;
  OrderBook order_book_;
  std::unique_ptr<ClusterCreation> creation_;

  /// What established peers have said of their processes.
  struct Process {
    uint64_t session = 0;
    std::string boot_id;
    std::string line;
  };
  std::map<NodeId, Process> peer_process_;
  std::map<NodeId, uint64_t> peer_cluster_;  // what established peers are in; 0: none
  std::map<NodeId, Instant> disputed_;       // peers that do not know that this node has begun anew
  std::map<NodeId, Origin> peer_origin_;     // as last reported
  std::set<std::string> refused_folder_;     // logged once each
  Instant next_upkeep_{};
  std::optional<Instant> began_;  // of the first upkeep
  Instant next_entry_{};
  std::optional<Instant> outside_warning_;  // when it is due; nothing: it is inside
  size_t asked_ = 0;                        // whom to ask next to begin, and for the state
  bool list_dirty_ = true;
  Stamp own_start_;                 // where the own stream ended when this process began
  std::optional<Stamp> own_first_;  // the end of the first own batch since
  bool clock_ahead_ = false;
  uint64_t asked_before_pause_ = 0;  // the last ping sent before this process stood still
  bool suspended_ = false;           // see SetSuspended
  std::string saved_addresses_;
  bool leaving_ = false;
  bool left_ = false;
  Instant leave_until_{};
};

class Replicator::Impl::Input {
 public:
  Input(Impl& impl, Effects& effects, Instant now);
  ~Input();
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

 private:
  Impl& impl_;
  Instant now_;
};

}  // namespace starling
