#include "node/runtime.h"

#include <algorithm>
#include <atomic>
#include <system_error>

#include "node/address.h"
#include "node/background.h"
#include "node/flusher.h"
#include "node/keyspace_gate.h"
#include "node/random_number.h"
#include "node/replication_host.h"
#include "storage/engine.h"
#include "storage/host_identity.h"
#include "storage/time_source.h"

namespace starling {
namespace {

constexpr auto kShortestFlush = std::chrono::microseconds(100);
constexpr auto kLongestFlush = std::chrono::microseconds(1'000'000);
/// Beyond these, who writes commits. Many times what a flush interval brings at full speed.
constexpr int64_t kMaxUnloggedWrites = 32'768;
constexpr uint64_t kMaxUnloggedBytes = uint64_t{64} << 20;
/// Values below this are bounded by the number of writes well enough; counting them would cost
/// more.
constexpr size_t kLargeValue = size_t{4} << 10;

Status CheckName(const char* option, const std::string& name) {
  if (IsPlainName(name)) return {};
  return Error{Code::kInvalidArgument,
               std::string(option) + " '" + name.substr(0, 200) +
                   "': a name is 1 to 128 letters, digits, '.', '_' or '-', not starting with '.'"};
}

Status CheckVoters(const std::vector<std::string>& voters) {
  for (const std::string& name : voters) {
    if (Status checked = CheckName("voters", name); !checked) return checked;
    if (std::count(voters.begin(), voters.end(), name) > 1) {
      return Error{Code::kInvalidArgument, "voters: '" + name + "' is named twice"};
    }
  }
  if (voters.empty() || voters.size() == 1 || voters.size() == 3 || voters.size() == 5) return {};
  return Error{Code::kInvalidArgument, "voters: " + std::to_string(voters.size()) +
                                           " names; a majority needs 1, 3 or 5 voters"};
}

Status CheckOptions(const RuntimeOptions& options) {
  if (Status name = CheckName("name", options.name); !name) return name;
  if (Status cluster = CheckName("cluster", options.cluster); !cluster) return cluster;
  if (!IsNumericHost(options.bind)) {
    return Error{Code::kInvalidArgument,
                 "bind '" + options.bind + "': not a numeric IPv4 or IPv6 address"};
  }
  if (options.flush_interval < kShortestFlush || options.flush_interval > kLongestFlush) {
    return Error{Code::kInvalidArgument, "flush_interval is 100 microseconds to 1 second"};
  }
  if (options.expect < 0 || options.expect > static_cast<int>(limits::kMembers)) {
    return Error{Code::kInvalidArgument,
                 "expect is 0 to " + std::to_string(limits::kMembers) + " members"};
  }
  if (Status voters = CheckVoters(options.voters); !voters) return voters;
  for (const std::string& seed : options.join) {
    if (Result<Endpoint> endpoint = ParseEndpoint(seed); !endpoint) {
      return Error{Code::kInvalidArgument, "join: " + endpoint.error().message};
    }
  }
  return {};
}

}  // namespace

class Runtime::Impl {
 public:
  Impl(const RuntimeOptions& options, std::shared_ptr<spdlog::logger> log)
      : options_(options), log_(std::move(log)) {}

  Status Open(EventListener listener);
  void Flush();
  void FlushSoon(size_t bytes);
  Status Close();

  const RuntimeOptions options_;
  std::shared_ptr<spdlog::logger> log_;
  SystemTimeSource time_;
  KeyspaceGate gate_;
  std::function<void()> collect_;
  std::atomic<bool> flush_failed_{false};
  std::atomic<uint64_t> flushed_writes_{0};  // of Keyspace::writes(), logged by flushes
  std::atomic<uint64_t> unlogged_bytes_{0};  // of large values
  std::unique_ptr<Store> store_;
  std::unique_ptr<ReplicationHost> host_;
  std::unique_ptr<Background> background_;
  std::unique_ptr<Flusher> flusher_;
  bool closed_ = false;

