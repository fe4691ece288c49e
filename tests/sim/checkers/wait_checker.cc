#include "tests/sim/checkers/wait_checker.h"

#include "replication/limits.h"
#include "tests/sim/world.h"

namespace starling::sim {

namespace {

/// Ends are looked for at intervals; at the leaseholder the disk takes some time.
constexpr Duration kBeyondLimit = 2 * Duration(limits::kOrderLook);
constexpr Duration kLookEvery = std::chrono::milliseconds(50);

std::string Millis(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) +
         " ms";
}

}  // namespace

void WaitChecker::OnWaited(World& world, SimNode& node, const ClientWait& wait) {
  Judge(world, node, wait, /*ended=*/true);
  if (wait.waited <= longest_) return;
  longest_ = wait.waited;
  whose_ = "\"" + wait.request + "\" at " + node.name();
}

void WaitChecker::Look(World& world) {
  if (world.now() < next_look_) return;
  next_look_ = world.now() + kLookEvery;
  for (int i = 0; i < world.size(); ++i) {
    for (const ClientWait& wait : world.node(i).Waits()) {
      Judge(world, world.node(i), wait, /*ended=*/false);
    }
  }
}

void WaitChecker::Judge(World& world, SimNode& node, const ClientWait& wait, bool ended) {
  if (wait.waited <= wait.limit + kBeyondLimit) return;
  world.Fail("liveness", "\"" + wait.request + "\" at " + node.name() +
                             (ended ? " ended after " : " has not ended after ") +
                             Millis(wait.waited) + " of " + Millis(wait.limit) +
                             "; the longest before it " + Millis(longest_) +
                             (whose_.empty() ? "" : ", " + whose_));
}

}  // namespace starling::sim
