/// Gives the folder's lease a node to work on: what it keeps, and how a node takes that over.
///
/// The folder is a voter that holds streams. At an epoch's beginning it gets what not all members
/// are known to hold: every stream's batches from there on, or a walk where the logs no longer
/// reach back; then the holder's own batches, whenever somebody waits for a majority.
///
/// Why a node may take that over. Be C the vector from which the snapshot goes on: what every
/// unforgotten member was known to hold, with the holder's floor, which all had before. The
/// snapshot is what a peer would get that asks for a walk from C (walk_sender.h), to the vector E.
/// A node that holds C takes it as it would take that walk: what it holds already is filtered, what
/// it has freed lies below its vector, and no tombstone it lacks was freed, since C covers the
/// floor. Then it holds E, and the kept batches follow in stream order. Who entered later has taken
/// the whole state of a node that held C. So a member does not hold C only if it has lost data, or
/// was away when a later holder entered, whose floor is the state that it took; the snapshot would
/// leave a hole in it, and it does not lead. It gets the whole state from a member that lives,
/// which would have taken the lease before it; where the host was restarted, or it is the only
/// member, nobody can have more than it has, and it goes on with a warning, one lease later.
///
/// A state machine without I/O but that of its folder and store. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <spdlog/logger.h>

#include "replication/folder_lease.h"
#include "replication/lease_message.h"
#include "replication/member_list.h"
#include "replication/stability.h"
#include "replication/streams.h"
#include "storage/store.h"

namespace starling {

/// Texts one after another, each with its length.
std::string PackPieces(std::span<const std::string> pieces);
/// kCorruption: PackPieces does not write that.
Result<std::vector<std::string>> UnpackPieces(std::string_view packed);

class FolderLeasing final : private FolderLeaseHost {
 public:
  /// What the rest of the node does for it.
  struct Node {
    Store& store;
    Streams& streams;
    const Stability& stability;
    std::function<uint64_t()> known_epoch;
    std::function<Status(uint64_t epoch)> write_epoch;
    /// The members by what the keyspace has now, what has just been taken over included: the list
    /// of the rest of the node is not read anew before this one leads or has failed to.
    std::function<MemberList()> list;
    /// Whether this node is one of them, and not about to end.
    std::function<bool()> belongs;
    /// FolderLease::Options::created.
    bool created = false;
  };

  FolderLeasing(EpochFolder& folder, const EpochHolder& self, Node node,
                std::shared_ptr<spdlog::logger> log);

  /// `able`: this node may lead, as far as it depends on the rest of it; else it gives back what it
  /// has.
  void OnTick(bool able, Instant now);
  /// The folder has changed, or a process of the host has ended.
  void OnChange(bool able, Instant now);
  /// `keeps`: Keep may be called.
  Instant NextTimer(bool keeps) const;
  /// Gives the lease back, for good.
  void Resign();

  bool Holding(Instant now) const { return lease_.Holding(now); }
  Instant valid_until() const { return lease_.valid_until(); }
  /// The epoch held; 0: none.
  uint64_t leads() const { return lease_.epoch(); }

  /// Keeps the own stream as far as it is logged. Returns up to where the folder has it, confirmed;
  /// tries again a moment later after an error.
  Stamp Keep(Instant now);
  /// Keeping has become too much for this epoch: begins the next one. Not while anybody waits.
  void Relieve(Instant now);
  /// Gives the vote to named voters, for good: from now on nobody leads by this folder. The holder
  /// alone may. Errors: as FolderLease::Keep, kUnavailable (another has taken the lease);
  /// kUnknownOutcome.
  Status HandOver(const VoterSet& voters, Instant now);
  /// To whom the folder's vote was given by whoever held the lease last, if it was.
  const std::optional<VoterSet>& handed_over() const { return handed_over_; }
  /// Whether state was taken over since the last call: the member list may have changed.
  bool TookState() { return std::exchange(took_state_, false); }

 private:
  Result<std::string> Snapshot() override;
  Status TakeOver(const EpochContent& earlier) override;
  uint64_t KnownEpoch() override { return node_.known_epoch(); }
  Status WriteEpoch(uint64_t epoch) override { return node_.write_epoch(epoch); }

  VersionVector HeldByAll(const MemberList& list) const;
  /// What this node may tell of what it holds.
  VersionVector Visible(const MemberList& list) const;
  Result<std::vector<std::string>> ReadSince(const MemberList& list, const VersionVector& covered);
  Result<std::vector<std::string>> WalkSince(const MemberList& list, const VersionVector& covered);
  Status ReadStreams(VersionVector from, const VersionVector& to, size_t limit,
                     std::vector<std::string>& pieces);
  Status TakeSnapshot(const EpochContent& earlier);
  Status TakeRecord(const MemberList& list, const std::string& record);
  Status KeepStream(Instant now);

  Node node_;
  EpochHolder self_;
  std::shared_ptr<spdlog::logger> log_;
  Instant now_{};
  Origin origin_;       // whose stream is kept
  Stamp snapshot_end_;  // of it, in the last snapshot
  uint64_t kept_epoch_ = 0;
  Stamp kept_;            // of it, in the folder
  Stamp confirmed_;       // and told
  Instant able_again_{};  // when to ask again whether this node may lead
  Instant keep_again_{};  // after an error
  std::optional<Instant> lacking_since_;
  std::optional<VoterSet> handed_over_;
  bool took_state_ = false;
  bool resigned_ = false;
  bool keep_failed_ = false;  // said once
  FolderLease lease_;
};

}  // namespace starling
