#include "tests/sim/checkers/progress.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;

constexpr int kRequests = 40;

/// Which nodes are taken away: bit per node. A majority of the voters stays, and one node at least;
/// a folder votes alone.
uint64_t DrawMinority(World& world, Random& random) {
  const LeaseInfo lease = world.node(0).replicator().lease(world.node(0).now());
  const auto votes = [&](int i) {
    return std::ranges::find(lease.voters, world.node(i).name()) != lease.voters.end();
  };
  size_t may_go = lease.voters.empty() ? 0 : (lease.voters.size() - 1) / 2;
  uint64_t taken = 0;
  int left = world.size();
  for (int i = 0; i < world.size(); ++i) {
    if (left == 1 || random.Chance(400) || (votes(i) && may_go == 0)) continue;
    may_go -= votes(i) ? 1 : 0;
    taken |= uint64_t{1} << i;
    --left;
  }
  return taken;
}

enum class Shape { kKilled, kStopped, kCutOff };
constexpr const char* kShapes[] = {"killed", "stopped", "cut off"};

class Round : public std::enable_shared_from_this<Round> {
 public:
  Round(World& world, Random& random)
      : world_(world), random_(random), taken_(DrawMinority(world, random)) {
    // A folder votes for whoever sees it, also for who is cut off from all others.
    const bool folder =
        world.node(0).replicator().lease(world.node(0).now()).mode == LeaseMode::kFolder;
    shape_ = static_cast<Shape>(random.Below(folder ? 2 : 3));
  }

  void Run() {
    TakeAway();
    world_.RunFor(kUndisturbed);
    for (int i = 0; i < kRequests && !world_.failed(); ++i) {
      AskOne();
      world_.RunFor(random_.Between(milliseconds(0), milliseconds(50)));
    }
    world_.RunFor(kDoneWithin);
    if (waiting_ > 0) Fail(std::to_string(waiting_) + " requests have not ended");
    GiveBack();
  }

 private:
  bool Taken(int node) const { return ((taken_ >> node) & 1) != 0; }

  void TakeAway() {
    world_.trace().Add("-", "take-away", std::to_string(taken_) + " " + Name());
    if (shape_ == Shape::kCutOff) world_.Partition(taken_);
    for (int i = 0; i < world_.size(); ++i) {
      if (!Taken(i)) continue;
      if (shape_ == Shape::kKilled) world_.node(i).Crash(CrashKind::kKill);
      if (shape_ == Shape::kStopped) world_.node(i).Pause();
    }
  }

  void GiveBack() {
    world_.Heal();
    for (int i = 0; i < world_.size() && !world_.failed(); ++i) {
      if (!Taken(i)) continue;
      world_.node(i).Resume();
      if (!world_.node(i).up()) world_.node(i).Start();
    }
  }

  void AskOne() {
    std::vector<SimNode*> left;
    for (int i = 0; i < world_.size(); ++i) {
      if (!Taken(i)) left.push_back(&world_.node(i));
    }
    SimNode& node = *random_.Pick(left);
    if (!node.serving()) return Fail(node.name() + " does not serve");
    ++waiting_;
    const std::string request = NextRequest();
    const Instant asked = world_.now();
    const auto ended = [round = shared_from_this(), &node, request, asked](Outcome outcome,
                                                                           const std::string&) {
      round->Ended(node.name() + ": \"" + request + "\"", outcome, round->world_.now() - asked);
    };
    node.Ask(request, ended);
  }

  std::string NextRequest() {
    const std::string number = std::to_string(world_.now().count());  // none of a checker's
    if (random_.Chance(400)) return "leased " + number + " incr progress";
    if (!claimed_.empty() && random_.Chance(300)) return "get " + claimed_;
    claimed_ = "progress:" + number;
    return "claim " + claimed_ + " v 500";
  }

  void Ended(const std::string& what, Outcome outcome, Duration took) {
    --waiting_;
    if (outcome == Outcome::kAnswered && took <= kDoneWithin) return;
    Fail(what +
         (outcome == Outcome::kAnswered  ? " is answered"
          : outcome == Outcome::kRefused ? " is refused"
                                         : " comes to nothing") +
         " after " + std::to_string(took.count() / 1'000'000) + " ms");
  }

  std::string Name() const { return kShapes[static_cast<int>(shape_)]; }
  void Fail(const std::string& what) {
    world_.Fail("liveness", what + "; a majority is undisturbed, nodes " + Name() + ": " +
                                std::to_string(taken_) + " (a bit each)");
  }

  World& world_;
  Random& random_;
  const uint64_t taken_;
  Shape shape_;
  int waiting_ = 0;
  std::string claimed_;
};

}  // namespace

void CheckProgress(World& world, Random& random) {
  if (!OperatorMustDecide(world)) std::make_shared<Round>(world, random)->Run();
}

}  // namespace starling::sim
