/// What clients do in a simulation, and what they may expect: workloads that mix freely.
///
/// Each keeps to keys of its own, so any set of them runs together under any faults (after
/// FoundationDB's `Setup, Start, Check`). A workload fails the world when what it reads cannot be.
#pragma once

#include <memory>
#include <vector>

#include "tests/sim/world.h"

namespace starling::sim {

class Workload {
 public:
  virtual ~Workload() = default;
  virtual const char* name() const = 0;
  /// Once, after the cluster has formed.
  virtual void Setup(World&) {}
  /// One client does something somewhere, now. May find no node that serves.
  virtual void Step(World& world) = 0;
  /// Reads at one node, at any time: what must hold without convergence.
  virtual void Observe(World&, SimNode&) {}
  /// After faults have ended and all nodes agree: what must have become of it all.
  virtual void Check(World& world, SimNode& node) = 0;
};

std::unique_ptr<Workload> MakeCounters(Random random);
std::unique_ptr<Workload> MakeResetCounters(Random random);
std::unique_ptr<Workload> MakeRegisters(Random random);
std::unique_ptr<Workload> MakeSets(Random random);
std::unique_ptr<Workload> MakeExpiry(Random random);
std::unique_ptr<Workload> MakeTransactions(Random random);
std::unique_ptr<Workload> MakeNumericElements(Random random);
std::unique_ptr<Workload> MakeLists(Random random);
std::unique_ptr<Workload> MakeClaims(Random random);
std::unique_ptr<Workload> MakeLeased(Random random);
std::unique_ptr<Workload> MakeWaits(Random random);

struct WorkloadKind {
  const char* name;
  std::unique_ptr<Workload> (*make)(Random random);
  /// Drawn apart from the others, so that the seeds without it stay what they were before it.
  bool apart = false;
};
/// All of them, in the order in which a seed chooses.
inline constexpr WorkloadKind kWorkloads[] = {
    {"counters", MakeCounters},
    {"reset-counters", MakeResetCounters},
    {"registers", MakeRegisters},
    {"sets", MakeSets},
    {"expiry", MakeExpiry},
    {"transactions", MakeTransactions},
    {"numeric-elements", MakeNumericElements},
    {"lists", MakeLists},
    {"claims", MakeClaims},
    {"leased", MakeLeased, /*apart=*/true},
    {"waits", MakeWaits, /*apart=*/true},
};

/// A client's reply waits at most this long for its batch in a simulation.
inline constexpr Duration kCommitWithin = std::chrono::milliseconds(3);

}  // namespace starling::sim
