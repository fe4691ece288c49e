/// starling_sim: runs seeds, each in a process of its own, and says which failed and how to see
/// why.
///
/// A process per seed, so that an assertion that fails in the production code fails its seed alone.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include "tests/sim/options.h"
#include "tests/sim/run.h"
#include "tests/sim/sliding_window.h"

namespace starling::sim {
namespace {

/// What a seed's process hands back; written whole into its pipe.
struct Outcome {
  uint64_t events = 0;
  uint64_t operations = 0;
  uint64_t acknowledged = 0;
  uint64_t faults = 0;
  uint64_t frames = 0;
  uint64_t epochs = 0;
  uint64_t majorities = 0;
  int64_t virtual_nanoseconds = 0;
  bool failed = false;
};

/// Prints what went wrong with a seed, ending with the command that replays it.
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

/// Runs the seed, and once more where that is asked: the same must happen (I14).
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

Outcome ToOutcome(const RunReport& report) {
  return {report.events,
          report.operations,
          report.acknowledged,
          report.faults,
          report.frames,
          report.epochs,
          report.majorities,
          report.virtual_time.count(),
          report.violation.has_value()};
}

/// Starts a process for the seed; returns its id and the pipe that its outcome comes through.
std::pair<pid_t, int> StartSeed(const RunOptions& options, bool twice) {
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
  const Outcome outcome = ToOutcome(report);
  if (report.violation) Explain(options, report);
  std::fflush(stdout);
  const bool told = write(ends[1], &outcome, sizeof outcome) == sizeof outcome;
  _exit(told && !outcome.failed ? 0 : 1);
}

struct Total {
  Outcome sum;
  uint64_t passed = 0;
  uint64_t failed = 0;
};

void Collect(const RunOptions& options, int pipe_end, int status, Total& total) {
  Outcome outcome;
  const bool told = read(pipe_end, &outcome, sizeof outcome) == sizeof outcome;
  close(pipe_end);
  if (!told) {
    std::printf("seed %llu FAILED: its process ended %s %d\nreplay: %s --trace\n",
                static_cast<unsigned long long>(options.seed),
                WIFSIGNALED(status) ? "by signal" : "with status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                ReplayCommand(options).c_str());
    ++total.failed;
    return;
  }
  ++(outcome.failed ? total.failed : total.passed);
  total.sum.events += outcome.events;
  total.sum.operations += outcome.operations;
  total.sum.acknowledged += outcome.acknowledged;
  total.sum.faults += outcome.faults;
  total.sum.frames += outcome.frames;
  total.sum.epochs += outcome.epochs;
  total.sum.majorities += outcome.majorities;
  total.sum.virtual_nanoseconds += outcome.virtual_nanoseconds;
}

void RunMany(const ProgramOptions& options, Total& total) {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const auto jobs = options.jobs > 0 ? static_cast<size_t>(options.jobs) : size_t{cores};
  std::map<pid_t, std::pair<RunOptions, int>> running;
  uint64_t next = options.first_seed;
  const uint64_t end = options.first_seed + options.seeds;
  while (true) {
    const bool more = next < end && (options.keep_going || total.failed == 0);
    if (more && running.size() < jobs) {
      RunOptions run = options.run;
      run.seed = next++;
      const bool twice = options.repeat_every > 0 && run.seed % options.repeat_every == 0;
      const auto [child, pipe_end] = StartSeed(run, twice);
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
    Collect(ended->second.first, ended->second.second, status, total);
    running.erase(ended);
  }
}

void RunOne(const ProgramOptions& options, Total& total) {
  const RunReport report = RunChecked(options.run, options.repeat_every > 0);
  if (report.violation) Explain(options.run, report);
  std::printf("seed %llu: %s; trace hash %016llx\n",
              static_cast<unsigned long long>(options.run.seed), report.mix.c_str(),
              static_cast<unsigned long long>(report.hash));
  total.sum = ToOutcome(report);
  ++(report.violation ? total.failed : total.passed);
}

/// One long run instead of many seeds; prints what it measured.
int RunWindow(const ProgramOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  const std::chrono::minutes time(options.window_minutes);
  const SlidingWindowReport report = RunSlidingWindow({options.run.seed, time});
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started);
  std::printf(
      "%s%llu minutes of virtual time in %.1f s: %llu requests, %llu members removed, "
      "%llu events; trace hash %016llx\n",
      DescribeFigures(report).c_str(), static_cast<unsigned long long>(options.window_minutes),
      took.count(), static_cast<unsigned long long>(report.requests),
      static_cast<unsigned long long>(report.removed),
      static_cast<unsigned long long>(report.events), static_cast<unsigned long long>(report.hash));
  if (!report.violation) return 0;
  std::printf("FAILED: %s: %s\n", report.violation->invariant.c_str(),
              report.violation->text.c_str());
  return 1;
}

int Main(int count, char** words) {
  const auto options = ParseOptions(count, words);
  if (!options.ok() || options->help) {
    if (!options.ok()) std::fprintf(stderr, "%s\n", options.error().message.c_str());
    std::fprintf(options.ok() ? stdout : stderr, "%s", Usage());
    return options.ok() ? 0 : 2;
  }
  if (options->window_minutes > 0) return RunWindow(*options);
  const auto started = std::chrono::steady_clock::now();
  Total total;
  if (options->one) {
    RunOne(*options, total);
  } else {
    RunMany(*options, total);
  }
  const auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started);
  std::printf(
      "%.0f s of virtual time in %.1f s: %llu events, %llu operations (%llu acknowledged), "
      "%llu faults, %llu epochs, %llu majorities, %llu frames\n",
      static_cast<double>(total.sum.virtual_nanoseconds) / 1e9, took.count(),
      static_cast<unsigned long long>(total.sum.events),
      static_cast<unsigned long long>(total.sum.operations),
      static_cast<unsigned long long>(total.sum.acknowledged),
      static_cast<unsigned long long>(total.sum.faults),
      static_cast<unsigned long long>(total.sum.epochs),
      static_cast<unsigned long long>(total.sum.majorities),
      static_cast<unsigned long long>(total.sum.frames));
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(total.passed),
              static_cast<unsigned long long>(total.failed));
  return total.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace starling::sim

int main(int count, char** words) { return starling::sim::Main(count, words); }
