#include "tests/sim/mutations.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "tests/sim/seeds.h"

namespace starling::sim {
namespace {

struct Mutation {
  const char* rules;  ///< Left out together, separated by commas.
  const char* workloads;
  const char* faults;
  int nodes;  ///< 0: by the seed.
  bool full = false;
};

constexpr Mutation kMutations[] = {
    {"promises-are-written", "claims,counters", "turnover,kill,partition", 3},
    {"lost-voters-recover", "claims,counters", "turnover", 3},
    {"restarted-voters-wait", "claims,counters", "turnover,kill,partition", 3},
    {"candidates-pull", "claims,counters", "slow-bulk,kill-leader", 3},
    {"held-leases-are-refused", "claims,counters", "partition,one-way", 3},
    {"old-voter-sets-are-refused", "counters", "parted-voters,slow-bulk", 4, true},
    {"only-own-epoch-counts", "counters", "wild-clock,one-way", 3, true},
    {"epoch-commits-before-change", "counters", "parted-voters", 5, true},
    {"lease-is-checked", "claims", "pause", 3},
    {"timed-from-arrival", "claims", "clock-creep", 3},
    {"undecided-hold-back", "claims", "kill-leader,partition", 3},
    {"applied-when-decided", "claims", "kill-leader,partition", 3},
    {"answers-wait-for-majority", "claims", "kill-leader,partition", 3},
    {"older-are-void", "claims", "kill-leader,partition", 3},
    {"epoch-begins-first", "claims", "slow-bulk,kill-leader", 3},
    {"lease-before-reply", "leased", "pause", 3},
};

/// Of exclusion, of what a majority acknowledged, of order; or, since of two nodes one has told
/// something else then, of agreement.
bool Counts(const std::string& invariant) {
  return invariant == "I1" || invariant == "I3" || invariant == "I4" || invariant == "I5";
}

bool Find(const Mutation& mutation, const ProgramOptions& asked) {
  ProgramOptions options = asked;
  options.quiet = true;
  options.repeat_every = 0;
  options.run.named = options.run.brief = true;
  options.run.nodes = mutation.nodes;
  options.run.full = mutation.full;
  options.run.workloads = SplitNames(mutation.workloads);
  options.run.faults = SplitNames(mutation.faults);
  for (const std::string& rule : SplitNames(mutation.rules)) (void)LeaveOut(options.run, rule);
  const auto started = std::chrono::steady_clock::now();
  Total total;
  const auto counts = [](const Total::Violated& one) { return Counts(one.invariant); };
  const auto enough = [&](const Total& so_far) {
    const auto& seen = so_far.violations;
    return !options.keep_going && std::any_of(seen.begin(), seen.end(), counts);
  };
  RunMany(options, enough, total);
  const Total::Violated* first = nullptr;
  size_t found = 0;
  for (const Total::Violated& one : total.violations) {
    if (!counts(one)) continue;
    ++found;
    if (first == nullptr || one.seed < first->seed) first = &one;
  }
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started);
  std::printf("%-34s %3zu found, %3llu else failed of %3llu, %5.1f s", mutation.rules, found,
              static_cast<unsigned long long>(total.failed - found),
              static_cast<unsigned long long>(total.failed + total.passed), took.count());
  if (first != nullptr) {
    std::printf("; seed %llu: %s: %s", static_cast<unsigned long long>(first->seed),
                first->invariant.c_str(), first->text.substr(0, first->text.find('\n')).c_str());
  }
  std::printf("\n");
  if (found == 0) std::printf("  NOT FOUND; %s\n", ReplayCommand(options.run).c_str());
  std::fflush(stdout);
  return found > 0;
}

}  // namespace

bool RunMutations(const ProgramOptions& options) {
  const RunOptions& run = options.run;
  const bool chosen = run.lease_rules != LeaseRules() || run.claim_rules != ClaimRules();
  bool all = true;
  for (const Mutation& mutation : kMutations) {
    RunOptions without;
    for (const std::string& rule : SplitNames(mutation.rules)) (void)LeaveOut(without, rule);
    const bool asked =
        without.lease_rules == run.lease_rules && without.claim_rules == run.claim_rules;
    if (!chosen || asked) all = Find(mutation, options) && all;
  }
  return all;
}

}  // namespace starling::sim
