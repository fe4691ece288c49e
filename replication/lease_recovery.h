/// How a voter that may have lost what it promised becomes one again (counterexamples 7, 8, 34).
///
/// It grants and acknowledges nothing until n - majority + 1 other voters, none of them recovering
/// itself, have told it what they promised and it holds all that they hold: every majority that it
/// may have been part of has one of these. Where all voters recover nobody knows more, and they
/// resume together from the highest promise + 1. Whoever resumed so says with whom, so that the
/// last to ask is not left alone. Source: Liskov and Cowling, "Viewstamped Replication Revisited"
/// (2012), section 4.3.
///
/// A pure state machine; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "replication/lease_message.h"

namespace starling {

class LeaseRecovery {
 public:
  /// What the voter may promise above, once it holds `vectors`.
  struct Outcome {
    uint64_t promised = 0;             ///< The highest promise known.
    bool together = false;             ///< All were recovering: what all had lost is lost.
    std::vector<Origin> resumed_with;  ///< The others, if `together`.
  };

  /// `self`: this voter, in the incarnation that may lack something; `promised`: what it does
  /// remember.
  LeaseRecovery(std::string name, Origin self, uint64_t promised)
      : name_(std::move(name)), self_(self), promised_(promised) {}

  const Origin& self() const { return self_; }
  /// Takes a voter's answer; one to an earlier recovery is left aside.
  void OnReport(const std::string& from, const RecoveryReport& report);
  /// Who answered, and what they hold: pull it.
  const std::map<std::string, RecoveryReport>& reports() const { return reports_; }

  /// Whether enough of `voters` have answered. `holds`: whether this node holds a vector.
  template <typename Holds>
  std::optional<Outcome> Finished(const VoterSet& voters, const Holds& holds) const {
    std::vector<std::string> held;
    for (const auto& [name, report] : reports_) {
      if (voters.Has(name) && name != name_ && holds(report.vector)) held.push_back(name);
    }
    return Judge(voters, held);
  }

 private:
  std::optional<Outcome> Judge(const VoterSet& voters, const std::vector<std::string>& held) const;

  std::string name_;
  Origin self_;
  uint64_t promised_;
  std::map<std::string, RecoveryReport> reports_;
};

}  // namespace starling
