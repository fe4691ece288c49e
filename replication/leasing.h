/// Gives the lease machine a node to work on: the store, the links, the streams.
///
/// The voters are those that were stated or forced last, in the beginning those of the cluster's
/// creation record; where that names none, the folder that the host hands in is the voter, and
/// without one nobody leads. leasing_voters.cc has how an operator changes them. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include <spdlog/logger.h>

#include "replication/epoch_record.h"
#include "replication/folder_leasing.h"
#include "replication/joining.h"
#include "replication/lease.h"
#include "replication/links.h"
#include "replication/majority.h"
#include "replication/member_list.h"
#include "replication/streams.h"
#include "storage/store.h"

namespace starling {

class Leasing final : private LeaseHost {
 public:
  struct Options {
    uint64_t session = 0;
    LeaseRules rules;
  };

  Leasing(Store& store, const MemberList& list, const Links& links, PeerSender& sender,
          Streams& streams, const Stability& stability, const Joining& joining,
          std::mt19937_64& random, const Options& options, std::shared_ptr<spdlog::logger> log);

  /// This node is in `record`'s cluster. `created`: it took part in the creation, and so has
  /// promised nothing yet; who comes later, or has lost its record, recovers first.
  void Begin(const ClusterRecord& record, bool created, Instant now);
  /// The folder that votes for `cluster`, if that names no voters; outlives this. `boot_id`: of
  /// this host.
  void UseFolder(EpochFolder& folder, uint64_t cluster, const std::string& boot_id, Instant now);
  /// The folder has changed, or a process of this host may have ended.
  void OnFolder(Instant now);
  /// The store may have lost something meanwhile (Store::last_loss): what this voter said before.
  void NoticeLoss(Instant now);

  void OnMessage(NodeId from, const LeaseMessage& message, Instant now);
  /// More is held than before.
  void OnProgress(Instant now) { lease_.OnProgress(now); }
  void OnTick(Instant now);
  /// See Replicator::SetSuspended: what is held is kept, nothing is taken over or written.
  void SetSuspended(bool suspended, Instant now);
  void OnProcessEnded(uint64_t session, Instant now);
  Instant NextTimer() const;
  void Resign(Instant now);
  /// Members are agreeing on where this node's stream ends, and do not follow it: leaves the
  /// folder's lease to them for a while.
  void Abstain(Instant now);
  /// The list has changed: gives the folder's lease back where this node may not have it.
  void GiveBackIfUnable(Instant now);

  const Lease& lease() const { return lease_; }
  /// The epoch in which this node may order commands at this moment; 0: it may not.
  uint64_t LeadsEpoch(Instant now) const;
  LeaseMode mode() const;

  // --- what others say, and what others hear ---
  void OnReport(NodeId from, const Report& report);
  void OnPeerLost(NodeId peer);
  /// It is taken for dead, though the link to it stands yet: it leads nobody who cannot hear it,
  /// until it says so again.
  void OnPeerSilent(NodeId peer);
  /// The cluster's database may have changed.
  void RefreshEpochs(Instant now);
  /// See Replicator::AwaitMajority.
  void AwaitMajority(uint64_t epoch, Stamp upto);
  /// Up to where a majority holds the own stream, as far as was waited for in this epoch.
  Stamp HeldByMajority() const { return majority_.told(); }
  /// At the end of each input, first: looks at the folder where a link has dropped.
  void Look(Instant now);
  /// And last: tells the host what has changed, the peers that this node leads or
  /// leads no more, and the holder that this voter holds the beginning of its epoch.
  void Tell(Instant now, Effects& effects);
  /// Whether the folder has brought state since the last call: the member list may have changed.
  bool TookState() { return folder_ && folder_->TookState(); }
  LeaseView View(Instant now) const;
  /// As Tell saw it last.
  const LeaseView& told() const { return told_; }

