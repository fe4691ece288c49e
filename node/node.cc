#include "starling/node.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "node/address.h"
#include "node/library_log.h"
#include "node/node_core.h"
#include "node/random_number.h"

namespace starling {
namespace {

AppendFsync ToAppendFsync(Fsync fsync) {
  switch (fsync) {
    case Fsync::kAlways:
      return AppendFsync::kAlways;
    case Fsync::kEverySecond:
      return AppendFsync::kEverySecond;
    case Fsync::kNever:
      break;
  }
  return AppendFsync::kNo;
}

MemberStatus ToStatus(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return MemberStatus::kAlive;
    case MemberState::kSuspect:
      return MemberStatus::kSuspect;
    case MemberState::kDead:
      return MemberStatus::kDead;
    case MemberState::kLeft:
      return MemberStatus::kLeft;
    case MemberState::kForgotten:
      break;
  }
  return MemberStatus::kForgotten;
}

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

/// A name for a node that was given none and has no numbered folder: the same for the same folder,
/// and different each time where nothing outlives the process.
std::string DefaultName(const NodeOptions& options) {
  std::string last;
  if (options.folder.empty()) {
    last = std::to_string(getpid()) + "-" + Hex(RandomNumber()).substr(8);
  } else {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::weakly_canonical(options.folder, error);
    last = Hex(NodeId::FromName(error ? options.folder : path.string()).value).substr(8);
  }
  const std::string tail = "-" + options.cluster.substr(0, 60) + "-" + last;
  return PlainHostName().substr(0, 128 - tail.size()) + tail;
}

Result<RuntimeOptions> ToRuntimeOptions(const NodeOptions& options, NodeCore& core) {
  if (options.database < 0 || options.database >= kDatabases) {
    return Error{Code::kInvalidArgument, "database is 0 to 15"};
  }
  if (options.ephemeral && !options.folder.empty()) {
    return Error{Code::kInvalidArgument, "an ephemeral node has no folder: set one of the two"};
  }
  RuntimeOptions runtime;
  runtime.cluster = options.cluster;
  runtime.name = options.name;
  runtime.folder = options.folder;
  if (!options.ephemeral && options.folder.empty()) {
    Result<DataFolder> folder = DataFolder::Take({}, options.cluster);
    if (!folder) return folder.error();
    Result<std::optional<ClusterRecord>> known = folder->KnownCluster();
    if (!known) return known.error();
    runtime.known_cluster = *known;
    runtime.folder = folder->path();
    if (runtime.name.empty()) runtime.name = folder->NodeName();
    core.folder = *std::move(folder);
  }
  if (runtime.name.empty()) runtime.name = DefaultName(options);
  runtime.appendfsync = ToAppendFsync(options.fsync);
  runtime.bind = options.bind;
  runtime.advertise = options.advertise;
  runtime.gossip_port = options.gossip_port;
  runtime.join = options.join;
  runtime.expect = options.expect;
  runtime.voters = options.voters;
  runtime.meeting_folder = options.meeting_folder;
  runtime.meeting_folder_path = options.meeting_folder_path;
  runtime.secret = options.secret;
  runtime.flush_interval = options.flush_interval;
  runtime.forget_after = options.forget_after;
  runtime.max_clock_skew = options.max_clock_skew;
  return runtime;
}

/// Nodes that start later with a folder beside ours belong to the same cluster.
void NoteCluster(NodeCore& core) {
  if (!core.folder) return;
  const std::optional<ClusterRecord> cluster = core.runtime->Cluster();
  if (!cluster) return;
  if (const Status noted = core.folder->NoteCluster(*cluster); !noted) {
    core.log->warn("the cluster could not be noted beside the data: reason={}",
                   noted.error().message);
  }
}

}  // namespace

const char* MemberStatusName(MemberStatus status) {
  switch (status) {
    case MemberStatus::kAlive:
      return "alive";
    case MemberStatus::kSuspect:
      return "suspect";
    case MemberStatus::kDead:
      return "dead";
    case MemberStatus::kLeft:
      return "left";
    case MemberStatus::kForgotten:
      break;
  }
  return "forgotten";
}

Result<Node> Node::Open(const NodeOptions& options) {
  Result<ClaimPatterns> patterns = ClaimPatterns::Parse(options.claims);
  if (!patterns) {
    return Error{Code::kInvalidArgument, "claims: " + patterns.error().message};
  }
  auto core = std::make_shared<NodeCore>(MakeLibraryLog(options.log_level, options.log));
  Result<RuntimeOptions> runtime_options = ToRuntimeOptions(options, *core);
  if (!runtime_options) return runtime_options.error();
  Result<std::unique_ptr<Runtime>> runtime = Runtime::Start(*runtime_options, core->log);
  if (!runtime) return runtime.error();
  core->database = static_cast<uint8_t>(options.database);
  core->leave_timeout = options.leave_timeout;
  core->name = runtime_options->name;
  core->address = (*runtime)->address();
  core->runtime = *std::move(runtime);
  core->orders = std::make_unique<OrderExecutor>(*core->runtime, core->commands, core->scripting,
                                                 core->log, *std::move(patterns));
  const bool alone = options.join.empty() && !options.meeting_folder;
  core->order_client =
      std::make_unique<OrderClient>(*core->runtime, *core->orders, core->database, alone);
  core->lock_keeper = std::make_unique<LockKeeper>(*core->order_client);
  core->counters.Attach(*core->runtime, core->database);
  core->runtime->SetCollector([counters = &core->counters] { counters->CollectAll(); });
  if (options.join.empty()) NoteCluster(*core);
  return Node(std::move(core));
}

