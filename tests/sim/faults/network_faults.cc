/// Networks that fail: partitions, one-way silence, broken links, and a network that is merely bad.

#include "tests/sim/fault.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;

class Partition final : public Fault {
 public:
  explicit Partition(Random random) : random_(random) {}
  const char* name() const override { return "partition"; }
  void Inject(World& world) override {
    if (world.size() < 2) return;
    const uint64_t sides = uint64_t{1} << world.size();
    world.CountFault();
    world.Partition(1 + random_.Below(sides - 2));
    world.scheduler().After(random_.Between(milliseconds(300), milliseconds(8000)),
                            [&world] { world.Heal(); });
  }

 private:
  Random random_;
};

class OneWay final : public Fault {
 public:
  explicit OneWay(Random random) : random_(random) {}
  const char* name() const override { return "one-way"; }
  void Inject(World& world) override {
    const auto size = static_cast<uint64_t>(world.size());
    const auto from = static_cast<int>(random_.Below(size));
    const auto to = static_cast<int>(random_.Below(size));
    if (from == to) return;
    world.CountFault();
    const Address a = world.node(from).address();
    const Address b = world.node(to).address();
    world.network().Block(a, b);
    world.scheduler().After(random_.Between(milliseconds(200), milliseconds(6000)),
                            [&world, a, b] { world.network().Unblock(a, b); });
  }

 private:
  Random random_;
};

class LinkReset final : public Fault {
 public:
  explicit LinkReset(Random random) : random_(random) {}
  const char* name() const override { return "link-reset"; }
  void Inject(World& world) override {
    const auto size = static_cast<uint64_t>(world.size());
    world.CountFault();
    world.network().Reset(world.node(static_cast<int>(random_.Below(size))).address(),
                          world.node(static_cast<int>(random_.Below(size))).address());
  }

 private:
  Random random_;
};

/// Frames get lost, doubled, reordered and late for a while; connections break and are refused.
class BadNetwork final : public Fault {
 public:
  explicit BadNetwork(Random random) : random_(random) {}
  const char* name() const override { return "bad-network"; }
  void Inject(World& world) override {
    NetworkProfile profile;
    profile.max_delay = random_.Between(milliseconds(3), milliseconds(300));
    profile.bulk_delay = random_.Between(milliseconds(2), milliseconds(800));
    profile.lose_per_mille = random_.Below(150);
    profile.duplicate_per_mille = random_.Below(150);
    profile.reorder_per_mille = random_.Below(200);
    profile.reset_per_mille = random_.Below(10);
    profile.refuse_per_mille = random_.Below(300);
    world.CountFault();
    world.trace().Add("-", "bad-network");
    world.network().SetProfile(profile);
    world.scheduler().After(random_.Between(milliseconds(500), milliseconds(5000)),
                            [this, &world] { Heal(world); });
  }
  void Heal(World& world) override { world.network().SetProfile({}); }

 private:
  Random random_;
};

/// What carries the streams takes longer than leases do, while all else is quick: who votes, and
/// who is elected, may lack what was just written.
class SlowBulk final : public Fault {
 public:
  explicit SlowBulk(Random random) : random_(random) {}
  const char* name() const override { return "slow-bulk"; }
  void Inject(World& world) override {
    const Duration delay = random_.Between(milliseconds(200), milliseconds(4000));
    const auto any = static_cast<int>(random_.Below(static_cast<uint64_t>(world.size())));
    world.CountFault();
    if (random_.Chance(500)) {
      world.trace().Add(world.node(any).name(), "slow-bulk");
      world.network().SlowDown(world.node(any).address(), delay);
    } else {
      NetworkProfile profile;
      profile.bulk_delay = delay;
      world.trace().Add("-", "slow-bulk");
      world.network().SetProfile(profile);
    }
    world.scheduler().After(random_.Between(milliseconds(1000), milliseconds(6000)),
                            [this, &world] { Heal(world); });
  }
  void Heal(World& world) override {
    world.network().SetProfile({});
    for (int i = 0; i < world.size(); ++i) {
      world.network().SlowDown(world.node(i).address(), Duration::zero());
    }
  }

 private:
  Random random_;
};

}  // namespace

std::unique_ptr<Fault> MakeSlowBulk(Random random) { return std::make_unique<SlowBulk>(random); }
std::unique_ptr<Fault> MakePartition(Random random) { return std::make_unique<Partition>(random); }
std::unique_ptr<Fault> MakeOneWay(Random random) { return std::make_unique<OneWay>(random); }
std::unique_ptr<Fault> MakeLinkReset(Random random) { return std::make_unique<LinkReset>(random); }
std::unique_ptr<Fault> MakeBadNetwork(Random random) {
  return std::make_unique<BadNetwork>(random);
}

}  // namespace starling::sim