 private:
  Status OpenStore();
};

Status Runtime::Impl::OpenStore() {
  Result<std::unique_ptr<Engine>> engine = OpenRocksEngine({.folder = options_.folder});
  if (!engine) return engine.error();
  StoreOptions store;
  store.name = options_.name;
  store.appendfsync = options_.appendfsync;
  store.keyspace.shards = options_.shards;
  store.keyspace.hash_seed = RandomNumber();
  store.checkpoint_log_bytes = options_.checkpoint_log_bytes;
  store.ephemeral = options_.folder.empty();
  if (!store.ephemeral) {
    Result<std::string> boot = BootId();
    if (!boot) return boot.error();
    Result<std::string> folder = FolderIdentity(options_.folder);
    if (!folder) return folder.error();
    store.boot_id = *std::move(boot);
    store.folder_identity = *std::move(folder);
  }
  store.restored = options_.restored;
  Result<std::unique_ptr<Store>> opened = Store::Open(store, *std::move(engine), time_, log_);
  if (!opened) return opened.error();
  store_ = *std::move(opened);
  return {};
}

Status Runtime::Impl::Open(EventListener listener) {
  if (Status opened = OpenStore(); !opened) return opened;
  host_ =
      std::make_unique<ReplicationHost>(options_, *store_, time_, gate_, std::move(listener), log_);
  // Before anything can write: the engine sees the own stream from where the store stands.
  store_->journal().SetSink([this](const BatchHeader& header, SharedBytes bytes) {
    host_->Enqueue(header, std::move(bytes));
  });
  if (Status opened = host_->Open(); !opened) return opened;
  host_->Run();
  background_ = std::make_unique<Background>(
      *store_,
      [this] { return host_->Ask([](Replicator& replicator) { return replicator.stability(); }); },
      [this] { return host_->lease().Leads(time_.Monotonic()) != 0; }, log_);
  flusher_ = std::make_unique<Flusher>(options_.flush_interval, [this] { Flush(); });
  log_->info("node started: name={} cluster={} gossip={} folder={}", options_.name,
             options_.cluster, host_->address(),
             options_.folder.empty() ? "(none)" : options_.folder);
  return {};
}

void Runtime::Impl::Flush() {
  if (collect_) collect_();
  unlogged_bytes_.store(0, std::memory_order_relaxed);
  const uint64_t writes = store_->keyspace().writes();
  const Status committed = store_->journal().Commit();
  flushed_writes_.store(writes, std::memory_order_relaxed);
  if (!committed && !flush_failed_.exchange(true)) {
    log_->error("in-process writes cannot be logged: reason={}", committed.error().message);
  }
}

void Runtime::Impl::FlushSoon(size_t bytes) {
  flusher_->FlushSoon();
  uint64_t unlogged = 0;
  if (bytes >= kLargeValue) {
    unlogged = unlogged_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  }
  // Signed: another thread may have flushed beyond what is read first.
  const auto behind = static_cast<int64_t>(store_->keyspace().writes() -
                                           flushed_writes_.load(std::memory_order_relaxed));
  if (behind > kMaxUnloggedWrites || unlogged > kMaxUnloggedBytes) Flush();
}

Status Runtime::Impl::Close() {
  if (std::exchange(closed_, true)) return {};
  flusher_.reset();  // flushes what is due; its batch still goes to the others
  background_.reset();
  if (host_) host_->Stop();
  if (!store_) return {};
  Status closed = store_->Close();
  store_->journal().SetSink({});
  host_.reset();
  store_.reset();
  return closed;
}

Result<std::unique_ptr<Runtime>> Runtime::Start(const RuntimeOptions& options,
                                                std::shared_ptr<spdlog::logger> log,
                                                EventListener listener) {
  if (Status checked = CheckOptions(options); !checked) return checked.error();
  // Threads and Asio's services throw where the system is out of descriptors or processes.
  try {
    std::unique_ptr<Runtime> runtime(new Runtime(std::make_unique<Impl>(options, std::move(log))));
    if (Status opened = runtime->impl_->Open(std::move(listener)); !opened) return opened.error();
    return runtime;
  } catch (const std::system_error& error) {
    return Error{Code::kIo, std::string("starting the node's threads failed: ") + error.what()};
  }
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Runtime::~Runtime() {
  if (const Status closed = Close(); !closed) {
    impl_->log_->error("closing failed: reason={}", closed.error().message);
  }
}

Store& Runtime::store() { return *impl_->store_; }
const RuntimeOptions& Runtime::options() const { return impl_->options_; }
uint16_t Runtime::gossip_port() const { return impl_->host_->port(); }
const Address& Runtime::address() const { return impl_->host_->address(); }

void Runtime::FlushSoon() { impl_->flusher_->FlushSoon(); }
void Runtime::FlushSoon(size_t bytes) { impl_->FlushSoon(bytes); }
uint64_t Runtime::flushes() const { return impl_->flusher_->flushes(); }
void Runtime::SetCollector(std::function<void()> collect) { impl_->collect_ = std::move(collect); }

std::vector<MemberInfo> Runtime::Members() {
  return impl_->host_->Ask([](Replicator& replicator) { return replicator.members(); });
}

std::optional<ClusterRecord> Runtime::Cluster() {
  return impl_->host_->Ask([](Replicator& replicator) { return replicator.cluster(); });
}

bool Runtime::OutOfReach() const { return impl_->host_->out_of_reach(); }

uint64_t Runtime::AddOrderSink(std::function<void(std::vector<OrderEffect>)> sink) {
  return impl_->host_->AddOrderSink(std::move(sink));
}

void Runtime::Submit(std::vector<std::pair<uint64_t, Order>> orders) {
  impl_->host_->Submit(std::move(orders));
}

void Runtime::ClientGone(uint64_t client) { impl_->host_->ClientGone(client); }

void Runtime::SetOrderRunner(OrderRunner* runner) { impl_->host_->SetOrderRunner(runner); }

void Runtime::OnExecuted(const PeerProcess& peer, std::vector<ExecutedOrder> executed, Stamp upto) {
  impl_->host_->OnExecuted(peer, std::move(executed), upto);
}

std::vector<int> Runtime::HoldersOf(const std::vector<VersionVector>& positions) {
  return impl_->host_->Ask([&positions](Replicator& replicator) {
    std::vector<int> holders;
    for (const VersionVector& wanted : positions) holders.push_back(replicator.HoldersOf(wanted));
    return holders;
  });
}

void Runtime::AskHoldings() { impl_->host_->AskHoldings(); }

Status Runtime::Forget(const std::vector<std::string>& names) {
  return impl_->host_->Forget(names);
}

Status Runtime::Join(const std::vector<std::string>& addresses) {
  return impl_->host_->Join(addresses);
}

Result<std::string> Runtime::ChangeVoters(const VoterRequest& request) {
  return impl_->host_->ChangeVoters(request);
}

LeaseInfo Runtime::Lease() {
  return impl_->host_->Ask(
      [this](Replicator& replicator) { return replicator.lease(impl_->time_.Monotonic()); });
}

KeyspaceGate& Runtime::gate() { return impl_->gate_; }
LeaseWatch& Runtime::lease() { return impl_->host_->lease(); }
void Runtime::AwaitMajority(uint64_t epoch, Stamp upto) {
  impl_->host_->AwaitMajority(epoch, upto);
}

Status Runtime::Backup(const std::string& folder) { return impl_->store_->Backup(folder); }
Status Runtime::StartCheckpoint() { return impl_->background_->StartCheckpoint(); }
bool Runtime::checkpoint_running() const { return impl_->background_->checkpoint_running(); }
Status Runtime::last_checkpoint() const { return impl_->background_->last_checkpoint(); }

Status Runtime::Leave(std::chrono::milliseconds timeout) {
  // What is pending belongs to what is handed over.
  impl_->Flush();
  return impl_->host_->Leave(timeout);
}

Status Runtime::Close() { return impl_->Close(); }

}  // namespace starling
