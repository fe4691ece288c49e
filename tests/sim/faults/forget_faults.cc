/// Members that are away and are forgotten for it, which is decided by whoever leads.

#include <algorithm>

#include "tests/sim/fault.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;

/// A node is cut off, or killed, and while it is away the operator asks now this node, now that to
/// forget it, having taken it out of the voters. What it wrote meanwhile it brings when it is back.
class Forget final : public Fault {
 public:
  explicit Forget(Random random) : random_(random) {}
  const char* name() const override { return "forget"; }

  void Inject(World& world) override {
    const auto up = world.UpNodes();
    if (over_ || up.size() < 2) return;
    SimNode& away = *random_.Pick(up);
    world.CountFault();
    if (random_.Chance(300)) {
      away.Crash(CrashKind::kKill);
    } else {
      for (int i = 0; i < world.size(); ++i) Cut(world, away, world.node(i), true);
    }
    const int64_t rounds = random_.Between(8, 24);
    for (int64_t i = 0; i < rounds; ++i) {
      world.scheduler().After(milliseconds(2000 + 300 * i), [this, &world, &away] {
        if (!over_) Ask(world, away.name());
      });
    }
    world.scheduler().After(milliseconds(2000 + 300 * rounds), [this, &world, &away] {
      if (over_) return;
      for (int i = 0; i < world.size(); ++i) Cut(world, away, world.node(i), false);
      if (!away.up()) away.Start();
    });
  }
  void Heal(World&) override { over_ = true; }

 private:
  static void Cut(World& world, SimNode& a, SimNode& b, bool cut) {
    if (&a == &b) return;
    for (const auto& [from, to] : {std::pair(&a, &b), std::pair(&b, &a)}) {
      if (cut) {
        world.network().Block(from->address(), to->address());
      } else {
        world.network().Unblock(from->address(), to->address());
      }
    }
  }

  void Ask(World& world, const std::string& name) {
    const auto up = world.UpNodes();
    if (up.empty()) return;
    SimNode& node = *random_.Pick(up);
    const LeaseInfo lease = node.replicator().lease(node.now());
    const bool votes = std::count(lease.voters.begin(), lease.voters.end(), name) > 0;
    node.Input([&](Replicator& replicator, Instant now, Effects& effects) {
      if (votes && lease.holding) {
        const auto changed =
            replicator.ChangeVoters({VoterRequest::Kind::kRemove, {name}}, now, effects);
        if (changed) world.VotersChange();
        return;
      }
      const Status begun = replicator.Forget({name}, now, effects);
      if (begun) world.trace().Add(node.name(), "forget", name);
    });
  }

  Random random_;
  bool over_ = false;
};

}  // namespace

std::unique_ptr<Fault> MakeForget(Random random) { return std::make_unique<Forget>(random); }

}  // namespace starling::sim
