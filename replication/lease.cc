#include "replication/lease.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace starling {

using Reason = LeaseDenial::Reason;

Lease::Lease(Options options, LeaseHost& host, std::mt19937_64& random,
             std::shared_ptr<spdlog::logger> log)
    : options_(std::move(options)),
      host_(host),
      random_(random),
      log_(std::move(log)),
      voter_(options_.length) {}

void Lease::Start(const std::optional<LeaseRecord>& record, uint64_t incarnation,
                  const VoterSet& voters, Instant now) {
  record_ = record.value_or(LeaseRecord{});
  incarnation_ = incarnation;
  voters_ = voters;
  highest_ = voters.epoch();  // the own record may be lost, and others have led since
  RestoreVoter(now);
  RecoverIfNeeded();
}

void Lease::OnIncarnation(uint64_t incarnation, Instant now) {
  incarnation_ = incarnation;
  Resign(now);
  recovery_.reset();
  RecoverIfNeeded();
}

void Lease::RestoreVoter(Instant now) {
  const Instant then = options_.rules.restarted_voters_wait ? now : now - options_.length;
  voter_.Restore(record_.promised_epoch, then);
}

void Lease::SetVoters(const VoterSet& voters, Instant now) {
  if (voters.version <= voters_.version) return;
  if (attempt_ && !options_.rules.old_voter_sets_are_refused) return;
  // Who writes voters leads a later epoch, or an operator has forced them.
  if (attempt_) Fail(now);
  if (holding_) Resign(now);
  confirmed_.clear();
  highest_ = std::max(highest_, voters.epoch());
  voters_ = voters;
  if (!voters_.Has(options_.name)) recovery_.reset();
  RecoverIfNeeded();
}

void Lease::ChangeVoters(const VoterSet& voters, Instant now) {
  voters_ = voters;
  std::erase_if(confirmed_, [&](const auto& each) { return !voters.Has(each.first); });
  Renew(now);
}

void Lease::TakeVote(const VoterSet& voters, uint64_t folder_epoch, Instant now) {
  voters_ = voters;
  highest_ = std::max(highest_, folder_epoch);
  (void)Remember([&](LeaseRecord& record) {  // where that fails it recovers, alone
    record.incarnation = incarnation_;
    record.promised_epoch = highest_;
  });
  RecoverIfNeeded();
  if (recovery_) return;
  // The folder was the only voter, and has given this node its vote: no other had a promise.
  voter_.Restore(record_.promised_epoch, now - options_.length);
  stand_ = now;
  OnTick(now);
}

template <typename Change>
bool Lease::Remember(const Change& change) {
  LeaseRecord changed = record_;
  change(changed);
  if (changed == record_) return true;
  if (!options_.rules.promises_are_written) {
    record_ = std::move(changed);
    return true;
  }
  if (const Status persisted = host_.Persist(changed); !persisted) {
    log_->error("event=promise_not_written error=\"{}\"", persisted.error().message);
    return false;
  }
  record_ = std::move(changed);
  return true;
}

void Lease::SendToOthers(const LeaseMessage& message) {
  for (const std::string& name : voters_.names) {
    if (name != options_.name) host_.Send(name, message);
  }
}

Instant Lease::Within(Instant spread) {
  return Instant(static_cast<int64_t>(random_() % static_cast<uint64_t>(spread.count())));
}

void Lease::OnMessage(const Sender& from, const LeaseMessage& message, Instant now) {
  std::visit([&](const auto& one) { On(from, one, now); }, message);
}

// --- the voter ---

std::optional<Reason> Lease::Vote(const Sender& candidate, const LeaseRequest& request, Instant now,
                                  bool won) {
  if (recovery_) return Reason::kRecovering;
  const LeaseRules& rules = options_.rules;
  const uint64_t version = rules.old_voter_sets_are_refused ? voters_.version : 0;
  const Instant when = rules.held_leases_are_refused && !won ? now : Instant::max();
  const auto against = voter_.Against(request, candidate.session, version, when);
  if (against || request.trial) return against;
  if (!Remember([&](LeaseRecord& record) { record.promised_epoch = request.epoch; })) {
    return Reason::kFailed;
  }
  voter_.Grant(request.epoch, candidate.session, now);
  // The own vote has gone to another: what this node stood for, or held, is over.
  if (candidate.session != options_.session) {
    attempt_.reset();
    stand_.reset();
    pause_ = limits::kDeathSpread;
    if (holding_) StepDown("promised to another");
  }
  return std::nullopt;
}

