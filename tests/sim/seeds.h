/// Runs seeds, each in a process of its own, so that an assertion that fails in the production code
/// fails its seed alone.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/options.h"
#include "tests/sim/run.h"

namespace starling::sim {

/// What a seed's process hands back; written whole into its pipe.
struct SeedOutcome {
  uint64_t events = 0;
  uint64_t operations = 0;
  uint64_t acknowledged = 0;
  uint64_t faults = 0;
  uint64_t frames = 0;
  uint64_t epochs = 0;
  uint64_t majorities = 0;
  SearchCounts searches;
  int64_t virtual_nanoseconds = 0;
  bool failed = false;
  char invariant[16] = {};
  char text[160] = {};  ///< The beginning of what was seen.
};

/// Of many seeds.
struct Total {
  struct Violated {
    uint64_t seed = 0;
    std::string invariant;
    std::string text;
  };

  SeedOutcome sum;
  uint64_t passed = 0;
  uint64_t failed = 0;               ///< Those whose process has ended by itself included.
  std::vector<Violated> violations;  ///< As they ended.
};

SeedOutcome ToOutcome(const RunReport& report);

/// Runs the seed, and once more where that is asked: the same must happen (I14).
RunReport RunChecked(const RunOptions& options, bool twice);

/// Prints what went wrong with a seed, ending with the command that replays it.
void Explain(const RunOptions& options, const RunReport& report);

/// Runs the seeds that `options` name, several at once, until all have run or `enough` holds. Each
/// failure is explained on standard output unless they say otherwise.
void RunMany(const ProgramOptions& options, const std::function<bool(const Total&)>& enough,
             Total& total);

}  // namespace starling::sim
