#include "tests/sim/checkers/wait_checker.h"

#include "replication/limits.h"
#include "tests/sim/world.h"

namespace starling::sim {

namespace {

/// Its end is looked for at intervals; at the leaseholder the disk takes some time.
constexpr Duration kEndsWithin = Orders::kAnswerWithin + 2 * Duration(limits::kOrderLook);
constexpr Duration kLookEvery = std::chrono::milliseconds(50);

std::string Millis(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) +
         " ms";
}

}  // namespace

void WaitChecker::OnWaited(World& world, SimNode& node, const std::string& request,
                           Duration waited) {
  Judge(world, node, request, waited, /*ended=*/true);
  if (waited <= longest_) return;
  longest_ = waited;
  whose_ = "\"" + request + "\" at " + node.name();
}

void WaitChecker::Look(World& world) {
  if (world.now() < next_look_) return;
  next_look_ = world.now() + kLookEvery;
  for (int i = 0; i < world.size(); ++i) {
    const auto longest = world.node(i).LongestWait();
    if (longest) Judge(world, world.node(i), longest->first, longest->second, /*ended=*/false);
  }
}

void WaitChecker::Judge(World& world, SimNode& node, const std::string& request, Duration waited,
                        bool ended) {
  if (waited <= kEndsWithin) return;
  world.Fail("liveness", "\"" + request + "\" at " + node.name() +
                             (ended ? " ended after " : " has not ended after ") + Millis(waited) +
                             " of " + Millis(Orders::kAnswerWithin) + "; the longest before it " +
                             Millis(longest_) + (whose_.empty() ? "" : ", " + whose_));
}

}  // namespace starling::sim
