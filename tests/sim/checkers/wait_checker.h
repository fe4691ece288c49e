/// How long clients wait for what they asked of a node (orders.h): each request that has a time
/// limit ends within it - answered, refused or unknown - also while things go wrong.
///
/// By the asking node's clock; while that node is stopped, or a script has it, does not count. What
/// waits for a majority at the leaseholder itself has no limit of its own there and is not watched.
/// Not thread-safe.
#pragma once

#include <string>

#include "tests/sim/network.h"

namespace starling::sim {

class SimNode;
class World;

class WaitChecker {
 public:
  /// A request has ended.
  void OnWaited(World& world, SimNode& node, const std::string& request, Duration waited);
  /// Looks, now and then, at those that have not.
  void Look(World& world);
  /// The longest that has ended.
  Duration longest() const { return longest_; }

 private:
  void Judge(World& world, SimNode& node, const std::string& request, Duration waited, bool ended);

  Duration longest_{0};
  std::string whose_;
  Instant next_look_{0};
};

}  // namespace starling::sim