void Lease::On(const Sender& from, const LeaseRequest& message, Instant now) {
  if (!voters_.Has(options_.name)) return;
  if (const auto against = Vote(from, message, now)) {
    const uint64_t promised = record_.promised_epoch;
    return host_.Send(from.name, LeaseDenial{*against, message.epoch, message.attempt, promised});
  }
  LeaseGrant grant{message.trial, message.epoch, message.attempt, {}};
  if (!message.trial) grant.vector = host_.Held();
  host_.Send(from.name, grant);
}

void Lease::On(const Sender& from, const LeaseRenewal& message, Instant now) {
  if (!voters_.Has(options_.name)) return;
  // A voter that slept through the election promises the epoch now: else its acknowledgements would
  // never count. The lease of the epoch before, which it may have given, is over: the majority that
  // gave this one has a voter of every majority that gave that one.
  if (message.epoch > voter_.promised()) {
    LeaseRequest request;
    request.epoch = message.epoch;
    request.voters = voters_.version;
    (void)Vote(from, request, now, /*won=*/true);
  }
  if (!recovery_ && voter_.Renew(message.epoch, from.session, now)) {
    return host_.Send(from.name, LeaseRenewed{message.epoch, message.sequence});
  }
  const Reason reason = recovery_ ? Reason::kRecovering : Reason::kPromised;
  host_.Send(from.name, LeaseDenial{reason, message.epoch, 0, record_.promised_epoch});
}

void Lease::On(const Sender& from, const LeaseResignation& message, Instant now) {
  voter_.Release(message.epoch, from.session);
  OnTick(now);
}

void Lease::OnProcessEnded(uint64_t session, Instant now) {
  const Instant until = voter_.until();
  voter_.OnProcessEnded(session);
  if (voter_.until() != until && MayStand() && !holding_ && !attempt_) {
    // The other voters of the host hear of it in the same moment: they need not be left so long.
    stand_ = now + limits::kDeathHeard + Within(limits::kDeathSpread);
  }
  OnTick(now);
}

// --- the candidate ---

void Lease::BeginAttempt(bool trial, Instant now) {
  Attempt attempt;
  attempt.trial = trial;
  attempt.epoch = std::max(record_.promised_epoch, highest_) + 1;
  attempt.id = random_() | 1;
  attempt.sent = now;
  attempt.end = now + limits::kElectionTime;
  LeaseRequest own{trial, attempt.epoch, attempt.id, voters_.version};
  if (!trial) {
    attempt.after = holding_ ? "itself" : voter_.ended_by();
    // From here on the epoch that this node may have held is over.
    if (holding_) StepDown("asks for a higher epoch");
    confirmed_.clear();
    renewals_.clear();
    valid_until_ = {};
    epoch_ = attempt.epoch;
    next_renewal_ = now + options_.length / 4;
  }
  if (Vote({options_.name, options_.session}, own, now)) {
    attempt_.reset();
    return StandAgain(now);
  }
  attempt.granted[options_.name] = trial ? VersionVector() : host_.Held();
  attempt_ = std::move(attempt);
  if (!trial) Confirm(options_.name, now);
  AskVoters(now);
  Advance(now);
}

void Lease::AskVoters(Instant now) {
  attempt_->resend = now + limits::kVoteResend;
  const LeaseRequest request{attempt_->trial, attempt_->epoch, attempt_->id, voters_.version};
  for (const std::string& name : voters_.names) {
    const auto granted = attempt_->granted.find(name);
    if (granted == attempt_->granted.end()) {
      host_.Send(name, request);
    } else if (!host_.Holds(granted->second)) {
      host_.Pull(name);
    }
  }
}

void Lease::On(const Sender& from, const LeaseGrant& message, Instant now) {
  if (!attempt_ || message.attempt != attempt_->id || message.trial != attempt_->trial) return;
  if (!voters_.Has(from.name)) return;
  attempt_->granted[from.name] = message.vector;
  attempt_->denied.erase(from.name);
  if (!message.trial) {
    Confirm(from.name, attempt_->sent);
    if (!host_.Holds(message.vector)) host_.Pull(from.name);
  }
  Advance(now);
}

