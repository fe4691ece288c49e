#include "tests/sim/seeds.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <thread>
#include <utility>

namespace starling::sim {
namespace {

void CopyText(const std::string& text, char* out, size_t size) {
  std::strncpy(out, text.c_str(), size - 1);
  out[size - 1] = 0;
}

}  // namespace

void Explain(const RunOptions& options, const RunReport& report) {
  std::printf("--- seed %llu: %s\n", static_cast<unsigned long long>(options.seed),
              report.mix.c_str());
  if (!options.trace) {
    for (const std::string& line : report.last_events) std::printf("%s\n", line.c_str());
  }
  std::printf("seed %llu FAILED: %s: %s\nreplay: %s --trace\n",
              static_cast<unsigned long long>(options.seed), report.violation->invariant.c_str(),
              report.violation->text.c_str(), ReplayCommand(options).c_str());
}

RunReport RunChecked(const RunOptions& options, bool twice) {
  RunReport report = RunSeed(options);
  if (!twice) return report;
  RunOptions quiet = options;
  quiet.trace = quiet.logs = false;
  const RunReport again = RunSeed(quiet);
  if (!report.violation && again.hash != report.hash) {
    report.violation = Violation{"I14", "the second run of the seed went another way (" +
                                            std::to_string(report.events) + " and " +
                                            std::to_string(again.events) + " events)"};
  }
  return report;
}

SeedOutcome ToOutcome(const RunReport& report) {
  SeedOutcome outcome;
  outcome.events = report.events;
  outcome.operations = report.operations;
  outcome.acknowledged = report.acknowledged;
  outcome.faults = report.faults;
  outcome.frames = report.frames;
  outcome.epochs = report.epochs;
  outcome.majorities = report.majorities;
  outcome.searches = report.searches;
  outcome.virtual_nanoseconds = report.virtual_time.count();
  outcome.failed = report.violation.has_value();
  if (report.violation) {
    CopyText(report.violation->invariant, outcome.invariant, sizeof outcome.invariant);
    CopyText(report.violation->text, outcome.text, sizeof outcome.text);
  }
  return outcome;
}

namespace {

/// Starts a process for the seed; returns its id and the pipe that its outcome comes through.
std::pair<pid_t, int> StartSeed(const RunOptions& options, bool twice, bool quiet) {
  int ends[2];
  if (pipe(ends) != 0) return {-1, -1};
  std::fflush(stdout);
  const pid_t child = fork();
  if (child != 0) {
    close(ends[1]);
    return {child, ends[0]};
  }
  close(ends[0]);
  const RunReport report = RunChecked(options, twice);
  const SeedOutcome outcome = ToOutcome(report);
  if (report.violation && !quiet) Explain(options, report);
  std::fflush(stdout);
  const bool told = write(ends[1], &outcome, sizeof outcome) == sizeof outcome;
  _exit(told && !outcome.failed ? 0 : 1);
}

void Collect(const RunOptions& options, int pipe_end, int status, bool quiet, Total& total) {
  SeedOutcome outcome;
  const bool told = read(pipe_end, &outcome, sizeof outcome) == sizeof outcome;
  close(pipe_end);
  if (!told) {
    ++total.failed;
    if (quiet) return;
    std::printf("seed %llu FAILED: its process ended %s %d\nreplay: %s --trace\n",
                static_cast<unsigned long long>(options.seed),
                WIFSIGNALED(status) ? "by signal" : "with status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                ReplayCommand(options).c_str());
    return;
  }
  ++(outcome.failed ? total.failed : total.passed);
  if (outcome.failed) total.violations.push_back({options.seed, outcome.invariant, outcome.text});
  total.sum.events += outcome.events;
  total.sum.operations += outcome.operations;
  total.sum.acknowledged += outcome.acknowledged;
  total.sum.faults += outcome.faults;
  total.sum.frames += outcome.frames;
  total.sum.epochs += outcome.epochs;
  total.sum.majorities += outcome.majorities;
  total.sum.searches.histories += outcome.searches.histories;
  total.sum.searches.undecided += outcome.searches.undecided;
  total.sum.virtual_nanoseconds += outcome.virtual_nanoseconds;
}

}  // namespace

void RunMany(const ProgramOptions& options, const std::function<bool(const Total&)>& enough,
             Total& total) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const auto jobs = options.jobs > 0 ? static_cast<size_t>(options.jobs) : size_t{cores};
  std::map<pid_t, std::pair<RunOptions, int>> running;
  uint64_t next = options.first_seed;
  const uint64_t end = options.first_seed + options.seeds;
  while (true) {
    const bool more = next < end && !enough(total);
    if (more && running.size() < jobs) {
      RunOptions run = options.run;
      run.seed = next++;
      const bool twice = options.repeat_every > 0 && run.seed % options.repeat_every == 0;
      const auto [child, pipe_end] = StartSeed(run, twice, options.quiet);
      if (child < 0) {
        std::perror("starling_sim: cannot start a process");
        ++total.failed;
        return;
      }
      running[child] = {run, pipe_end};
      continue;
    }
    if (running.empty()) return;
    int status = 0;
    const auto ended = running.find(waitpid(-1, &status, 0));
    if (ended == running.end()) continue;
    Collect(ended->second.first, ended->second.second, status, options.quiet, total);
    running.erase(ended);
  }
}

}  // namespace starling::sim
