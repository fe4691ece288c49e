// Voters forced by the operator after a majority was lost: a schedule of its own, over many seeds.
#include <algorithm>

#include "tests/sim/cluster_test_base.h"

namespace starling::sim {
namespace {

class ForcedVoters : public ClusterTest {
 protected:
  static LeaseInfo Info(SimNode& at) { return at.replicator().lease(at.now()); }
  bool Leads(SimNode& at) { return at.up() && at.replicator().LeadsEpoch(at.now()) != 0; }
  bool AllHave(const std::vector<std::string>& voters) {
    for (int i = 0; i < world().size(); ++i) {
      if (!node(i).up() || Info(node(i)).voters != voters) return false;
    }
    return true;
  }
  std::string Ask(SimNode& at, VoterRequest::Kind kind, const std::vector<std::string>& names) {
    std::string answer;
    at.Input([&](Replicator& replicator, Instant now, Effects& effects) {
      const auto changed = replicator.ChangeVoters({kind, names}, now, effects);
      answer = changed ? "OK" : changed.error().message;
    });
    return answer;
  }
  void Load(Duration time) {
    for (const Instant end = world().now() + time; world().now() < end && !world().failed();) {
      for (int i = 0; i < world().size(); ++i) {
        if (node(i).serving()) Increment(node(i), "n");
      }
      world().RunFor(milliseconds(20));
    }
  }
};

TEST_F(ForcedVoters, LeadAndFenceTheOldOnesThatReturn_I3_I4) {
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    WorldOptions options;
    options.seed = seed;
    Form(options);
    Random random(seed);
    ASSERT_TRUE(world().RunUntil([&] { return Leads(node(0)) || Leads(node(1)) || Leads(node(2)); },
                                 seconds(20)));
    Load(seconds(2));
    world().RunFor(seconds(2));  // all have all that a majority acknowledged
    const int left = static_cast<int>(random.Below(3));
    SimNode& survivor = node(left);
    for (int i = 0; i < 3; ++i) {
      if (i != left) node(i).Crash(CrashKind::kKill);
    }
    ASSERT_TRUE(world().RunUntil([&] { return !Leads(survivor); }, seconds(5)));
    ASSERT_TRUE(world().RunUntil([&] { return Info(survivor).view.holder.empty(); }, seconds(5)));
    ASSERT_EQ(Ask(survivor, VoterRequest::Kind::kForce, {survivor.name()}), "OK");
    ASSERT_TRUE(world().RunUntil([&] { return Leads(survivor); }, seconds(5)));
    Load(random.Between(milliseconds(0), milliseconds(3000)));
    for (int i = 0; i < 3; ++i) {
      if (i != left) node(i).Start();
    }
    Load(random.Between(milliseconds(1000), milliseconds(8000)));
    ASSERT_TRUE(Leads(survivor));
    ASSERT_TRUE(AllHave({survivor.name()}));
    ASSERT_EQ(Ask(survivor, VoterRequest::Kind::kSet, {"A", "B", "C"}), "OK");
    ASSERT_TRUE(world().RunUntil([&] { return AllHave({"A", "B", "C"}); }, seconds(10)));
    Load(seconds(1));
    ASSERT_TRUE(Settled({0, 1, 2}));
  }
}

}  // namespace
}  // namespace starling::sim
