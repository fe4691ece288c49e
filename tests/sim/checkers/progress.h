/// Liveness: while a majority is connected and nothing disturbs it, what clients ask of it is done,
/// not only ended.
#pragma once

#include "tests/sim/network.h"
#include "tests/sim/random.h"

namespace starling::sim {

class World;

/// A majority counts as undisturbed after so long: a lease, an election, links that are made anew.
inline constexpr Duration kUndisturbed = std::chrono::seconds(10);
/// From then on each claim, and each request at level `leased`, through any of its nodes, succeeds
/// within this time.
inline constexpr Duration kDoneWithin = std::chrono::seconds(1);

/// Takes away a minority of the voters, drawn by `random` with nodes that do not vote - killed,
/// stopped, cut off, or nobody at all - and lets the rest serve clients; then gives them back. All
/// nodes are up, connected and led when it is called. Fails the world ("liveness") where a request
/// is refused, comes to nothing or takes too long.
void CheckProgress(World& world, Random& random);

}  // namespace starling::sim
