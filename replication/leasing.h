/// Gives the lease machine a node to work on: the store, the links, the streams.
///
/// The voters are those of the cluster's creation record; where it names none (the shared folder
/// votes) nobody stands for election here. Not thread-safe.
#pragma once

#include <memory>
#include <random>

#include <spdlog/logger.h>

#include "replication/lease.h"
#include "replication/links.h"
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

 private:
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
  uint64_t incarnation_ = 0;
  bool begun_ = false;
};

}  // namespace starling