void Lease::On(const Sender& from, const LeaseDenial& message, Instant now) {
  highest_ = std::max(highest_, message.promised);
  if (message.reason == Reason::kVoters) host_.Pull(from.name);
  if (attempt_ && message.attempt == attempt_->id) {
    if (!voters_.Has(from.name) || attempt_->granted.contains(from.name)) return;
    attempt_->denied[from.name] = message.reason;
    // Who has promised as much never grants it: two may have stood at once. The answers that can
    // still come make a majority soon, or the next attempt is due.
    if (message.reason == Reason::kPromised)
      attempt_->end = std::min(attempt_->end, now + limits::kLostElection);
    if (attempt_->denied.size() > voters_.names.size() - voters_.majority()) Fail(now);
    return;
  }
  // A voter has promised more, or this very epoch, to somebody who did not get a majority: it
  // acknowledges nothing of this epoch, so the holder moves above its promise.
  const bool passed_over = message.attempt == 0 && message.epoch == epoch_ && holding_ &&
                           message.reason == Reason::kPromised && message.promised >= epoch_;
  if (passed_over && !attempt_ && may_stand_) BeginAttempt(/*trial=*/true, now);
}

void Lease::OnProgress(Instant now) {
  if (attempt_) Advance(now);
  if (recovery_) AdvanceRecovery(now);
}

void Lease::Advance(Instant now) {
  if (!HasMajority()) return;
  if (attempt_->trial) return BeginAttempt(/*trial=*/false, now);
  // Whatever a majority acknowledged is held by one of these voters, and now by this node.
  const auto held = static_cast<size_t>(
      std::count_if(attempt_->granted.begin(), attempt_->granted.end(),
                    [this](const auto& each) { return host_.Holds(each.second); }));
  if (held < voters_.majority() && options_.rules.candidates_pull) return;
  if (now >= valid_until_) return Fail(now);
  const VoterSet stated = voters_.StatedIn(attempt_->epoch);
  if (const Status written = host_.WriteEpoch(attempt_->epoch, stated); !written) {
    log_->error("event=epoch_not_written error=\"{}\"", written.error().message);
    return Fail(now);
  }
  voters_ = stated;
  log_->info("event=lease_taken node={} epoch={} after={}", options_.name, attempt_->epoch,
             attempt_->after);
  attempt_.reset();
  stand_.reset();
  pause_ = limits::kDeathSpread;
  holding_ = true;
  Renew(now);
}

void Lease::SetMayStand(bool may, Instant now) {
  may_stand_ = may;
  if (!may && attempt_) Fail(now);
}

void Lease::Fail(Instant now) {
  const bool standing = Standing();
  attempt_.reset();
  if (standing) GiveBack(epoch_);
  StandAgain(now);
}

void Lease::StandAgain(Instant now) {
  // Two that stood at once part soon; where answers take longer than that, a few times later.
  stand_ = now + pause_ / 2 + Within(pause_);
  pause_ = std::min<Instant>(2 * pause_, limits::kElectionSpread);
}

void Lease::GiveBack(uint64_t epoch) {
  SendToOthers(LeaseResignation{epoch});
  voter_.Release(epoch, options_.session);
}

void Lease::StepDown(const char* reason) {
  log_->info("event=lease_lost node={} epoch={} reason=\"{}\"", options_.name, epoch_, reason);
  holding_ = false;
}

void Lease::Resign(Instant now) {
  const bool had = holding_ || Standing();
  attempt_.reset();
  if (holding_) StepDown("resigned");
  if (had) GiveBack(epoch_);
  // The others first.
  stand_ = now + options_.length;
}

// --- the holder ---

void Lease::Renew(Instant now) {
  next_renewal_ = now + options_.length / 4;
  if (voter_.Renew(epoch_, options_.session, now)) Confirm(options_.name, now);
  if (renewals_.size() >= limits::kRenewals) renewals_.erase(renewals_.begin());
  renewals_[++sequence_] = now;
  SendToOthers(LeaseRenewal{epoch_, sequence_});
}

void Lease::On(const Sender& from, const LeaseRenewed& message, Instant) {
  if (message.epoch != epoch_ || !(holding_ || Standing())) return;
  const auto sent = renewals_.find(message.sequence);
  if (sent != renewals_.end() && voters_.Has(from.name)) Confirm(from.name, sent->second);
}

void Lease::Confirm(const std::string& voter, Instant sent) {
  if (!voters_.Has(voter)) return;
  Instant& confirmed = confirmed_.try_emplace(voter, sent).first->second;
  confirmed = std::max(confirmed, sent);
  if (confirmed_.size() < voters_.majority()) return;
  std::vector<Instant> times;
  for (const auto& [name, time] : confirmed_) times.push_back(time);
  std::sort(times.begin(), times.end(), std::greater<>());
  const Instant until =
      times[voters_.majority() - 1] + options_.length - options_.length / limits::kLeaseMargin;
  // What the voters before a change have granted holds on: every majority of those after it has one
  // of them.
  if (until < valid_until_) return;
  valid_until_ = until;
  prolonged_by_ = voters_.version;
}