Node::Node(std::shared_ptr<NodeCore> core) : core_(std::move(core)) {}
Node::Node(Node&&) noexcept = default;

Node& Node::operator=(Node&& other) noexcept {
  if (this != &other) {
    Node old = std::move(*this);
    core_ = std::move(other.core_);
  }
  return *this;
}

Node::~Node() {
  if (!core_) return;
  if (const Status closed = Close(); !closed) {
    core_->log->error("closing failed: reason={}", closed.error().message);
  }
}

Counter Node::GetCounter(std::string_view name) {
  const OperationGate::Pass pass(core_->gate);
  return pass ? core_->counters.Get(name, core_) : CounterRegistry::Detached(name, core_);
}

OrderedCounter Node::GetCounter(std::string_view name, const LevelOptions& options) const {
  return OrderedCounter(core_, std::string(name), options);
}

Kv Node::kv(const LevelOptions& options) const { return Kv(core_, options); }

Locks Node::locks() const { return Locks(core_); }
Claims Node::claims() const { return Claims(core_); }

Status Node::Sync() {
  const OperationGate::Pass pass(core_->gate);
  if (!pass) return NodeCore::Closed();
  core_->counters.CollectAll();
  return core_->runtime->store().journal().Commit();
}

std::vector<Member> Node::Members() const {
  const OperationGate::Pass pass(core_->gate);
  if (!pass) return {};
  const Stamp logged = core_->runtime->store().journal().upto();
  std::vector<Member> members;
  for (const MemberInfo& info : core_->runtime->Members()) {
    members.push_back({.name = info.name,
                       .address = info.address,
                       .status = ToStatus(info.state),
                       .self = info.self,
                       .connected = info.connected,
                       .round_trip = info.rtt,
                       .up_to_date = info.self || info.acknowledged >= logged});
  }
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.name < b.name; });
  return members;
}

NodeStatistics Node::Statistics() const {
  NodeStatistics figures;
  const OperationGate::Pass pass(core_->gate);
  if (!pass) return figures;
  Runtime& runtime = *core_->runtime;
  Store& store = runtime.store();
  if (const auto cluster = runtime.Cluster()) figures.cluster_id = Hex(cluster->id);
  figures.keys = store.keyspace().Size(core_->database);
  figures.keys_with_deadline = store.keyspace().SizeWithDeadline(core_->database);
  figures.memory_bytes = store.keyspace().memory_bytes();
  figures.log_bytes = store.engine().LogBytes();
  figures.tombstones = store.keyspace().tombstones();
  figures.writes = store.keyspace().writes();
  figures.flushes = runtime.flushes();
  figures.requests_waiting = core_->orders->waiting();
  figures.counters = core_->counters.size();
  figures.counters_blocked = core_->counters.blocked();
  figures.increments_refused = core_->counters.refused();
  for (const MemberInfo& member : runtime.Members()) {
    const bool counts =
        member.state != MemberState::kLeft && member.state != MemberState::kForgotten;
    figures.members += counts ? 1 : 0;
    figures.members_alive += member.state == MemberState::kAlive ? 1 : 0;
  }
  figures.last_checkpoint_millis = store.last_checkpoint_millis();
  figures.read_only = store.journal().read_only();
  return figures;
}

const std::string& Node::name() const { return core_->name; }
const std::string& Node::address() const { return core_->address; }

Status Node::Close() {
  if (core_->gate.closed()) return {};
  core_->order_client->Close();  // who waits for an answer stands in the gate
  core_->scripting.Stop();       // callers may wait for one to end
  core_->gate.Close();
  core_->lock_keeper.reset();
  // The last flush, whose outcome is the caller's; then the others get a moment to take it over.
  core_->counters.CollectAll();
  const Status committed = core_->runtime->store().journal().Commit();
  if (const Status left = core_->runtime->Leave(core_->leave_timeout); !left) {
    core_->log->info("left early: reason={}", left.error().message);
  }
  core_->orders.reset();
  const Status closed = core_->runtime->Close();
  core_->runtime.reset();
  core_->order_client.reset();
  core_->folder.reset();
  core_->counters.Clear();
  return committed ? closed : committed;
}

}  // namespace starling
