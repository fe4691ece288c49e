// Who is ended, by whose decision, and who goes on with it.
#include <algorithm>
#include <set>
#include <string>

#include "replication/replicator_impl.h"

namespace starling {

Forgetting::Standing Replicator::Impl::StandingNow(Instant now) const {
  Forgetting::Standing standing;
  const LeaseView view = leasing_.View(now);
  if (!view.leading) {
    standing.holder = view.holder;
  } else if (view.majority_begun && list_.IsMember(store_.id())) {
    standing.epoch = view.epoch;
    standing.held = leasing_.HeldByMajority();
  }
  return standing;
}

void Replicator::Impl::AdvanceForgetting(Instant now) {
  list_.SetVoters(leasing_.lease().voters().names);
  if (forgetting_.OnTick(StandingNow(now), now)) list_dirty_ = true;
  const Stamp awaited = forgetting_.awaited();
  if (!awaited.none()) leasing_.AwaitMajority(forgetting_.epoch(), awaited);
}

Status Replicator::Impl::BeginForgetting(const std::set<std::string>& names, Instant now) {
  if (StandingNow(now).epoch == 0) {
    return Error{Code::kUnavailable, "this node does not hold the lease, or has just taken it"};
  }
  list_.SetVoters(leasing_.lease().voters().names);
  if (Status started = forgetting_.Start(names, now); !started) return started;
  AdvanceForgetting(now);
  return {};
}

void Replicator::Impl::ForgetTheAbsent(Instant now) {
  if (!began_) began_ = now;
  if (StandingNow(now).epoch == 0) return;
  std::set<std::string> absent;
  for (const std::string& name : list_.members()) {
    // Who votes is for the operator to say.
    if (name == store_.name() || leasing_.Votes(name)) continue;
    const auto found = swim_.members().find(name);
    const Swim::Member* member = found == swim_.members().end() ? nullptr : &found->second;
    const bool away = member == nullptr || member->state == MemberState::kDead ||
                      member->state == MemberState::kLeft;
    const Instant since = member == nullptr ? *began_ : std::max(*began_, member->changed);
    if (away && !links_.Connected(NodeId::FromName(name)) && now >= since + options_.forget_after) {
      absent.insert(name);
    }
  }
  if (absent.empty() || forgetting_.busy()) return;
  // All others have to report, at once: who returns half forgotten would wait for the rest.
  for (const std::string& name : list_.members()) {
    const bool there = name == store_.name() || links_.Connected(NodeId::FromName(name));
    if (!there && !absent.contains(name)) return;
  }
  log_->warn("event=members_forgotten members=\"{}\" reason=\"away for longer than forget-after\"",
             JoinNames({absent.begin(), absent.end()}));
  if (const Status started = BeginForgetting(absent, now); !started) {
    log_->error("event=forget_not_begun error=\"{}\"", started.error().message);
  }
}

}  // namespace starling
