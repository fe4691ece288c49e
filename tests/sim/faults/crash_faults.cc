/// Processes that die: killed between two events, killed inside a write to the disk, with the
/// power.

#include "tests/sim/fault.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;

void StartLater(World& world, SimNode& node, Duration delay) {
  world.scheduler().After(delay, [&node, life = node.life()] {
    if (!node.up() && node.life() == life) node.Start();
  });
}

class Kill final : public Fault {
 public:
  explicit Kill(Random random) : random_(random) {}
  const char* name() const override { return "kill"; }
  void Inject(World& world) override {
    const auto up = world.UpNodes();
    if (up.empty()) return;
    SimNode& node = *random_.Pick(up);
    world.CountFault();
    node.Crash(CrashKind::kKill);
    StartLater(world, node, random_.Between(milliseconds(0), milliseconds(4000)));
  }

 private:
  Random random_;
};

/// Whoever leads dies just after its epoch has begun, or a while later; often cut off before, so
/// that what it wrote last is known to itself alone.
class KillLeader final : public Fault {
 public:
  explicit KillLeader(Random random) : random_(random) {}
  const char* name() const override { return "kill-leader"; }
  void Inject(World& world) override {
    world.CountFault();
    Watch(world, 0);
  }
  void Heal(World& world) override { world.Heal(); }

 private:
  /// Waits for a new leader, for a second at most.
  void Watch(World& world, int looks) {
    SimNode* leader = nullptr;
    for (SimNode* node : world.UpNodes()) {
      if (node->replicator().LeadsEpoch(node->now()) != 0) leader = node;
    }
    const bool fresh = leader != nullptr && leader->replicator().LeadsEpoch(leader->now()) > seen_;
    if (!fresh && looks < 1000) {
      world.scheduler().After(milliseconds(1), [this, &world, looks] { Watch(world, looks + 1); });
      return;
    }
    if (leader == nullptr) return;
    seen_ = leader->replicator().LeadsEpoch(leader->now());
    const Duration grace =
        random_.Between(milliseconds(0), milliseconds(random_.Chance(500) ? 5 : 200));
    if (random_.Chance(600)) {
      world.scheduler().After(
          grace / 2, [&world, leader] { world.Partition(uint64_t{1} << leader->index()); });
      world.scheduler().After(random_.Between(grace, grace + milliseconds(3000)),
                              [&world] { world.Heal(); });
    }
    world.scheduler().After(grace, [this, &world, leader, life = leader->life()] {
      if (!leader->up() || leader->life() != life) return;
      leader->Crash(CrashKind::kKill);
      StartLater(world, *leader, random_.Between(milliseconds(0), milliseconds(4000)));
    });
  }

  Random random_;
  uint64_t seen_ = 0;  // the latest epoch that it has dealt with
};

class KillInside final : public Fault {
 public:
  explicit KillInside(Random random) : random_(random) {}
  const char* name() const override { return "kill-inside"; }
  void Inject(World& world) override {
    const auto up = world.UpNodes();
    if (up.empty()) return;
    SimNode& node = *random_.Pick(up);
    world.CountFault();
    const auto kind = random_.Chance(700) ? CrashKind::kKill : CrashKind::kPowerLoss;
    node.CrashInside(1 + random_.Below(30), kind, random_.Chance(500));
    if (random_.Chance(300)) node.DieInRecovery(1 + random_.Below(8));
    world.scheduler().After(random_.Between(milliseconds(100), milliseconds(4000)), [&node] {
      if (!node.up() && !node.left()) node.Start();
    });
  }
  /// Who has not come to that write yet lives on.
  void Heal(World& world) override {
    for (SimNode* node : world.UpNodes()) node->disk().CrashAt(0, CrashKind::kKill, false);
  }

 private:
  Random random_;
};

/// One machine loses its power, now and then all of them.
class PowerLoss final : public Fault {
 public:
  explicit PowerLoss(Random random) : random_(random) {}
  const char* name() const override { return "power-loss"; }
  void Inject(World& world) override {
    const auto up = world.UpNodes();
    if (up.empty()) return;
    world.CountFault();
    const bool all = random_.Chance(100);
    SimNode* one = random_.Pick(up);
    for (SimNode* node : up) {
      if (!all && node != one) continue;
      node->Crash(CrashKind::kPowerLoss);
      StartLater(world, *node, random_.Between(milliseconds(200), milliseconds(5000)));
    }
  }

 private:
  Random random_;
};

}  // namespace

std::unique_ptr<Fault> MakeKillLeader(Random random) {
  return std::make_unique<KillLeader>(random);
}
std::unique_ptr<Fault> MakeKill(Random random) { return std::make_unique<Kill>(random); }
std::unique_ptr<Fault> MakeKillInside(Random random) {
  return std::make_unique<KillInside>(random);
}
std::unique_ptr<Fault> MakePowerLoss(Random random) { return std::make_unique<PowerLoss>(random); }

}  // namespace starling::sim
