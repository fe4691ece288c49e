#include "node/ordering/order_executor.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "node/arguments.h"
#include "node/claim_desk.h"
#include "node/command_keys.h"
#include "node/log_errors.h"
#include "node/ordering/order_steps.h"
#include "node/ordering/route.h"
#include "node/random_number.h"

namespace starling {
namespace {

/// Clients of other nodes that watch keys here; one more is told by its EXEC that keys have
/// changed.
constexpr size_t kMostWatchers = 65'536;
/// What one of them may take for it.
constexpr size_t kMostWatchedBytes = size_t{16} << 20;
/// How often members are asked what they hold while somebody waits for it.
constexpr std::chrono::milliseconds kAskHolders{2};
constexpr std::chrono::milliseconds kLookForLate{500};

size_t Replies(const DecodedOrder& order) {
  size_t replies = 0;
  for (const OrderStep& step : order.steps) replies += step.silent ? 0 : 1;
  return replies;
}

}  // namespace

OrderExecutor::OrderExecutor(Runtime& runtime, const CommandTable& commands, Scripting& scripting,
                             std::shared_ptr<spdlog::logger> log)
    : runtime_(runtime),
      commands_(commands),
      services_(commands, scripting),
      log_(std::move(log)),
      random_(RandomNumber()),
      blocked_(runtime.store().keyspace(), [this] { Wake(touched_); }),
      claims_(runtime.store().keyspace()),
      thread_([this] { Serve(); }) {
  runtime_.SetOrderRunner(this);
  subscription_ = runtime_.lease().Subscribe([this](const LeaseView&) { Wake(lease_changed_); });
  majority_subscription_ =
      runtime_.lease().SubscribeMajority([this](uint64_t, Stamp) { Wake(majority_advanced_); });
  Wake(lease_changed_);
}

OrderExecutor::~OrderExecutor() {
  runtime_.lease().Unsubscribe(subscription_);
  runtime_.lease().Unsubscribe(majority_subscription_);
  runtime_.SetOrderRunner(nullptr);
  Wake(stop_);
  thread_.join();
}

// --- any thread ---

void OrderExecutor::Wake(bool& reason) {
  {
    const std::lock_guard lock(mutex_);
    reason = true;
  }
  wake_.notify_one();
}

void OrderExecutor::Push(std::vector<RunningPtr> orders) {
  {
    const std::lock_guard lock(mutex_);
    std::move(orders.begin(), orders.end(), std::back_inserter(arrived_));
  }
  wake_.notify_one();
}

void OrderExecutor::Push(Drop drop) {
  {
    const std::lock_guard lock(mutex_);
    drops_.push_back(std::move(drop));
  }
  wake_.notify_one();
}

void OrderExecutor::Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) {
  std::vector<RunningPtr> arrived;
  for (RemoteOrder& order : orders) {
    auto running = std::make_unique<Running>();
    running->peer = peer;
    running->id = order.id;
    running->client = {peer, order.client};
    running->request = std::move(order.request);
    arrived.push_back(std::move(running));
  }
  Push(std::move(arrived));
}

void OrderExecutor::DropClients(const PeerProcess& peer, const std::vector<uint64_t>& clients) {
  Push(Drop{peer, clients});
}

void OrderExecutor::DropProcess(const PeerProcess& peer) { Push(Drop{peer, std::nullopt}); }

void OrderExecutor::SetSink(uint64_t base, Sink sink) {
  const std::lock_guard lock(mutex_);
  sinks_[base >> kOrderSinkShift] = std::move(sink);
}

void OrderExecutor::RunOwn(uint64_t number, Order order, uint64_t epoch,
                           std::unique_ptr<ClientTransaction> watched) {
  auto running = std::make_unique<Running>();
  running->id = number;
  running->client = {PeerProcess{}, order.client};
  running->request = std::move(order.request);
  running->epoch = epoch;
  running->watched = std::move(watched);
  std::vector<RunningPtr> arrived;
  arrived.push_back(std::move(running));
  Push(std::move(arrived));
}

