/// One simulated cluster and everything that watches it: what workloads and faults work on.
///
/// Owns time, network, nodes, ledger and checkers. The first violation of an invariant stops the
/// run. Not thread-safe; a world runs on one thread and shares nothing with another.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/checkers/lease_checker.h"
#include "tests/sim/checkers/leased_checker.h"
#include "tests/sim/checkers/stream_checker.h"
#include "tests/sim/checkers/wait_checker.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/random.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/trace.h"

namespace starling::sim {

struct WorldOptions {
  uint64_t seed = 1;
  int nodes = 3;
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  /// Largest difference of a wall clock to true time at the start.
  std::chrono::milliseconds clock_spread{0};
  uint64_t checkpoint_log_bytes = 16 << 10;
  std::string secret;
  std::chrono::milliseconds forget_after{std::chrono::hours(24)};
  bool folder = false;     ///< The nodes meet in a folder of one host, which votes.
  LeaseRules lease_rules;  ///< For tests of the checkers.
  ClaimRules claim_rules;  ///< The same.
  /// False: nobody looks at who leads, only clients can see that two do.
  bool watch_leaders = true;
  bool print = false;       ///< The trace on standard output.
  bool print_logs = false;  ///< The nodes' logs too.
};

/// Of the searches for an order in which what clients saw could have come from one copy.
struct SearchCounts {
  uint64_t histories = 0;
  uint64_t undecided = 0;  ///< Of these: given up for want of steps.
};

struct Violation {
  std::string invariant;  ///< "I2"
  std::string text;
};

class World final : public NodeObserver {
 public:
  explicit World(const WorldOptions& options);
  ~World() override;

  // --- time ---
  Scheduler& scheduler() { return scheduler_; }
  Instant now() const { return scheduler_.now(); }
  /// Runs events for `time`, or until something has failed.
  void RunFor(Duration time);
  /// Runs until `done` holds, checked every `step`; false when `limit` passed or something failed.
  bool RunUntil(const std::function<bool()>& done, Duration limit,
                Duration step = std::chrono::milliseconds(50));

  // --- nodes ---
  SimNode& node(int index) { return *nodes_[static_cast<size_t>(index)]; }
  int size() const { return static_cast<int>(nodes_.size()); }
  /// One more node, named `name`, which knows all others as seeds; not started.
  SimNode& AddNode(const std::string& name);
  void StartAll();
  /// A node that would serve a client now, at random; null when there is none.
  SimNode* PickServing(Random& random);
  std::vector<SimNode*> UpNodes();

  Network& network() { return network_; }
  Trace& trace() { return trace_; }
  Ledger& ledger() { return ledger_; }
  StreamChecker& streams() { return streams_; }
  const LeaseChecker& lease() const { return lease_; }
  LeasedChecker& leased() { return leased_; }
  const WaitChecker& waits() const { return waits_; }
  const WorldOptions& options() const { return options_; }
  /// Randomness of its own for a workload or a fault.
  Random Fork() { return random_.Fork(); }

  /// Splits the nodes into the two sides of `left` (bit per node) and its complement, both
  /// directions.
  void Partition(uint64_t left);
  /// Opens every direction.
  void Heal();
  /// Whether all nodes that are up are in one cluster.
  bool Formed();

  /// From now on clocks may run further apart than the lease allows for: two may think that they
  /// lead, and what is only read may be stale.
  void ClocksRunApart() { clocks_apart_ = true; }
  bool clocks_apart() const { return clocks_apart_; }
  /// The voters are not those any more that the cluster began with.
  void VotersChange() { voters_change_ = true; }

  // --- outcome ---
  void Fail(const std::string& invariant, const std::string& text);
  bool failed() const { return violation_.has_value(); }
  const std::optional<Violation>& violation() const { return violation_; }
  /// How often each thing happened, for the summary.
  void CountFault() { ++faults_; }
  uint64_t faults() const { return faults_; }
  void CountSearch(bool gave_up) {
    ++searches_.histories;
    searches_.undecided += gave_up ? 1 : 0;
  }
  const SearchCounts& searches() const { return searches_; }

  // --- NodeObserver ---
  void OnAppend(SimNode& node, const Engine::LogRecord& record) override;
  void OnSend(SimNode& node, const SendEffect& send) override;
  void OnEvent(SimNode& node, const EventEffect& event) override;
  void OnMajority(SimNode& node, const MajorityEffect& majority) override;
  void OnWaited(SimNode& node, const ClientWait& wait) override;
  void OnStarted(SimNode& node) override;
  void OnCrashed(SimNode& node, bool lossy) override;
  void OnViolation(const std::string& invariant, const std::string& text) override;

 private:
  /// By the member list of `node`, which has just heard of it.
  void OnForgotten(SimNode& node, const std::string& member);
  void NoticeLosses();
  /// What each node holds that counts: its own, and what is not beyond others' ends, if it is a
  /// member. Who is none brings back nothing but its own.
  std::vector<VersionVector> KeptVectors() const;

  WorldOptions options_;
  Random random_;
  Scheduler scheduler_;
  Trace trace_;
  Network network_;
  Ledger ledger_;
  StreamChecker streams_;
  LeaseChecker lease_;
  LeasedChecker leased_;
  WaitChecker waits_;
  MeetingPlace meeting_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::optional<Violation> violation_;
  bool clocks_apart_ = false;
  bool voters_change_ = false;
  std::set<int> have_lost_;  // nodes that are down since
  uint64_t faults_ = 0;
  SearchCounts searches_;
};

}  // namespace starling::sim
