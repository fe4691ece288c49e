#include "tests/sim/node.h"

#include <algorithm>
#include <utility>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include "tests/sim/dump.h"

namespace starling::sim {

namespace {

/// How long an own batch waits at most until the replication thread takes it.
constexpr Duration kHandOnDelay = std::chrono::microseconds(300);

std::shared_ptr<spdlog::logger> MakeLog(const NodeSetup& setup) {
  if (!setup.print_log) {
    return std::make_shared<spdlog::logger>(setup.name,
                                            std::make_shared<spdlog::sinks::null_sink_st>());
  }
  auto log = std::make_shared<spdlog::logger>(setup.name,
                                              std::make_shared<spdlog::sinks::stdout_sink_st>());
  log->set_pattern("             %n %l %v");
  log->set_level(spdlog::level::debug);
  return log;
}

/// Whether it tells something to whoever runs orders.
bool IsForOrders(const Effect& effect) {
  return std::holds_alternative<RunOrdersEffect>(effect) ||
         std::holds_alternative<OrderEffect>(effect) ||
         std::holds_alternative<LeaseEffect>(effect) ||
         std::holds_alternative<MajorityEffect>(effect);
}

}  // namespace

SimNode::SimNode(const NodeSetup& setup, Scheduler& scheduler, Network& network, Trace& trace,
                 Ledger& ledger, NodeObserver& observer)
    : setup_(setup),
      scheduler_(scheduler),
      network_(network),
      trace_(trace),
      ledger_(ledger),
      observer_(observer),
      random_(setup.seed),
      clock_(scheduler, setup.clock_offset),
      log_(MakeLog(setup)),
      disk_(std::make_unique<MemoryDisk>(random_.Next())) {
  WatchDisk();
}

SimNode::~SimNode() = default;

void SimNode::WatchDisk() {
  disk_->SetAppendObserver(
      [this](const Engine::LogRecord& record) { observer_.OnAppend(*this, record); });
}

StoreOptions SimNode::MakeStoreOptions() const {
  StoreOptions options;
  options.name = setup_.name;
  options.appendfsync = setup_.appendfsync;
  options.keyspace = {.shards = 4, .hash_seed = setup_.seed, .claim_rules = setup_.claim_rules};
  options.checkpoint_log_bytes = setup_.checkpoint_log_bytes;
  options.boot_id = setup_.name + "-boot-" + std::to_string(boots_);
  options.folder_identity = identity_;
  options.restored = restored_;
  return options;
}

void SimNode::Start() {
  trace_.Add(name(), "start");
  ++life_;
  paused_ = leaving_ = left_ = false;
  NoteStill();
  timer_ = Instant::max();
  batches_.clear();
  deferred_.clear();
  handing_on_ = false;
  logged_writes_ = 0;
  disk_->HasSpace();  // an operator starts no node on a full disk
  store_ = OpenStore();
  if (store_ == nullptr) return;
  restored_ = false;
  store_->journal().SetSink([this](const BatchHeader& header, SharedBytes bytes) {
    batches_.emplace_back(header, std::move(bytes));
  });
  ReplicatorOptions options = setup_.replicator;
  if (setup_.meeting != nullptr) {
    options.seeds.clear();
    options.expect = 0;
  }
  options.advertise = setup_.address;
  options.random_seed = random_.Next();
  replicator_ = std::make_unique<Replicator>(options, *store_, log_);
  orders_ = std::make_unique<Orders>(*store_, *replicator_, random_.Fork(), setup_.leased, [this] {
    const uint64_t writes = store_->keyspace().writes();
    if (!store_->journal().Commit().ok() || disk_->crashed()) return false;
    logged_writes_ = writes;
    return true;
  });
  orders_timer_ = Instant::max();
  network_.Attach(setup_.address, *this);
  trace_.Add(name(), "started", store_->vector().ToString());
  Run([this](Effects& effects) { replicator_->Start(now(), effects); });
  if (up()) observer_.OnStarted(*this);
  if (up() && setup_.meeting != nullptr) Meet();
  if (up()) Maintain(++rounds_);
}

void SimNode::Meet() {
  auto& record = setup_.meeting->record;
  if (!record) record = ClusterRecord{4711, {name()}, {}};
  folder_ = std::make_unique<FolderProcess>(setup_.meeting->folder,
                                            [this] { return !up() || disk_->crashed(); });
  std::vector<Address> others = setup_.replicator.seeds;
  std::erase(others, address());
  Run([this, others, record](Effects& effects) {
    replicator_->OnMeetingFolder(others, record, now(), effects);
    replicator_->UseEpochFolder(*folder_, record->id, "boot", now(), effects);
  });
}

std::unique_ptr<Store> SimNode::OpenStore() {
  for (;;) {
    auto engine = OpenMemoryEngine(*disk_);
    if (!engine.ok()) {
      observer_.OnViolation("I10", name() + ": " + engine.error().message);
      return nullptr;
    }
    const uint64_t dies_after = std::exchange(recovery_calls_, 0);
    if (dies_after > 0) disk_->CrashAt(dies_after, CrashKind::kKill, random_.Chance(500));
    auto store = Store::Open(MakeStoreOptions(), std::move(*engine), clock_, log_);
    if (disk_->crashed()) {
      trace_.Add(name(), "killed-in-recovery");
      continue;
    }
    disk_->CrashAt(0, CrashKind::kKill, false);
    if (!store.ok()) {
      observer_.OnViolation("I10", name() + ": " + store.error().message);
      return nullptr;
    }
    return std::move(*store);
  }
}

void SimNode::Crash(CrashKind kind) {
  if (!up()) return;
  kind = Possible(kind);
  planned_ = kind;
  // Where memory was not ahead of the log, a killed process comes back with what it had; and with
  // more where a peer's batch was written by an append that was told to have failed.
  const bool settled = kind == CrashKind::kKill && !disk_->crashed() && !disk_->holds_unknown() &&
                       store_->keyspace().writes() == logged_writes_;
  const std::string dump = settled ? VisibleDump(store_->keyspace()) : std::string();
  disk_->Crash(kind);
  Die(kind, dump);
}

void SimNode::CrashInside(uint64_t calls, CrashKind kind, bool after) {
  if (!up()) return;
  kind = Possible(kind);
  planned_ = kind;
  disk_->CrashAt(calls, kind, after);
}

void SimNode::Die(CrashKind kind, const std::string& dump_before) {
  const bool lossy = kind == CrashKind::kPowerLoss;
  trace_.Add(name(), lossy ? "power-loss" : "killed");
  const Stamp last = store_->clock().last();
  network_.Detach(setup_.address, lossy);
  const auto orders = std::move(orders_);  // its clients hear of it at the end
  replicator_.reset();
  folder_.reset();
  store_.reset();
  batches_.clear();
  deferred_.clear();
  script_.reset();
  ++life_;
  paused_ = leaving_ = false;
  NoteStill();
  if (lossy) ++boots_;
  ProbeDisk(kind, dump_before, last);
  observer_.OnCrashed(*this, lossy);
  orders->EndAll();
}

void SimNode::ProbeDisk(CrashKind kind, const std::string& dump_before, Stamp last) {
  const auto copy = disk_->Copy(setup_.seed + life_);
  auto engine = OpenMemoryEngine(*copy);
  auto store = Store::Open(MakeStoreOptions(), std::move(*engine), clock_, MakeLog({}));
  if (!store.ok()) {
    return observer_.OnViolation("I10", name() + " cannot recover: " + store.error().message);
  }
  held_ = (*store)->vector();
  if (kind == CrashKind::kPowerLoss && setup_.appendfsync != AppendFsync::kAlways) return;
  ledger_.ForEach([&](const Ledger::Operation& operation) {
    if (operation.certain && operation.node == index() && operation.life + 1 == life_ &&
        !Ledger::Holds(held_, operation) && !ledger_.WrittenAgain(operation)) {
      observer_.OnViolation("I10", name() + " forgot what it acknowledged: holds " +
                                       held_.ToString() + ", acknowledged " +
                                       operation.origin.ToString() + ":" +
                                       std::to_string(operation.upto.value));
    }
  });
  if (dump_before.empty()) return;
  (*store)->clock().Observe(last);  // so that the same deadlines have passed
  const std::string after = VisibleDump((*store)->keyspace());
  if (after != dump_before) {
    observer_.OnViolation(
        "I10", name() + " recovered another state:\n" + DumpDifference(dump_before, after));
  }
}

void SimNode::EmptyDisk() {
  trace_.Add(name(), "empty-disk");
  disk_->Wipe();
  held_ = {};
  observer_.OnCrashed(*this, true);
}

void SimNode::PutDisk(std::unique_ptr<MemoryDisk> disk, bool restored,
                      const std::string& identity) {
  disk_ = std::move(disk);
  restored_ = restored;
  identity_ = identity;
  WatchDisk();
}

void SimNode::Pause() {
  if (!up() || paused_) return;
  trace_.Add(name(), "pause");
  paused_ = true;
  NoteStill();
}

void SimNode::Resume() {
  if (!paused_) return;
  trace_.Add(name(), "resume");
  paused_ = false;
  NoteStill();
  const uint64_t life = life_;
  for (Step& step : std::exchange(deferred_, {})) {
    if (life_ != life) return;
    Run(std::move(step));
  }
}

void SimNode::BeginScript() {
  if (!serving() || script_) return;
  trace_.Add(name(), "script");
  script_ = {store_->keyspace().writes(), store_->journal().upto(), {}, {}};
  NoteStill();
  Run([this](Effects& effects) { replicator_->SetSuspended(true, now(), effects); });
}

void SimNode::EndScript() {
  if (!script_) return;
  trace_.Add(name(), "script-end");
  if (store_->keyspace().writes() != script_->writes || store_->journal().upto() != script_->upto) {
    observer_.OnViolation("I6", name() + " writes while a script has its keyspace");
  }
  Script script = *std::exchange(script_, std::nullopt);
  NoteStill();
  const uint64_t life = life_;
  Run([this, orders = std::move(script.orders)](Effects& effects) {
    for (const Effect& effect : orders) orders_->OnEffect(effect, now(), effects);
    replicator_->SetSuspended(false, now(), effects);
  });
  for (Step& step : script.after) {
    if (life_ == life) Run(std::move(step));
  }
}

void SimNode::Leave() {
  EndScript();
  if (!up() || leaving_) return;
  trace_.Add(name(), "leave");
  leaving_ = true;
  Run([this](Effects& effects) { replicator_->Leave(now(), effects); });
}

void SimNode::FinishLeaving() {
  if (!leaving_ || !replicator_->Left()) return;
  const Status closed = store_->Close();
  if (disk_->crashed()) return Die(planned_, {});
  // On a full disk it ends without the mark of a clean end, as after a kill.
  if (!closed.ok() && !store_->journal().read_only() && !disk_->full()) {
    return observer_.OnViolation("I10", name() + " does not close: " + closed.error().message);
  }
  trace_.Add(name(), "left");
  held_ = store_->vector();
  network_.Detach(setup_.address, false);
  const auto orders = std::move(orders_);
  replicator_.reset();
  folder_.reset();
  store_.reset();
  ++life_;
  leaving_ = false;
  left_ = true;
  orders->EndAll();
}

bool SimNode::serving() const {
  return up() && !paused_ && !script_ && !leaving_ && !disk_->crashed() &&
         !store_->journal().read_only() && replicator_->cluster().has_value();
}

VersionVector SimNode::held() const { return up() ? store_->vector() : held_; }

void SimNode::Input(const std::function<void(Replicator&, Instant, Effects&)>& input) {
  RunOnKeyspace([this, input](Effects& effects) { input(*replicator_, now(), effects); });
}

// --- inputs and effects ---

void SimNode::RunOnKeyspace(Step step) {
  if (script_) {
    script_->after.push_back(std::move(step));
  } else {
    Run(std::move(step));
  }
}

void SimNode::Run(Step step) {
  if (!up()) return;
  if (paused_) {
    deferred_.push_back(std::move(step));
    return;
  }
  Effects effects;
  step(effects);
  if (!up()) return;
  // Whatever the process did after its disk had ended its life, nobody has seen.
  if (disk_->crashed()) return Die(planned_, {});
  CarryOut(std::move(effects));
  if (!up()) return;
  if (!batches_.empty() && !handing_on_) {
    handing_on_ = true;
    Later(random_.Between(Duration::zero(), kHandOnDelay), [this](Effects& handed) {
      handing_on_ = false;
      for (auto& [header, bytes] : std::exchange(batches_, {})) {
        replicator_->OnLocalBatch(header, bytes, now(), handed);
      }
    });
  }
  ArmTimer();
  ArmOrders();
  FinishLeaving();
}

void SimNode::Later(Duration delay, Step step) {
  scheduler_.After(delay, [this, life = life_, step = std::move(step)]() mutable {
    if (life == life_) Run(std::move(step));
  });
}

void SimNode::LaterOnKeyspace(Duration delay, Step step) {
  scheduler_.After(delay, [this, life = life_, step = std::move(step)]() mutable {
    if (life == life_) RunOnKeyspace(std::move(step));
  });
}

void SimNode::CarryOut(Effects effects) {
  for (size_t i = 0; i < effects.size(); ++i) {
    const Effect effect = effects[i];  // more may be added
    if (script_) {
      if (IsForOrders(effect)) script_->orders.push_back(effect);
    } else {
      orders_->OnEffect(effect, now(), effects);
    }
    // Whatever the process did after its disk had ended its life, nobody has seen.
    if (disk_->crashed()) return Die(planned_, {});
    if (const auto* send = std::get_if<SendEffect>(&effect)) {
      observer_.OnSend(*this, *send);
      network_.Send(address(), send->link, send->lane, send->frame);
    } else if (const auto* dial = std::get_if<DialEffect>(&effect)) {
      network_.Dial(address(), dial->address);
    } else if (const auto* close = std::get_if<CloseEffect>(&effect)) {
      trace_.Add(name(), "close", close->reason);
      network_.Close(address(), close->link);
    } else if (const auto* event = std::get_if<EventEffect>(&effect)) {
      observer_.OnEvent(*this, *event);
    } else if (const auto* majority = std::get_if<MajorityEffect>(&effect)) {
      observer_.OnMajority(*this, *majority);
    }
  }
}

void SimNode::ArmTimer() {
  const Instant next = replicator_->NextTimer();
  if (next == Instant::max() || (timer_ <= next && timer_ > now())) return;
  // A timer that is due already fires a little later: a tick may not starve the rest.
  timer_ = std::max(next, now() + std::chrono::microseconds(10));
  Later(clock_.RealTime(timer_ - now()), [this, when = timer_](Effects& effects) {
    if (when == timer_) timer_ = Instant::max();
    replicator_->OnTick(now(), effects);
  });
}

void SimNode::ArmOrders() {
  if (script_) return;
  const Instant next = std::max(orders_->NextTimer(), now() + std::chrono::microseconds(100));
  if (orders_->NextTimer() == Instant::max() || (orders_timer_ <= next && orders_timer_ > now())) {
    return;
  }
  orders_timer_ = next;
  LaterOnKeyspace(clock_.RealTime(next - now()), [this, when = next](Effects& effects) {
    if (when == orders_timer_) orders_timer_ = Instant::max();
    orders_->OnTick(now(), effects);
  });
}

void SimNode::Maintain(uint64_t round) {
  RunOnKeyspace([this, round](Effects&) {
    if (round != rounds_) return;
    orders_->RemoveRecords(replicator_->stability(), now());
    const auto again = store_->Maintain(replicator_->stability());
    const Duration wait = std::max<Duration>(again, std::chrono::milliseconds(5));
    scheduler_.After(wait, [this, life = life_, round] {
      if (life == life_) Maintain(round);
    });
  });
}

void SimNode::MaintainNow() { Maintain(++rounds_); }

void SimNode::Connected(LinkId link, const Address& dialled) {
  Run([this, link, dialled](Effects& effects) {
    replicator_->OnConnected(link, dialled, now(), effects);
  });
}

void SimNode::DialFailed(const Address& address, bool refused) {
  Run([this, address, refused](Effects& effects) {
    replicator_->OnDialFailed(address, refused, now(), effects);
  });
}

void SimNode::Disconnected(LinkId link) {
  Run([this, link](Effects& effects) { replicator_->OnDisconnected(link, now(), effects); });
}

void SimNode::Frame(LinkId link, const SharedBytes& frame) {
  Run([this, link, frame](Effects& effects) {
    replicator_->OnFrame(link, *frame, now(), effects);
  });
}

}  // namespace starling::sim
