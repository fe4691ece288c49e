#include "replication/stability.h"

#include <algorithm>
#include <utility>

namespace starling {

void Stability::OnLink(NodeId member) {
  Member& known = members_[member];
  known.pending.reset();
  known.latest.reset();
}

void Stability::OnReport(NodeId member, const Report& report) {
  if (!report.full) return;
  Member& known = members_[member];
  if (known.latest && report.sequence <= known.latest->sequence) return;
  known.latest = Snapshot{report.vector, report.vector.Get(report.origin), report.list_digest,
                          report.sequence};
  // A snapshot that its sender no longer stands by (it has lost its data since) may hold what
  // nobody has any more: waiting to cover it would keep every tombstone for ever.
  if (!known.pending || !report.vector.Covers(known.pending->vector)) known.pending = known.latest;
}

const VersionVector* Stability::LatestOf(NodeId member, uint64_t list_digest) const {
  const auto found = members_.find(member);
  if (found == members_.end() || !found->second.latest) return nullptr;
  const Snapshot& latest = *found->second.latest;
  return latest.list_digest == list_digest ? &latest.vector : nullptr;
}

const VersionVector* Stability::KnownOf(NodeId member) const {
  const auto found = members_.find(member);
  if (found == members_.end()) return nullptr;
  if (found->second.latest) return &found->second.latest->vector;
  return found->second.usable ? &found->second.usable->vector : nullptr;
}

void Stability::Promote(Member& member, const VersionVector& held) {
  while (member.pending && held.Covers(member.pending->vector)) {
    const bool newest = member.pending->sequence == member.latest->sequence;
    member.usable = std::exchange(member.pending, std::nullopt);
    if (!newest) member.pending = member.latest;
  }
}

Keyspace::Stability Stability::Compute(const Inputs& inputs) {
  Keyspace::Stability stable{inputs.held, inputs.own_upto};
  for (const NodeId id : inputs.members) {
    if (id == inputs.self) continue;
    Member& member = members_[id];
    Promote(member, inputs.held);
    const bool list_known = member.usable && member.usable->list_digest == inputs.list_digest &&
                            (!member.latest || member.latest->list_digest == inputs.list_digest);
    if (!list_known) return {};
    stable.covered.IntersectWith(member.usable->vector);
    stable.passed = std::min(stable.passed, member.usable->passed);
  }
  return stable;
}

}  // namespace starling