void OrderExecutor::DropOwnClient(uint64_t client) {
  Push(Drop{PeerProcess{}, std::vector<uint64_t>{client}});
}

std::chrono::nanoseconds OrderExecutor::Now() {
  return runtime_.store().clock().time().Monotonic();
}

uint64_t OrderExecutor::LeadsEpoch() { return runtime_.lease().Leads(Now()); }

// --- the thread ---

void OrderExecutor::Serve() {
  pthread_setname_np(pthread_self(), "starling-orders");
  std::unique_lock lock(mutex_);
  const auto awaited = [this] {
    return stop_ || touched_ || lease_changed_ || majority_advanced_ || !arrived_.empty() ||
           !drops_.empty();
  };
  while (!stop_) {
    if (const auto next = NextTimer()) {
      wake_.wait_for(lock, std::max(std::chrono::nanoseconds(0), *next - Now()), awaited);
    } else {
      wake_.wait(lock, awaited);
    }
    std::deque<RunningPtr> arrived = std::exchange(arrived_, {});
    const std::vector<Drop> drops = std::exchange(drops_, {});
    const bool touched = std::exchange(touched_, false);
    const bool lease_changed = std::exchange(lease_changed_, false);
    const bool majority = std::exchange(majority_advanced_, false);
    lock.unlock();
    for (const Drop& drop : drops) Apply(drop);
    if (lease_changed) {
      claims_.SetLease(runtime_.lease().view());
      GiveBackWaiting();
    }
    DecideEarlier();
    if (majority) DecideHeld();
    RetryHeldBack(lease_changed);
    // Who has waited longer comes first.
    if (touched) blocked_.ServeTouched([this](uint64_t order) { return Retry(order); });
    for (RunningPtr& order : arrived) Begin(std::move(order));
    if (LeadsEpoch() == claims_.lease().epoch) claims_.EndLapsed(Now());
    EndWaits(Now());
    EndHeldBack(Now());
    HandBack();
    AwaitMajority();
    waiting_count_.store(waiting_.size(), std::memory_order_relaxed);
    lock.lock();
  }
}