// --- recovery ---

void Lease::RecoverIfNeeded() {
  const bool proven = record_.incarnation == incarnation_ || !options_.rules.lost_voters_recover;
  if (proven || recovery_ || !voters_.Has(options_.name)) return;
  const Origin self{NodeId::FromName(options_.name), incarnation_};
  recovery_.emplace(options_.name, self, record_.promised_epoch);
  log_->warn("event=voter_recovers node={} detail=\"may have lost what it promised\"",
             options_.name);
  ask_recovery_ = {};
}

void Lease::On(const Sender& from, const RecoveryRequest& message, Instant) {
  if (!voters_.Has(options_.name)) return;
  RecoveryReport report;
  report.asked = message.incarnation;
  report.promised = record_.promised_epoch;
  report.recovering = recovery_.has_value();
  report.incarnation = incarnation_;
  report.resumed_with = record_.resumed_with;
  report.vector = host_.Held();
  host_.Send(from.name, report);
}

void Lease::On(const Sender& from, const RecoveryReport& message, Instant now) {
  if (!recovery_) return;
  recovery_->OnReport(from.name, message);
  if (!host_.Holds(message.vector)) host_.Pull(from.name);
  AdvanceRecovery(now);
}

void Lease::AdvanceRecovery(Instant now) {
  const auto holds = [this](const VersionVector& vector) { return host_.Holds(vector); };
  const auto outcome = recovery_->Finished(voters_, holds);
  if (!outcome || (outcome->together && !options_.rules.all_lost_resume)) return;
  const bool written = Remember([&](LeaseRecord& record) {
    record.promised_epoch =
        outcome->together ? std::max(outcome->promised, highest_) + 1 : outcome->promised;
    record.incarnation = incarnation_;
    record.resumed_with = outcome->resumed_with;
  });
  if (!written) return;
  if (outcome->together) {
    log_->warn(
        "event=voter_resumes node={} epoch={} detail=\"all voters had lost what was not synced: "
        "what "
        "a majority acknowledged last may be gone\"",
        options_.name, record_.promised_epoch);
  } else {
    log_->info("event=voter_recovered node={} epoch={}", options_.name, record_.promised_epoch);
  }
  recovery_.reset();
  // Members that do not vote may hold what was lost, and tell of it meanwhile.
  const Instant longer = std::max(Instant{}, limits::kResumeWait - options_.length);
  RestoreVoter(outcome->together ? now + longer : now);
}

// --- time ---

void Lease::OnTick(Instant now) {
  if (recovery_) {
    if (now >= ask_recovery_) {
      ask_recovery_ = now + limits::kVoteResend;
      SendToOthers(RecoveryRequest{incarnation_});
    }
    return AdvanceRecovery(now);
  }
  if (holding_ && now >= valid_until_) StepDown("no majority prolonged it");
  if (attempt_) {
    const bool pulling = Standing() && HasMajority();
    const Instant end = pulling ? valid_until_ : attempt_->end;
    if (now >= end) {
      Fail(now);
    } else if (now >= attempt_->resend) {
      AskVoters(now);
      Advance(now);
    }
  }
  const bool renewing = holding_ || (Standing() && HasMajority());
  if (renewing && now >= next_renewal_) Renew(now);
  if (holding_ || attempt_ || !MayStand() || !voter_.Lapsed(now)) return;
  if (!stand_) stand_ = now + Within(limits::kElectionSpread);
  if (now >= *stand_) {
    stand_.reset();
    BeginAttempt(/*trial=*/true, now);
  }
}

Instant Lease::NextTimer() const {
  if (recovery_) return ask_recovery_;
  Instant next = Instant::max();
  if (holding_) next = std::min(next_renewal_, valid_until_);
  if (attempt_) {
    next = std::min({next, attempt_->resend, attempt_->end});
    if (Standing() && HasMajority())
      next = std::min({attempt_->resend, next_renewal_, valid_until_});
  } else if (!holding_ && MayStand()) {
    next = std::min(next, std::max(voter_.until(), stand_.value_or(Instant{})));
  }
  return next;
}

}  // namespace starling
