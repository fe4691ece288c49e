/// Processes and machines that misbehave without dying: stopped, with a stepped clock, or gone on
/// leave.

#include "tests/sim/fault.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;

class Pause final : public Fault {
 public:
  explicit Pause(Random random) : random_(random) {}
  const char* name() const override { return "pause"; }
  void Inject(World& world) override {
    const auto up = world.UpNodes();
    if (up.empty()) return;
    SimNode& node = *random_.Pick(up);
    world.CountFault();
    node.Pause();
    world.scheduler().After(random_.Between(milliseconds(50), milliseconds(7000)),
                            [&node] { node.Resume(); });
  }
  void Heal(World& world) override {
    for (int i = 0; i < world.size(); ++i) world.node(i).Resume();
  }

 private:
  Random random_;
};

/// Steps within what a cluster tolerates forward, and further back: the hybrid clock runs on then.
class ClockStep final : public Fault {
 public:
  explicit ClockStep(Random random) : random_(random) {}
  const char* name() const override { return "clock-step"; }
  void Inject(World& world) override {
    SimNode& node =
        world.node(static_cast<int>(random_.Below(static_cast<uint64_t>(world.size()))));
    const auto offset = milliseconds(random_.Between(-400, 200));
    world.CountFault();
    world.trace().Add(node.name(), "clock-offset", std::to_string(offset.count()));
    node.clock().SetOffset(offset);
  }
  void Heal(World& world) override {
    for (int i = 0; i < world.size(); ++i) world.node(i).clock().SetOffset(milliseconds(0));
  }

 private:
  Random random_;
};

class Leave final : public Fault {
 public:
  explicit Leave(Random random) : random_(random) {}
  const char* name() const override { return "leave"; }
  void Inject(World& world) override {
    const auto up = world.UpNodes();
    if (up.size() < 2) return;
    SimNode& node = *random_.Pick(up);
    world.CountFault();
    node.Leave();
    world.scheduler().After(random_.Between(milliseconds(500), milliseconds(6000)), [&node] {
      if (node.left()) node.Start();
    });
  }

 private:
  Random random_;
};

}  // namespace

std::unique_ptr<Fault> MakePause(Random random) { return std::make_unique<Pause>(random); }
std::unique_ptr<Fault> MakeClockStep(Random random) { return std::make_unique<ClockStep>(random); }
std::unique_ptr<Fault> MakeLeave(Random random) { return std::make_unique<Leave>(random); }

}  // namespace starling::sim
