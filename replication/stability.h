/// What every member holds: decides which tombstones may be freed (DESIGN.md section 2, "stable").
///
/// An item is stable when, for every unforgotten member, that member's vector covers it, that
/// member's own stream has passed its stamp, and this node covers that member's whole vector; and
/// all of them have acknowledged exactly this member list. Each condition stops one of
/// COUNTEREXAMPLES 14, 17, 18, 40. A plain computation over reports; not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "replication/peer_message.h"
#include "storage/keyspace.h"

namespace starling {

class Stability {
 public:
  /// A whole report of a member (Report::full); others change nothing.
  void OnReport(NodeId member, const Report& report);
  /// The member begins again: its earlier reports count until new ones come, their numbers do not.
  void OnLink(NodeId member);

  struct Inputs {
    const std::vector<NodeId>& members;  ///< Unforgotten, this node included.
    NodeId self;
    const VersionVector& held;  ///< By this node, as it would report.
    Stamp own_upto;             ///< End of the own stream.
    uint64_t list_digest;
  };
  /// The newest report of `member` since its link stands, if it was made under this list; else
  /// null.
  const VersionVector* LatestOf(NodeId member, uint64_t list_digest) const;
  /// What `member` was last known to hold, whatever has become of its link; null: nothing.
  const VersionVector* KnownOf(NodeId member) const;
  /// Nothing is covered as long as one member has not reported what counts.
  Keyspace::Stability Compute(const Inputs& inputs);

 private:
  struct Snapshot {
    VersionVector vector;
    Stamp passed;  ///< The member's own stream in it.
    uint64_t list_digest = 0;
    uint64_t sequence = 0;
  };
  struct Member {
    std::optional<Snapshot> usable;  // the newest whose whole vector we cover
    std::optional<Snapshot>
        pending;  // waits for that; kept, or under steady writes none ever would
    std::optional<Snapshot> latest;
  };

  static void Promote(Member& member, const VersionVector& held);

  std::map<NodeId, Member> members_;
};

}  // namespace starling
