#include "node/ordering/order_executor.h"

#include <pthread.h>

#include <utility>

#include "node/arguments.h"
#include "node/log_errors.h"
#include "node/ordering/order_steps.h"
#include "node/random_number.h"

namespace starling {
namespace {

/// Clients of other nodes that watch keys here; one more is told by its EXEC that keys have
/// changed.
constexpr size_t kMostWatchers = 65'536;
/// What one of them may take for it.
constexpr size_t kMostWatchedBytes = size_t{16} << 20;

bool IsWatch(const OrderStep& step) {
  return !step.transaction && IsWord(step.commands[0][0], "watch");
}

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
      thread_([this] { Serve(); }) {
  runtime_.SetOrderRunner(this);
}

OrderExecutor::~OrderExecutor() {
  runtime_.SetOrderRunner(nullptr);
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void OrderExecutor::Run(const PeerProcess& peer, std::vector<RemoteOrder> orders) {
  {
    const std::lock_guard lock(mutex_);
    work_.push_back({peer, std::move(orders)});
  }
  wake_.notify_one();
}

void OrderExecutor::DropClients(const PeerProcess& peer, const std::vector<uint64_t>& clients) {
  const std::lock_guard lock(mutex_);
  drops_.push_back({peer, clients});
  wake_.notify_one();
}

void OrderExecutor::DropProcess(const PeerProcess& peer) {
  const std::lock_guard lock(mutex_);
  drops_.push_back({peer, std::nullopt});
  wake_.notify_one();
}

void OrderExecutor::Serve() {
  pthread_setname_np(pthread_self(), "starling-orders");
  std::unique_lock lock(mutex_);
  while (!stop_) {
    wake_.wait(lock, [this] { return stop_ || !work_.empty() || !drops_.empty(); });
    std::deque<Work> work = std::exchange(work_, {});
    const std::vector<Drop> drops = std::exchange(drops_, {});
    lock.unlock();
    for (const Drop& drop : drops) DropWatchers(drop);
    if (!work.empty()) ServeAll(std::move(work));
    lock.lock();
  }
}

uint64_t OrderExecutor::LeadsEpoch() {
  return runtime_.lease().Leads(runtime_.store().clock().time().Monotonic());
}

void OrderExecutor::DropWatchers(const Drop& drop) {
  if (drop.clients) {
    for (const uint64_t client : *drop.clients) watchers_.erase({drop.peer, client});
    return;
  }
  std::erase_if(watchers_, [&](const auto& one) { return one.first.first == drop.peer; });
}

void OrderExecutor::ServeAll(std::deque<Work> work) {
  std::vector<Done> done;
  uint64_t epoch = 0;
  for (const Work& one : work) {
    for (const RemoteOrder& order : one.orders) {
      epoch = LeadsEpoch();
      if (epoch == 0) {
        done.push_back({one.peer, {order.id, OrderOutcome::kNotRun, {}}});
      } else {
        done.push_back(RunOrder(one.peer, order, epoch));
      }
    }
  }
  const Status committed = runtime_.store().journal().Commit();
  // Whose lease has ended meanwhile has run them as one of many.
  if (epoch != 0 && LeadsEpoch() != epoch) {
    for (Done& one : done) {
      if (one.order.outcome == OrderOutcome::kDone) one.order.outcome = OrderOutcome::kUnordered;
    }
  }
  HandBack(std::move(done), committed);
}

void OrderExecutor::HandBack(std::vector<Done> done, const Status& committed) {
  const Stamp upto = runtime_.store().journal().upto();
  std::map<PeerProcess, std::vector<ExecutedOrder>> by_peer;
  for (Done& one : done) {
    if (!committed.ok() && one.order.outcome != OrderOutcome::kNotRun) {
      // Nobody may hear of what the log does not hold (I7); the head stays.
      std::string& text = one.order.reply;
      text.resize(std::min(text.size(), kReplyHeadBytes));
      Reply reply(text, one.protocol);
      for (size_t i = 0; i < one.replies; ++i) reply.Error(NotLogged(committed.error()));
    }
    by_peer[one.peer].push_back(std::move(one.order));
  }
  for (auto& [peer, orders] : by_peer) runtime_.OnExecuted(peer, std::move(orders), upto);
}

OrderExecutor::Done OrderExecutor::RunOrder(const PeerProcess& peer, const RemoteOrder& order,
                                            uint64_t epoch) {
  const Result<DecodedOrder> decoded = DecodeOrder(order.request);
  if (!decoded) {
    log_->warn("event=order_refused peer={} error=\"{}\"", peer.node.ToString(),
               decoded.error().message);
    return {peer, {order.id, OrderOutcome::kForgotten, {}}};
  }
  Done done{peer, {order.id, OrderOutcome::kDone, {}}, decoded->head.protocol, Replies(*decoded)};
  std::string replies;
  Reply reply(replies, decoded->head.protocol);
  ClientState client;
  client.id = order.client;
  client.database = decoded->head.database;
  client.protocol = decoded->head.protocol;
  client.authenticated = true;
  ClientTransaction transaction(runtime_.store().keyspace());
  CommandContext context{runtime_.store(), services_, client, reply, random_, transaction};
  for (const OrderStep& step : decoded->steps) {
    const size_t start = replies.size();
    RunStep({peer, order.client}, step, *decoded, context, epoch);
    if (step.silent) replies.resize(start);
  }
  AppendReplyHead(done.order.reply, {client.database, epoch});
  done.order.reply += replies;
  return done;
}

void OrderExecutor::RunStep(const ClientKey& key, const OrderStep& step, const DecodedOrder& order,
                            CommandContext& context, uint64_t epoch) {
  if (step.transaction) {
    RunTransaction(key, step, order.head.watch_epoch, context, epoch);
  } else if (IsWatch(step)) {
    Watch(key, step.commands[0], context, epoch);
  } else {
    RunCommand(commands_, context, step.commands[0]);
  }
}

void OrderExecutor::Watch(const ClientKey& key, Arguments words, CommandContext& context,
                          uint64_t epoch) {
  if (watchers_.size() >= kMostWatchers && !watchers_.contains(key)) return context.reply.Ok();
  const auto [found, fresh] = watchers_.try_emplace(key, runtime_.store().keyspace());
  Watcher& watcher = found->second;
  if (fresh) watcher.epoch = epoch;
  CommandContext own{context.store, context.services, context.client,
                     context.reply, context.random,   watcher.transaction};
  RunCommand(commands_, own, words);
  // EXEC is bound to answer nil for whom nothing is kept here.
  if (watcher.epoch != epoch || watcher.transaction.bytes() > kMostWatchedBytes) {
    watchers_.erase(found);
  }
}

void OrderExecutor::RunTransaction(const ClientKey& key, const OrderStep& step,
                                   uint64_t watch_epoch, CommandContext& context, uint64_t epoch) {
  const auto found = watchers_.find(key);
  const bool watched = watch_epoch != 0;
  // A new epoch between WATCH and EXEC makes EXEC answer nil (DESIGN.md section 6).
  if (watched && (found == watchers_.end() || found->second.epoch != epoch)) {
    if (found != watchers_.end()) watchers_.erase(found);
    return context.reply.NullArray();
  }
  ClientTransaction& transaction = watched ? found->second.transaction : context.transaction;
  RunAsTransaction(commands_, context, transaction, step.commands);
  if (found != watchers_.end()) watchers_.erase(found);
}

}  // namespace starling
