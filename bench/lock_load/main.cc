// Takes and releases one lock as fast as it goes, and prints how long that took, as JSON.
//
//     starling_lock_load asking|waiting|etcd SECONDS CONTENDERS HOST:PORT...
//
// Contender i talks to the i-th address, counted around, on a connection and a thread of its own.
// `asking` tries again after a pause of 0.5 to 1.5 ms, at random; with `waiting` and `etcd` the
// server makes a contender wait; contender.h says what each sends. The first fifth of the time is
// not counted. That the lock has one holder is checked all the while: two end the run.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/lock_load/contender.h"

namespace starling::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Plan {
  std::unique_ptr<Contender> (*make)(const ContenderOptions&) = nullptr;
  double seconds = 0;
  size_t contenders = 0;
  std::vector<Address> addresses;
};

/// Who holds the lock, as the contenders know it.
class Holding {
 public:
  static constexpr int kNobody = -1;

  /// `who` has been told that it holds the lock. Whether another had it before, and when that one
  /// sent its release.
  bool Enter(int who, Clock::time_point& released) {
    const int held_by = holder_.exchange(who);
    if (held_by != kNobody) throw std::runtime_error("two hold the lock at once");
    released = released_;
    return last_ != kNobody && last_ != who;
  }
  /// `who` is about to send its release.
  void Leave(int who) {
    last_ = who;
    released_ = Clock::now();
    holder_.store(kNobody);
  }

 private:
  std::atomic<int> holder_{kNobody};
  int last_ = kNobody;  // guarded by holder_, as the next one
  Clock::time_point released_;
};

/// What one contender has found, in seconds.
struct Found {
  std::vector<double> pairs;       // from asking to being told of the release, the wait included
  std::vector<double> hand_overs;  // from another's sending its release to being told of the lock
};

struct Times {
  Clock::time_point counted_from;
  Clock::time_point end;
};

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

Found Contend(int number, Contender& contender, const Times& times, Holding& holding) {
  Found found;
  std::mt19937 random(static_cast<unsigned>(number));
  std::uniform_int_distribution<int> pause(500, 1500);
  for (auto began = Clock::now(); began < times.end; began = Clock::now()) {
    while (!contender.Acquire()) {
      if (Clock::now() >= times.end) return found;
      std::this_thread::sleep_for(std::chrono::microseconds(pause(random)));
    }
    const auto told = Clock::now();
    Clock::time_point released;
    const bool handed_over = holding.Enter(number, released);
    holding.Leave(number);
    contender.Release();
    const auto ended = Clock::now();
    // By their ends alone, or long ones would be missed at both.
    if (ended < times.counted_from || ended > times.end) continue;
    found.pairs.push_back(Seconds(ended - began));
    if (handed_over) found.hand_overs.push_back(Seconds(told - released));
  }
  return found;
}

double Percentile(std::vector<double>& values, size_t percent) {
  if (values.empty()) return 0;
  const size_t index = std::min(values.size() - 1, values.size() * percent / 100);
  std::nth_element(values.begin(), values.begin() + static_cast<ptrdiff_t>(index), values.end());
  return values[index];
}

/// Runs all contenders to the end; a failure of one is thrown.
Found Run(const Plan& plan) {
  const std::string lock = "lock:" + std::to_string(::getpid());
  std::vector<std::unique_ptr<Contender>> contenders;
  for (size_t i = 0; i < plan.contenders; ++i) {
    contenders.push_back(plan.make(
        {plan.addresses[i % plan.addresses.size()], lock, "contender" + std::to_string(i)}));
  }
  Times times;
  const auto now = Clock::now();
  const auto duration =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(plan.seconds));
  times.counted_from = now + duration / 5;
  times.end = now + duration;

  Holding holding;
  std::vector<Found> found(plan.contenders);
  std::vector<std::string> failures(plan.contenders);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < plan.contenders; ++i) {
    threads.emplace_back([&, i] {
      try {
        found[i] = Contend(static_cast<int>(i), *contenders[i], times, holding);
      } catch (const std::exception& failure) {
        failures[i] = failure.what();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& failure : failures) {
    if (!failure.empty()) throw std::runtime_error(failure);
  }
  Found all;
  for (const Found& one : found) {
    all.pairs.insert(all.pairs.end(), one.pairs.begin(), one.pairs.end());
    all.hand_overs.insert(all.hand_overs.end(), one.hand_overs.begin(), one.hand_overs.end());
  }
  return all;
}

void Print(const Plan& plan, Found found) {
  std::printf(
      "{\"pairs_a_second\": %.1f, \"pair_p50\": %.9f, \"pair_p99\": %.9f, "
      "\"handed_over\": %.4f, \"hand_over_p50\": %.9f, \"hand_over_p99\": %.9f}\n",
      static_cast<double>(found.pairs.size()) / (plan.seconds * 0.8), Percentile(found.pairs, 50),
      Percentile(found.pairs, 99),
      static_cast<double>(found.hand_overs.size()) /
          static_cast<double>(std::max<size_t>(1, found.pairs.size())),
      Percentile(found.hand_overs, 50), Percentile(found.hand_overs, 99));
}

/// Whether the command line was understood.
bool Read(int argc, char** argv, Plan& plan) {
  const std::map<std::string_view, std::unique_ptr<Contender> (*)(const ContenderOptions&)> kinds{
      {"asking", MakeAsking}, {"waiting", MakeWaiting}, {"etcd", MakeEtcd}};
  if (argc < 5 || !kinds.contains(argv[1])) return false;
  plan.make = kinds.at(argv[1]);
  plan.seconds = std::strtod(argv[2], nullptr);
  plan.contenders = std::strtoull(argv[3], nullptr, 10);
  for (int i = 4; i < argc; ++i) {
    const std::string_view word(argv[i]);
    const size_t colon = word.rfind(':');
    if (colon == word.npos) return false;
    plan.addresses.push_back(
        {std::string(word.substr(0, colon)), std::string(word.substr(colon + 1))});
  }
  return plan.seconds > 0 && plan.contenders > 0;
}

}  // namespace
}  // namespace starling::bench

int main(int argc, char** argv) {
  starling::bench::Plan plan;
  if (!starling::bench::Read(argc, argv, plan)) {
    std::fputs(
        "usage: starling_lock_load asking|waiting|etcd SECONDS CONTENDERS "
        "HOST:PORT...\n",
        stderr);
    return 2;
  }
  try {
    starling::bench::Print(plan, starling::bench::Run(plan));
    return 0;
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "starling_lock_load: %s\n", failure.what());
    return 1;
  }
}
