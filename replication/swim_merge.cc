// What members say of members: alive, suspected, dead, left; and refuting it.
#include <algorithm>
#include <cmath>

#include "replication/limits.h"
#include "replication/swim.h"

namespace starling {

void Swim::Merge(const MemberUpdate& update, Instant now) {
  if (update.name.empty()) return;
  if (update.name == options_.name) {
    if (update.state != MemberState::kAlive || update.incarnation > options_.incarnation) {
      Refute(update);
    }
    return;
  }
  switch (update.state) {
    case MemberState::kAlive:
      return MergeAlive(update, now);
    case MemberState::kSuspect:
      return MergeSuspect(update, now);
    case MemberState::kDead:
    case MemberState::kLeft:
      return MergeGone(update, now);
    case MemberState::kForgotten:
      return;  // the member list says so, not gossip
  }
}

/// Somebody takes this node for suspect, dead or gone, or knows a later incarnation of its name.
void Swim::Refute(const MemberUpdate& update) {
  if (leaving_) return;
  if (update.incarnation < options_.incarnation) {
    // Refuted already, but whoever says so still has missed it: it is told again.
    gossip_.Add({options_.name, options_.address, options_.incarnation, MemberState::kAlive, {}});
    return;
  }
  options_.incarnation = update.incarnation + 1;
  Health(1);
  Spread({options_.name, options_.address, options_.incarnation, MemberState::kAlive, {}});
}

void Swim::MergeAlive(const MemberUpdate& update, Instant now) {
  auto found = members_.find(update.name);
  if (found == members_.end()) {
    if (members_.size() >= limits::kMembers) return;
    Member& member = members_[update.name];
    member.address = update.address;
    member.incarnation = update.incarnation;
    member.heard = now;
    member.changed = now;
    events_.push_back({EventEffect::Kind::kMemberUp, update.name, update.address});
    gossip_.Add(update);
    return;
  }
  Member& member = found->second;
  if (update.incarnation <= member.incarnation) return;
  member.incarnation = update.incarnation;
  if (!update.address.empty()) member.address = update.address;
  gossip_.Add(update);
  if (member.state == MemberState::kAlive) return;
  const bool was_gone = member.state != MemberState::kSuspect;
  member.state = MemberState::kAlive;
  member.suspected_by.clear();
  member.changed = now;
  member.heard = now;
  if (was_gone) events_.push_back({EventEffect::Kind::kMemberUp, update.name, member.address});
}

void Swim::MergeSuspect(const MemberUpdate& update, Instant now) {
  const auto found = members_.find(update.name);
  if (found == members_.end()) return;
  Member& member = found->second;
  if (update.incarnation < member.incarnation) return;
  if (member.state == MemberState::kSuspect || member.state == MemberState::kAlive) {
    member.incarnation = update.incarnation;
    Suspect(update.name, member, update.by, now);
  }
}

void Swim::MergeGone(const MemberUpdate& update, Instant now) {
  const auto found = members_.find(update.name);
  if (found == members_.end()) {
    if (members_.size() >= limits::kMembers) return;
    Member& member = members_[update.name];
    member.address = update.address;
    member.incarnation = update.incarnation;
    member.state = update.state;
    member.changed = now;
    return;
  }
  Member& member = found->second;
  if (update.incarnation < member.incarnation || member.state == update.state) return;
  const bool known_gone =
      member.state == MemberState::kLeft ||
      (member.state == MemberState::kDead && update.state != MemberState::kLeft);
  if (known_gone && update.incarnation == member.incarnation) return;
  member.incarnation = update.incarnation;
  Settle(update.name, member, update.state, "told by others", now);
}

void Swim::Suspect(const std::string& name, Member& member, const std::string& by, Instant now) {
  if (member.state == MemberState::kAlive) {
    member.state = MemberState::kSuspect;
    member.suspected_by.clear();
    member.changed = now;
    events_.push_back({EventEffect::Kind::kMemberSuspected, name, "suspected by " + by});
    if (by != options_.name) urgent_.insert(name);  // see for ourselves
  }
  if (member.state != MemberState::kSuspect) return;
  if (member.suspected_by.size() > limits::kSuspicionConfirmations) return;
  if (!member.suspected_by.insert(by).second) return;
  member.dead_at = member.changed + SuspicionTime(member);
  MemberUpdate update = UpdateOf(name, member);
  update.by = by;
  Spread(update);
}

/// Shrinks from the longest to the shortest as independent suspicions come (Lifeguard, section
/// IV.B).
std::chrono::nanoseconds Swim::SuspicionTime(const Member& member) const {
  const int others = static_cast<int>(living()) - 1;  // who else might suspect it
  const int wanted = std::min(limits::kSuspicionConfirmations, others);
  if (wanted <= 0) return limits::kSuspicionShortest;
  const int confirmed = std::min(static_cast<int>(member.suspected_by.size()) - 1, wanted);
  const double share = std::log(confirmed + 1.0) / std::log(wanted + 1.0);
  const std::chrono::nanoseconds range = limits::kSuspicionLongest - limits::kSuspicionShortest;
  return limits::kSuspicionLongest -
         std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(range.count()) * share));
}

void Swim::CheckSuspects(Instant now) {
  for (auto& [name, member] : members_) {
    if (member.state != MemberState::kSuspect || now < member.dead_at) continue;
    Settle(name, member, MemberState::kDead, "did not refute the suspicion", now);
  }
}

void Swim::Settle(const std::string& name, Member& member, MemberState state,
                  const std::string& detail, Instant now) {
  member.state = state;
  member.suspected_by.clear();
  member.changed = now;
  const auto kind =
      state == MemberState::kLeft ? EventEffect::Kind::kMemberLeft : EventEffect::Kind::kMemberDown;
  events_.push_back({kind, name, detail});
  Spread(UpdateOf(name, member));
}

}  // namespace starling
