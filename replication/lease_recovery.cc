#include "replication/lease_recovery.h"

#include <algorithm>

namespace starling {

void LeaseRecovery::OnReport(const std::string& from, const RecoveryReport& report) {
  if (report.asked == self_.incarnation && from != name_) reports_[from] = report;
}

std::optional<LeaseRecovery::Outcome> LeaseRecovery::Judge(
    const VoterSet& voters, const std::vector<std::string>& held) const {
  Outcome outcome;
  outcome.promised = promised_;
  size_t sound = 0;   // voters that know what they promised
  size_t equals = 0;  // voters that lost as much, at the same time
  for (const std::string& name : held) {
    const RecoveryReport& report = reports_.at(name);
    outcome.promised = std::max(outcome.promised, report.promised);
    const std::vector<Origin>& with = report.resumed_with;
    const bool resumed = std::find(with.begin(), with.end(), self_) != with.end();
    if (report.recovering || resumed) {
      ++equals;
      outcome.resumed_with.push_back({NodeId::FromName(name), report.incarnation});
    }
    if (!report.recovering) ++sound;
  }
  const size_t all = voters.names.size();
  if (all > 1 && sound >= all - voters.majority() + 1) {
    outcome.resumed_with.clear();
    return outcome;
  }
  if (equals + 1 < all) return std::nullopt;
  outcome.together = true;
  return outcome;
}

}  // namespace starling
