#include "replication/forgetting.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "replication/joining.h"
#include "replication/limits.h"

namespace starling {
namespace {

/// Two lines each: the name, and the incarnation that it had begun with.
std::string AskedText(const MemberList::Asked& asked) {
  std::string text;
  for (const auto& [name, begin] : asked) text += name + "\n" + std::to_string(begin) + "\n";
  return text;
}

std::string NamesText(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

Status Forgetting::Load() {
  auto record = store_.GetRecord(record_names::kStopped);
  if (!record) return record.error();
  if (!*record) return {};
  MemberList::Asked asked;
  std::istringstream lines(**record);
  for (std::string name, begin; std::getline(lines, name) && std::getline(lines, begin);) {
    uint64_t number = 0;
    if (!(std::istringstream(begin) >> number)) {
      return Error{Code::kCorruption, "record of stopped members"};
    }
    asked[name] = number;
  }
  list_.SetAsked(std::move(asked));
  return {};
}

MemberList::Asked Forgetting::Meant(const std::vector<std::string>& names,
                                    const std::vector<uint64_t>& begun) const {
  MemberList::Asked meant;
  for (size_t i = 0; i < names.size(); ++i) {
    const uint64_t known = list_.BeginOf(names[i]);
    const uint64_t then = i < begun.size() ? begun[i] : known;
    if (then >= known) meant[names[i]] = then;
  }
  return meant;
}

std::vector<uint64_t> Forgetting::Begun() const {
  std::vector<uint64_t> begun;
  for (const std::string& name : list_.stopped()) {
    const auto asked = list_.asked().find(name);
    begun.push_back(asked == list_.asked().end() ? list_.BeginOf(name) : asked->second);
  }
  return begun;
}

Status Forgetting::Stop(const MemberList::Asked& added) {
  MemberList::Asked asked = list_.asked();
  for (const auto& [name, begun] : added) {
    if (list_.IsMember(name) && !list_.IsVoter(name)) asked[name] = std::max(asked[name], begun);
  }
  if (asked == list_.asked()) return {};
  const std::string text = AskedText(asked);
  if (Status status = store_.PutRecord(record_names::kStopped, text); !status) return status;
  list_.SetAsked(std::move(asked));
  return {};
}

void Forgetting::Release(const MemberList::Asked& kept) {
  if (kept == list_.asked()) return;
  if (store_.PutRecord(record_names::kStopped, AskedText(kept))) list_.SetAsked(kept);
}

/// Who votes is stopped no longer, also when it votes no more.
void Forgetting::ReleaseVoters() {
  MemberList::Asked asked = list_.asked();
  std::erase_if(asked, [this](const auto& each) { return list_.IsVoter(each.first); });
  Release(asked);
  if (epoch_ == 0) return;
  bool removed = false;
  for (const auto& [name, ending] : list_.endings()) {
    if (!list_.IsVoter(name)) continue;
    list_.RemoveEnding(name);
    removed = true;
  }
  const Status committed = removed ? store_.journal().Commit() : Status();
  if (!committed) log_->error("event=forget_not_written error=\"{}\"", committed.error().message);
}

void Forgetting::OnEntered() { Release({}); }

VersionVector Forgetting::HeldOf(const std::set<std::string>& names) const {
  VersionVector held;
  const VersionVector visible = list_.Visible(store_.vector());
  for (const VersionVector::Entry& entry : visible.entries()) {
    if (entry.upto == VersionVector::kOver) continue;  // the list says where these ended
    const auto name = list_.names().find(entry.origin.node);
    if (name != list_.names().end() && names.contains(name->second)) {
      held.Raise(entry.origin, entry.upto);
    }
  }
  return held;
}

Status Forgetting::Start(const std::set<std::string>& names, Instant now) {
  MemberList::Asked asked;
  for (const std::string& name : names) asked[name] = list_.BeginOf(name);
  if (Status status = Stop(asked); !status) return status;
  reports_.clear();
  ask_at_ = now;
  return {};
}

bool Forgetting::OnRequest(NodeId from, const ForgetRequest& request) {
  const std::set<std::string> names(request.names.begin(), request.names.end());
  if (names.contains(store_.name())) return false;
  const MemberList::Asked meant = Meant(request.names, request.begun);
  if (meant.size() < names.size()) return false;  // whoever asks is about to hear of it
  const bool missed = std::ranges::any_of(meant, [this](const auto& each) {
    const auto asked = list_.asked().find(each.first);
    return asked != list_.asked().end() && each.second > asked->second;
  });
  if (missed) return true;
  if (const Status stopped = Stop(meant); !stopped) {
    log_->error("event=forget_refused error=\"{}\"", stopped.error().message);
    return false;
  }
  // Whom this node knows to vote, or does not know, it has not stopped.
  const auto has_stopped = [this](const std::string& name) { return list_.IsStopped(name); };
  if (std::all_of(names.begin(), names.end(), has_stopped)) {
    sender_.Send(from, Lane::kControl, ForgetReport{request.names, HeldOf(names), request.begun});
  }
  return false;
}

void Forgetting::TellOfBegun(const std::string& to, const std::vector<std::string>& names,
                             const MemberList::Asked& meant) {
  ForgetRequest begun;
  for (const std::string& name : names) {
    if (meant.contains(name) || !list_.IsMember(name)) continue;
    begun.names.push_back(name);
    begun.begun.push_back(list_.BeginOf(name));
  }
  if (!begun.names.empty()) sender_.Send(NodeId::FromName(to), Lane::kControl, begun);
}

bool Forgetting::OnReport(const std::string& from, const ForgetReport& report,
                          const Standing& standing, Instant now) {
  const MemberList::Asked meant = Meant(report.names, report.begun);
  std::set<std::string> names;
  for (const auto& [name, begun] : meant) names.insert(name);
  if (!list_.IsMember(from) || list_.IsStopped(from) || names.contains(from)) return false;
  if (standing.epoch != 0) TellOfBegun(from, report.names, meant);
  if (names.contains(store_.name())) return true;
  if (standing.epoch == 0) return false;
  BeginRound(standing.epoch);
  const auto is_new = [this](const std::string& name) { return !list_.asked().contains(name); };
  if (std::any_of(names.begin(), names.end(), is_new)) {
    const std::set<std::string> before = list_.stopped();
    if (!Stop(meant)) return false;
    if (list_.stopped() != before) reports_.clear();
  }
  const std::set<std::string>& stopped = list_.stopped();
  if (!std::includes(names.begin(), names.end(), stopped.begin(), stopped.end())) return false;
  reports_[from] = report.held;
  if (Missing().empty()) ask_at_ = now;
  return false;
}

std::vector<std::string> Forgetting::Missing() const {
  std::vector<std::string> missing;
  for (const std::string& member : list_.members()) {
    const bool asked = member != store_.name() && !list_.IsStopped(member);
    if (asked && !reports_.contains(member)) missing.push_back(member);
  }
  return missing;
}

/// What was reported or proposed in another epoch counts no more.
void Forgetting::BeginRound(uint64_t epoch) {
  if (epoch == epoch_) return;
  if (epoch_ != 0 && busy()) {
    log_->warn(
        "event=forgetting_given_up node={} epoch={} members=\"{}\" detail=\"whoever leads "
        "next goes on\"",
        store_.name(), epoch_, NamesText(list_.stopped()));
  }
  epoch_ = epoch;
  reports_.clear();
  ends_.clear();
  proposed_ = {};
}

bool Forgetting::OnTick(const Standing& standing, Instant now) {
  BeginRound(standing.epoch);
  ReleaseVoters();
  if (!proposed_.none() && standing.held >= proposed_) return WriteEnds();
  if (!busy() || now < ask_at_) return false;
  ask_at_ = now + limits::kRoundInterval;
  const std::set<std::string>& names = list_.stopped();
  std::vector<std::string> words(names.begin(), names.end());
  if (epoch_ == 0) {
    if (!standing.holder.empty() && !list_.IsStopped(store_.name())) {
      sender_.Send(NodeId::FromName(standing.holder), Lane::kControl,
                   ForgetReport{std::move(words), HeldOf(names), Begun()});
    }
    return false;
  }
  if (!proposed_.none()) {
    ask_at_ = now + limits::kKeepRetry;
    return false;
  }
  const std::vector<std::string> missing = Missing();
  for (const std::string& member : missing) {
    sender_.Send(NodeId::FromName(member), Lane::kControl, ForgetRequest{words, Begun()});
  }
  return missing.empty() && Propose(now);
}

MemberList::End Forgetting::EndNow(const std::string& name, const VersionVector& held) const {
  MemberList::End end;
  end.incarnation = list_.BeginOf(name);
  for (const VersionVector::Entry& entry : held.entries()) {
    if (entry.origin.node != NodeId::FromName(name)) continue;
    end.incarnation = std::max(end.incarnation, entry.origin.incarnation);
    end.streams.Raise(entry.origin, entry.upto);
  }
  return end;
}

bool Forgetting::Propose(Instant now) {
  VersionVector held = HeldOf(list_.stopped());
  for (const auto& [member, report] : reports_) held.MergeFrom(report);
  for (const std::string& name : list_.stopped()) {
    // An end that an earlier leaseholder proposed may have been decided: it stays.
    const auto earlier = list_.endings().find(name);
    ends_[name] = earlier == list_.endings().end() ? EndNow(name, held) : earlier->second;
    list_.WriteEnding(name, ends_[name]);
  }
  if (const Status committed = store_.journal().Commit(); !committed) {
    log_->error("event=forget_not_written error=\"{}\"", committed.error().message);
    ends_.clear();
    return true;
  }
  proposed_ = store_.journal().upto();
  ask_at_ = now + limits::kKeepRetry;
  return true;
}

bool Forgetting::WriteEnds() {
  std::set<std::string> names;
  for (const auto& [name, end] : ends_) {
    // It may have ended, and begun anew, by what an earlier leaseholder decided and wrote itself.
    if (!list_.IsMember(name) || list_.BeginOf(name) > end.incarnation) continue;
    list_.WriteEnd(name, end);
    names.insert(name);
  }
  ends_.clear();
  reports_.clear();
  proposed_ = {};
  if (const Status committed = store_.journal().Commit(); !committed) {
    log_->error("event=forget_not_written error=\"{}\"", committed.error().message);
    return true;
  }
  log_->warn("event=members_ended node={} epoch={} members=\"{}\"", store_.name(), epoch_,
             NamesText(names));
  return true;
}

Instant Forgetting::NextTimer() const { return busy() ? ask_at_ : Instant::max(); }

}  // namespace starling