std::optional<std::chrono::nanoseconds> OrderExecutor::NextTimer() const {
  std::optional<std::chrono::nanoseconds> next = blocked_.NextTimer();
  const auto sooner = [&](std::optional<std::chrono::nanoseconds> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  sooner(claims_.NextLapse());
  // What an earlier leaseholder wrote may surface late.
  const bool undecided = runtime_.store().keyspace().records().AnyUndecided();
  if (claims_.lease().leading && undecided) {
    sooner(runtime_.store().clock().time().Monotonic() + kLookForLate);
  }
  if (!held_back_.empty()) {
    sooner(std::max(*held_back_.front()->begun, decided_at_) + kHeldBackAtMost);
  }
  for (const auto& [sequence, order] : waiting_) {
    if (order->block.holders) return runtime_.store().clock().time().Monotonic() + kAskHolders;
  }
  return next;
}

void OrderExecutor::Apply(const Drop& drop) {
  const auto dropped = [&](const ClientKey& client) {
    if (client.first != drop.peer) return false;
    return !drop.clients || std::find(drop.clients->begin(), drop.clients->end(), client.second) !=
                                drop.clients->end();
  };
  std::erase_if(watchers_, [&](const auto& one) { return dropped(one.first); });
  std::erase_if(waiting_, [&](const auto& one) {
    if (!dropped(one.second->client)) return false;
    blocked_.Remove(one.first);
    return true;
  });
}

void OrderExecutor::Begin(RunningPtr order) {
  const bool own = order->peer == PeerProcess{};
  const uint64_t epoch = LeadsEpoch();
  if (own ? order->epoch != 0 && order->epoch != epoch : epoch == 0) {
    return Finish(*order, OrderOutcome::kNotRun);
  }
  if (!own) order->epoch = epoch;
  Result<DecodedOrder> decoded = DecodeOrder(order->request);
  if (!decoded) {
    log_->warn("event=order_refused peer={} error=\"{}\"", order->peer.node.ToString(),
               decoded.error().message);
    return Finish(*order, OrderOutcome::kForgotten);
  }
  order->decoded = *std::move(decoded);
  order->state.id = order->client.second;
  order->state.database = order->decoded.head.database;
  order->state.protocol = order->decoded.head.protocol;
  order->state.name = order->decoded.head.name;
  order->state.authenticated = true;
  Continue(std::move(order));
}

void OrderExecutor::Continue(RunningPtr order) {
  BlockRequest block;
  switch (RunSteps(*order, block)) {
    case Progress::kDone:
      return Finish(*order, OrderOutcome::kDone);
    case Progress::kWaits:
      return Block(std::move(order), std::move(block));
    case Progress::kHeldBack:
      if (!order->begun) order->begun = Now();
      held_back_.push_back(std::move(order));
      return;
    case Progress::kPending:
      pending_.push_back(std::move(order));
      return;
  }
}

OrderExecutor::Progress OrderExecutor::RunSteps(Running& order, BlockRequest& block) {
  Reply reply(order.replies, order.state.protocol);
  ClientTransaction transaction(runtime_.store().keyspace());
  CommandContext context{runtime_.store(), services_, order.state, reply, random_, transaction};
  // Only what stands alone can wait: the replies before it would wait too.
  const bool alone = order.decoded.steps.size() == 1 && !order.decoded.steps[0].transaction;
  for (; order.next < order.decoded.steps.size(); ++order.next) {
    const OrderStep& step = order.decoded.steps[order.next];
    const size_t start = order.replies.size();
    if (alone && IsBlocking(step)) context.block = &block;
    // Nearly nothing needs a majority: that it does shows on the way.
    const bool ordered = order.epoch != 0;
    bool decided = ordered && step.majority;
    if (!decided) {
      ClaimDesk desk(ordered ? ClaimDesk::Kind::kElsewhere : ClaimDesk::Kind::kLocal);
      context.claims = &desk;
      RunStep(order, step, context);
      if (block.wanted) return Progress::kWaits;
      decided = desk.undone();
    }
    if (decided) {
      order.replies.resize(start);
      if (!RunDecided(order, step, context)) {
        // Who may wait for the key keeps its place among those who do.
        block.wanted = order.met && !block.keys.empty();
        return block.wanted ? Progress::kWaits : Progress::kHeldBack;
      }
      if (block.wanted) return Progress::kWaits;
    }
    if (step.silent) order.replies.resize(start);
  }
  const bool wrote = order.records_upto != Stamp{};
  return !wrote || claims_.Decided(order.epoch, order.records_upto) ? Progress::kDone
                                                                    : Progress::kPending;
}

bool OrderExecutor::IsBlocking(const OrderStep& step) const {
  const CommandSpec* row = commands_.Resolve(step.commands[0]).row;
  return row != nullptr && MayBlock(*row);
}

void OrderExecutor::RunStep(Running& order, const OrderStep& step, CommandContext& context) {
  if (step.transaction) {
    RunTransaction(order, step, context);
  } else if (order.peer != PeerProcess{} && IsWord(step.commands[0][0], "watch")) {
    Watch(order, step.commands[0], context);
  } else {
    RunCommand(commands_, context, step.commands[0]);
  }
}

void OrderExecutor::Watch(Running& order, Arguments words, CommandContext& context) {
  const ClientKey& key = order.client;
  if (watchers_.size() >= kMostWatchers && !watchers_.contains(key)) return context.reply.Ok();
  const auto [found, fresh] = watchers_.try_emplace(key, runtime_.store().keyspace());
  Watcher& watcher = found->second;
  if (fresh) watcher.epoch = order.epoch;
  CommandContext own{context.store, context.services, context.client,
                     context.reply, context.random,   watcher.transaction};
  RunCommand(commands_, own, words);
  // EXEC is bound to answer nil for whom nothing is kept here.
  if (watcher.epoch != order.epoch || watcher.transaction.bytes() > kMostWatchedBytes) {
    watchers_.erase(found);
  }
}

void OrderExecutor::RunTransaction(Running& order, const OrderStep& step, CommandContext& context) {
  if (order.watched) {
    RunAsTransaction(commands_, context, *order.watched, step.commands);
    if (context.claims->undone()) order.watched->Unqueue();  // it comes again
    return;
  }
  const auto found = watchers_.find(order.client);
  const bool watched = order.decoded.head.watch_epoch != 0;
  // A new epoch between WATCH and EXEC makes EXEC answer nil (DESIGN.md section 6).
  if (watched && (found == watchers_.end() || found->second.epoch != order.epoch)) {
    if (found != watchers_.end()) watchers_.erase(found);
    return context.reply.NullArray();
  }
  ClientTransaction& transaction = watched ? found->second.transaction : context.transaction;
  RunAsTransaction(commands_, context, transaction, step.commands);
  if (context.claims->undone()) return transaction.Unqueue();  // it comes again
  if (found != watchers_.end()) watchers_.erase(found);
}

// --- the end ---

void OrderExecutor::Finish(Running& order, OrderOutcome outcome) {
  Done done;
  done.own = order.peer == PeerProcess{};
  done.peer = order.peer;
  done.order = {order.id, outcome, {}};
  done.protocol = order.state.protocol;
  done.replies = Replies(order.decoded);
  done.epoch = order.epoch;
  done.saw_claim = order.saw_claim;
  if (outcome == OrderOutcome::kDone) {
    AppendReplyHead(done.order.reply, {order.state.database, order.epoch, order.state.name});
    done.head_bytes = done.order.reply.size();
    done.order.reply += order.replies;
  } else if (outcome == OrderOutcome::kNotRun && done.own) {
    done.order.reply = std::move(order.request);
  }
  done_.push_back(std::move(done));
}

void OrderExecutor::HandBack() {
  if (done_.empty()) return;
  const Status committed = runtime_.store().journal().Commit();
  const Stamp upto = runtime_.store().journal().upto();
  const uint64_t epoch = LeadsEpoch();
  std::map<PeerProcess, std::vector<ExecutedOrder>> by_peer;
  std::map<uint64_t, std::vector<OrderEffect>> by_sink;
  for (Done& one : std::exchange(done_, {})) {
    ExecutedOrder& order = one.order;
    const bool done = order.outcome == OrderOutcome::kDone;
    if (done && !committed.ok()) {
      // Nobody may hear of what the log does not hold (I7); the head stays.
      order.reply.resize(one.head_bytes);
      Reply reply(order.reply, one.protocol);
      for (size_t i = 0; i < one.replies; ++i) reply.Error(NotLogged(committed.error()));
    }
    // Whose lease has ended meanwhile has run it as one of many.
    const bool unordered = done && one.epoch != 0 && one.epoch != epoch;
    // What was told of a claim may not be true any more.
    if (unordered) {
      order.outcome = one.saw_claim ? OrderOutcome::kForgotten : OrderOutcome::kUnordered;
    }
    if (one.own) {
      const OrderResult result = order.outcome == OrderOutcome::kNotRun      ? OrderResult::kNotRun
                                 : order.outcome == OrderOutcome::kForgotten ? OrderResult::kUnknown
                                 : unordered ? OrderResult::kUnordered
                                             : OrderResult::kDone;
      by_sink[order.id >> kOrderSinkShift].push_back({order.id, result, std::move(order.reply)});
    } else {
      by_peer[one.peer].push_back(std::move(order));
    }
  }
  for (auto& [peer, orders] : by_peer) runtime_.OnExecuted(peer, std::move(orders), upto);
  const std::lock_guard lock(mutex_);
  for (auto& [sink, ended] : by_sink) {
    if (const auto found = sinks_.find(sink); found != sinks_.end())
      found->second(std::move(ended));
  }
}

}  // namespace starling
