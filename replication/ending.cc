#include "replication/ending.h"

#include <algorithm>

namespace starling {
namespace {

/// Whether two vectors say the same of `node`'s incarnations below `present`.
bool AgreeBelow(const VersionVector& a, const VersionVector& b, const Origin& present) {
  const auto covers = [&](const VersionVector& one, const VersionVector& other) {
    return std::all_of(
        one.entries().begin(), one.entries().end(), [&](const VersionVector::Entry& entry) {
          const bool concerned = entry.origin.node == present.node && entry.origin < present;
          return !concerned || other.Covers(entry.origin, entry.upto);
        });
  };
  return covers(a, b) && covers(b, a);
}

}  // namespace

bool Ending::Write(const std::vector<const VersionVector*>& others) {
  const Origin present = store_.origin();
  const VersionVector held = list_.Visible(store_.vector());
  MemberList::Over over;
  over.unnamed = held.OverUpTo(present.node);
  for (const VersionVector::Entry& entry : held.entries()) {
    const bool earlier = entry.origin.node == present.node && entry.origin < present;
    if (earlier && entry.upto != VersionVector::kOver) over.streams.Set(entry.origin, entry.upto);
  }
  // Of some nothing may be told: written while this node did not belong, and written again since.
  const VersionVector all = store_.vector();
  for (const VersionVector::Entry& entry : all.entries()) {
    const bool earlier = entry.origin.node == present.node && entry.origin < present;
    if (earlier && entry.upto != VersionVector::kOver) over.incarnation = entry.origin.incarnation;
  }
  // And of some this node knows nothing: what it lost with its disk has ended where it was
  // forgotten, but others may still have an entry for it.
  const auto end = list_.ends().find(store_.name());
  const auto before = list_.overs().find(store_.name());
  if (end != list_.ends().end()) {
    const uint64_t last = std::max(end->second.incarnation, list_.BeginOf(store_.name()));
    const bool known = before != list_.overs().end() && before->second.incarnation >= last;
    if (!known && last < present.incarnation) over.incarnation = std::max(over.incarnation, last);
  }
  if (over.incarnation == 0) return false;
  const auto agrees = [&](const VersionVector* other) { return AgreeBelow(*other, held, present); };
  if (!std::all_of(others.begin(), others.end(), agrees)) return false;
  over.at = store_.clock().last();
  list_.WriteOver(store_.name(), over);
  if (const Status committed = store_.journal().Commit(); !committed) {
    log_->error("event=over_not_written error=\"{}\"", committed.error().message);
    return true;
  }
  log_->info("event=earlier_streams_over node={} streams={} present={}", store_.name(),
             over.streams.entries().size(), present.incarnation);
  return true;
}

bool Ending::Mark() {
  const VersionVector held = store_.vector();
  const std::vector<MemberList::Ended> beyond = list_.HeldBeyondEnds(held, store_.id());
  for (const auto& [name, over] : list_.overs()) {
    const Origin last{NodeId::FromName(name), over.incarnation};
    const bool too_much = std::any_of(beyond.begin(), beyond.end(),
                                      [&](const auto& each) { return each.last == last; });
    if (too_much) continue;
    const uint64_t marked = held.OverUpTo(last.node);
    // What was marked everywhere before and is not here comes with a walk.
    const bool all_held = marked >= over.unnamed && held.Covers(over.streams);
    if (all_held || marked >= over.incarnation) store_.MarkOver(last, over.at);
  }
  for (const MemberList::Ended& each : beyond) {
    const VersionVector::Entry& first = each.beyond.entries().front();
    log_->warn("event=beyond_end node={} stream={} held={} end={} detail=\"takes the whole state\"",
               store_.name(), first.origin.ToString(), first.upto.value,
               each.over.streams.Get(first.origin).value);
  }
  return beyond.empty();
}

}  // namespace starling
