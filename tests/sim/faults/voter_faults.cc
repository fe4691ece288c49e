/// An operator who changes the voters while all the rest goes on: no fault, but it meets them all.

#include <algorithm>

#include "tests/sim/fault.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;

/// Never fewer, where there are so many nodes: what one disk loses the others have.
constexpr size_t kLeastVoters = 3;

class ChangeVoters : public Fault {
 public:
  explicit ChangeVoters(Random random) : random_(random) {}
  const char* name() const override { return "voters"; }

  void Inject(World& world) override { Change(world); }

 protected:
  /// Each who leads, as far as it knows, is asked for a change.
  void Change(World& world) {
    const auto up = world.UpNodes();
    for (SimNode* node : up) {
      if (node->replicator().LeadsEpoch(node->now()) == 0) continue;
      const LeaseInfo lease = node->replicator().lease(node->now());
      const auto request =
          lease.mode == LeaseMode::kFolder ? LeaveFolder(world) : Change(world, lease.voters);
      if (!request) return;
      world.CountFault();
      Ask(world, *node, *request);
    }
  }

  std::optional<VoterRequest> LeaveFolder(World& world) {
    if (!random_.Chance(300)) return std::nullopt;
    VoterRequest request{VoterRequest::Kind::kSet, {}};
    for (SimNode* node : world.UpNodes()) request.names.push_back(node->name());
    return request;
  }

  std::optional<VoterRequest> Change(World& world, const std::vector<std::string>& voters) {
    std::vector<std::string> others;
    for (int i = 0; i < world.size(); ++i) {
      const std::string& name = world.node(i).name();
      if (std::find(voters.begin(), voters.end(), name) == voters.end()) others.push_back(name);
    }
    const size_t least = std::min(kLeastVoters, static_cast<size_t>(world.size() - 1));
    const bool fewer = voters.size() > least;
    if (!others.empty() && random_.Chance(400)) {
      return VoterRequest{VoterRequest::Kind::kReplace,
                          {random_.Pick(voters), random_.Pick(others)}};
    }
    if (fewer && random_.Chance(500)) {
      return VoterRequest{VoterRequest::Kind::kRemove, {random_.Pick(voters)}};
    }
    if (others.empty()) return std::nullopt;
    return VoterRequest{VoterRequest::Kind::kAdd, {random_.Pick(others)}};
  }

  void Ask(World& world, SimNode& node, const VoterRequest& request) {
    node.Input([&world, &node, request](Replicator& replicator, Instant now, Effects& effects) {
      const auto changed = replicator.ChangeVoters(request, now, effects);
      std::string text =
          JoinNames(request.names) + " " + std::to_string(static_cast<int>(request.kind)) + " ";
      text += changed ? "begun" : changed.error().message;
      if (changed) world.VotersChange();
      world.trace().Add(node.name(), "change-voters", text);
    });
  }

  Random random_;
};

/// The same while the nodes are parted again and again, each time otherwise, so that who leads one
/// part knows of voters that the rest has not heard of.
class PartedVoters final : public ChangeVoters {
 public:
  explicit PartedVoters(Random random) : ChangeVoters(random) {}
  const char* name() const override { return "parted-voters"; }
  void Inject(World& world) override {
    if (world.size() < 3) return;
    Part(world, random_.Between(2, 4));
  }
  void Heal(World& world) override {
    over_ = true;
    world.Heal();
  }

 private:
  void Part(World& world, int64_t rounds) {
    if (over_) return;
    world.Heal();
    if (rounds == 0) return;
    world.Partition(1 + random_.Below((uint64_t{1} << world.size()) - 2));
    const Duration round = random_.Between(milliseconds(1000), milliseconds(5000));
    for (int64_t i = random_.Between(1, 4); i > 0; --i) {
      world.scheduler().After(random_.Between(milliseconds(0), milliseconds(1500)), [this, &world] {
        if (!over_) Change(world);
      });
    }
    world.scheduler().After(round, [this, &world, rounds] { Part(world, rounds - 1); });
  }

  bool over_ = false;
};

}  // namespace

std::unique_ptr<Fault> MakeChangeVoters(Random random) {
  return std::make_unique<ChangeVoters>(random);
}

std::unique_ptr<Fault> MakePartedVoters(Random random) {
  return std::make_unique<PartedVoters>(random);
}

}  // namespace starling::sim
