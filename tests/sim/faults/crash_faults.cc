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
  void Heal(World& world) override {
    over_ = true;
    world.Heal();
  }

 private:
  /// Waits for a new leader, for a second at most.
  void Watch(World& world, int looks) {
    if (over_) return;
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
  bool over_ = false;
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

/// Who was away comes back as those who were in touch go: some nodes are cut off for a while; then
/// they are back, and of the others one restarts at once and the rest are killed, or cut off, for
/// much longer.
class Turnover final : public Fault {
 public:
  explicit Turnover(Random random) : random_(random) {}
  const char* name() const override { return "turnover"; }
  void Inject(World& world) override {
    const auto size = static_cast<uint64_t>(world.size());
    if (size < 3 || world.now() < busy_until_) return;
    world.CountFault();
    busy_until_ = world.now() + milliseconds(6000);
    uint64_t away = 0;
    for (const uint64_t most = (size - 1) / 2; away == 0;) {
      for (uint64_t i = 0; i < most; ++i) away |= uint64_t{1} << random_.Below(size);
    }
    world.Partition(away);
    world.scheduler().After(random_.Between(milliseconds(200), milliseconds(3500)),
                            [this, &world, away] { Turn(world, away); });
  }
  void Heal(World& world) override {
    over_ = true;
    world.Heal();
  }

 private:
  void Turn(World& world, uint64_t away) {
    if (over_) return;
    world.Heal();
    std::vector<SimNode*> present;
    for (SimNode* node : world.UpNodes()) {
      if (((away >> node->index()) & 1) == 0) present.push_back(node);
    }
    if (present.empty()) return;
    SimNode* const back = random_.Pick(present);
    const auto kind = random_.Chance(700) ? CrashKind::kPowerLoss : CrashKind::kKill;
    const bool cut_off = random_.Chance(400);  // or killed
    uint64_t gone = 0;
    for (SimNode* node : present) {
      if (node == back) {
        node->Crash(kind);
        StartLater(world, *node, random_.Between(milliseconds(0), milliseconds(50)));
      } else if (cut_off) {
        gone |= uint64_t{1} << node->index();
      } else {
        node->Crash(CrashKind::kKill);
        StartLater(world, *node, random_.Between(milliseconds(3000), milliseconds(7000)));
      }
    }
    if (gone == 0) return;
    world.Partition(gone);
    world.scheduler().After(random_.Between(milliseconds(3000), milliseconds(7000)),
                            [&world] { world.Heal(); });
  }

  Random random_;
  Instant busy_until_{0};
  bool over_ = false;
};

}  // namespace

std::unique_ptr<Fault> MakeTurnover(Random random) { return std::make_unique<Turnover>(random); }
std::unique_ptr<Fault> MakeKillLeader(Random random) {
  return std::make_unique<KillLeader>(random);
}
std::unique_ptr<Fault> MakeKill(Random random) { return std::make_unique<Kill>(random); }
std::unique_ptr<Fault> MakeKillInside(Random random) {
  return std::make_unique<KillInside>(random);
}
std::unique_ptr<Fault> MakePowerLoss(Random random) { return std::make_unique<PowerLoss>(random); }

}  // namespace starling::sim
