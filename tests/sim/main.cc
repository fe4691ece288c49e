/// starling_sim: runs seeds, and says which failed and how to see why.

#include <chrono>
#include <cstdio>

#include "tests/sim/mutations.h"
#include "tests/sim/options.h"
#include "tests/sim/seeds.h"
#include "tests/sim/sliding_window.h"

namespace starling::sim {
namespace {

/// A run fails where more than one in so many histories is not decided; a few say nothing yet.
constexpr uint64_t kHistoriesOfOneGivenUp = 100;
constexpr uint64_t kFewGivenUp = 10;

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
  if (options->mutations) return RunMutations(*options) ? 0 : 1;
  const auto started = std::chrono::steady_clock::now();
  Total total;
  if (options->one) {
    RunOne(*options, total);
  } else {
    const auto enough = [&](const Total& so_far) {
      return !options->keep_going && so_far.failed > 0;
    };
    RunMany(*options, enough, total);
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
  const SearchCounts& searches = total.sum.searches;
  std::printf("%llu histories searched for an order, %llu of them given up\n",
              static_cast<unsigned long long>(searches.histories),
              static_cast<unsigned long long>(searches.undecided));
  const bool decided = searches.undecided <= kFewGivenUp ||
                       searches.undecided * kHistoriesOfOneGivenUp <= searches.histories;
  if (!decided) std::printf("FAILED: too many were given up: they say nothing\n");
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(total.passed),
              static_cast<unsigned long long>(total.failed));
  return total.failed == 0 && decided ? 0 : 1;
}

}  // namespace
}  // namespace starling::sim

int main(int count, char** words) { return starling::sim::Main(count, words); }
