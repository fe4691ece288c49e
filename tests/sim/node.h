/// One simulated process: the production Store and Replicator on a disk that can fail.
///
/// It does what node/'s runtime does, on virtual time: carries effects out, keeps the timers, hands
/// own batches on, runs the upkeep. And it does what happens to processes: dies (kill -9, power),
/// starts again, stands still (SIGSTOP), leaves. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/replicator.h"
#include "storage/store.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/orders.h"
#include "tests/support/folder_model.h"
#include "tests/support/memory_engine.h"

namespace starling::sim {

/// A machine's clocks: the wall clock may be off and step, the other only runs, at a speed that may
/// change.
class MachineClock final : public TimeSource {
 public:
  static constexpr int64_t kEpochMillis = 1'760'000'000'000;

  MachineClock(const Scheduler& scheduler, std::chrono::milliseconds offset)
      : scheduler_(scheduler), offset_(offset) {}
  int64_t WallMillis() override {
    using std::chrono::milliseconds;
    return kEpochMillis + offset_.count() +
           std::chrono::duration_cast<milliseconds>(scheduler_.now()).count();
  }
  Instant Monotonic() override { return shown_ + (scheduler_.now() - since_) * rate_ / 1000; }
  /// From now on so many milliseconds of the monotonic clock are one second: 1000 is right.
  void SetRate(int64_t rate) {
    shown_ = Monotonic();
    since_ = scheduler_.now();
    rate_ = rate;
  }
  /// How long it really takes until the monotonic clock shows `shown` more.
  Duration RealTime(Duration shown) const { return shown * 1000 / rate_; }
  void SetOffset(std::chrono::milliseconds offset) { offset_ = offset; }
  std::chrono::milliseconds offset() const { return offset_; }

 private:
  const Scheduler& scheduler_;
  std::chrono::milliseconds offset_;
  Instant shown_ = std::chrono::hours(1);  // by the monotonic clock at...
  Instant since_{0};                       // ...this moment
  int64_t rate_ = 1000;
};

/// Where the processes of one host meet; the folder votes then.
struct MeetingPlace {
  FolderModel folder;
  std::optional<ClusterRecord> record;  ///< Of the cluster that was created there.
};

struct NodeSetup {
  int index = 0;
  std::string name;
  Address address;
  ReplicatorOptions replicator;     ///< `advertise` and `random_seed` are filled in by the node.
  MeetingPlace* meeting = nullptr;  ///< Null: seeds, and named voters.
  ClaimRules claim_rules;
  LeasedWatch* leased = nullptr;  ///< Null: nobody looks.
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  uint64_t checkpoint_log_bytes = 16 << 10;  ///< Small: a run has many checkpoints.
  std::chrono::milliseconds clock_offset{0};
  uint64_t seed = 0;
  bool print_log = false;  ///< The node's own log lines on standard output.
};

class SimNode;

/// A client's request, and for how long it has been waited for by the node's clock; while the node
/// stood still does not count.
struct ClientWait {
  std::string request;
  Duration waited{};
  Duration limit{};
};

/// What the simulation wants to hear of its nodes. Calls come from within events.
class NodeObserver {
 public:
  virtual ~NodeObserver() = default;
  /// A record is about to be in `node`'s log.
  virtual void OnAppend(SimNode& node, const Engine::LogRecord& record) = 0;
  virtual void OnSend(SimNode& node, const SendEffect& send) = 0;
  virtual void OnEvent(SimNode& node, const EventEffect& event) = 0;
  virtual void OnMajority(SimNode& node, const MajorityEffect& majority) = 0;
  /// A client's request has ended.
  virtual void OnWaited(SimNode& node, const ClientWait& wait) = 0;
  /// The process has started, and reads its state.
  virtual void OnStarted(SimNode& node) = 0;
  /// The process has ended; node.held() tells what its disk still has. `lossy`: more than a kill.
  virtual void OnCrashed(SimNode& node, bool lossy) = 0;
  /// The node does something that no node may do.
  virtual void OnViolation(const std::string& invariant, const std::string& text) = 0;
};

class SimNode final : public Endpoint {
 public:
  SimNode(const NodeSetup& setup, Scheduler& scheduler, Network& network, Trace& trace,
          Ledger& ledger, NodeObserver& observer);
  ~SimNode() override;

  // --- life ---
  void Start();
  /// The process dies now. Starts nothing by itself.
  void Crash(CrashKind kind);
  /// The process dies inside its `calls`-th write to the disk from now.
  void CrashInside(uint64_t calls, CrashKind kind, bool after);
  /// The next start dies inside its `calls`-th write to the disk, if it makes so many, and is
  /// repeated.
  void DieInRecovery(uint64_t calls) { recovery_calls_ = calls; }
  /// The disk is replaced by an empty one; the process must be down.
  void EmptyDisk();
  /// SIGSTOP and SIGCONT: everything waits, nothing is lost.
  void Pause();
  void Resume();
  /// A script has the keyspace for itself: nobody else works on it, the engine is suspended.
  void BeginScript();
  void EndScript();
  /// Leaves gracefully; left() becomes true in time. Start() rejoins.
  void Leave();

