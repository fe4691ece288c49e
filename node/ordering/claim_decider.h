/// What a leaseholder does about claims beside running commands: it decides the records that a
/// majority holds, those that earlier epochs left, and ends claims whose time is up (DESIGN.md
/// section 6).
///
/// Without threads and clocks of its own, so that the simulator runs it as the executor does
/// (order_executor.h). Who calls commits the journal and asks for majorities.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "replication/replicator.h"
#include "storage/keyspace.h"
#include "storage/records.h"

namespace starling {

/// Whether nobody else has led between `epoch`, in which this node led, and `led`, which it leads
/// now (0: none): epochs have no gaps.
inline bool NobodyLedBetween(uint64_t epoch, uint64_t led) {
  return led == epoch || led == epoch + 1;
}

class ClaimDecider {
 public:
  explicit ClaimDecider(Keyspace& keyspace) : keyspace_(keyspace), rules_(keyspace.claim_rules()) {}

  /// What is known of the lease from now on. Where its epoch is another one, nothing is waited for
  /// any more: the next leaseholder decides. Where this node leads again, what the epoch has left
  /// undecided waits for a majority again.
  void SetLease(const LeaseView& lease);
  const LeaseView& lease() const { return lease_; }
  /// Whether something can be decided in `epoch`: before its beginning is acknowledged nothing can.
  bool Begun(uint64_t epoch) const {
    const bool held = lease_.majority_begun || !rules_.epoch_begins_first;
    return lease_.leading && held && lease_.epoch == epoch;
  }

  /// Whether what was run in `order_epoch` may be answered as such where this node leads `led` now
  /// (0: none): whose lease has ended meanwhile has run it as one of many.
  bool StillOrdered(uint64_t order_epoch, uint64_t led) const {
    return NobodyLedBetween(order_epoch, led) || !rules_.lease_before_reply;
  }

  /// A record of this epoch's that was written: it waits for a majority.
  void Add(const Records::Written& written) { waiting_.push_back(written); }
  bool waits() const { return !waiting_.empty(); }
  /// Whether all records up to there that were written in `epoch` are decided. False where the
  /// epoch has ended.
  bool Decided(uint64_t epoch, Stamp upto) const;
  /// Up to where a majority must hold the own stream and has not been asked for it: the log holds
  /// it when this is called. Nothing twice.
  std::optional<Stamp> TakeWanted();
  /// A majority holds the own stream up to there. Whether something was decided: it is to be
  /// flushed. Only while this node leads the epoch of the lease.
  bool Decide(Stamp upto);

  struct Earlier {
    size_t committed = 0;
    size_t voided = 0;
    bool any() const { return committed + voided > 0; }
  };
  /// Decides what earlier epochs left, once this one has begun: a record counts where every epoch
  /// since began with it.
  Earlier DecideEarlier();

  /// When EndLapsed has something to do, by the boot clock; nothing while it has not.
  std::optional<std::chrono::nanoseconds> NextLapse() const;
  /// Writes the ends of claims whose time is up. Only while this node leads.
  void EndLapsed(std::chrono::nanoseconds now);

 private:
  Keyspace& keyspace_;
  const ClaimRules& rules_;
  LeaseView lease_;
  std::vector<Records::Written> waiting_;  // for a majority
  Stamp lapses_upto_;                      // the last of them that ends a claim whose time is up
  Stamp wanted_;                           // asked for
  std::chrono::nanoseconds look_again_{};  // for lapses: not before
};

}  // namespace starling
