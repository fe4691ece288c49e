/// Watches who may order commands: one node at a time, and no epoch twice (I3 rests on both).
///
/// Looks after every event of a run. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace starling::sim {

class World;

class LeaseChecker {
 public:
  /// Fails the world where two nodes lead, or one leads an epoch that another had.
  void Look(World& world);
  /// Epochs in which somebody led.
  size_t epochs() const { return led_.size(); }

 private:
  std::map<uint64_t, std::string> led_;  // by whom
};

/// Why the lease is not as it should be when all faults have ended: empty when one leads and all
/// voters have promised its epoch, or where voters have lost so much that an operator must decide.
std::string WhyNotLed(World& world);

}  // namespace starling::sim
