#include "replication/folder_lease.h"

#include <algorithm>
#include <utility>

namespace starling {

namespace {

/// Renewals in a lease: one may come late without its being lost.
constexpr int kRenewals = 4;
/// Who does not hold the lease looks so often in a lease, beside what OnChange tells.
constexpr int kLooks = 8;

}  // namespace

void FolderLease::OnTick(Instant now) {
  if (now >= next_look_) OnChange(now);
}

void FolderLease::OnChange(Instant now) {
  stood_still_ = now > next_look_ + options_.length / kRenewals;
  next_look_ = now + options_.length / (epoch_ != 0 ? kRenewals : kLooks);
  if (epoch_ != 0) return Renew(now);
  const Result<std::vector<uint64_t>> epochs = folder_.Epochs();
  if (!epochs) {
    if (!folder_failed_) {
      log_->error("event=lease_folder_failed error=\"{}\"", epochs.error().message);
    }
    folder_failed_ = true;
    return;
  }
  folder_failed_ = false;
  const uint64_t newest = epochs->empty() ? 0 : epochs->back();
  if (newest != seen_epoch_) {
    seen_epoch_ = newest;
    seen_since_ = now;
    seen_renewal_.reset();
  }
  highest_ = std::max({highest_, newest, host_.KnownEpoch()});
  const std::string_view after = EndedBy(newest, now);
  if (!after.empty()) TakeOver(highest_ + 1, /*goes_on=*/false, after, now);
}

std::string_view FolderLease::EndedBy(uint64_t epoch, Instant now) {
  if (epoch == 0) {
    const bool nobody_led = options_.created && highest_ == 0;
    const bool waits = !nobody_led && options_.rules.emptied_folders_wait;
    return waits && now < seen_since_ + options_.length ? "" : "nobody";
  }
  const Result<EpochContent> content = folder_.ReadHead(epoch);
  if (!content) return {};  // dropped meanwhile, or unreadable: look again
  if (!content->holder) {
    // Killed as it was created, or being created now.
    seen_holder_.clear();
    return now >= seen_since_ + options_.length ? "lapse" : "";
  }
  seen_holder_ = content->holder->name;
  if (content->renewed != seen_renewal_) {
    seen_renewal_ = content->renewed;
    renewal_since_ = now;
  }
  // A stamp from the future is none, or this process stood still between `now` and its look: the
  // lease is counted from when the stamp was seen.
  const Instant renewed = content->renewed > now ? renewal_since_ : content->renewed;
  if (*content->holder == options_.self) return "itself";
  if (content->renewed == Instant{}) return "resignation";
  if (content->holder->boot_id != options_.self.boot_id) return "death";
  if (folder_.HasEnded(*content->holder)) return "death";
  if (now < renewed + options_.length) return "";
  // Where the whole host stood still its holder, who goes on in this moment too, comes first: once.
  const bool waits = stood_still_ && options_.rules.holders_are_waited_for;
  if (waits && std::exchange(spared_, content->renewed) != content->renewed) {
    spared_until_ = now + options_.length / kRenewals;
  }
  return now >= spared_until_ ? "lapse" : "";
}

void FolderLease::TakeOver(uint64_t epoch, bool goes_on, std::string_view after, Instant now) {
  const Status created = folder_.Create(epoch, options_.self, now);
  if (!created) {
    if (created.error().code != Code::kAlreadyExists && !std::exchange(create_failed_, true)) {
      log_->error("event=epoch_not_created epoch={} error=\"{}\"", epoch, created.error().message);
    }
    return;
  }
  create_failed_ = false;
  if (!goes_on && !MayBegin(epoch, now)) return folder_.Abandon();
  if (const Status prepared = Prepare(epoch, goes_on); !prepared) {
    folder_.Abandon();
    return FailToBegin(epoch, prepared.error(), now);
  }
  if (const Status written = host_.WriteEpoch(epoch); !written) {
    (void)folder_.Renew(Instant{});  // it may stand there: the epoch is used
    return FailToBegin(epoch, written.error(), now);
  }
  begin_failed_.clear();
  seen_epoch_.reset();  // while it is held here nobody looks
  epoch_ = epoch;
  valid_until_ = ValidFrom(now);
  next_look_ = now + options_.length / kRenewals;
  seen_holder_ = options_.self.name;
  if (!Confirm(now)) return;
  folder_.DropEarlier();
  log_->info("event=lease_taken epoch={} after={}", epoch, after);
}

bool FolderLease::MayBegin(uint64_t epoch, Instant now) {
  // Whoever has it may have come back and renewed it since this process looked. It looks once more
  // after it has renewed: either it sees the new epoch, or its renewal is seen here.
  if (!options_.rules.vacancy_is_seen_twice) return true;
  const Result<std::vector<uint64_t>> epochs = folder_.Epochs();
  if (!epochs) return false;
  uint64_t before = 0;
  for (const uint64_t each : *epochs) {
    if (each < epoch) before = each;
  }
  return before == *seen_epoch_ && !EndedBy(before, now).empty();
}

void FolderLease::FailToBegin(uint64_t epoch, const Error& error, Instant now) {
  if (begin_failed_ != error.message) {
    log_->error("event=lease_not_taken epoch={} error=\"{}\"", epoch, error.message);
  }
  begin_failed_ = error.message;
  next_look_ = now + options_.length;  // the others first
  if (epoch_ != 0) StepDown("the next epoch could not begin");
}

Status FolderLease::AppendSnapshot() {
  const Result<std::string> snapshot = host_.Snapshot();
  if (!snapshot) return snapshot.error();
  Status written = folder_.AppendSnapshot(*snapshot);
  kept_bytes_ += snapshot->size();
  return written;
}

Status FolderLease::Prepare(uint64_t epoch, bool goes_on) {
  // Listed after the creation: who creates one below from now on finds out that it is not newest.
  const Result<std::vector<uint64_t>> epochs = folder_.Epochs();
  if (!epochs) return epochs.error();
  for (auto earlier = epochs->rbegin(); earlier != epochs->rend() && !goes_on; ++earlier) {
    if (*earlier >= epoch) continue;
    const Result<EpochContent> content = folder_.Read(*earlier);
    if (!content) return content.error();
    if (!content->snapshot) {  // its holder died in here: what counts is further back
      if (!options_.rules.unfinished_epochs_are_passed_over) break;
      continue;
    }
    if (Status taken = host_.TakeOver(*content); !taken) return taken;
    break;
  }
  if (!options_.rules.earlier_epochs_are_kept) folder_.DropEarlier();
  kept_bytes_ = 0;
  return AppendSnapshot();
}

void FolderLease::Renew(Instant now) {
  if (!Confirm(now)) return;
  if (const Status renewed = folder_.Renew(now); !renewed) {
    log_->error("event=lease_not_renewed epoch={} error=\"{}\"", epoch_, renewed.error().message);
    if (now >= valid_until_) StepDown("it could not be renewed");
    return;
  }
  if (options_.rules.vacancy_is_seen_twice && !Confirm(now)) return;  // MayBegin has why
  valid_until_ = ValidFrom(now);
}

bool FolderLease::Confirm(Instant now) {
  if (epoch_ == 0) return false;
  const Result<bool> newest = folder_.IsNewest();
  if (newest && *newest) return true;
  StepDown(newest ? "another process has taken it" : newest.error().message.c_str());
  next_look_ = now;
  return false;
}

Status FolderLease::Keep(std::string_view record, Instant now) {
  if (!Holding(now)) return Error{Code::kUnavailable, "the lease is not held here"};
  const Status kept = folder_.Append(record);
  // Whether the record counts is for the next epoch to say, whosever it is.
  if (!kept && kept.error().code == Code::kUnknownOutcome) Resign();
  if (kept) kept_bytes_ += record.size();
  return kept;
}

Status FolderLease::KeepSnapshot(Instant now) {
  if (!Holding(now)) return Error{Code::kUnavailable, "the lease is not held here"};
  const Status kept = AppendSnapshot();
  if (!kept && kept.error().code == Code::kUnknownOutcome) Resign();
  return kept;
}

void FolderLease::BeginNext(Instant now) {
  if (!Holding(now) || !Confirm(now)) return;
  TakeOver(epoch_ + 1, /*goes_on=*/true, "itself", now);
}

void FolderLease::Resign() {
  if (epoch_ == 0) return;
  if (const Status given = folder_.Renew(Instant{}); !given) {
    log_->warn("event=lease_not_given_back epoch={} error=\"{}\"", epoch_, given.error().message);
  }
  StepDown("given back");
}

void FolderLease::StepDown(const char* reason) {
  log_->info("event=lease_lost epoch={} reason=\"{}\"", epoch_, reason);
  epoch_ = 0;
  valid_until_ = {};
}

}  // namespace starling
