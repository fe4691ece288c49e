#include "tests/sim/mutations.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/sim/seeds.h"

namespace starling::sim {
namespace {

/// What the seeds have in common, with a rule left out and with all kept.
struct Mix {
  const char* workloads;
  const char* faults;
  int nodes;  ///< 0: by the seed.
  bool full = false;
  bool clients = false;  ///< Nobody looks at who leads: what clients see counts.
  bool folder = false;   ///< The folder votes; else named voters do.

  friend bool operator==(const Mix& a, const Mix& b) {
    return std::string_view(a.workloads) == b.workloads && std::string_view(a.faults) == b.faults &&
           a.nodes == b.nodes && a.full == b.full && a.clients == b.clients && a.folder == b.folder;
  }
};

struct Mutation {
  const char* rules;  ///< Left out together, separated by commas.
  Mix mix;
};

/// Each mix is clean over so many seeds at least when nothing is left out.
constexpr uint64_t kControlSeeds = 20;

constexpr Mutation kMutations[] = {
    {"promises-are-written", {"claims,counters", "turnover,kill,partition", 3}},
    {"lost-voters-recover", {"claims,counters", "turnover", 3}},
    {"restarted-voters-wait", {"claims,counters", "turnover,kill,partition", 3}},
    {"candidates-pull", {"claims,counters", "slow-bulk,kill-leader", 3}},
    {"held-leases-are-refused", {"claims,counters", "partition,one-way", 3}},
    {"old-voter-sets-are-refused", {"counters", "parted-voters,slow-bulk", 4, true}},
    {"only-own-epoch-counts", {"counters", "wild-clock,one-way", 3, true}},
    {"epoch-commits-before-change", {"counters", "parted-voters", 5, true}},
    {"lease-is-checked", {"leased", "pause", 3, /*full=*/false, /*clients=*/true}},
    {"timed-from-arrival", {"claims", "clock-creep", 3}},
    {"undecided-hold-back", {"claims", "kill-leader,partition", 3}},
    {"applied-when-decided", {"claims", "kill-leader,partition", 3}},
    {"answers-wait-for-majority", {"claims", "kill-leader,partition", 3}},
    {"older-are-void", {"claims", "kill-leader,partition", 3}},
    {"epoch-begins-first", {"claims", "slow-bulk,kill-leader", 3, /*full=*/true}},
    {"lease-before-reply", {"leased", "pause", 3}},
    {"asked-again-by-name",
     {"waits", "kill-leader,partition", 3, /*full=*/false, /*clients=*/false, /*folder=*/true}},
};

/// Of exclusion, of what a majority acknowledged, of order; or, since of two nodes one has told
/// something else then, of agreement.
bool Counts(const std::string& invariant) {
  return invariant == "I1" || invariant == "I3" || invariant == "I4" || invariant == "I5";
}

ProgramOptions Under(const Mix& mix, const ProgramOptions& asked) {
  ProgramOptions options = asked;
  options.repeat_every = 0;
  options.run = RunOptions();
  options.run.brief = true;
  options.run.folder = mix.folder;
  options.run.named = !mix.folder;
  options.run.nodes = mix.nodes;
  options.run.full = mix.full;
  options.run.clients = mix.clients;
  options.run.workloads = SplitNames(mix.workloads);
  options.run.faults = SplitNames(mix.faults);
  return options;
}

struct Tried {
  bool found = false;
  uint64_t seeds = 0;
};

Tried Find(const Mutation& mutation, const ProgramOptions& asked) {
  ProgramOptions options = Under(mutation.mix, asked);
  options.quiet = true;
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
  return {found > 0, total.failed + total.passed};
}

/// The same seeds with all rules kept: what is found there was not found by leaving one out.
bool IsClean(const Mix& mix, const ProgramOptions& asked, uint64_t seeds) {
  ProgramOptions options = Under(mix, asked);
  options.seeds = seeds;
  const auto started = std::chrono::steady_clock::now();
  Total total;
  const auto enough = [&](const Total& so_far) { return !options.keep_going && so_far.failed > 0; };
  RunMany(options, enough, total);
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started);
  std::printf("all kept: %-48s %3llu failed of %3llu, %5.1f s\n",
              (std::string(mix.workloads) + " under " + mix.faults +
               (mix.clients ? "; only clients look" : ""))
                  .c_str(),
              static_cast<unsigned long long>(total.failed),
              static_cast<unsigned long long>(total.failed + total.passed), took.count());
  if (total.failed > 0) std::printf("  NOT CLEAN; %s\n", ReplayCommand(options.run).c_str());
  std::fflush(stdout);
  return total.failed == 0;
}

}  // namespace

bool RunMutations(const ProgramOptions& options) {
  const RunOptions& run = options.run;
  const bool chosen = run.lease_rules != LeaseRules() || run.claim_rules != ClaimRules();
  bool all = true;
  std::vector<std::pair<Mix, uint64_t>> mixes;
  for (const Mutation& mutation : kMutations) {
    RunOptions without;
    for (const std::string& rule : SplitNames(mutation.rules)) (void)LeaveOut(without, rule);
    const bool asked =
        without.lease_rules == run.lease_rules && without.claim_rules == run.claim_rules;
    if (chosen && !asked) continue;
    const Tried tried = Find(mutation, options);
    all = tried.found && all;
    const auto same = [&](const auto& mix) { return mix.first == mutation.mix; };
    auto mix = std::ranges::find_if(mixes, same);
    if (mix == mixes.end()) mix = mixes.insert(mix, {mutation.mix, kControlSeeds});
    mix->second = std::max(mix->second, tried.seeds);
  }
  for (const auto& [mix, seeds] : mixes) {
    all = IsClean(mix, options, std::min(seeds, options.seeds)) && all;
  }
  return all;
}

}  // namespace starling::sim
