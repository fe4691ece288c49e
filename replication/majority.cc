#include "replication/majority.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace starling {

void Majority::Begin(const Beginning& beginning) {
  End();
  beginning_ = beginning;
}

void Majority::End() { *this = Majority(); }

void Majority::OnReport(const std::string& voter, uint64_t promised, const VersionVector& vector) {
  if (beginning_.epoch == 0 || promised != beginning_.epoch) return;
  acknowledged_[voter].MergeFrom(vector);
}

bool Majority::HasAcknowledged(const std::string& voter) const {
  const auto found = acknowledged_.find(voter);
  return found != acknowledged_.end() && found->second.Covers(beginning_.own, beginning_.written);
}

void Majority::Await(Stamp upto) { awaited_ = std::max(awaited_, upto); }

Stamp Majority::Held(const VoterSet& voters, const std::string& self, Stamp own_upto,
                     const VersionVector& required) const {
  std::vector<Stamp> held;
  for (const std::string& name : voters.names) {
    if (name == self) {
      held.push_back(own_upto);
      continue;
    }
    const auto found = acknowledged_.find(name);
    if (found == acknowledged_.end() || !found->second.Covers(required)) continue;
    held.push_back(found->second.Get(beginning_.own));
  }
  if (held.size() < voters.majority()) return {};
  std::sort(held.begin(), held.end(), std::greater<>());
  const Stamp majority = held[voters.majority() - 1];
  return majority >= beginning_.written ? majority : Stamp{};
}

std::optional<Stamp> Majority::Advance(const VoterSet& voters, const std::string& self,
                                       Stamp own_upto, const VersionVector& required) {
  if (!waits()) return std::nullopt;
  const Stamp held = Held(voters, self, own_upto, required);
  begun_ = begun_ || !held.none();
  if (held <= told_ || told_ >= awaited_) return std::nullopt;
  told_ = held;
  return held;
}

}  // namespace starling
