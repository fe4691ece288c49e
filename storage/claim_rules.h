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
  /// In an epoch nothing is decided before a majority holds its beginning.
  bool epoch_begins_first = true;
  /// Whether the lease is still held is looked at once more before replies go out (counterexample
  /// 22).
  bool lease_before_reply = true;

  friend bool operator==(const ClaimRules&, const ClaimRules&) = default;
};

}  // namespace starling
