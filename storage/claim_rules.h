/// The rules that claims stand on (DESIGN.md sections 3 and 6), each of which can be left out.
///
/// For tests only: whoever leaves one out must see it violated (tests/sim). In production all are
/// kept. Those of the lease are in replication/lease_rules.h.
#pragma once

namespace starling {

struct ClaimRules {
  /// A claim's time to live is counted from its arrival, by the boot clock; else from its stamp, by
  /// the wall clock (counterexample 20).
  bool timed_from_arrival = true;
  /// What meets an undecided record waits for its verdict (counterexample 19).
  bool undecided_hold_back = true;
  /// A record is applied nowhere before a majority holds it (counterexamples 36, 37).
  bool applied_when_decided = true;
  /// Its writer's client is answered when a majority holds it.
  bool answers_wait_for_majority = true;
  /// A record that an epoch since has begun without is void (counterexamples 24, 37).
  bool older_are_void = true;
  /// Only epochs count for that which the deciding one goes back to: the holder of another one died
  /// alone with its record, and a later one may have decided without it.
  bool judged_by_lineage = true;
  /// In an epoch nothing is decided before a majority holds its beginning.
  bool epoch_begins_first = true;
  /// Whether the lease is still held is looked at once more before replies go out (counterexample
  /// 22).
  bool lease_before_reply = true;
  /// Who waits and is handed on to the next leaseholder is known there by its name, and not served
  /// twice.
  bool asked_again_by_name = true;
  /// A record holds all that its transaction wrote; else what it wrote to claims, and the rest is
  /// gone with the leaseholder (counterexample 36).
  bool records_hold_all = true;
  /// A later cut, of somebody who did not know of it, does not end a claim (counterexample 38).
  bool cuts_spare_claims = true;
  /// The end of a claim cuts its key: what was written beside it does not surface (38).
  bool ends_cut_the_key = true;
  /// A rewrite carries the time that remains, not what the claim began with (counterexample 39).
  bool rewrites_keep_the_time = true;

  friend bool operator==(const ClaimRules&, const ClaimRules&) = default;
};

}  // namespace starling
