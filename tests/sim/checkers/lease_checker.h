/// Watches who may order commands: one node at a time, and no epoch twice (I3 rests on both); and
/// that who leads holds whatever a majority has acknowledged before (I4).
///
/// Looks after every event of a run. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "storage/engine.h"
#include "storage/version_vector.h"

namespace starling::sim {

class World;

class LeaseChecker {
 public:
  /// Fails the world where two nodes lead, or one leads an epoch that another had.
  void Look(World& world);
  /// Its writer has this in its log. Where a batch says only that records count, who receives it
  /// need not sync it (Store::ApplyRun): a majority holds the records, so it can be told again.
  void OnWritten(const Engine::LogRecord& record);
  /// A majority is said to hold this stream up to `told`, acknowledged in `epoch`.
  void OnMajority(World& world, const Origin& origin, uint64_t epoch, Stamp told);
  /// Somebody has lost what was not synced. `voters`: what each voter has left; what one of them
  /// still has is certain, since those that lost it ask the others before they vote. Where there
  /// are none, or they `change`, what not more than half of `all` nodes have is not certain.
  void OnLost(const std::vector<VersionVector>& all, const std::vector<VersionVector>& voters,
              bool change);
  /// Who voted when a majority acknowledged something last, as its leaseholder had it.
  const std::vector<std::string>& voters() const { return voters_; }
  /// Acknowledgements of a majority.
  uint64_t majorities() const { return majorities_; }
  /// How often something that a majority had acknowledged was lost by those who count.
  uint64_t losses() const { return losses_; }
  /// Epochs in which somebody led.
  size_t epochs() const { return led_.size(); }

 private:
  /// Up to where all of `origin` before `upto` has to stay.
  Stamp Needed(const Origin& origin, Stamp upto) const;

  std::map<uint64_t, std::string> led_;  // by whom
  /// Batches that may be told again: where each begins, by where it ends.
  std::map<Origin, std::map<Stamp, Stamp>> repeatable_;
  std::map<Origin, Stamp> acknowledged_;
  std::vector<std::string> voters_;
  uint64_t majorities_ = 0;
  uint64_t losses_ = 0;
};

/// Whether voters may have forgotten a vote and can ask nobody, so that an operator must decide.
bool OperatorMustDecide(World& world);
/// The same, and a member that was forgotten waits for a leaseholder's word to begin anew, or one
/// that is to be for the end of that. Or all wait for somebody who is inside.
bool OperatorMustLetIn(World& world);

/// Why the lease is not as it should be when all faults have ended: empty when one leads and all
/// voters have promised its epoch, or where voters have lost so much that an operator must decide.
std::string WhyNotLed(World& world);

}  // namespace starling::sim
