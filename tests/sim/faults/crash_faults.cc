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

std::unique_ptr<Fault> MakeKill(Random random) { return std::make_unique<Kill>(random); }
std::unique_ptr<Fault> MakeKillInside(Random random) {
  return std::make_unique<KillInside>(random);
}
std::unique_ptr<Fault> MakePowerLoss(Random random) { return std::make_unique<PowerLoss>(random); }

}  // namespace starling::sim
