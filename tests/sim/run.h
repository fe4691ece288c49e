/// One seed from beginning to end: form, mix workloads with faults, heal, agree, check.
///
/// Everything about a run follows from its options; two runs of the same give the same report
/// (I14).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace starling::sim {

struct RunOptions {
  uint64_t seed = 1;
  int nodes = 0;                       ///< 0: 2 to 5, by the seed.
  bool folder = false;                 ///< A folder votes in every seed...
  bool named = false;                  ///< ...or in none; else as the seed chooses.
  bool full = false;                   ///< Longer: more time under faults.
  bool trace = false;                  ///< Every event on standard output.
  bool logs = false;                   ///< The nodes' logs too.
  LeaseRules lease_rules;              ///< All kept, but to see what leaving one out does.
  ClaimRules claim_rules;              ///< The same.
  bool clients = false;                ///< Nobody looks at who leads: what clients see counts.
  bool brief = false;                  ///< Ends when all agree, before what it has kept is freed.
  std::vector<std::string> workloads;  ///< Empty: chosen by the seed.
  std::vector<std::string> faults;     ///< Empty: chosen by the seed; "none": none.
};

struct RunReport {
  uint64_t seed = 0;
  std::optional<Violation> violation;
  std::vector<std::string> last_events;
  std::string mix;  ///< Nodes, workloads and faults.
  uint64_t hash = 0;
  uint64_t events = 0;
  uint64_t operations = 0;
  uint64_t acknowledged = 0;
  uint64_t faults = 0;
  uint64_t frames = 0;
  uint64_t epochs = 0;      ///< In which somebody led.
  uint64_t majorities = 0;  ///< Acknowledgements by a majority.
  SearchCounts searches;
  Duration virtual_time{0};
};

RunReport RunSeed(const RunOptions& options);

}  // namespace starling::sim
