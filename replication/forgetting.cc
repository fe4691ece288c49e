#include "replication/forgetting.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "replication/joining.h"
#include "replication/limits.h"

namespace starling {

Status Forgetting::Load() {
  auto record = store_.GetRecord(record_names::kStopped);
  if (!record) return record.error();
  if (!*record) return {};
  std::set<std::string> names;
  std::istringstream lines(**record);
  for (std::string name; std::getline(lines, name);) names.insert(name);
  list_.Stop(names);
  return {};
}

Status Forgetting::Stop(const std::set<std::string>& names) {
  std::set<std::string> stopped = list_.stopped();
  stopped.insert(names.begin(), names.end());
  std::string text;
  for (const std::string& name : stopped) text += name + "\n";
  if (Status status = store_.PutRecord(record_names::kStopped, text); !status) return status;
  list_.Stop(names);
  return {};
}

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
  std::set<std::string> all = names_;
  all.insert(names.begin(), names.end());
  if (Status status = Stop(all); !status) return status;
  names_ = std::move(all);
  reports_.clear();
  ask_at_ = now;
  return {};
}

void Forgetting::OnRequest(NodeId from, const ForgetRequest& request) {
  const std::set<std::string> names(request.names.begin(), request.names.end());
  if (names.contains(store_.name())) return;
  if (const Status stopped = Stop(names); !stopped) {
    log_->error("event=forget_refused error=\"{}\"", stopped.error().message);
    return;
  }
  sender_.Send(from, Lane::kControl, ForgetReport{request.names, HeldOf(names)});
}

void Forgetting::OnReport(const std::string& from, const ForgetReport& report) {
  const std::set<std::string> names(report.names.begin(), report.names.end());
  if (busy() && names == names_) reports_[from] = report.held;
}

std::vector<std::string> Forgetting::Missing() const {
  std::vector<std::string> missing;
  for (const std::string& member : list_.members()) {
    const bool asked = member != store_.name() && !names_.contains(member);
    if (asked && !reports_.contains(member)) missing.push_back(member);
  }
  return missing;
}

bool Forgetting::OnTick(Instant now) {
  if (!busy() || now < ask_at_) return false;
  const std::vector<std::string> missing = Missing();
  if (!missing.empty()) {
    ask_at_ = now + limits::kRoundInterval;
    for (const std::string& member : missing) {
      sender_.Send(NodeId::FromName(member), Lane::kControl,
                   ForgetRequest{{names_.begin(), names_.end()}});
    }
    return false;
  }
  VersionVector held = HeldOf(names_);
  for (const auto& [member, report] : reports_) held.MergeFrom(report);
  for (const std::string& name : names_) {
    MemberList::End end;
    end.incarnation = list_.BeginOf(name);
    for (const VersionVector::Entry& entry : held.entries()) {
      if (entry.origin.node != NodeId::FromName(name)) continue;
      end.incarnation = std::max(end.incarnation, entry.origin.incarnation);
      end.streams.Raise(entry.origin, entry.upto);
    }
    list_.WriteEnd(name, end);
  }
  if (const Status committed = store_.journal().Commit(); !committed) {
    log_->error("event=forget_not_written error=\"{}\"", committed.error().message);
  }
  names_.clear();
  reports_.clear();
  return true;
}

Instant Forgetting::NextTimer() const { return busy() ? ask_at_ : Instant::max(); }

}  // namespace starling
