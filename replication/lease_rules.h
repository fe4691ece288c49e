/// The rules that exclusion stands on (DESIGN.md section 6), each of which can be left out.
///
/// For tests only: whoever leaves one out must see it violated (tests/sim, tests/replication). In
/// production all are kept.
#pragma once

namespace starling {

struct LeaseRules {
  bool promises_are_written = true;     ///< Counterexample 7.
  bool lost_voters_recover = true;      ///< Counterexamples 7 and 8.
  bool restarted_voters_wait = true;    ///< Counterexample 21.
  bool candidates_pull = true;          ///< What a majority acknowledged is held before serving.
  bool held_leases_are_refused = true;  ///< A voter waits for the lease it gave to lapse.
  /// Voters refuse candidates whose set is older than theirs, and a candidate that finds a newer
  /// one starts again (counterexample 23).
  bool old_voter_sets_are_refused = true;
  /// Acknowledgements count only from who has promised the holder's epoch.
  bool only_own_epoch_counts = true;
  /// The voters change only after a majority has acknowledged the epoch's beginning, and the change
  /// before.
  bool epoch_commits_before_change = true;
  /// Whether the lease is still held is looked at before each reply (counterexample 22).
  bool lease_is_checked = true;
  /// Voters that have all lost what was not synced, or a sole one, resume (counterexample 34).
  bool all_lost_resume = true;

  friend bool operator==(const LeaseRules&, const LeaseRules&) = default;
};

}  // namespace starling
