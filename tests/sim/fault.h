/// What goes wrong in a simulation: faults that mix freely with each other and with workloads.
///
/// Each heals by itself after a while, or at the end with Heal.
#pragma once

#include <memory>

#include "tests/sim/world.h"

namespace starling::sim {

class Fault {
 public:
  virtual ~Fault() = default;
  virtual const char* name() const = 0;
  /// Something goes wrong now, or nothing where nothing can.
  virtual void Inject(World& world) = 0;
  /// Faults have ended: undo what does not undo itself.
  virtual void Heal(World&) {}
};

std::unique_ptr<Fault> MakeKill(Random random);
std::unique_ptr<Fault> MakeKillLeader(Random random);
std::unique_ptr<Fault> MakePowerLoss(Random random);
std::unique_ptr<Fault> MakeKillInside(Random random);
std::unique_ptr<Fault> MakeEmptyDisk(Random random);
std::unique_ptr<Fault> MakeDiskFull(Random random);
std::unique_ptr<Fault> MakePartition(Random random);
std::unique_ptr<Fault> MakeOneWay(Random random);
std::unique_ptr<Fault> MakeLinkReset(Random random);
std::unique_ptr<Fault> MakeBadNetwork(Random random);
std::unique_ptr<Fault> MakePause(Random random);
std::unique_ptr<Fault> MakeScript(Random random);
std::unique_ptr<Fault> MakeClockStep(Random random);
std::unique_ptr<Fault> MakeClockCreep(Random random);
std::unique_ptr<Fault> MakeClockRate(Random random);
std::unique_ptr<Fault> MakeWildClock(Random random);
std::unique_ptr<Fault> MakeSlowBulk(Random random);
std::unique_ptr<Fault> MakeTurnover(Random random);
std::unique_ptr<Fault> MakePartedVoters(Random random);
std::unique_ptr<Fault> MakeLeave(Random random);
std::unique_ptr<Fault> MakeChangeVoters(Random random);
std::unique_ptr<Fault> MakeForget(Random random);

struct FaultKind {
  const char* name;
  std::unique_ptr<Fault> (*make)(Random random);
  int per_mille;  ///< Of the seeds that have it; 0: only where it is asked for.
  /// Drawn apart from the others, so that the seeds without it stay what they were before it.
  bool apart = false;
};
inline constexpr FaultKind kFaults[] = {
    {"kill", MakeKill, 500},
    {"power-loss", MakePowerLoss, 350},
    {"kill-inside", MakeKillInside, 400},
    {"empty-disk", MakeEmptyDisk, 150},
    {"disk-full", MakeDiskFull, 150},
    {"partition", MakePartition, 500},
    {"one-way", MakeOneWay, 250},
    {"link-reset", MakeLinkReset, 300},
    {"bad-network", MakeBadNetwork, 500},
    {"pause", MakePause, 350},
    {"clock-step", MakeClockStep, 250},
    {"leave", MakeLeave, 300},
    {"voters", MakeChangeVoters, 400},
    {"kill-leader", MakeKillLeader, 350},
    {"clock-rate", MakeClockRate, 250},
    {"slow-bulk", MakeSlowBulk, 250},
    {"turnover", MakeTurnover, 250},
    {"parted-voters", MakePartedVoters, 200},
    {"wild-clock", MakeWildClock, 0},
    {"clock-creep", MakeClockCreep, 200},
    {"script", MakeScript, 300},
    {"forget", MakeForget, 250, /*apart=*/true},
};

}  // namespace starling::sim
