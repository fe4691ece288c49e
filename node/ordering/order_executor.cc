#include "node/ordering/order_executor.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "node/arguments.h"
#include "node/claim_desk.h"
#include "node/command_keys.h"
#include "node/error_text.h"
#include "node/log_errors.h"
#include "node/ordering/order_steps.h"
#include "node/ordering/route.h"
#include "node/random_number.h"
#include "node/scripting/scripting.h"

namespace starling {
namespace {

/// Clients of other nodes that watch keys here; one more is told by its EXEC that keys have
/// changed.
constexpr size_t kMostWatchers = 65'536;
/// What one of them may take for it.
constexpr size_t kMostWatchedBytes = size_t{16} << 20;

size_t Replies(const DecodedOrder& order) {
  size_t replies = 0;
  for (const OrderStep& step : order.steps) replies += step.silent ? 0 : 1;
  return replies;
}

/// Whether a leaseholder can tell what came of it.
bool HasName(const std::string& request) {
  const Result<DecodedOrder> order = DecodeOrder(request);
  return order && !order->head.again_by.empty();
}

}  // namespace

OrderExecutor::OrderExecutor(Runtime& runtime, const CommandTable& commands, Scripting& scripting,
                             std::shared_ptr<spdlog::logger> log, ClaimPatterns patterns)
    : runtime_(runtime),
      commands_(commands),
      gate_(runtime.gate()),
      patterns_(std::move(patterns)),
      services_(commands, scripting, [this] { WhileScriptRuns(); }),
      log_(std::move(log)),
      random_(RandomNumber()),
      blocked_(runtime.store().keyspace(), [this] { Wake(touched_); }),
      claims_(runtime.store().keyspace()),
      thread_([this] { Serve(); }) {
  scripting.SetLog(log_);
  runtime_.SetOrderRunner(this);
  subscription_ = runtime_.lease().Subscribe([this](const LeaseView&) { Wake(lease_changed_); });
  majority_subscription_ =
      runtime_.lease().SubscribeMajority([this](uint64_t, Stamp) { OnMajority(); });
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

void OrderExecutor::SetSink(uint64_t base, Sink sink, std::function<void()> serve) {
  const std::lock_guard lock(mutex_);
  sinks_[base >> kOrderSinkShift] = {std::move(sink), std::move(serve)};
}

void OrderExecutor::RunOwn(OwnOrder own, bool here) {
  auto running = std::make_unique<Running>();
  running->id = own.number;
  running->client = {PeerProcess{}, own.order.client};
  running->request = std::move(own.order.request);
  running->epoch = own.epoch;
  running->without_lease = own.without_lease;
  running->watched = std::move(own.watched);
  running->written = std::move(own.written);
  std::vector<RunningPtr> arrived;
  arrived.push_back(std::move(running));
  Push(std::move(arrived), here);
}

void OrderExecutor::DropOwnClient(uint64_t client) {
  Push(Drop{PeerProcess{}, std::vector<uint64_t>{client}});
}

std::chrono::nanoseconds OrderExecutor::Now() {
  return runtime_.store().clock().time().Monotonic();
}

uint64_t OrderExecutor::LeadsEpoch() { return runtime_.lease().Leads(Now()); }

// --- whoever serves ---

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
  if (Prepare(*order)) Continue(std::move(order));
}

bool OrderExecutor::Prepare(Running& order) {
  Result<DecodedOrder> decoded = DecodeOrder(order.request);
  if (!decoded) {
    log_->warn("event=order_refused peer={} error=\"{}\"", order.peer.node.ToString(),
               decoded.error().message);
    Finish(order, OrderOutcome::kForgotten);
    return false;
  }
  order.decoded = *std::move(decoded);
  order.state.id = order.client.second;
  order.state.database = order.decoded.head.database;
  order.state.protocol = order.decoded.head.protocol;
  order.state.name = order.decoded.head.name;
  order.state.authenticated = true;
  return true;
}

void OrderExecutor::WhileScriptRuns() {
  if (!gate_.busy()) return;
  if (meanwhile_ != nullptr) (*meanwhile_)();
  std::deque<std::variant<RunningPtr, Drop>> arrived;
  {
    const std::lock_guard lock(mutex_);
    arrived.swap(arrived_);
  }
  if (arrived.empty()) return;
  std::vector<Done> earlier =
      std::exchange(done_, {});  // they wait for the log, and so for the end
  std::deque<std::variant<RunningPtr, Drop>> later;
  for (auto& one : arrived) {
    if (std::holds_alternative<Drop>(one)) {
      later.push_back(std::move(one));
      continue;
    }
    Running& order = *std::get<RunningPtr>(one);
    if (!Prepare(order)) continue;
    for (const OrderStep& step : order.decoded.steps) AnswerBusy(order, step);
    // Its EXEC is over: what it watched here is forgotten, as far as it is another node's client.
    if (order.decoded.head.watch_epoch != 0) {
      later.emplace_back(Drop{order.client.first, std::vector<uint64_t>{order.client.second}});
    }
    Finish(order, OrderOutcome::kDone);
  }
  Deliver(std::exchange(done_, std::move(earlier)), Status());
  if (later.empty()) return;
  const std::lock_guard lock(mutex_);
  arrived_.insert(arrived_.begin(), std::make_move_iterator(later.begin()),
                  std::make_move_iterator(later.end()));
}

void OrderExecutor::AnswerBusy(Running& order, const OrderStep& step) {
  const size_t start = order.replies.size();
  Reply reply(order.replies, order.state.protocol);
  const CommandTable::Resolved resolved = Resolve(step).resolved;
  if (resolved.row != nullptr && std::strcmp(resolved.row->name, "script|kill") == 0) {
    ClientTransaction transaction(runtime_.store().keyspace());
    CommandContext context{runtime_.store(), services_, order.state, reply, random_, transaction};
    RunResolved(resolved, context, step.commands[0]);
  } else {
    reply.Error(error_text::kBusy);
  }
  if (step.silent) order.replies.resize(start);
}

ClaimDesk::Kind OrderExecutor::ClaimsOf(const Running& order) const {
  if (order.epoch != 0) return ClaimDesk::Kind::kElsewhere;
  return order.without_lease ? ClaimDesk::Kind::kWithout : ClaimDesk::Kind::kLocal;
}

void OrderExecutor::Continue(RunningPtr order) {
  BlockRequest block;
  std::optional<Progress> progress = FindEarlier(*order);
  if (!progress) progress = UnblockClient(*order);
  switch (progress ? *progress : RunSteps(*order, block)) {
    case Progress::kDone:
      return Finish(*order, OrderOutcome::kDone);
    case Progress::kWaits:
      return Block(std::move(order), std::move(block));
    case Progress::kHeldBack:
      held_back_.push_back(std::move(order));
      return;
    case Progress::kPending:
      return AddPending(std::move(order));
  }
}

OrderExecutor::Progress OrderExecutor::RunSteps(Running& order, BlockRequest& block) {
  Reply reply(order.replies, order.state.protocol);
  ClientTransaction transaction(runtime_.store().keyspace());
  CommandContext context{runtime_.store(), services_, order.state, reply, random_, transaction};
  // Only what stands alone can wait: the replies before it would wait too. What a client wrote is
  // known where it is connected: from elsewhere WAIT is answered as within a transaction.
  const bool own = order.peer == PeerProcess{};
  const bool alone = order.decoded.steps.size() == 1 && !order.decoded.steps[0].transaction;
  for (; order.next < order.decoded.steps.size(); ++order.next) {
    const OrderStep& step = order.decoded.steps[order.next];
    const ResolvedStep resolved = Resolve(step);
    const CommandSpec* row = resolved.resolved.row;
    const size_t start = order.replies.size();
    if (alone && row != nullptr && MayBlock(*row) && (own || (row->flags & kForHolders) == 0)) {
      context.block = &block;
    }
    // Nearly nothing needs a majority: that it does shows on the way. Scripts often do: releases of
    // locks are some.
    bool decided = order.epoch != 0 && (step.majority || resolved.script);
    if (step.majority && order.without_lease) {
      reply.Error(kNoLeaseholderForMajority);
    } else if (!decided) {
      ClaimDesk desk(ClaimsOf(order), &patterns_);
      context.claims = &desk;
      RunStep(order, resolved, context);
      if (block.wanted) return Progress::kWaits;
      decided = desk.undone();
    }
    if (decided) {
      order.replies.resize(start);
      if (!RunDecided(order, resolved, context)) {
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

OrderExecutor::ResolvedStep OrderExecutor::Resolve(const OrderStep& step) const {
  const auto is_script = [](const CommandSpec* row) {
    return row != nullptr && (row->flags & kScript) != 0;
  };
  if (!step.transaction) {
    const CommandTable::Resolved resolved = commands_.Resolve(step.commands[0]);
    return {step, resolved, is_script(resolved.row)};
  }
  const bool script =
      std::any_of(step.commands.begin(), step.commands.end(),
                  [&](const auto& words) { return is_script(commands_.Resolve(words).row); });
  return {step, {}, script};
}

void OrderExecutor::RunStep(Running& order, const ResolvedStep& step, CommandContext& context) {
  const std::vector<std::vector<std::string_view>>& commands = step.step.commands;
  if (step.script) gate_.Close();
  if (step.step.transaction) {
    RunTransaction(order, step.step, context);
  } else if (order.peer != PeerProcess{} && IsWord(commands[0][0], "watch")) {
    Watch(order, commands[0], context);
  } else {
    RunResolved(step.resolved, context, commands[0]);
  }
  if (gate_.wanted()) gate_.Open();
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
  done.decided = order.decided;
  if (outcome == OrderOutcome::kDone) {
    AppendReplyHead(done.order.reply, {order.state.database, order.epoch, order.state.name});
    done.head_bytes = done.order.reply.size();
    done.order.reply += order.replies;
  }
  done.request = std::move(order.request);
  done_.push_back(std::move(done));
}

bool OrderExecutor::OnlyReads(const std::string& request) const {
  const Result<DecodedOrder> order = DecodeOrder(request);
  const auto reads = [this](const std::vector<std::string_view>& words) {
    const CommandSpec* row = commands_.Resolve(words).row;
    return row != nullptr && (row->flags & (kWrite | kMayWrite | kAtOnce)) == 0;
  };
  return order && std::all_of(order->steps.begin(), order->steps.end(), [&](const OrderStep& step) {
           return std::all_of(step.commands.begin(), step.commands.end(), reads);
         });
}

void OrderExecutor::HandBack() {
  if (done_.empty()) return;
  Journal& journal = runtime_.store().journal();
  std::vector<Done> decided = std::exchange(done_, {});
  const auto others = std::stable_partition(decided.begin(), decided.end(),
                                            [](const Done& done) { return done.decided; });
  std::vector<Done> undecided(std::make_move_iterator(others),
                              std::make_move_iterator(decided.end()));
  decided.erase(others, decided.end());
  const bool own_alone =
      std::all_of(decided.begin(), decided.end(), [](const Done& done) { return done.own; });
  // Before this waits for the disk.
  if (!own_alone || !undecided.empty()) AskMajority();
  // Another node's answer follows the verdict, which need not be synced: it follows from what a
  // majority holds.
  if (!decided.empty()) Deliver(std::move(decided), own_alone ? Status() : journal.Log());
  if (!undecided.empty()) Deliver(std::move(undecided), journal.Commit());
}

void OrderExecutor::Deliver(std::vector<Done> ended, const Status& committed) {
  const Stamp upto = runtime_.store().journal().upto();
  const OrderPosition position{runtime_.store().origin(), upto};
  const uint64_t epoch = LeadsEpoch();
  std::map<PeerProcess, std::vector<ExecutedOrder>> by_peer;
  std::map<uint64_t, std::vector<OrderEffect>> by_sink;
  for (Done& one : ended) {
    ExecutedOrder& order = one.order;
    const bool done = order.outcome == OrderOutcome::kDone;
    if (done && !committed.ok()) {
      // Nobody may hear of what the log does not hold (I7); the head stays.
      order.reply.resize(one.head_bytes);
      Reply reply(order.reply, one.protocol);
      for (size_t i = 0; i < one.replies; ++i) reply.Error(NotLogged(committed.error()));
    }
    const bool unordered = done && one.epoch != 0 && !claims_.StillOrdered(one.epoch, epoch);
    if (unordered && OnlyReads(one.request)) {
      order.outcome = OrderOutcome::kNotRun;  // nobody will know that it was
    } else if (unordered) {
      // What was told of a claim may not be true any more.
      order.outcome = one.saw_claim ? OrderOutcome::kForgotten : OrderOutcome::kUnordered;
    }
    const bool lost = order.outcome == OrderOutcome::kForgotten;
    const bool again = lost && one.own && HasName(one.request);
    if (again || order.outcome == OrderOutcome::kNotRun) {
      order.reply = one.own ? std::move(one.request) : std::string();
    }
    if (one.own) {
      const OrderResult result = order.outcome == OrderOutcome::kNotRun ? OrderResult::kNotRun
                                 : again                                ? OrderResult::kAskHere
                                 : lost                                 ? OrderResult::kUnknown
                                 : unordered                            ? OrderResult::kUnordered
                                                                        : OrderResult::kDone;
      by_sink[order.id >> kOrderSinkShift].push_back(
          {order.id, result, std::move(order.reply), position});
    } else {
      by_peer[one.peer].push_back(std::move(order));
    }
  }
  for (auto& [peer, orders] : by_peer) runtime_.OnExecuted(peer, std::move(orders), upto);
  for (auto& [key, ends] : by_sink) {
    const Sink* sink = nullptr;
    {
      const std::lock_guard lock(mutex_);
      const auto found = sinks_.find(key);
      if (found != sinks_.end()) sink = &found->second.end;  // none is ever removed
    }
    if (sink != nullptr) (*sink)(std::move(ends));  // without the mutex: it may bring another order
  }
}

}  // namespace starling
