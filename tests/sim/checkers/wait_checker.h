/// How long clients wait for what they asked of a node (orders.h): each request ends within its
/// time limit - answered, refused or unknown - also while things go wrong.
///
/// By the asking node's clock; while that node is stopped, or a script has it, does not count. Not
/// thread-safe.
#pragma once

#include <string>

#include "tests/sim/network.h"

namespace starling::sim {

class SimNode;
class World;
struct ClientWait;

class WaitChecker {
 public:
  /// A request has ended.
  void OnWaited(World& world, SimNode& node, const ClientWait& wait);
  /// Looks, now and then, at those that have not.
  void Look(World& world);
  /// The longest that has ended.
  Duration longest() const { return longest_; }

 private:
  void Judge(World& world, SimNode& node, const ClientWait& wait, bool ended);

  Duration longest_{0};
  std::string whose_;
  Instant next_look_{0};
};

}  // namespace starling::sim
