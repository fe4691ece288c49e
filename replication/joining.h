/// Entering a cluster that exists: the whole state first, own writes after it (DESIGN.md section
/// 3). And taking that state anew.
///
/// A joiner, and a forgotten member that returns, ask a member to write that they begin, take its
/// whole state, take out what they wrote beyond what the cluster accepts, and write that again, as
/// a new incarnation, with stamps after the state (COUNTEREXAMPLES 16, 18, 27). Not thread-safe.
///
/// A member that holds what only the whole state can mend has not ended: its streams count as they
/// are, and may be on their way to others while it takes that state. It writes nothing again.
///
/// They begin before they take the state, and what they were given has to say so: from there on no
/// member frees what they may not know, and what was freed before is older than all they write.
///
/// The rest is one atomic write: the state, the stream of what is written again, where the former
/// streams count to, the cluster's record. A crash before it leaves the node outside with all that
/// it had, and it starts over; a crash after it finds the node inside. So nothing of its own is
/// lost or counted twice, wherever it is killed (I2, I10). Where the disk fails in that write, only
/// a restart can tell which of the two it is; until then the node writes and tells nothing.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <spdlog/logger.h>

#include "replication/member_list.h"
#include "replication/reissue.h"
#include "replication/walk_receiver.h"
#include "storage/store.h"

namespace starling {

/// Names of what the replicator persists by Store::PutRecord.
namespace record_names {
inline constexpr const char* kCluster = "cluster";
inline constexpr const char* kProposal = "cluster-proposal";
inline constexpr const char* kCaps = "capped-streams";
inline constexpr const char* kReentry = "cluster-to-enter-again";  ///< Empty: none.
inline constexpr const char* kAnew = "state-to-take-anew";  ///< The cluster's record; empty: none.
inline constexpr const char* kEnded = "own-end";            ///< An incarnation; empty: none.
inline constexpr const char* kStopped = "members-stopped";
inline constexpr const char* kAddresses = "addresses";
inline constexpr const char* kLease = "lease";
}  // namespace record_names

class Joining {
 public:
  Joining(Store& store, MemberList& list, std::shared_ptr<spdlog::logger> log)
      : store_(store), list_(list), log_(std::move(log)) {}

  /// Reads back where own earlier streams are capped, and which cluster is to be entered again.
  /// Errors: the store's, kCorruption.
  Status Load();

  /// The cluster to enter; while one is set, its whole state is wanted.
  void Want(const ClusterRecord& record) {
    target_ = record;
    anew_ = false;
  }
  /// The same for a cluster that this node is in, durably: what it wrote has to be sorted out, and
  /// nobody would tell it so again after a restart. Errors: the store's (nothing changed).
  Status WantAgain(const ClusterRecord& record);
  /// A member wants the whole state, durably, and keeps its streams. Errors: the store's (nothing
  /// changed).
  Status WantAnew(const ClusterRecord& record);
  /// Own streams up to this incarnation have ended, durably: a state in which this node has not
  /// begun since is not enough, its sender may not have heard of the end yet. Errors: the store's.
  Status NoteEnd(uint64_t incarnation);
  void Abandon() { target_.reset(); }
  /// These are about to be forgotten: what they alone may hold is not waited for.
  void ExpectNothingOf(const std::vector<std::string>& names);
  /// Whether own streams have ended since this node last entered.
  bool after_end() const { return ended_.has_value(); }
  const std::optional<ClusterRecord>& target() const { return target_; }

  /// Takes the state and enters: afterwards the record is persisted and the target cleared. Errors:
  /// kUnavailable (in that state this node has not begun), the store's. Nothing has changed then
  /// but the incarnation, the target stays, and the next walk starts over; unless the outcome is
  /// unknown (Store::ApplyWalk).
  Status Complete(WalkReceiver::Taken taken);

  /// Where own former streams end by the state that was taken last, if that is before their end in
  /// the list: nobody had the rest, which was written again. Who comes back with it must not tell
  /// of it: to be written over that end. (Where a crash prevents that, they are over once all
  /// agree: ending.h.)
  const std::optional<MemberList::End>& cut_short() const { return cut_short_; }
  /// Whether what was taken last was taken anew: this node was a member all the time.
  bool took_anew() const { return took_anew_; }
  /// The stream of what this process wrote again when it entered last, if it did.
  const std::optional<Origin>& rewritten() const { return rewritten_; }

 private:
  struct Rewritten {
    Origin origin;
    Reissue::Written written;
  };
  /// Checks that this node is a member in the state's own list, and that the state lacks nothing.
  Status CheckBegun(const MemberList& theirs, NodeId from, const VersionVector& accepted,
                    const VersionVector& beyond);
  /// Whether the state lacks something that counts of this node's ended streams, of those in
  /// `beyond`, or of those that are over here: what it lacks would be written again, or gone here,
  /// and come from other members, too.
  bool Lacks(const MemberList& theirs, const VersionVector& accepted,
             const VersionVector& beyond) const;
  /// The state of `from` lacks something of that. Whether nobody can be expected to have it.
  bool LacksForLong(const MemberList& theirs, NodeId from);
  /// Of other members' streams, those that are held beyond where they have ended in that list.
  VersionVector HeldBeyond(const MemberList& theirs) const;
  /// Whether own streams count in that list as far as they are held: they have not ended.
  bool StreamsGoOn(const MemberList& theirs) const;
  std::optional<MemberList::End> CutShort(const MemberList& theirs,
                                          const VersionVector& accepted) const;
  /// Raises the incarnation, and writes what counts of the former ones again.
  Result<Rewritten> WriteAgain(const std::vector<std::string>& pieces,
                               const VersionVector& accepted);

  Store& store_;
  MemberList& list_;
  std::shared_ptr<spdlog::logger> log_;
  std::optional<ClusterRecord> target_;
  bool anew_ = false;  // see WantAnew
  bool took_anew_ = false;
  std::optional<uint64_t> ended_;  // see NoteEnd
  std::set<NodeId> lacking_;       // of whom nothing of what counts can be expected
  int refused_ = 0;                // such states
  std::optional<MemberList::End> cut_short_;
  std::optional<Origin> rewritten_;
};

}  // namespace starling
