/// The lease among processes of one host, whose only voter is a folder they share.
///
/// Who creates the next epoch's file has the lease, having read back what the one before it had
/// promised to keep; whoever held it before finds that out before it answers anybody. No lock is
/// held over anything, so that a process can be killed, or stopped at a breakpoint, at any
/// instruction: the others go on at once after a death, one lease later otherwise. Source:
/// DESIGN.md section 6; Gray and Cheriton, "Leases" (1989) for the times.
///
/// Records that a majority is waited for are confirmed by the folder. What is answered without one
/// goes by the clock (Holding), which is as good: nobody leads in the next epoch before the lease
/// has lapsed, its holder has ended, or has given it back; and where the folder was emptied, or
/// another stands in its place, nobody begins in it before a lease has passed.
///
/// A state machine without I/O but that of its folder. `now` is the boot's clock, one for all
/// processes of the host. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <spdlog/logger.h>

#include "replication/epoch_folder.h"
#include "replication/limits.h"

namespace starling {

class FolderLeaseHost {
 public:
  virtual ~FolderLeaseHost() = default;
  /// All that must outlive the epoch: claims that have not ended, and what not all members hold.
  /// Error: it cannot be read now.
  virtual Result<std::string> Snapshot() = 0;
  /// Takes over what an earlier epoch kept: its snapshot, then its records. Error: this node cannot
  /// lead. Called again with the same, it changes nothing.
  virtual Status TakeOver(const EpochContent& earlier) = 0;
  /// The highest epoch that this node has heard of: a folder that was emptied starts above it.
  virtual uint64_t KnownEpoch() = 0;
  /// As LeaseHost::WriteEpoch.
  virtual Status WriteEpoch(uint64_t epoch) = 0;
};

/// What nothing is lost by. Tests leave one out and must see something lost.
struct FolderLeaseRules {
  /// An epoch whose holder died before its snapshot was finished says nothing: look further back.
  bool unfinished_epochs_are_passed_over = true;
  /// Earlier epochs are dropped only once their content stands in this one.
  bool earlier_epochs_are_kept = true;
  /// Whoever led in a folder that is found empty may go by its clock for a lease yet.
  bool emptied_folders_wait = true;
  /// Who has created an epoch looks whether the one before is still vacant, and who has renewed
  /// whether its is still the newest: one of two that do both at once finds the other.
  bool vacancy_is_seen_twice = true;
  /// Who finds a lease lapsed once it stood still itself waits for its holder, which may have stood
  /// still with it. (Protects nothing: the lease would move whenever the host stands still.)
  bool holders_are_waited_for = true;
  /// (That Confirm is asked before each reply is the caller's.)
};

class FolderLease {
 public:
  struct Options {
    EpochHolder self;
    /// This process created the cluster: where no epoch is known nobody has led yet.
    bool created = false;
    std::chrono::nanoseconds length = limits::kLease;
    FolderLeaseRules rules = {};
  };

  FolderLease(Options options, EpochFolder& folder, FolderLeaseHost& host,
              std::shared_ptr<spdlog::logger> log)
      : options_(std::move(options)), folder_(folder), host_(host), log_(std::move(log)) {}

  /// Looks who holds the lease, and takes it if nobody does; renews it if it is held here.
  void OnTick(Instant now);
  /// The folder has changed, or a process of the host has ended: the same at once.
  void OnChange(Instant now);
  Instant NextTimer() const { return next_look_; }
  /// Gives the lease back, so that another process gets it at once.
  void Resign();

  /// Whether this process may order commands. What came of one is told to anybody only if Confirm
  /// says so afterwards.
  bool Holding(Instant now) const { return epoch_ != 0 && now < valid_until_; }
  /// Whether what was done up to now was done while the lease was held here: asked after a command
  /// and its record, before the reply goes out. Steps down where not.
  bool Confirm(Instant now);
  /// Keeps a record for whoever holds the lease next; then Confirm. Error: as EpochFolder::Append,
  /// kUnavailable (the lease is not held here).
  Status Keep(std::string_view record, Instant now);
  /// Keeps a new snapshot in place of all that was kept before. Errors: as Keep, and Snapshot's.
  Status KeepSnapshot(Instant now);
  /// Begins the next epoch, with a snapshot of its own: what this one keeps has become too much.
  /// The lease is lost where that fails.
  void BeginNext(Instant now);
  /// What this epoch keeps: bytes.
  size_t kept_bytes() const { return kept_bytes_; }
  Instant valid_until() const { return valid_until_; }
  /// Held by this process now; 0: none.
  uint64_t epoch() const { return epoch_; }
  /// Who held the lease when last looked at; empty: nobody.
  const std::string& holder() const { return seen_holder_; }

 private:
  /// By what the lease of this epoch, the newest one, is over: `death` of its holder,
  /// `resignation`, `lapse`; `itself`: it was this process's; `nobody`: none has held it; empty: it
  /// is held.
  std::string_view EndedBy(uint64_t epoch, Instant now);
  /// `goes_on`: from an epoch that this process holds. `after`: for the log.
  void TakeOver(uint64_t epoch, bool goes_on, std::string_view after, Instant now);
  /// After the creation of an epoch: whether it may begin.
  bool MayBegin(uint64_t epoch, Instant now);
  /// Error: nothing was decided in the epoch.
  Status Prepare(uint64_t epoch, bool goes_on);
  void FailToBegin(uint64_t epoch, const Error& error, Instant now);
  Status AppendSnapshot();
  Instant ValidFrom(Instant now) const {
    return now + options_.length - options_.length / limits::kLeaseMargin;
  }
  void StepDown(const char* reason);
  void Renew(Instant now);

  Options options_;
  EpochFolder& folder_;
  FolderLeaseHost& host_;
  std::shared_ptr<spdlog::logger> log_;

  uint64_t epoch_ = 0;
  Instant valid_until_{};
  Instant next_look_{};
  uint64_t highest_ = 0;                 // epoch that was ever heard of
  std::optional<uint64_t> seen_epoch_;   // the newest, as this process looked last; 0: none
  Instant seen_since_{};                 // when it was first seen to be that
  std::optional<Instant> seen_renewal_;  // its, as last read
  Instant renewal_since_{};              // when it was first seen to be that
  std::string seen_holder_;
  bool stood_still_ = false;       // it has looked for the first time, or long after it ought to
  std::optional<Instant> spared_;  // the renewal for which its holder was waited for
  Instant spared_until_{};
  size_t kept_bytes_ = 0;
  bool folder_failed_ = false;  // said once
  bool create_failed_ = false;  // said once
  std::string begin_failed_;    // what was said last
};

}  // namespace starling
