/// Makes a failing history short: drops steps as long as the last one still diverges.
#pragma once

#include <vector>

#include "tests/differential/duel.h"

namespace starling {

/// Whether the last of `steps` diverges when all are run on fresh servers.
bool LastDiverges(Duel& duel, const std::vector<Step>& steps);

/// A part of `steps` with the same last step that still diverges, from which no single step can be
/// left out. `steps` itself where it does not diverge a second time. Source: Zeller and
/// Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002.
std::vector<Step> Shrink(Duel& duel, std::vector<Step> steps);

}  // namespace starling
