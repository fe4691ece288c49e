#include "node/replication_host.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <asio/posix/stream_descriptor.hpp>
#include <optional>

#include <spdlog/fmt/fmt.h>

#include "node/address.h"
#include "node/random_number.h"
#include "storage/host_identity.h"

namespace starling {
namespace {

/// Own batches that wait for the thread; beyond it they are left to anti-entropy, which reads the
/// log.
constexpr size_t kMaxLocalBytes = size_t{64} << 20;
/// How long those wait that follow others closely: a member is woken for all of them once. For each
/// by itself two members of a host took more time than who wrote it. Answers to other nodes, and
/// named voters, wait for none of this.
constexpr auto kGatherTime = std::chrono::microseconds(1000);
/// So many wake the thread even where nobody is connected.
constexpr size_t kGathered = 1024;
/// Processes whose links have dropped and that may be ending.
constexpr size_t kMaxEndWatches = 64;
constexpr auto kEndPatience = std::chrono::seconds(2);
/// How long what has arrived waits for a script, before the engine goes on without the keyspace and
/// much of it is lost. Far less than members wait for each other.
constexpr auto kScriptPatience = std::chrono::milliseconds(200);
/// How often another thread tries to take the engine, and lets this one go on, before it leaves its
/// question to it. (Not a timed wait: the tools that look for races do not know those.)
constexpr int kEngineTries = 16;

/// How an event is called in the log, and how loudly.
struct EventWord {
  EventEffect::Kind kind;
  const char* word;
  spdlog::level::level_enum level;
};
constexpr EventWord kEventWords[] = {
    {EventEffect::Kind::kClusterJoined, "cluster joined", spdlog::level::info},
    {EventEffect::Kind::kMemberUp, "member up", spdlog::level::info},
    {EventEffect::Kind::kMemberSuspected, "member suspected", spdlog::level::info},
    {EventEffect::Kind::kMemberDown, "member down", spdlog::level::warn},
    {EventEffect::Kind::kMemberLeft, "member left", spdlog::level::info},
    {EventEffect::Kind::kMemberForgotten, "member forgotten", spdlog::level::warn},
    {EventEffect::Kind::kPeerRefused, "peer refused", spdlog::level::warn},
    {EventEffect::Kind::kClockSkew, "clock skew", spdlog::level::err},
    {EventEffect::Kind::kWalkTaken, "walk taken", spdlog::level::info},
    {EventEffect::Kind::kIncarnationRaised, "incarnation raised", spdlog::level::warn},
};

}  // namespace

/// A process whose link has dropped: whether it ends now.
struct ReplicationHost::EndWatch {
  EndWatch(asio::io_context& io, int pidfd) : descriptor(io, pidfd), patience(io) {}
  asio::posix::stream_descriptor descriptor;
  asio::steady_timer patience;
};

ReplicationHost::ReplicationHost(const RuntimeOptions& options, Store& store, TimeSource& time,
                                 KeyspaceGate& gate, EventListener listener,
                                 std::shared_ptr<spdlog::logger> log)
    : options_(options),
      store_(store),
      time_(time),
      gate_(gate),
      listener_(std::move(listener)),
      log_(std::move(log)) {
  gate_.SetCall([this] { OnCalledIn(); });
}

ReplicationHost::~ReplicationHost() {
  Stop();
  gate_.SetCall({});
}

Status ReplicationHost::Open() {
  TransportOptions transport;
  transport.bind = options_.bind;
  transport.port = options_.gossip_port;
  Result<std::unique_ptr<Transport>> listening = Transport::Listen(io_, transport, *this, log_);
  if (!listening) return listening.error();
  transport_ = *std::move(listening);
  const std::string host = AdvertisedHost(options_.bind, options_.advertise);
  address_ = FormatEndpoint({host, transport_->port()});

  ReplicatorOptions engine;
  engine.cluster_name = options_.cluster;
  engine.advertise = address_;
  engine.secret = options_.secret;
  engine.voters = SortedVoters();
  engine.max_clock_skew = options_.max_clock_skew;
  engine.forget_after = options_.forget_after;
  engine.random_seed = RandomNumber();
  if (const Result<std::string> boot = BootId()) engine.boot_id = *boot;
  engine.process = OwnProcessLine();
  std::vector<Endpoint> names;
  for (const std::string& seed : options_.join) {
    Result<Endpoint> endpoint = ParseEndpoint(seed);
    if (!endpoint) return endpoint.error();
    if (IsNumericHost(endpoint->host)) {
      engine.seeds.push_back(seed);
    } else {
      names.push_back(*std::move(endpoint));
    }
  }
  if (!options_.join.empty()) {
    engine.expect = options_.expect > 0 ? options_.expect
                                        : MembersNamed(options_.join, host, transport_->port());
  }
  replicator_ = std::make_unique<Replicator>(engine, store_, log_);
  resolver_ = std::make_unique<SeedResolver>(
      io_, options_.resolve_interval,
      [this](const std::vector<Address>& found) {
        Feed([&] { replicator_->AddSeeds(found, Now(), effects_); });
      },
      log_);
  for (const Endpoint& name : names) resolver_->Add(name);

  BeginBurst();
  replicator_->Start(Now(), effects_);
  CarryOut();
  if (const auto own = replicator_->cluster()) WarnOfOtherVoters(*own);
  if (options_.meeting_folder && options_.join.empty()) {
    if (Status opened = OpenMeetingFolder(); !opened) return opened;
  }
  EndBurst();
  return {};
}

void ReplicationHost::WatchProcessEnd(const ProcessEffect& process) {
  std::optional<ProcessEnd> end = WatchProcess(process.process);
  if (!end) return;
  const auto tell = [this, session = process.session] {
    ends_.erase(session);
    Feed([&] { replicator_->OnProcessEnded(session, Now(), effects_); });
  };
  // Effects are being carried out: the next input comes after them.
  if (end->ended) return asio::post(io_, tell);
  if (ends_.size() >= kMaxEndWatches) return;
  const int pidfd = dup(end->descriptor.get());
  if (pidfd < 0) return;
  fcntl(pidfd, F_SETFD, FD_CLOEXEC);
  auto& watch = ends_[process.session] = std::make_unique<EndWatch>(io_, pidfd);
  watch->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                               [tell](const asio::error_code& error) {
                                 if (!error) tell();
                               });
  watch->patience.expires_after(kEndPatience);
  watch->patience.async_wait([this, session = process.session](const asio::error_code& error) {
    if (!error) ends_.erase(session);
  });
}

