/// What must hold once nobody writes and everybody can talk: I1, I10 and I9.
///
/// Stateless; looks at a world from outside.
#pragma once

#include <string>

#include "tests/sim/world.h"

namespace starling::sim {

/// Why the nodes do not yet agree: one that does not hold what was acknowledged (I10), or two that
/// show different things (I1). Empty when they do.
std::string WhyNotAgreed(World& world);

/// Why memory, log and streams are not yet as small as they must become (I9): tombstones that
/// nobody needs, logs beyond their limits, items that only some hold. Empty when they are.
std::string WhyNotSmall(World& world);

/// Runs an idle cluster for `time` and fails the world where it talks without end (I9).
void CheckIdleTraffic(World& world, Duration time);

}  // namespace starling::sim
