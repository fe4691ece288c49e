/// Processes and machines that misbehave without dying: stopped, with a stepped clock, or gone on
/// leave.

#include <algorithm>

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

/// A script that has a node's keyspace for itself, for longer than a lease lasts: its node stays a
/// member, and keeps its lease.
class Script final : public Fault {
 public:
  explicit Script(Random random) : random_(random) {}
  const char* name() const override { return "script"; }
  void Inject(World& world) override {
    const auto up = world.UpNodes();
    if (up.empty()) return;
    SimNode& node = *random_.Pick(up);
    world.CountFault();
    node.BeginScript();
    world.scheduler().After(random_.Between(milliseconds(20), milliseconds(5000)),
                            [&node] { node.EndScript(); });
  }
  void Heal(World& world) override {
    for (int i = 0; i < world.size(); ++i) world.node(i).EndScript();
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

/// Wall clocks step forward, each time beyond all others by what a cluster tolerates: after a while
/// they are seconds ahead. At the end they are right, and the hybrid clock stands still for as
/// long.
class ClockCreep final : public Fault {
 public:
  explicit ClockCreep(Random random) : random_(random) {}
  const char* name() const override { return "clock-creep"; }
  void Inject(World& world) override {
    auto ahead = milliseconds(0);
    for (int i = 0; i < world.size(); ++i) {
      ahead = std::max(ahead, world.node(i).clock().offset());
    }
    if (ahead > kCreepsAtMost) return;
    ahead += milliseconds(random_.Between(100, 400));
    SimNode& node =
        world.node(static_cast<int>(random_.Below(static_cast<uint64_t>(world.size()))));
    world.CountFault();
    world.trace().Add(node.name(), "clock-offset", std::to_string(ahead.count()));
    node.clock().SetOffset(ahead);
  }
  void Heal(World& world) override {
    for (int i = 0; i < world.size(); ++i) world.node(i).clock().SetOffset(milliseconds(0));
  }

 private:
  static constexpr auto kCreepsAtMost = milliseconds(5000);

  Random random_;
};

/// The clock that leases and claims are timed by runs a little too fast or too slow, within what
/// the lease allows for; a wild one far beyond it.
class ClockRate final : public Fault {
 public:
  ClockRate(Random random, bool wild) : random_(random), wild_(wild) {}
  const char* name() const override { return wild_ ? "wild-clock" : "clock-rate"; }
  void Inject(World& world) override {
    if (wild_) world.ClocksRunApart();
    const auto any = static_cast<int>(random_.Below(static_cast<uint64_t>(world.size())));
    world.CountFault();
    const int64_t rate = !wild_                ? random_.Between(980, 1020)
                         : random_.Chance(500) ? random_.Between(100, 600)
                                               : random_.Between(1500, 5000);
    world.trace().Add(world.node(any).name(), "clock-rate", std::to_string(rate));
    for (int i = 0; i < world.size(); ++i) {
      // One host has one clock.
      if (i == any || world.options().folder) world.node(i).clock().SetRate(rate);
    }
  }
  void Heal(World& world) override {
    for (int i = 0; i < world.size(); ++i) world.node(i).clock().SetRate(1000);
  }

 private:
  Random random_;
  bool wild_;
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
std::unique_ptr<Fault> MakeScript(Random random) { return std::make_unique<Script>(random); }
std::unique_ptr<Fault> MakeClockStep(Random random) { return std::make_unique<ClockStep>(random); }
std::unique_ptr<Fault> MakeClockCreep(Random random) {
  return std::make_unique<ClockCreep>(random);
}
std::unique_ptr<Fault> MakeClockRate(Random random) {
  return std::make_unique<ClockRate>(random, /*wild=*/false);
}
std::unique_ptr<Fault> MakeWildClock(Random random) {
  return std::make_unique<ClockRate>(random, /*wild=*/true);
}
std::unique_ptr<Fault> MakeLeave(Random random) { return std::make_unique<Leave>(random); }

}  // namespace starling::sim
