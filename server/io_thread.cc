#include "server/io_thread.h"

#include <algorithm>
#include <utility>

namespace starling {
namespace {

constexpr std::chrono::seconds kTick{1};
/// How often a turn tries again what could not be appended to the log.
constexpr std::chrono::milliseconds kRetryAppend{100};

/// Seeds from the operating system: what clients draw (RANDOMKEY, SPOP) must not be predictable
/// from another node's.
uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

IoThread::IoThread(SharedState& shared, int index)
    : shared_(shared),
      index_(index),
      statistics_(shared.commands),
      random_(RandomSeed()),
      services_(shared, *this) {}

IoThread::~IoThread() { Stop(); }

void IoThread::Start() {
  const auto sink = [this](std::vector<OrderEffect> ended) {
    if (std::this_thread::get_id() == id_) {
      std::move(ended.begin(), ended.end(), std::back_inserter(ended_here_));
      return;
    }
    // Tasks must be copyable.
    auto shared = std::make_shared<std::vector<OrderEffect>>(std::move(ended));
    loop_.Post([this, shared] { TakeOrderEnds(std::move(*shared)); });
  };
  order_base_ = shared_.runtime.AddOrderSink(sink);
  shared_.orders->SetSink(order_base_, sink,
                          [this] { loop_.Post([this] { brought_orders_ = true; }); });
  thread_ = std::thread([this] { Run(); });
}

void IoThread::Stop() {
  if (!thread_.joinable()) return;
  loop_.Post([this] { stopping_ = true; });
  thread_.join();
}

const Settings& IoThread::settings() {
  const uint64_t version = shared_.config.version();
  if (version != settings_version_) {
    settings_ = shared_.config.settings();
    settings_version_ = version;
  }
  return *settings_;
}

void IoThread::Run() {
  id_ = std::this_thread::get_id();
  next_tick_ = Now() + kTick;
  const auto meanwhile = [this] {
    runs_script_ = true;
    Turn(std::chrono::milliseconds(0));
    runs_script_ = false;
  };
  while (!stopping_) {
    Turn(UntilNextWork());
    if (std::exchange(brought_orders_, false)) shared_.orders->RunHere(meanwhile);
  }
  std::lock_guard lock(mutex_);
  for (auto& [id, session] : sessions_) session->Close();
  sessions_.clear();
  statistics_.clients.Set(0);
}

void IoThread::Turn(std::chrono::milliseconds wait) {
  const std::span<const EventLoop::Ready> ready = loop_.Wait(wait);
  BeginTurn();
  loop_.RunPosted();
  if (!ended_here_.empty()) TakeOrderEnds(std::exchange(ended_here_, {}));
  ServeReady(ready);
  FinishTurn();
  if (services_.turn_began() >= next_tick_) Tick();
}

std::chrono::milliseconds IoThread::UntilNextWork() const {
  if (!more_.empty() || !ended_here_.empty()) return std::chrono::milliseconds(0);
  std::chrono::nanoseconds next = next_tick_;
  if (!paused_.empty()) next = std::min(next, shared_.pause.until());
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - Now());
  return std::max(wait, std::chrono::milliseconds(0));
}

void IoThread::BeginTurn() {
  services_.BeginTurn(Now());
  turn_order_ = FindTurnOrder();
  Journal& journal = shared_.store.journal();
  turn_without_log_ = journal.read_only();
  if (!turn_without_log_ || services_.turn_began() < next_retry_ || !EnterAtOnce()) return;
  // The journal keeps what it could not append: perhaps the disk takes it now.
  next_retry_ = services_.turn_began() + kRetryAppend;
  turn_without_log_ = !journal.Commit().ok();
}

void IoThread::ServeReady(std::span<const EventLoop::Ready> ready) {
  std::lock_guard lock(mutex_);
  for (const EventLoop::Ready& one : ready) static_cast<Session*>(one.watcher)->OnReady(one);
  for (uint64_t id : std::exchange(more_, {})) {
    if (Session* session = Find(id)) session->Resume();
  }
  const bool pause_over = services_.turn_began() >= shared_.pause.until();
  if (!paused_.empty() && pause_over) WakePaused();
}

void IoThread::FinishTurn() {
  if (!turn_.empty()) {
    const Status committed = Commit();
    LeaveKeyspace();
    std::lock_guard lock(mutex_);
    const bool ordered = KeepsOrder();
    for (Session* session : turn_) {
      session->FinishTurn(committed, ordered);
      if (session->has_more() && !session->closed()) more_.push_back(session->id());
    }
    turn_.clear();
  }
  if (!unsent_orders_.empty()) SendOrders();
  if (!dead_.empty() || !retired_.empty()) RemoveDead();
  LeaveKeyspace();
}

bool IoThread::EnterKeyspace() {
  if (EnterAtOnce()) return true;
  if (runs_script_) return false;  // it would wait for itself
  mutex_.unlock();
  inside_ = shared_.runtime.gate().Enter();
  mutex_.lock();
  return inside_;
}

bool IoThread::EnterAtOnce() { return inside_ || (inside_ = shared_.runtime.gate().EnterAtOnce()); }

void IoThread::LeaveKeyspace() {
  if (std::exchange(inside_, false)) shared_.runtime.gate().Leave();
}

void IoThread::RemoveDead() {
  // What was watched is kept with the keys: while a script runs it has to wait.
  const bool all = EnterAtOnce();
  if (all) retired_.clear();
  std::lock_guard lock(mutex_);
  const size_t removed = std::erase_if(dead_, [&](uint64_t id) {
    const auto found = sessions_.find(id);
    if (!all && found->second->watches()) return false;
    orders_.erase(found->second->waits_for());  // where nobody waits for its end it may not come
    sessions_.erase(found);
    return true;
  });
  shared_.clients.fetch_sub(removed, std::memory_order_relaxed);
  assigned_.fetch_sub(removed, std::memory_order_relaxed);
  statistics_.clients.Set(sessions_.size());
}

Status IoThread::Commit() {
  // Where nothing has run there is nothing to be told: what others wrote is for them to commit.
  if (turn_without_log_ || !std::exchange(has_run_, false)) return {};
  Journal& journal = shared_.store.journal();
  const std::chrono::milliseconds threshold = settings().latency_monitor_threshold;
  if (threshold.count() == 0) return journal.Commit();
  const std::chrono::nanoseconds began = Now();
  Status committed = journal.Commit();
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Now() - began);
  if (took >= threshold) {
    const int64_t seconds = shared_.store.clock().time().WallMillis() / 1000;
    shared_.latency.Record("log-append", seconds, took);
  }
  return committed;
}

