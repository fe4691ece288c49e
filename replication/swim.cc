#include "replication/swim.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "replication/limits.h"

namespace starling {
namespace {

constexpr Instant kTick = std::chrono::milliseconds(50);

bool Gone(MemberState state) {
  return state == MemberState::kDead || state == MemberState::kLeft ||
         state == MemberState::kForgotten;
}

}  // namespace

Swim::Swim(Options options, PeerSender& sender, std::mt19937_64& random)
    : options_(std::move(options)), sender_(sender), random_(random) {}

std::vector<EventEffect> Swim::TakeEvents() { return std::exchange(events_, {}); }

size_t Swim::living() const {
  return static_cast<size_t>(std::count_if(members_.begin(), members_.end(), [](const auto& entry) {
    return !Gone(entry.second.state);
  }));
}

void Swim::Health(int change) { health_ = std::clamp(health_ + change, 0, limits::kWorstHealth); }

void Swim::Send(const std::string& to, SwimMessage message) {
  const auto member = members_.find(to);
  if (member == members_.end() || !member->second.linked) return;
  message.updates = gossip_.Take(living() + 1);
  // A suspect hears it first of all: it may refute.
  if (member->second.state == MemberState::kSuspect || Gone(member->second.state)) {
    std::erase_if(message.updates, [&](const MemberUpdate& update) { return update.name == to; });
    if (message.updates.size() == limits::kGossipUpdates) message.updates.pop_back();
    message.updates.push_back(UpdateOf(to, member->second));
  }
  sender_.Send(NodeId::FromName(to), Lane::kControl, message);
}

MemberUpdate Swim::UpdateOf(const std::string& name, const Member& member) const {
  return {name, member.address, member.incarnation, member.state,
          member.state == MemberState::kSuspect && !member.suspected_by.empty()
              ? *member.suspected_by.begin()
              : std::string()};
}

std::vector<std::string> Swim::Draw(size_t count, const std::string& except) {
  std::vector<std::string> names;
  for (const auto& [name, member] : members_) {
    if (name != except && member.linked && member.state == MemberState::kAlive) {
      names.push_back(name);
    }
  }
  const size_t drawn = std::min(count, names.size());
  for (size_t i = 0; i < drawn; ++i) {
    std::swap(names[i], names[i + random_() % (names.size() - i)]);
  }
  names.resize(drawn);
  return names;
}

/// News travel at once to a few, and on with what these say next.
void Swim::Spread(const MemberUpdate& update) {
  gossip_.Add(update);
  for (const std::string& to : Draw(limits::kIndirectProbes, update.name)) Send(to, SwimMessage{});
}

// --- links ---

void Swim::OnLinked(const std::string& name, const Address& address, Instant now) {
  if (!members_.contains(name) && members_.size() >= limits::kMembers) return;
  const auto [entry, fresh] = members_.try_emplace(name);
  Member& member = entry->second;
  member.linked = true;
  member.heard = now;
  if (!address.empty()) member.address = address;
  if (fresh) {
    member.changed = now;
    events_.push_back({EventEffect::Kind::kMemberUp, name, member.address});
    Spread(UpdateOf(name, member));
  }
  // It hears whom we know, itself included; where we hold it for dead it refutes.
  gossip_.Add({options_.name, options_.address, options_.incarnation, MemberState::kAlive, {}});
  SwimMessage message;
  message.updates = gossip_.Take(living() + 1);
  const auto flush = [&] {
    sender_.Send(NodeId::FromName(name), Lane::kControl, message);
    message.updates.clear();
  };
  if (message.updates.size() == limits::kGossipUpdates) flush();
  for (const auto& [other, known] : members_) {
    message.updates.push_back(UpdateOf(other, known));
    if (message.updates.size() == limits::kGossipUpdates) flush();
  }
  if (!message.updates.empty()) flush();
}

void Swim::OnUnlinked(const std::string& name, Instant now) {
  const auto member = members_.find(name);
  if (member == members_.end()) return;
  member->second.linked = false;
  if (Gone(member->second.state)) return;
  urgent_.insert(name);
  next_probe_ = std::min(next_probe_, now);
  next_tick_ = std::min(next_tick_, now);
}

void Swim::OnRefused(const std::string& name, Instant now) {
  const auto member = members_.find(name);
  if (member == members_.end() || member->second.linked || Gone(member->second.state)) return;
  Settle(name, member->second, MemberState::kDead, "its host refuses connections", now);
}

void Swim::OnHeard(const std::string& name, Instant now) {
  const auto member = members_.find(name);
  if (member != members_.end()) member->second.heard = now;
}

void Swim::Remove(const std::string& name) {
  members_.erase(name);
  gossip_.Remove(name);
  urgent_.erase(name);
}

void Swim::Leave() {
  leaving_ = true;
  gossip_.Add({options_.name, options_.address, ++options_.incarnation, MemberState::kLeft, {}});
  SwimMessage message;
  message.updates.push_back(
      {options_.name, options_.address, options_.incarnation, MemberState::kLeft, {}});
  for (const auto& [name, member] : members_) {
    if (member.linked) sender_.Send(NodeId::FromName(name), Lane::kControl, message);
  }
}

// --- probing ---

void Swim::OnMessage(const std::string& from, const SwimMessage& message, Instant now) {
  OnHeard(from, now);
  for (const MemberUpdate& update : message.updates) Merge(update, now);
  switch (message.kind) {
    case SwimMessage::Kind::kPing:
      Send(from, {SwimMessage::Kind::kAck, message.sequence, options_.name, {}});
      return;
    case SwimMessage::Kind::kAck:
      return OnAck(from, message, now);
    case SwimMessage::Kind::kPingRequest: {
      if (relayed_.size() >= limits::kMembers) return;
      const uint64_t own = ++sequence_;
      relayed_[own] = {from, message.sequence, now + limits::kPingTime * 4 / 5};
      next_tick_ = std::min<Instant>(next_tick_, relayed_[own].nack_at);
      Send(message.target, {SwimMessage::Kind::kPing, own, message.target, {}});
      return;
    }
    case SwimMessage::Kind::kNack: {
      const auto probe = probes_.find(message.sequence);
      if (probe != probes_.end()) --probe->second.nacks_missing;
      return;
    }
    case SwimMessage::Kind::kGossip:
      return;
  }
}

void Swim::OnAck(const std::string& from, const SwimMessage& message, Instant now) {
  if (const auto relayed = relayed_.find(message.sequence); relayed != relayed_.end()) {
    Send(relayed->second.requester,
         {SwimMessage::Kind::kAck, relayed->second.sequence, message.target, {}});
    relayed_.erase(relayed);
    return;
  }
  const auto probe = probes_.find(message.sequence);
  if (probe == probes_.end()) return;
  const auto member = members_.find(probe->second.target);
  if (member != members_.end()) {
    member->second.heard = now;
    if (from == probe->second.target) {
      member->second.rtt =
          std::chrono::duration_cast<std::chrono::milliseconds>(now - probe->second.sent);
    }
  }
  probes_.erase(probe);
  Health(-1);
}

void Swim::StartProbe(const std::string& target, Instant now) {
  for (const auto& [sequence, probe] : probes_) {
    if (probe.target == target) return;
  }
  const int patience = health_ + 1;
  const uint64_t sequence = ++sequence_;
  Probe& probe = probes_[sequence];
  probe.target = target;
  probe.sent = now;
  probe.ping_until = now + limits::kPingTime * patience;
  probe.deadline = now + limits::kProbeTime * patience;
  if (members_.at(target).linked) {
    Send(target, {SwimMessage::Kind::kPing, sequence, target, {}});
  } else {
    AskOthers(sequence, probe, now);
  }
}

void Swim::AskOthers(uint64_t sequence, Probe& probe, Instant) {
  probe.indirect = true;
  for (const std::string& helper : Draw(limits::kIndirectProbes, probe.target)) {
    ++probe.nacks_missing;
    Send(helper, {SwimMessage::Kind::kPingRequest, sequence, probe.target, {}});
  }
}

void Swim::FailProbe(const Probe& probe, Instant now) {
  const auto found = members_.find(probe.target);
  if (found == members_.end() || Gone(found->second.state)) return;
  // Helpers that say neither yes nor no point at ourselves.
  Health(probe.nacks_missing > 0 ? probe.nacks_missing : 1);
  if (found->second.heard > probe.sent) return;
  Suspect(probe.target, found->second, options_.name, now);
}

void Swim::CheckProbes(Instant now) {
  std::vector<Probe> failed;
  for (auto it = probes_.begin(); it != probes_.end();) {
    Probe& probe = it->second;
    if (now >= probe.deadline) {
      failed.push_back(probe);
      it = probes_.erase(it);
      continue;
    }
    if (!probe.indirect && now >= probe.ping_until) AskOthers(it->first, probe, now);
    ++it;
  }
  for (const Probe& probe : failed) FailProbe(probe, now);
  for (auto it = relayed_.begin(); it != relayed_.end();) {
    if (now < it->second.nack_at) {
      ++it;
      continue;
    }
    Send(it->second.requester, {SwimMessage::Kind::kNack, it->second.sequence, {}, {}});
    it = relayed_.erase(it);
  }
}

void Swim::NextProbes(Instant now) {
  for (const auto& [name, member] : members_) {
    if (!Gone(member.state) && now >= member.heard + limits::kSilence) urgent_.insert(name);
  }
  for (const std::string& name : std::exchange(urgent_, {})) {
    const auto member = members_.find(name);
    if (member != members_.end() && !Gone(member->second.state)) StartProbe(name, now);
  }
  if (now < next_probe_) return;
  next_probe_ = now + limits::kProbePeriod * (health_ + 1);
  if (turns_.empty()) {
    for (const auto& [name, member] : members_) turns_.push_back(name);
    for (size_t i = 0; i + 1 < turns_.size(); ++i) {
      std::swap(turns_[i], turns_[i + random_() % (turns_.size() - i)]);
    }
  }
  while (!turns_.empty()) {
    const std::string name = turns_.front();
    turns_.pop_front();
    const auto member = members_.find(name);
    if (member == members_.end() || Gone(member->second.state)) continue;
    return StartProbe(name, now);
  }
}

void Swim::NoticeOwnPause(Instant late) {
  Health(1);
  for (auto& [name, member] : members_) {
    member.heard += late;
    member.dead_at += late;
  }
  for (auto& [sequence, probe] : probes_) {
    probe.ping_until += late;
    probe.deadline += late;
  }
  for (auto& [sequence, relayed] : relayed_) relayed.nack_at += late;
}

void Swim::OnTick(Instant now) {
  const bool first = next_tick_ == Instant{};
  if (StoodStill(now)) NoticeOwnPause(now - next_tick_);
  if (!first && now < next_tick_) return;
  next_tick_ = now + kTick;
  if (leaving_) return;
  CheckProbes(now);
  CheckSuspects(now);
  NextProbes(now);
}

}  // namespace starling