  bool up() const { return store_ != nullptr; }
  bool paused() const { return paused_; }
  bool leaving() const { return leaving_; }
  bool left() const { return left_; }
  /// Up, running, in a cluster and able to write: where a client would go.
  bool serving() const;

  // --- what clients do ---
  /// Runs `work` on the store, commits up to `commit_within` later, and acknowledges. The ledger
  /// knows the outcome. Must be serving().
  OperationId Write(const std::function<void(Store&, OperationId)>& work, Duration commit_within,
                    std::function<void()> acknowledged = {});

  /// A client of this node asks (orders.h); `done` is called once, also where the process dies or
  /// the connection waits for too long. Must be serving().
  void Ask(const std::string& request, Orders::Done done);
  /// Those who wait.
  std::vector<ClientWait> Waits();

  /// Feeds the replicator an input outside the usual ones (FORGET, JOIN).
  void Input(const std::function<void(Replicator&, Instant, Effects&)>& input);
  /// Runs the store's upkeep now instead of when it is due.
  void MaintainNow();

  Store& store() { return *store_; }
  Replicator& replicator() { return *replicator_; }
  MemoryDisk& disk() { return *disk_; }
  MachineClock& clock() { return clock_; }
  const NodeSetup& setup() const { return setup_; }
  int index() const { return setup_.index; }
  /// What its monotonic clock shows.
  Instant now() { return clock_.Monotonic(); }
  const std::string& name() const { return setup_.name; }
  const Address& address() const { return setup_.address; }
  uint64_t life() const { return life_; }
  /// What this node holds: of its store when up, else what its disk would come back with.
  VersionVector held() const;
  /// Replaces the disk while down (a folder restored or copied from elsewhere).
  void PutDisk(std::unique_ptr<MemoryDisk> disk, bool restored, const std::string& identity);

  // --- Endpoint ---
  void Connected(LinkId link, const Address& dialled) override;
  void DialFailed(const Address& address, bool refused) override;
  void Disconnected(LinkId link) override;
  void Frame(LinkId link, const SharedBytes& frame) override;

 private:
  using Step = std::function<void(Effects&)>;
  struct Wait {
    std::string request;
    Duration since{};  // of RunningTime
    Duration limit{};
  };

  StoreOptions MakeStoreOptions() const;
  void WatchDisk();
  void Meet();
  /// Processes of one host lose nothing without the host.
  CrashKind Possible(CrashKind kind) const {
    return setup_.meeting == nullptr ? kind : CrashKind::kKill;
  }
  /// The recovered store; null, and a violation, where the disk does not allow it.
  std::unique_ptr<Store> OpenStore();
  /// Runs one input unless the process is down; puts it off while it is paused.
  void Run(Step step);
  /// The same for what works on the keyspace: after the script, if one runs.
  void RunOnKeyspace(Step step);
  /// Runs `step` later in this life.
  void Later(Duration delay, Step step);
  void LaterOnKeyspace(Duration delay, Step step);
  void CarryOut(Effects effects);
  void ArmOrders();
  void ArmTimer();
  /// What its clock has shown while it could run.
  Duration RunningTime() { return (still_since_ ? *still_since_ : now()) - still_; }
  /// Notes whether it stands still from now on.
  void NoteStill();
  void Maintain(uint64_t round);
  void FinishLeaving();
  /// Takes the process down after the disk has crashed. `dump_before`: what it must come back with.
  void Die(CrashKind kind, const std::string& dump_before);
  /// Opens what the disk now holds beside the node, as a restart would find it (I10).
  void ProbeDisk(CrashKind kind, const std::string& dump_before, Stamp last);

  NodeSetup setup_;
  Scheduler& scheduler_;
  Network& network_;
  Trace& trace_;
  Ledger& ledger_;
  NodeObserver& observer_;
  Random random_;
  MachineClock clock_;
  std::shared_ptr<spdlog::logger> log_;
  std::unique_ptr<MemoryDisk> disk_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<FolderProcess> folder_;
  std::unique_ptr<Replicator> replicator_;
  std::unique_ptr<Orders> orders_;
  std::vector<std::pair<BatchHeader, SharedBytes>> batches_;  // own, not yet handed on
  bool handing_on_ = false;
  uint64_t logged_writes_ = 0;  // how many of the keyspace's writes are known to be in the log
  std::vector<Step> deferred_;  // while paused
  struct Script {
    uint64_t writes = 0;  // of the keyspace, and the end of its stream, when it began
    Stamp upto;
    std::vector<Step> after;
    Effects orders;  // for those who run orders
  };
  std::optional<Script> script_;
  VersionVector held_;  // while down
  uint64_t life_ = 0;
  uint64_t boots_ = 1;
  uint64_t rounds_ = 0;
  std::string identity_ = "folder";
  bool restored_ = false;
  uint64_t recovery_calls_ = 0;
  CrashKind planned_ = CrashKind::kKill;
  Instant timer_{Instant::max()};
  Instant orders_timer_{Instant::max()};
  std::map<uint64_t, Wait> waits_;  // in the order in which they began
  uint64_t last_wait_ = 0;
  Duration still_{0};                   // so long it has stood still...
  std::optional<Instant> still_since_;  // ...until now, and since then
  bool paused_ = false;
  bool leaving_ = false;
  bool left_ = false;
};

}  // namespace starling::sim