void IoThread::Adopt(Accepted accepted) {
  assigned_.fetch_add(1, std::memory_order_relaxed);
  // Tasks must be copyable.
  auto shared = std::make_shared<Accepted>(std::move(accepted));
  loop_.Post([this, shared] { Open(std::move(*shared)); });
}

void IoThread::Open(Accepted accepted) {
  ClientState state;
  state.id = shared_.next_client_id.fetch_add(1, std::memory_order_relaxed);
  state.address = std::move(accepted.address);
  state.local_address = std::move(accepted.local_address);
  state.created = state.last_active = services_.turn_began();
  state.authenticated = settings().requirepass.empty();
  shared_.log->debug("event=client_opened client={} peer={}", state.id, state.address);
  std::lock_guard lock(mutex_);
  const uint64_t id = state.id;
  sessions_.emplace(id,
                    std::make_unique<Session>(*this, std::move(accepted.socket), std::move(state)));
  statistics_.clients.Set(sessions_.size());
}

void IoThread::Kill(uint64_t id) {
  loop_.Post([this, id] {
    std::lock_guard lock(mutex_);
    if (Session* session = Find(id)) session->Close();
  });
}

void IoThread::UnblockClient(const Unblock& unblock) {
  loop_.Post([this, unblock] {
    std::lock_guard lock(mutex_);
    unblocking_.Begin(unblock);
  });
}

uint64_t IoThread::AwaitLater(uint64_t client) {
  const uint64_t number = order_base_ + ++last_order_;
  orders_.emplace(number, client);
  return number;
}

