/// What starling_sim is asked to do, from its command line.
#pragma once

#include <cstdint>
#include <string>

#include "starling/result.h"
#include "tests/sim/run.h"

namespace starling::sim {

struct ProgramOptions {
  RunOptions run;    ///< `run.seed` is the one of `--seed`.
  bool one = false;  ///< `--seed`: this one alone, with its story.
  uint64_t first_seed = 1;
  uint64_t seeds = 200;
  uint64_t repeat_every =
      10;        ///< Every so-manyth seed runs twice and must do the same (I14); 0: none.
  int jobs = 0;  ///< Processes at once; 0: as many as the machine has cores.
  bool keep_going = false;      ///< Run all seeds even after a failure.
  uint64_t window_minutes = 0;  ///< `--sliding-window`: that run for so long; 0: seeds.
  bool quiet = false;           ///< Failures are counted and not explained.
  bool mutations = false;       ///< `--mutations`: leave out rules, see mutations.h.
  bool help = false;
};

/// kInvalidArgument names the option that is unknown or malformed.
Result<ProgramOptions> ParseOptions(int count, char** words);

/// The names apart, which commas separate.
std::vector<std::string> SplitNames(std::string_view text);

/// Leaves out a rule of lease_rules.h or claim_rules.h, named with '-' for '_'. False: there is
/// none of that name.
bool LeaveOut(RunOptions& options, std::string_view rule);

/// Text for `--help`.
const char* Usage();

/// The command that runs this seed again, with the options that shape a run.
std::string ReplayCommand(const RunOptions& options);

}  // namespace starling::sim