void ReplicationHost::Run() {
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "starling-gossip");
    io_.run();
  });
}

void ReplicationHost::Stop() {
  {
    const std::lock_guard lock(dispatch_mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  const auto end = [this] {
    timer_.cancel();
    gather_timer_.cancel();
    scan_timer_.cancel();
    if (resolver_) resolver_->Stop();
    if (watch_) watch_->Stop();
    ends_.clear();
    if (meeting_) meeting_->Withdraw();
    if (transport_) {
      transport_->Shutdown([this] { io_.stop(); });
    } else {
      io_.stop();
    }
  };
  if (thread_.joinable()) {
    asio::post(io_, end);
    thread_.join();
  } else {
    end();
  }
  // What was posted before the end still gets its answer.
  work_.reset();
  io_.restart();
  io_.poll();
}

void ReplicationHost::Dispatch(std::function<void()> work) {
  const std::lock_guard lock(dispatch_mutex_);
  if (stopped_) {
    work();
  } else {
    asio::post(io_, std::move(work));
  }
}

void ReplicationHost::Enqueue(const BatchHeader& header, SharedBytes bytes) {
  bool post = false;
  {
    const std::lock_guard lock(local_mutex_);
    if (local_bytes_ > kMaxLocalBytes) {
      local_.clear();
      local_bytes_ = 0;
      remembered_ = 0;
    }
    local_bytes_ += bytes->size();
    local_.push_back({header, std::move(bytes)});
    // A node alone lets them gather until its next timer or connection: to wake a thread for each
    // commit costs as much as serving some commands.
    const bool awaited = connected_.load() || local_.size() >= kGathered;
    post = awaited && !std::exchange(local_awaited_, true);
  }
  if (post) {
    asio::post(io_, [this] { TakeLocalBatches(); });
  }
}

void ReplicationHost::TakeLocalBatches() {
  std::vector<OwnBatch> taken;
  {
    const std::lock_guard lock(local_mutex_);
    taken.swap(local_);
    local_bytes_ = 0;
    remembered_ = 0;
    local_awaited_ = gathering_ || (!taken.empty() && connected_.load());
  }
  if (taken.empty()) return;
  if (!gathering_ && connected_.load()) GatherLocalBatches();
  Feed([&] { replicator_->OnLocalBatches(std::move(taken), Now(), effects_); });
}

bool ReplicationHost::RememberLocalBatches() {
  const std::lock_guard lock(local_mutex_);
  for (; remembered_ < local_.size(); ++remembered_) {
    replicator_->RememberLocalBatch(local_[remembered_].header, local_[remembered_].bytes);
  }
  return local_.empty();
}

void ReplicationHost::GatherLocalBatches() {
  gathering_ = true;
  gather_timer_.expires_after(kGatherTime);
  gather_timer_.async_wait([this](const asio::error_code& error) {
    gathering_ = false;
    if (!error) TakeLocalBatches();
  });
}

void ReplicationHost::BeginBurst() {
  if (!burst_.owns_lock()) burst_.lock();
  if (inside_) return;
  // Suspended, it is called in: until then it is not inside.
  inside_ = called_in_.exchange(false) || (!suspended_ && gate_.EnterAhead(kScriptPatience));
  suspended_ = !inside_;
  replicator_->SetSuspended(suspended_, Now(), effects_);
  CarryOut();
}

void ReplicationHost::OnCalledIn() {
  called_in_ = true;
  asio::post(io_, [this] { Feed([] {}); });
}

void ReplicationHost::OnConnected(LinkId link, const Address& dialled) {
  connected_.store(true);  // before the queue is emptied: what comes later is posted
  TakeLocalBatches();
  Feed([&] { replicator_->OnConnected(link, dialled, Now(), effects_); });
}

void ReplicationHost::OnDialFailed(const Address& address, bool refused) {
  Feed([&] { replicator_->OnDialFailed(address, refused, Now(), effects_); });
}

void ReplicationHost::OnDisconnected(LinkId link) {
  Feed([&] { replicator_->OnDisconnected(link, Now(), effects_); });
}

void ReplicationHost::OnFrame(LinkId link, std::string_view frame) {
  BeginBurst();
  replicator_->OnFrame(link, frame, Now(), effects_);
  CarryOut();
}

void ReplicationHost::CarryOut() {
  // Who is told that the lease was given back may lead at once: before that nobody answers by it.
  for (const Effect& effect : effects_) {
    const auto* lease = std::get_if<LeaseEffect>(&effect);
    if (lease != nullptr && !lease->view.leading) lease_.StopLeading();
  }
  for (Effect& effect : effects_) {
    if (auto* send = std::get_if<SendEffect>(&effect)) {
      transport_->Send(send->link, send->lane, std::move(send->frame));
    } else if (auto* dial = std::get_if<DialEffect>(&effect)) {
      transport_->Dial(dial->address);
    } else if (auto* close = std::get_if<CloseEffect>(&effect)) {
      log_->debug("link closed by us: link={} reason={}", close->link, close->reason);
      transport_->Close(close->link);
    } else if (const auto* lease = std::get_if<LeaseEffect>(&effect)) {
      lease_.Publish(lease->view);
    } else if (const auto* process = std::get_if<ProcessEffect>(&effect)) {
      WatchProcessEnd(*process);
    } else if (const auto* majority = std::get_if<MajorityEffect>(&effect)) {
      lease_.PublishMajority(majority->epoch, majority->upto);
    } else if (auto* run = std::get_if<RunOrdersEffect>(&effect)) {
      CarryOutOrders(std::move(*run));
    } else if (auto* drop = std::get_if<DropClientsEffect>(&effect)) {
      if (order_runner_ == nullptr) continue;
      if (drop->clients) {
        order_runner_->DropClients(drop->peer, *drop->clients);
      } else {
        order_runner_->DropProcess(drop->peer);
      }
    } else if (auto* ended = std::get_if<OrderEffect>(&effect)) {
      order_ends_.push_back(std::move(*ended));
    } else {
      Tell(std::get<EventEffect>(effect));
    }
  }
  effects_.clear();
}

void ReplicationHost::Tell(const EventEffect& event) {
  for (const EventWord& known : kEventWords) {
    if (known.kind == event.kind) LogEvent(event, known.word, known.level);
  }
  if (listener_) listener_(event);
}

void ReplicationHost::LogEvent(const EventEffect& event, const char* word,
                               spdlog::level::level_enum level) {
  std::string line = fmt::format("{}: member={} detail={}", word, event.member, event.detail);
  // Who is refused calls again, every few seconds; and anybody can make a node refuse.
  if (event.kind == EventEffect::Kind::kPeerRefused ||
      event.kind == EventEffect::Kind::kClockSkew) {
    const std::optional<uint64_t> left_out = refusals_.Pass(line, Now());
    if (!left_out) return;
    if (*left_out > 0) line += fmt::format(" repeated={}", *left_out);
  }
  log_->log(level, line);
}

void ReplicationHost::EndBurst() {
  if (!burst_.owns_lock()) burst_.lock();
  if (std::exchange(inside_, false)) gate_.Leave();
  out_of_reach_.store(replicator_->OutOfReach(Now()), std::memory_order_release);
  if (leaving_ && replicator_->Left()) std::exchange(leaving_, nullptr)->set_value();
  ArmTimer();
  burst_.unlock();
  transport_->Flush();
  if (!order_ends_.empty()) TellOrderEnds();
  connected_.store(transport_->link_count() > 0);
}

void ReplicationHost::ArmTimer() {
  // Setting a timer costs system calls: an armed one that is early enough stays, and finds out.
  const Instant next = replicator_->NextTimer();
  if (next >= armed_) return;
  armed_ = next;
  const Instant wait = std::max(Instant(0), next - Now());
  timer_.expires_after(std::min<Instant>(wait, std::chrono::hours(1)));
  timer_.async_wait([this](const asio::error_code& error) {
    if (error) return;
    TakeLocalBatches();
    Feed([&] {
      armed_ = Instant::max();
      replicator_->OnTick(Now(), effects_);
    });
  });
}

Status ReplicationHost::Forget(const std::vector<std::string>& names) {
  return Ask([&](Replicator& replicator) {
    return Feed([&] { return replicator.Forget(names, Now(), effects_); });
  });
}

Status ReplicationHost::Join(const std::vector<std::string>& addresses) {
  std::vector<Address> numeric;
  std::vector<Endpoint> names;
  for (const std::string& address : addresses) {
    Result<Endpoint> endpoint = ParseEndpoint(address);
    if (!endpoint) return endpoint.error();
    if (IsNumericHost(endpoint->host)) {
      numeric.push_back(address);
    } else {
      names.push_back(*std::move(endpoint));
    }
  }
  return Ask([&](Replicator& replicator) {
    for (const Endpoint& name : names) resolver_->Add(name);
    Feed([&] {
      if (!numeric.empty()) replicator.AddSeeds(numeric, Now(), effects_);
    });
    return Status();
  });
}

Result<std::string> ReplicationHost::ChangeVoters(const VoterRequest& request) {
  return Ask([&](Replicator& replicator) {
    TakeLocalBatches();
    return Feed([&] { return replicator.ChangeVoters(request, Now(), effects_); });
  });
}

void ReplicationHost::AskHoldings() {
  Dispatch([this] { Feed([&] { replicator_->AskHoldings(Now(), effects_); }); });
}

bool ReplicationHost::AwaitAtOnce(uint64_t epoch, Stamp upto) {
  std::unique_lock lock(engine_mutex_, std::try_to_lock);
  for (int tries = 1; !lock.owns_lock(); ++tries) {
    if (tries == kEngineTries) return false;
    std::this_thread::yield();
    static_cast<void>(lock.try_lock());
  }
  if (suspended_) return false;
  const bool alone = effects_.empty();
  const bool all_sent = RememberLocalBatches();
  replicator_->AwaitMajority(epoch, upto, Now(), effects_);
  // What a majority holds may have advanced by less than that: the rest is to be sent. Where it was
  // sent, the answer comes with a member's report.
  const auto* held = effects_.size() == 1 ? std::get_if<MajorityEffect>(&effects_[0]) : nullptr;
  const bool told = held != nullptr && held->epoch == epoch && (all_sent || held->upto >= upto);
  if (!alone || !(told || (all_sent && effects_.empty()))) return false;
  CarryOut();
  if (replicator_->NextTimer() < armed_) asio::post(io_, [this] { Feed([] {}); });
  return true;
}

void ReplicationHost::AwaitMajority(uint64_t epoch, Stamp upto) {
  if (AwaitAtOnce(epoch, upto)) return;
  {
    // Many that wait at once are one question.
    const std::lock_guard lock(awaited_mutex_);
    if (epoch > awaited_.epoch) awaited_ = {epoch, upto};
    if (epoch == awaited_.epoch) awaited_.upto = std::max(awaited_.upto, upto);
    if (std::exchange(awaited_posted_, true)) return;
  }
  Dispatch([this] {
    LeaseWatch::Held awaited;
    {
      const std::lock_guard lock(awaited_mutex_);
      awaited = awaited_;
      awaited_posted_ = false;
    }
    TakeLocalBatches();
    Feed([&] { replicator_->AwaitMajority(awaited.epoch, awaited.upto, Now(), effects_); });
  });
}

Status ReplicationHost::Leave(std::chrono::milliseconds timeout) {
  auto left = std::make_shared<std::promise<void>>();
  std::future<void> done = left->get_future();
  Dispatch([this, left] {
    if (meeting_) meeting_->Withdraw();
    leaving_ = left;
    Feed([&] { replicator_->Leave(Now(), effects_); });
  });
  if (done.wait_for(timeout) == std::future_status::ready) return {};
  return Error{Code::kUnavailable, "left without the others' acknowledgement within " +
                                       std::to_string(timeout.count()) +
                                       " ms; they will notice by themselves"};
}

}  // namespace starling
