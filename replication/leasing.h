/// Gives the lease machine a node to work on: the store, the links, the streams.
///
/// The voters are those of the cluster's creation record; where it names none (the shared folder
/// votes) nobody stands for election here. Not thread-safe.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include <spdlog/logger.h>

#include "replication/epoch_record.h"
#include "replication/lease.h"
#include "replication/links.h"
#include "replication/majority.h"
#include "replication/member_list.h"
#include "replication/streams.h"
#include "storage/store.h"

namespace starling {

class Leasing final : private LeaseHost {
 public:
  Leasing(Store& store, const MemberList& list, const Links& links, PeerSender& sender,
          Streams& streams, std::mt19937_64& random, uint64_t session,
          std::shared_ptr<spdlog::logger> log);

  /// This node is in `record`'s cluster. `created`: it took part in the creation, and so has
  /// promised nothing yet; who comes later, or has lost its record, recovers first.
  void Begin(const ClusterRecord& record, bool created, Instant now);
  /// The store goes on as a later incarnation: it may lack what it said as the earlier one.
  void NoticeIncarnation(Instant now);

  void OnMessage(NodeId from, const LeaseMessage& message, Instant now);
  /// More is held than before.
  void OnProgress(Instant now) { lease_.OnProgress(now); }
  void OnTick(Instant now) { lease_.OnTick(now); }
  Instant NextTimer() const { return lease_.NextTimer(); }
  void Resign(Instant now) { lease_.Resign(now); }

  const Lease& lease() const { return lease_; }

  // --- what others say, and what others hear ---
  void OnReport(NodeId from, const Report& report);
  void OnPeerLost(NodeId peer) { peers_.erase(peer); }
  /// The cluster's database may have changed.
  void RefreshEpochs();
  /// See Replicator::AwaitMajority.
  void AwaitMajority(uint64_t epoch, Stamp upto);
  /// At the end of each input: tells the host what has changed, the peers that this node leads or
  /// leads no more, and the holder that this voter holds the beginning of its epoch.
  void Tell(Instant now, Effects& effects);
  LeaseView View(Instant now) const;

 private:
  /// What a peer has said last of its holding the lease.
  struct Peer {
    uint64_t sequence = 0;
    uint64_t leads = 0;
  };

  void AcknowledgeBeginning();
  VersionVector Held() const override { return streams_.Visible(); }
  bool Holds(const VersionVector& vector) const override;
  Status Persist(const LeaseRecord& record) override;
  Status WriteEpoch(uint64_t epoch) override;
  void Send(const std::string& voter, const LeaseMessage& message) override;
  void Pull(const std::string& voter) override;

  Store& store_;
  const MemberList& list_;
  const Links& links_;
  PeerSender& sender_;
  Streams& streams_;
  std::shared_ptr<spdlog::logger> log_;
  Lease lease_;
  Majority majority_;
  std::map<NodeId, Peer> peers_;
  uint64_t known_epoch_ = 0;         // of the latest record held here
  EpochRecord known_;                // that record
  uint64_t acknowledged_epoch_ = 0;  // whose beginning this voter has acknowledged
  LeaseView told_;                   // to the host
  uint64_t said_ = 0;                // to the peers: what this node leads
  uint64_t incarnation_ = 0;
  bool begun_ = false;
};

}  // namespace starling
