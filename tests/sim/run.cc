#include "tests/sim/run.h"

#include <algorithm>

#include "tests/sim/checkers/progress.h"
#include "tests/sim/checkers/quiescence.h"
#include "tests/sim/fault.h"
#include "tests/sim/workload.h"

namespace starling::sim {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kFormWithin = seconds(30);
constexpr Duration kAgreeWithin = seconds(60);
constexpr Duration kDeadlinesPass = seconds(8);  // the longest time to live and its late deletion
constexpr Duration kClocksBackWithin = seconds(30);
constexpr Duration kSmallWithin = seconds(60);

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options), random_(options.seed ^ 0x5ca1ab1e), world_(ChooseWorld()) {
    Random drawn_apart(options.seed ^ 0x1ea5ed);
    for (const WorkloadKind& kind : kWorkloads) {
      Random& drawn = kind.apart ? drawn_apart : random_;
      Random own = drawn.Fork();
      const uint64_t per_mille = kind.apart ? 300 : 600;
      if (Chosen(drawn, options.workloads, kind.name, per_mille))
        workloads_.push_back(kind.make(own));
    }
    if (workloads_.empty()) workloads_.push_back(MakeCounters(random_.Fork()));
    Random apart(options.seed ^ 0xf1edf1ed);
    for (const FaultKind& kind : kFaults) {
      Random& drawn = kind.apart ? apart : random_;
      Random own = drawn.Fork();
      if (Chosen(drawn, options.faults, kind.name, static_cast<uint64_t>(kind.per_mille))) {
        faults_.push_back(kind.make(own));
      }
    }
  }

  RunReport Go() {
    world_.StartAll();
    if (!world_.RunUntil([&] { return world_.Formed(); }, kFormWithin)) {
      world_.Fail("forming", "the nodes are not in one cluster after 30 s");
    }
    for (auto& workload : workloads_) workload->Setup(world_);
    const Duration chaos = options_.full ? random_.Between(seconds(15), seconds(90))
                                         : random_.Between(seconds(4), seconds(14));
    chaos_ends_ = world_.now() + chaos;
    StepOn();
    ObserveOn();
    FaultOn();
    world_.RunFor(chaos);
    if (!world_.failed()) Heal();
    if (!world_.failed()) Agree("I1");
    if (awaits_operator_) return Report();
    if (options_.brief) {
      CheckWorkloads();
      return Report();
    }
    AwaitClocks();
    world_.RunFor(kDeadlinesPass);
    if (!world_.failed()) Agree("I1");
    CheckWorkloads();
    if (!world_.failed()) Lead();
    Progress();
    Shrink();
    CheckIdleTraffic(world_, seconds(5));
    if (!world_.failed()) Agree("I1");
    CheckWorkloads();
    return Report();
  }

 private:
  WorldOptions ChooseWorld() {
    WorldOptions world;
    world.seed = options_.seed;
    world.nodes = options_.nodes > 0 ? options_.nodes : static_cast<int>(random_.Between(2, 5));
    const std::vector<AppendFsync> fsyncs = {AppendFsync::kAlways, AppendFsync::kEverySecond,
                                             AppendFsync::kEverySecond, AppendFsync::kNo};
    world.appendfsync = random_.Pick(fsyncs);
    world.clock_spread = milliseconds(random_.Below(150));
    world.checkpoint_log_bytes = random_.Chance(300) ? 2 << 10 : 16 << 10;
    if (random_.Chance(300)) world.secret = "starlings";
    world.folder = options_.folder || (!options_.named && random_.Chance(400));
    world.lease_rules = options_.lease_rules;
    world.claim_rules = options_.claim_rules;
    world.watch_leaders = !options_.clients;
    world.print = options_.trace;
    world.print_logs = options_.logs;
    return world;
  }

  static bool Chosen(Random& drawn, const std::vector<std::string>& asked, const char* name,
                     uint64_t per_mille) {
    const bool chance = drawn.Chance(per_mille);
    if (asked.empty()) return chance;
    return std::find(asked.begin(), asked.end(), name) != asked.end();
  }

  bool Chaos() const { return world_.now() < chaos_ends_ && !world_.failed(); }

  void StepOn() {
    if (!Chaos()) return;
    random_.Pick(workloads_)->Step(world_);
    world_.scheduler().After(random_.Between(milliseconds(0), milliseconds(15)),
                             [this] { StepOn(); });
  }

  void ObserveOn() {
    if (world_.failed()) return;
    const auto up = world_.UpNodes();
    if (!up.empty()) {
      Workload& workload = *random_.Pick(workloads_);
      SimNode& node = *random_.Pick(up);
      world_.ledger().Ended(node.held());
      workload.Observe(world_, node);
    }
    world_.scheduler().After(random_.Between(milliseconds(5), milliseconds(40)),
                             [this] { ObserveOn(); });
  }

  void FaultOn() {
    if (!Chaos() || faults_.empty()) return;
    world_.scheduler().After(random_.Between(milliseconds(50), milliseconds(2500)), [this] {
      if (!Chaos()) return;
      random_.Pick(faults_)->Inject(world_);
      FaultOn();
    });
  }

  void Heal() {
    world_.trace().Add("-", "heal");
    for (auto& fault : faults_) fault->Heal(world_);
    world_.Heal();
    // A leave that has begun ends first; whoever is then down starts.
    world_.RunFor(milliseconds(100));
    if (!world_.RunUntil([this] { return Everyone(); }, seconds(60))) {
      world_.Fail("liveness", "a node that leaves does not end");
    }
  }

  /// Starts who is down; true once all are up and none is leaving.
  bool Everyone() {
    bool all = true;
    for (int i = 0; i < world_.size() && !world_.failed(); ++i) {
      SimNode& node = world_.node(i);
      node.Resume();
      node.disk().HasSpace();
      if (node.leaving()) {
        all = false;
      } else if (!node.up()) {
        node.Start();
      } else if (node.store().journal().read_only()) {
        node.Crash(CrashKind::kKill);
        all = false;
      }
    }
    return all;
  }

  void Agree(const char* invariant) {
    std::string why;
    const auto agreed = [&] { return Everyone() && (why = WhyNotAgreed(world_)).empty(); };
    if (world_.RunUntil(agreed, kAgreeWithin, milliseconds(200))) return;
    awaits_operator_ = OperatorMustLetIn(world_);
    if (!awaits_operator_) world_.Fail(invariant, "no agreement after 60 s: " + why);
  }

  void Lead() {
    std::string why;
    const auto led = [&] { return Everyone() && (why = WhyNotLed(world_)).empty(); };
    if (!world_.RunUntil(led, kAgreeWithin)) {
      world_.Fail("liveness", "no lease after 60 s: " + why);
    }
  }

  /// Hybrid clocks that are ahead stand still, and with them the deadlines.
  void AwaitClocks() {
    const auto back = [&] {
      return std::ranges::all_of(world_.UpNodes(), [](SimNode* node) {
        return node->store().clock().last().millis() < node->clock().WallMillis() + 1000;
      });
    };
    if (!world_.RunUntil(back, kClocksBackWithin)) {
      world_.Fail("I8", "hybrid clocks are still ahead after 30 s");
    }
  }

  /// Nothing is broken any more, and a minority may go.
  void Progress() {
    Random drawn(options_.seed ^ 0x90e55);
    for (int round = 0; round < 2 && !world_.failed(); ++round) {
      CheckProgress(world_, drawn);
      if (!world_.failed()) Agree("I1");
      if (!world_.failed()) Lead();
    }
  }

  void Shrink() {
    if (world_.failed()) return;
    std::string why;
    if (!world_.RunUntil([&] { return (why = WhyNotSmall(world_)).empty(); }, kSmallWithin,
                         milliseconds(500))) {
      world_.Fail("I9", "after 60 s " + why);
    }
  }

  void CheckWorkloads() {
    for (int i = 0; i < world_.size(); ++i) world_.ledger().Ended(world_.node(i).held());
    for (auto& workload : workloads_) {
      for (int i = 0; i < world_.size() && !world_.failed(); ++i) {
        workload->Check(world_, world_.node(i));
      }
    }
  }

  RunReport Report() {
    RunReport report;
    report.seed = options_.seed;
    report.violation = world_.violation();
    report.last_events.assign(world_.trace().last().begin(), world_.trace().last().end());
    report.mix = std::to_string(world_.size()) +
                 (world_.options().folder ? " nodes in a folder;" : " nodes;");
    for (const auto& workload : workloads_) report.mix.append(" ").append(workload->name());
    report.mix += ";";
    for (const auto& fault : faults_) report.mix.append(" ").append(fault->name());
    report.hash = world_.trace().hash();
    report.events = world_.scheduler().events();
    report.operations = world_.ledger().size();
    report.acknowledged = world_.ledger().acknowledged();
    report.faults = world_.faults();
    report.frames = world_.network().counts().frames;
    report.epochs = world_.lease().epochs();
    report.majorities = world_.lease().majorities();
    report.searches = world_.searches();
    report.virtual_time = world_.now();
    return report;
  }

  RunOptions options_;
  Random random_;
  World world_;
  std::vector<std::unique_ptr<Workload>> workloads_;
  std::vector<std::unique_ptr<Fault>> faults_;
  Instant chaos_ends_{0};
  bool awaits_operator_ = false;  // for good: nothing can be said of what is then
};

}  // namespace

RunReport RunSeed(const RunOptions& options) { return Run(options).Go(); }

}  // namespace starling::sim