  // --- changes of the voters, by the operator ---
  /// See Replicator::ChangeVoters.
  Result<std::string> ChangeVoters(const VoterRequest& request, Instant now);
  /// Whether the member is a voter, or is to become one by a change that is under way here.
  bool Votes(const std::string& name) const;
  /// Whether a majority holds what this holder has changed.
  bool VotersHeld() const { return changed_.none(); }
  /// What the change that is under way here leads to; empty: none is.
  const std::vector<std::string>& VotersWantedNow() const { return wanted_; }

 private:
  /// What a peer has said last of its holding the lease.
  struct Peer {
    uint64_t sequence = 0;
    uint64_t leads = 0;
  };

  Result<std::string> ForceVoters(const VoterRequest& request, Instant now);
  Result<std::string> HandFolderOver(const VoterRequest& request, Instant now);
  void FollowHandOver(Instant now);
  /// Whether the folder may be looked at: who looks may take over.
  bool MayLook() const { return folder_ && (!suspended_ || folder_->leads() != 0); }
  Status WriteVoters(uint64_t epoch, const VoterSet& voters);
  void AdvanceChange(Instant now);
  void ChangeOneVoter(const std::vector<std::string>& names, Instant now);
  bool HasCaughtUp(const std::string& name) const;
  std::string WhyUnreachable(const std::vector<std::string>& voters) const;
  Status CheckNotStopped(const std::vector<std::string>& wanted) const;
  /// The record of an epoch that begins now.
  EpochRecord RecordOf(uint64_t epoch, const VoterSet& voters) const;
  void AcknowledgeBeginning();
  void BeginFolder();
  bool MayLead(Instant now) const;
  /// Whether this node is a member, and not about to end.
  bool Belongs(const MemberList& list) const;
  /// The same by what the keyspace has now.
  /// The member list by what the keyspace has now: `list_` is read anew at the end of an input.
  MemberList ListNow() const;
  uint64_t leads() const { return folder_ ? folder_->leads() : lease_.leads(); }
  uint64_t HighestKnown() const;
  std::optional<Stamp> AdvanceMajority(Instant now);
  VersionVector Held() const override { return streams_.Visible(); }
  bool Holds(const VersionVector& vector) const override;
  Status Persist(const LeaseRecord& record) override;
  Status WriteEpoch(uint64_t epoch, const VoterSet& voters) override;
  void Send(const std::string& voter, const LeaseMessage& message) override;
  void Pull(const std::string& voter) override;

  Store& store_;
  const MemberList& list_;
  const Links& links_;
  PeerSender& sender_;
  Streams& streams_;
  const Stability& stability_;
  const Joining& joining_;
  Options options_;
  std::shared_ptr<spdlog::logger> log_;
  Lease lease_;
  struct Voting {
    EpochFolder* folder = nullptr;
    uint64_t cluster = 0;
    std::string boot_id;
  };
  Voting voting_;                          // as handed in
  std::unique_ptr<FolderLeasing> folder_;  // where it votes for this cluster
  bool look_ = false;                      // at the folder, at the end of this input
  bool suspended_ = false;
  Instant abstains_until_{};
  ClusterRecord cluster_;
  Majority majority_;
  std::map<NodeId, Peer> peers_;
  uint64_t known_epoch_ = 0;         // of the latest record held here
  EpochRecord known_;                // that record
  uint64_t acknowledged_epoch_ = 0;  // whose beginning this voter has acknowledged
  LeaseView told_;                   // to the host
  uint64_t said_ = 0;                // to the peers: what this node leads
  uint64_t last_loss_ = 0;  // of the store: the incarnation as which this voter knows itself
  bool begun_ = false;
  bool created_ = false;             // the cluster, in this process
  std::vector<std::string> wanted_;  // the voters that the operator wants; empty: as they are
  uint64_t wanted_epoch_ = 0;        // in which they are changed; 0: the next that is led here
  std::string added_;                // last, until it has acknowledged the epoch's beginning
  Stamp changed_;                    // where the last change stands, until a majority holds it
};

}  // namespace starling
