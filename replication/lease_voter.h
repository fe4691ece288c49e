/// One voter's promise: to whom it gave which epoch, and until when nobody else gets one.
///
/// A pure state machine; whoever calls Grant has persisted the promise before. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "replication/lease_message.h"
#include "replication/replicator.h"

namespace starling {

class LeaseVoter {
 public:
  /// `length`: of a lease, by the clock that `now` is read from.
  explicit LeaseVoter(std::chrono::nanoseconds length) : length_(length) {}

  /// After a restart: timers are lost, so whoever was promised an epoch keeps it for one lease.
  void Restore(uint64_t promised, Instant now);

  /// What speaks against giving `request` to the process `session`; none: nothing. `voters` is the
  /// version of the voter set known here.
  std::optional<LeaseDenial::Reason> Against(const LeaseRequest& request, uint64_t session,
                                             uint64_t voters, Instant now) const;
  void Grant(uint64_t epoch, uint64_t session, Instant now);
  /// Prolongs the lease if it is that process's, or if a restart has forgotten whose it was (only
  /// who has the epoch from a majority renews it); false: it is not.
  bool Renew(uint64_t epoch, uint64_t session, Instant now);
  /// A process gave the epoch back. Another one's is left alone, and after a restart anybody's: two
  /// may have stood for one epoch, and whose the promise was is forgotten.
  void Release(uint64_t epoch, uint64_t session);
  /// The kernel says that this process has ended.
  void OnProcessEnded(uint64_t session);

  uint64_t promised() const { return promised_; }
  /// When the lease lapses here, unless it is prolonged.
  Instant until() const { return until_; }
  bool Lapsed(Instant now) const { return now >= until_; }
  /// By what the lease that was given last is over, if it is: `death` of the holder's process,
  /// `resignation`, else `lapse`; `nobody`: none was given yet. For the log.
  std::string_view ended_by() const { return ended_by_; }

 private:
  void End(uint64_t session, std::string_view by);

  std::chrono::nanoseconds length_;
  uint64_t promised_ = 0;
  std::optional<uint64_t> session_;  // of the process that has the epoch
  bool forgotten_ = false;           // a restart has forgotten the session
  Instant until_{};
  std::string_view ended_by_ = "nobody";
};

}  // namespace starling