void IoThread::AnswerLater(uint64_t number, std::string reply) {
  loop_.Post([this, number, reply = std::move(reply)] {
    std::lock_guard lock(mutex_);
    const auto found = orders_.find(number);
    if (found == orders_.end()) return;
    Session* session = Find(found->second);
    orders_.erase(found);
    if (session != nullptr) session->OnLaterReply(number, reply);
  });
}

void IoThread::ResumePaused() {
  loop_.Post([this] {
    std::lock_guard lock(mutex_);
    WakePaused();
  });
}

void IoThread::WakePaused() {
  for (uint64_t id : std::exchange(paused_, {})) {
    if (Session* session = Find(id)) session->Resume();
  }
}

Session* IoThread::Find(uint64_t id) {
  auto found = sessions_.find(id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

void IoThread::VisitClients(const std::function<void(const ClientInfo&)>& visit) {
  std::lock_guard lock(mutex_);
  for (const auto& [id, session] : sessions_) {
    if (!session->closed()) visit(session->Describe());
  }
}

void IoThread::Tick() {
  next_tick_ = services_.turn_began() + kTick;
  uint64_t input = 0;
  uint64_t output = 0;
  uint64_t largest_input = 0;
  uint64_t largest_output = 0;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, session] : sessions_) {
      session->CheckLimits(services_.turn_began(), settings());
      input += session->input_capacity();
      output += session->output_pending();
      largest_input = std::max<uint64_t>(largest_input, session->input_capacity());
      largest_output = std::max<uint64_t>(largest_output, session->output_pending());
    }
  }
  statistics_.input_buffers.Set(input);
  statistics_.output_buffers.Set(output);
  statistics_.largest_input.Set(largest_input);
  statistics_.largest_output.Set(largest_output);
  if (index_ == 0) shared_.SampleRates(services_.turn_began());
  FinishTurn();  // destroys whom the limits closed
}

// --- what runs at the leaseholder ---

TurnOrder IoThread::FindTurnOrder() {
  const uint64_t epoch = shared_.runtime.lease().Leads(services_.turn_began());
  if (epoch != 0) return {TurnOrder::Place::kHere, epoch};
  if (!shared_.runtime.OutOfReach()) return {TurnOrder::Place::kElsewhere, 0};
  const RuntimeOptions& options = shared_.runtime.options();
  const bool lone = options.join.empty() && !options.meeting_folder;
  const bool refuses = settings().on_unreachable == OnUnreachable::kRefuse && !lone;
  return {refuses ? TurnOrder::Place::kNowhere : TurnOrder::Place::kHere, 0, lone};
}

bool IoThread::KeepsOrder() {
  if (turn_order_.epoch == 0) return true;
  return NobodyLedBetween(turn_order_.epoch, shared_.runtime.lease().Leads(Now()));
}

uint64_t IoThread::SubmitOrder(uint64_t client, Order order) {
  const uint64_t number = AwaitLater(client);
  unsent_orders_.emplace_back(number, std::move(order));
  return number;
}

uint64_t IoThread::RunOwnOrder(uint64_t client, Order order, bool leased,
                               std::unique_ptr<ClientTransaction> watched, VersionVector written) {
  const uint64_t number = AwaitLater(client);
  const bool without_lease = leased && turn_order_.epoch == 0 && !turn_order_.lone;
  shared_.orders->RunOwn({.number = number,
                          .order = std::move(order),
                          .epoch = leased ? turn_order_.epoch : 0,
                          .without_lease = without_lease,
                          .watched = std::move(watched),
                          .written = std::move(written)},
                         /*here=*/true);
  brought_orders_ = true;
  return number;
}

void IoThread::SendOrders() { shared_.runtime.Submit(std::exchange(unsent_orders_, {})); }

void IoThread::TakeOrderEnds(std::vector<OrderEffect> ended) {
  std::lock_guard lock(mutex_);
  for (OrderEffect& one : ended) {
    const auto found = orders_.find(one.number);
    if (found == orders_.end()) continue;
    Session* session = Find(found->second);
    orders_.erase(found);
    if (unblocking_.OnOrderEnd(one)) continue;
    if (session != nullptr) session->OnOrderEnd(std::move(one));
  }
}

}  // namespace starling
