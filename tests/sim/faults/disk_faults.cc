/// Disks that fail: a process comes back with an empty one, or finds it full.

#include "tests/sim/fault.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;

/// At most one node at a time is without its data, as an operator would see to.
class EmptyDisk final : public Fault {
 public:
  explicit EmptyDisk(Random random) : random_(random) {}
  const char* name() const override { return "empty-disk"; }
  void Inject(World& world) override {
    // Who created the cluster in the folder takes itself for its only member then.
    if (world.options().folder) return;
    const auto up = world.UpNodes();
    if (static_cast<int>(up.size()) < world.size() || up.size() < 2 || !world.Formed()) return;
    SimNode& node = *random_.Pick(up);
    world.CountFault();
    node.Crash(CrashKind::kPowerLoss);
    node.EmptyDisk();
    world.scheduler().After(random_.Between(milliseconds(100), milliseconds(3000)),
                            [&node, life = node.life()] {
                              if (!node.up() && node.life() == life) node.Start();
                            });
  }

 private:
  Random random_;
};

/// The node is read-only from the first failed append on; an operator makes room and restarts it.
class DiskFull final : public Fault {
 public:
  explicit DiskFull(Random random) : random_(random) {}
  const char* name() const override { return "disk-full"; }
  void Inject(World& world) override {
    const auto up = world.UpNodes();
    if (up.empty()) return;
    SimNode& node = *random_.Pick(up);
    world.CountFault();
    world.trace().Add(node.name(), "disk-full");
    node.disk().RunFull(random_.Below(20), random_.Chance(500));
    world.scheduler().After(random_.Between(milliseconds(200), milliseconds(4000)),
                            [this, &node] { MakeRoom(node); });
  }
  void Heal(World& world) override {
    for (int i = 0; i < world.size(); ++i) MakeRoom(world.node(i));
  }

 private:
  static void MakeRoom(SimNode& node) {
    node.disk().HasSpace();
    if (!node.up() || !node.store().journal().read_only()) return;
    node.Crash(CrashKind::kKill);
    node.Start();
  }

  Random random_;
};

}  // namespace

std::unique_ptr<Fault> MakeEmptyDisk(Random random) { return std::make_unique<EmptyDisk>(random); }
std::unique_ptr<Fault> MakeDiskFull(Random random) { return std::make_unique<DiskFull>(random); }

}  // namespace starling::sim
