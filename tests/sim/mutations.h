/// The mutation check: each rule that I3, I4 and I5 stand on is left out, and the simulator must
/// see one of them violated (issue 4; README.md has the counts).
#pragma once

#include "tests/sim/options.h"

namespace starling::sim {

/// Leaves out rule after rule, over the seeds that `options` name, under the workloads and faults
/// that are fixed for it in mutations.cc, and prints what was found; `--keep-going` counts in all
/// of the seeds. Then, for each mix of workloads and faults, the same seeds with all rules kept:
/// they must be clean. Whether each was found and all mixes are.
bool RunMutations(const ProgramOptions& options);

}  // namespace starling::sim
