#include "tests/sim/options.h"

#include <charconv>
#include <string_view>

#include "tests/sim/fault.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

std::string JoinNames(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

template <typename Kinds>
bool AllKnown(const std::vector<std::string>& names, const Kinds& kinds) {
  for (const std::string& name : names) {
    bool known = name == "none";
    for (const auto& kind : kinds) known = known || name == kind.name;
    if (!known) return false;
  }
  return true;
}

bool ParseNumber(std::string_view text, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool SetNumber(ProgramOptions& options, std::string_view name, uint64_t value) {
  if (name == "--seed") {
    options.run.seed = value;
    options.one = true;
  } else if (name == "--seeds") {
    options.seeds = value;
  } else if (name == "--first-seed") {
    options.first_seed = value;
  } else if (name == "--repeat-every") {
    options.repeat_every = value;
  } else if (name == "--nodes" && value >= 1 && value <= 7) {
    options.run.nodes = static_cast<int>(value);
  } else if (name == "--sliding-window" && value >= 1 && value <= 100'000) {
    options.window_minutes = value;
  } else if (name == "--jobs" && value <= 1024) {
    options.jobs = static_cast<int>(value);
  } else {
    return false;
  }
  return true;
}

bool SetFlag(ProgramOptions& options, std::string_view name) {
  bool* const flag = name == "--trace"        ? &options.run.trace
                     : name == "--logs"       ? &options.run.logs
                     : name == "--full"       ? &options.run.full
                     : name == "--folder"     ? &options.run.folder
                     : name == "--named"      ? &options.run.named
                     : name == "--keep-going" ? &options.keep_going
                     : name == "--brief"      ? &options.run.brief
                     : name == "--quiet"      ? &options.quiet
                     : name == "--mutations"  ? &options.mutations
                     : name == "--clients"    ? &options.run.clients
                     : name == "--help"       ? &options.help
                                              : nullptr;
  if (flag != nullptr) *flag = true;
  return flag != nullptr;
}

struct LeaseRuleName {
  const char* name;
  bool LeaseRules::*rule;
};
constexpr LeaseRuleName kLeaseRules[] = {
    {"promises-are-written", &LeaseRules::promises_are_written},
    {"lost-voters-recover", &LeaseRules::lost_voters_recover},
    {"restarted-voters-wait", &LeaseRules::restarted_voters_wait},
    {"candidates-pull", &LeaseRules::candidates_pull},
    {"held-leases-are-refused", &LeaseRules::held_leases_are_refused},
    {"old-voter-sets-are-refused", &LeaseRules::old_voter_sets_are_refused},
    {"only-own-epoch-counts", &LeaseRules::only_own_epoch_counts},
    {"epoch-commits-before-change", &LeaseRules::epoch_commits_before_change},
    {"lease-is-checked", &LeaseRules::lease_is_checked},
    {"all-lost-resume", &LeaseRules::all_lost_resume},
};

struct ClaimRuleName {
  const char* name;
  bool ClaimRules::*rule;
};
constexpr ClaimRuleName kClaimRules[] = {
    {"timed-from-arrival", &ClaimRules::timed_from_arrival},
    {"undecided-hold-back", &ClaimRules::undecided_hold_back},
    {"applied-when-decided", &ClaimRules::applied_when_decided},
    {"answers-wait-for-majority", &ClaimRules::answers_wait_for_majority},
    {"older-are-void", &ClaimRules::older_are_void},
    {"judged-by-lineage", &ClaimRules::judged_by_lineage},
    {"epoch-begins-first", &ClaimRules::epoch_begins_first},
    {"lease-before-reply", &ClaimRules::lease_before_reply},
    {"records-hold-all", &ClaimRules::records_hold_all},
    {"cuts-spare-claims", &ClaimRules::cuts_spare_claims},
    {"ends-cut-the-key", &ClaimRules::ends_cut_the_key},
    {"rewrites-keep-the-time", &ClaimRules::rewrites_keep_the_time},
    {"asked-again-by-name", &ClaimRules::asked_again_by_name},
};

}  // namespace

std::vector<std::string> SplitNames(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    names.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

bool LeaveOut(RunOptions& options, std::string_view rule) {
  for (const LeaseRuleName& known : kLeaseRules) {
    if (rule != known.name) continue;
    options.lease_rules.*known.rule = false;
    return true;
  }
  for (const ClaimRuleName& known : kClaimRules) {
    if (rule != known.name) continue;
    options.claim_rules.*known.rule = false;
    return true;
  }
  return false;
}

Result<ProgramOptions> ParseOptions(int count, char** words) {
  ProgramOptions options;
  for (int i = 1; i < count; ++i) {
    std::string_view name = words[i];
    if (SetFlag(options, name)) continue;
    std::string_view value;
    if (const size_t equals = name.find('='); equals != std::string_view::npos) {
      value = name.substr(equals + 1);
      name = name.substr(0, equals);
    } else if (i + 1 < count) {
      value = words[++i];
    }
    uint64_t number = 0;
    if (name == "--workloads") {
      options.run.workloads = SplitNames(value);
      if (AllKnown(options.run.workloads, kWorkloads)) continue;
    } else if (name == "--without") {
      if (LeaveOut(options.run, value)) continue;
    } else if (name == "--faults") {
      options.run.faults = SplitNames(value);
      if (AllKnown(options.run.faults, kFaults)) continue;
    } else if (ParseNumber(value, number) && SetNumber(options, name, number)) {
      continue;
    }
    return Error{Code::kInvalidArgument,
                 "unknown or malformed option: " + std::string(name) + " " + std::string(value)};
  }
  return options;
}

const char* Usage() {
  return "starling_sim: whole clusters on virtual time, one per seed\n"
         "  --seeds N         run N seeds (200)\n"
         "  --first-seed S    beginning with S (1)\n"
         "  --seed X          run X alone and tell what happened\n"
         "  --trace           with --seed: print every event\n"
         "  --logs            with --seed: print the nodes' logs too\n"
         "  --full            longer runs\n"
         "  --folder          a shared folder votes in every seed; --named: in none\n"
         "  --nodes N         so many nodes (2 to 5, by the seed)\n"
         "  --workloads A,B   these instead of those the seed chooses\n"
         "  --faults A,B      these instead of those the seed chooses; none: none\n"
         "  --repeat-every N  run every Nth seed twice and compare (10; 0: none)\n"
         "  --jobs N          so many processes at once (one a core)\n"
         "  --sliding-window M  instead: M minutes of a load that comes and goes (with --seed)\n"
         "  --without RULE    leave out a rule (lease_rules.h, claim_rules.h, with '-' for '_')\n"
         "  --brief           a seed ends when all agree, before what is kept has been freed\n"
         "  --clients         nobody looks at who leads: only what clients see counts\n"
         "  --quiet           count failures only\n"
         "  --mutations       leave out each rule in turn: each must be found within --seeds\n"
         "  --keep-going      go on after a failure\n";
}

std::string ReplayCommand(const RunOptions& options) {
  std::string command = "./dev sim --seed " + std::to_string(options.seed);
  if (options.full) command += " --full";
  if (options.folder) command += " --folder";
  if (options.named) command += " --named";
  for (const LeaseRuleName& known : kLeaseRules) {
    if (!(options.lease_rules.*known.rule)) command += std::string(" --without ") + known.name;
  }
  for (const ClaimRuleName& known : kClaimRules) {
    if (!(options.claim_rules.*known.rule)) command += std::string(" --without ") + known.name;
  }
  if (options.brief) command += " --brief";
  if (options.clients) command += " --clients";
  if (options.nodes > 0) command += " --nodes " + std::to_string(options.nodes);
  if (!options.workloads.empty()) command += " --workloads " + JoinNames(options.workloads);
  if (!options.faults.empty()) command += " --faults " + JoinNames(options.faults);
  return command;
}

}  // namespace starling::sim
