// How the voters change, by the operator's decision (DESIGN.md section 6).
//
// The holder writes each step into its epoch's record; it takes effect there at once, and the next
// one waits until a majority holds it, counted by the new voters. Until a majority has acknowledged
// the epoch's beginning nothing is changed: what an earlier holder wrote and nobody knows of is
// outranked only then.
#include <algorithm>

#include "replication/joining.h"
#include "replication/leasing.h"

namespace starling {
namespace {

/// A forced set's epochs begin so far above those that are known: what the lost voters still
/// promised lies below.
constexpr uint64_t kForcedEpochs = 1000;

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Result<std::string> Leasing::ChangeVoters(const VoterRequest& request, Instant now) {
  if (request.kind == VoterRequest::Kind::kForce) return ForceVoters(request, now);
  if (mode() != LeaseMode::kNamed) return HandFolderOver(request, now);
  if (LeadsEpoch(now) == 0 || leads() != majority_.epoch()) {
    return Error{Code::kUnavailable, "this node does not hold the lease"};
  }
  if (!changed_.none()) {
    return Error{Code::kUnavailable, "a change of the voters is under way (to " +
                                         JoinNames(wanted_) +
                                         "); ask again when STARLING LEASE shows voters-held 1"};
  }
  const std::vector<std::string>& voters = lease_.voters().names;
  Result<std::vector<std::string>> wanted = VotersWanted(request, voters, list_.members());
  if (!wanted) return wanted.error();
  if (Status alive = CheckNotStopped(*wanted); !alive) return alive.error();
  const auto next = NextVoters(voters, *wanted, store_.name());
  if (!next) {
    wanted_.clear();
    return std::string();
  }
  if (const std::string why = WhyUnreachable(*next); !why.empty()) {
    return Error{Code::kUnavailable, why};
  }
  wanted_ = *std::move(wanted);  // in place of what was wanted before and is still waited for
  wanted_epoch_ = leads();
  added_.clear();
  log_->info("event=voters_wanted node={} epoch={} voters=\"{}\" wanted=\"{}\"", store_.name(),
             leads(), JoinNames(voters), JoinNames(wanted_));
  return std::string();
}

bool Leasing::Votes(const std::string& name) const {
  return lease_.voters().Has(name) || Has(wanted_, name);
}

/// Who is being forgotten must not begin to vote: no end would have its report behind it.
Status Leasing::CheckNotStopped(const std::vector<std::string>& wanted) const {
  for (const std::string& name : wanted) {
    if (!list_.IsStopped(name)) continue;
    return Error{Code::kRefused,
                 "'" + name + "' is being forgotten; when it is back as a new member, ask again"};
  }
  return {};
}

/// Why `next` could not bring itself to a majority; empty: it can, as far as is known.
std::string Leasing::WhyUnreachable(const std::vector<std::string>& next) const {
  std::vector<std::string> missing;
  size_t reached = 0;
  for (const std::string& name : next) {
    if (name == store_.name() || streams_.HasPeer(NodeId::FromName(name))) {
      ++reached;
      continue;
    }
    if (!lease_.voters().Has(name)) return "'" + name + "' is not connected; start it first";
    missing.push_back(name);
  }
  if (reached >= VoterSet{0, next}.majority()) return {};
  return "of " + JoinNames(next) + " too few would be in reach to go on: start " +
         JoinNames(missing) + ", or remove it first";
}

/// Holds the epoch's beginning, and of the own stream what a majority holds.
bool Leasing::HasCaughtUp(const std::string& name) const {
  const VersionVector* held = streams_.HeldBy(NodeId::FromName(name));
  if (held == nullptr) return false;
  const Stamp needed = std::max(majority_.beginning().written, majority_.told());
  return held->Covers(list_.Visible(majority_.beginning().vector)) &&
         held->Covers(store_.origin(), needed);
}

Status Leasing::WriteVoters(uint64_t epoch, const VoterSet& voters) {
  EpochRecord record = epoch == known_epoch_ ? known_ : RecordOf(epoch, voters);
  record.holder = store_.name();
  record.voters = voters;
  WriteEpochRecord(store_.keyspace(), epoch, record);
  return store_.journal().Commit();
}

void Leasing::ChangeOneVoter(const std::vector<std::string>& names, Instant now) {
  const VoterSet& voters = lease_.voters();
  const VoterSet next{VoterSet::VersionOf(voters.forced(), leads(), voters.change() + 1), names};
  if (const Status written = WriteVoters(leads(), next); !written) {
    log_->error("event=voters_not_written node={} error=\"{}\"", store_.name(),
                written.error().message);
    return lease_.Resign(now);  // it may be on disk: the next epoch says
  }
  added_.clear();
  for (const std::string& name : names) {
    if (!voters.Has(name) && name != store_.name()) added_ = name;
  }
  lease_.ChangeVoters(next, now);
  changed_ = store_.journal().upto();
  majority_.Await(changed_);
  log_->info("event=voters_written node={} version={} voters=\"{}\"", store_.name(),
             VersionText(next.version), JoinNames(names));
}

void Leasing::AdvanceChange(Instant now) {
  if (wanted_.empty() && changed_.none()) return;
  if (leads() == 0 || leads() != majority_.epoch()) {
    changed_ = {};
    if (wanted_epoch_ == 0 || wanted_.empty()) return;
    log_->warn("event=voters_change_cut_short node={} voters=\"{}\" wanted=\"{}\"", store_.name(),
               JoinNames(lease_.voters().names), JoinNames(wanted_));
    return wanted_.clear();
  }
  if (wanted_epoch_ == 0) wanted_epoch_ = leads();
  if (wanted_epoch_ != leads()) return wanted_.clear();
  const bool waits = options_.rules.epoch_commits_before_change;
  if (!changed_.none()) {
    if (waits && majority_.told() < changed_) return;
    changed_ = {};
    if (!lease_.voters().Has(store_.name())) {
      log_->info("event=voters_changed node={} version={} voters=\"{}\"", store_.name(),
                 VersionText(lease_.voters().version), JoinNames(lease_.voters().names));
      wanted_.clear();
      return lease_.Resign(now);
    }
  }
  // A voter that has not recovered yet is none that can be counted on: it was not added so far.
  if (waits && !added_.empty() && !majority_.HasAcknowledged(added_)) return;
  const auto next = NextVoters(lease_.voters().names, wanted_, store_.name());
  if (!next) {
    log_->info("event=voters_changed node={} version={} voters=\"{}\"", store_.name(),
               VersionText(lease_.voters().version), JoinNames(lease_.voters().names));
    return wanted_.clear();
  }
  if (waits && (!majority_.begun() || !lease_.ProlongedByVoters())) return;
  if (LeadsEpoch(now) == 0 || !WhyUnreachable(*next).empty()) return;
  for (const std::string& name : *next) {
    if (!lease_.voters().Has(name) && !HasCaughtUp(name)) return;
  }
  ChangeOneVoter(*next, now);
}

// --- after a lost majority ---

Result<std::string> Leasing::ForceVoters(const VoterRequest& request, Instant now) {
  const VoterSet& voters = lease_.voters();
  Result<std::vector<std::string>> wanted = VotersWanted(request, voters.names, list_.members());
  if (!wanted) return wanted.error();
  if (!Has(*wanted, store_.name())) {
    return Error{Code::kRefused,
                 "FORCE is run at one of the nodes that it names; this is '" + store_.name() + "'"};
  }
  if (Status alive = CheckNotStopped(*wanted); !alive) return alive.error();
  if (!MayLead(now)) {
    return Error{Code::kUnavailable,
                 "this node does not belong, or cannot write: nothing is "
                 "forced at it"};
  }
  const LeaseView view = View(now);
  if (!view.holder.empty()) {
    return Error{Code::kRefused, "'" + view.holder +
                                     "' holds the lease, so no majority is lost: ADD, REMOVE or "
                                     "REPLACE there"};
  }
  const uint64_t known = std::max({HighestKnown(), lease_.promised(), voters.epoch()});
  // The last part only tells apart what two nodes force at once.
  const VoterSet forced{
      VoterSet::VersionOf(voters.forced() + 1, known + kForcedEpochs, store_.id().value | 1),
      *std::move(wanted)};
  WriteForcedVoters(store_.keyspace(), forced);
  if (Status written = store_.journal().Commit(); !written) return written.error();
  const std::string before = mode() == LeaseMode::kNamed ? JoinNames(voters.names) : "the folder";
  log_->warn(
      "event=voters_forced node={} version={} before=\"{}\" voters=\"{}\" detail=\"what only the "
      "voters before held is lost; until they are gone for good, or have heard of this, a lock may "
      "have two holders\"",
      store_.name(), VersionText(forced.version), before, JoinNames(forced.names));
  RefreshEpochs(now);
  return "WARNING the voters are now " + JoinNames(forced.names) + " (before: " + before +
         "). Locks and other claims that only the voters before held are lost. If a majority of "
         "those still runs somewhere, it goes on granting until it hears of this: two holders of "
         "one lock are possible until then. See that they are gone, or let them connect.";
}

// --- from the folder to named voters ---

Result<std::string> Leasing::HandFolderOver(const VoterRequest& request, Instant now) {
  if (!folder_) {
    return Error{Code::kUnavailable,
                 "nobody votes here: the cluster's meeting folder is on another host"};
  }
  if (request.kind != VoterRequest::Kind::kSet) {
    return Error{Code::kRefused,
                 "the meeting folder votes, no member does; STARLING VOTERS SET <name> [<name> "
                 "...] makes members vote instead, for good"};
  }
  if (LeadsEpoch(now) == 0 || !majority_.begun()) {
    return Error{Code::kUnavailable,
                 "this node does not hold the lease, or has only just taken "
                 "it"};
  }
  Result<std::vector<std::string>> wanted = VotersWanted(request, {}, list_.members());
  if (!wanted) return wanted.error();
  if (Status alive = CheckNotStopped(*wanted); !alive) return alive.error();
  for (const std::string& name : *wanted) {
    if (name == store_.name() || streams_.HasPeer(NodeId::FromName(name))) continue;
    return Error{Code::kUnavailable, "'" + name + "' is not connected; start it first"};
  }
  const uint64_t epoch = folder_->leads();
  const VoterSet first{VoterSet::VersionOf(0, epoch, 1), {store_.name()}};
  if (Status given = folder_->HandOver(first, now); !given) return given.error();
  log_->info("event=folder_handed_over node={} epoch={} version={} wanted=\"{}\"", store_.name(),
             epoch, VersionText(first.version), JoinNames(*wanted));
  if (Status written = WriteVoters(epoch, first); !written) {
    log_->error("event=voters_not_written node={} error=\"{}\"", store_.name(),
                written.error().message);
  }
  folder_->Resign();
  folder_.reset();
  wanted_ = *std::move(wanted);
  wanted_epoch_ = 0;
  lease_.TakeVote(first, epoch, now);
  return std::string();
}

/// The folder says that it votes no more: it may be the first that this node hears of it.
void Leasing::FollowHandOver(Instant now) {
  if (suspended_ || !folder_ || !folder_->handed_over()) return;
  const VoterSet voters = *folder_->handed_over();
  folder_.reset();
  if (voters.Has(store_.name()) && ReadVoters(store_.keyspace()).version < voters.version) {
    if (Status written = WriteVoters(voters.epoch(), voters); !written) {
      log_->error("event=voters_not_written node={} error=\"{}\"", store_.name(),
                  written.error().message);
    }
  }
  lease_.SetVoters(voters, now);
}

}  // namespace starling
