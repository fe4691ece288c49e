// Orders that wait: for a key that has what they want, or for members that hold what was written.
#include <algorithm>
#include <utility>

#include "node/arguments.h"
#include "node/command_keys.h"
#include "node/ordering/order_executor.h"

namespace starling {
namespace {

constexpr std::string_view kUnblocked = "UNBLOCKED client unblocked via CLIENT UNBLOCK";

/// A blocking command's request with one of its keys alone.
std::vector<std::string_view> WithOnlyKey(const CommandSpec& row,
                                          const std::vector<std::string_view>& words,
                                          std::string_view key) {
  if (row.find_keys != nullptr) {  // BLMPOP timeout numkeys key ... LEFT
    std::vector<std::string_view> keys;
    FindKeys(row, words, keys);
    std::vector<std::string_view> some = {words[0], words[1], "1", key};
    some.insert(some.end(), words.begin() + 3 + static_cast<ptrdiff_t>(keys.size()), words.end());
    return some;
  }
  if (row.first_key > 1) {  // STARLING ACQUIRE token ttl wait key ...
    std::vector<std::string_view> some(words.begin(), words.begin() + row.first_key);
    some.push_back(key);
    return some;
  }
  if (row.last_key < 0) return {words[0], key, words.back()};  // BLPOP key ... timeout
  return words;
}

}  // namespace

void OrderExecutor::Block(RunningPtr order, BlockRequest request) {
  if (request.timeout.count() > 0) order->until = Now() + request.timeout;
  const uint64_t sequence = ++last_sequence_;
  Running& waits = *order;
  waits.block = std::move(request);
  waiting_.emplace(sequence, std::move(order));
  if (waits.block.holders) return;  // EndWaitsForHolders looks at once
  blocked_.Add(sequence, waits.state.database, waits.block, waits.until);
  Retry(sequence);
}

void OrderExecutor::ServeTouched() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(touched_, false)) return;
  }
  blocked_.ServeTouched([this](uint64_t order) { return Retry(order); });
}

std::optional<std::string_view> OrderExecutor::FindReady(const Running& order) {
  Keyspace& keyspace = runtime_.store().keyspace();
  for (const std::string& name : order.block.keys) {
    const KeyRef key = keyspace.Ref(order.state.database, name);
    const std::optional<KeyView> view = keyspace.Lock(key).Find(key);
    if ((view ? view->type : KeyType::kNone) == order.block.type) return name;
  }
  return std::nullopt;
}

bool OrderExecutor::Retry(uint64_t sequence) {
  const auto found = waiting_.find(sequence);
  Running& order = *found->second;
  // The others of its keys may have become of another type: that is nothing to it now.
  const auto ready = FindReady(order);
  if (!ready) return false;
  std::vector<std::string_view>& words = order.decoded.steps[0].commands[0];
  const std::vector<std::string_view> all = words;
  const bool takes = order.block.type != KeyType::kNone;
  if (takes) words = WithOnlyKey(*commands_.Resolve(all).row, all, *ready);
  BlockRequest again;
  order.replies.clear();
  const Progress progress = RunSteps(order, again);
  words = all;
  if (progress == Progress::kWaits || progress == Progress::kHeldBack) return false;
  blocked_.Remove(sequence);
  if (progress == Progress::kPending) {
    AddPending(std::move(found->second));
  } else {
    Finish(order, OrderOutcome::kDone);
  }
  waiting_.erase(found);
  return true;
}

uint64_t OrderExecutor::HandOver(const Running& order, const OrderStep& step) {
  if (step.transaction) return 0;  // it may be about keys of several databases
  Keyspace& keyspace = runtime_.store().keyspace();
  const CommandSpec* released_by = commands_.Resolve(step.commands[0]).row;
  std::vector<std::string_view> names;
  if (released_by == nullptr || !FindKeys(*released_by, step.commands[0], names)) return 0;
  for (const std::string_view name : names) {
    const uint8_t database = order.state.database;
    const uint64_t sequence = blocked_.FirstAt(database, name, KeyType::kNone);
    const KeyRef key = keyspace.Ref(database, name);
    if (sequence == 0 || keyspace.records().IsReserved(key)) continue;
    if (keyspace.Lock(key).Find(key)) continue;
    Running& next = *waiting_.at(sequence);
    if (next.epoch != order.epoch) continue;
    TakeLock(next, name);
    return sequence;
  }
  return 0;
}

void OrderExecutor::TakeLock(Running& next, std::string_view name) {
  const OrderStep& step = next.decoded.steps[0];
  const std::vector<std::string_view>& all = step.commands[0];
  const CommandTable::Resolved resolved = commands_.Resolve(all);
  next.replies.clear();
  Reply reply(next.replies, next.state.protocol);
  ClientTransaction transaction(runtime_.store().keyspace());
  ClaimDesk desk(ClaimDesk::Kind::kDecides, &patterns_);
  CommandContext context{runtime_.store(), services_, next.state, reply, random_, transaction};
  context.claims = &desk;
  context.within = true;
  RunResolved(resolved, context, WithOnlyKey(*resolved.row, all, name));
  if (step.silent) next.replies.clear();
}

void OrderExecutor::AwaitHandedOver(uint64_t sequence, const Records::Written& written) {
  blocked_.Remove(sequence);
  auto found = waiting_.extract(sequence);
  Running& next = *found.mapped();
  next.next = next.decoded.steps.size();
  next.open_step = next.open_replies = 0;
  next.open_records = {written.id};
  next.records_upto = written.stamp;
  next.met.reset();
  next.saw_claim = true;
  AddPending(std::move(found.mapped()));
}

void OrderExecutor::EndWaits(std::chrono::nanoseconds now) {
  for (const uint64_t sequence : blocked_.Expired(now)) EndWait(sequence, {});
  EndWaitsForHolders(now);
}

void OrderExecutor::EndWait(uint64_t sequence, std::string_view error) {
  blocked_.Remove(sequence);
  Running& order = *waiting_.at(sequence);
  order.replies.clear();
  if (!order.decoded.steps[0].silent) {
    Reply reply(order.replies, order.state.protocol);
    error.empty() ? reply.NullArray() : reply.Error(error);
  }
  Finish(order, OrderOutcome::kDone);
  waiting_.erase(sequence);
}

std::optional<OrderExecutor::Progress> OrderExecutor::UnblockClient(Running& order) {
  const std::vector<OrderStep>& steps = order.decoded.steps;
  if (steps.size() != 1 || steps[0].transaction) return std::nullopt;  // which may be empty
  const Arguments words = steps[0].commands[0];
  const bool unblocks =
      words.size() == 4 && IsWord(words[0], "client") && IsWord(words[1], "unblock");
  if (!unblocks) return std::nullopt;
  const int64_t id = Number::ParseInt(words[2]).value_or(0);
  const ClientKey client{order.peer, static_cast<uint64_t>(id)};
  const auto is_its = [&](const RunningPtr& one) { return one->client == client; };
  // It may be served already: that is known when what it met or wrote is decided.
  const bool undecided = std::any_of(held_back_.begin(), held_back_.end(), is_its) ||
                         std::any_of(pending_.begin(), pending_.end(), is_its);
  if (undecided) return Progress::kHeldBack;
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const auto& one) { return is_its(one.second); });
  Reply reply(order.replies, order.state.protocol);
  order.next = order.decoded.steps.size();
  if (found == waiting_.end()) {
    reply.Null();
    return Progress::kDone;
  }
  // It counts as the end of the wait does: where its lease is lost first, both are asked for again.
  order.epoch = found->second->epoch;
  const bool with_error = IsWord(words[3], "error");
  if (found->second->block.holders && !with_error) {
    found->second->until = Now();  // it is told how many there are (EndWaitsForHolders)
  } else {
    EndWait(found->first, with_error ? kUnblocked : std::string_view());
  }
  reply.Integer(1);
  return Progress::kDone;
}

void OrderExecutor::EndWaitsForHolders(std::chrono::nanoseconds now) {
  std::vector<uint64_t> sequences;
  std::vector<VersionVector> wanted;
  for (const auto& [sequence, order] : waiting_) {
    if (!order->block.holders) continue;
    sequences.push_back(sequence);
    wanted.push_back(order->written);
  }
  if (wanted.empty()) return;
  const std::vector<int> holders = runtime_.HoldersOf(wanted);
  bool any_waits = false;
  for (size_t i = 0; i < sequences.size(); ++i) {
    Running& order = *waiting_.at(sequences[i]);
    const int others = std::max(0, holders[i] - 1);  // one of them is what a master is in Redis
    const bool late = order.until && now >= *order.until;
    if (others < *order.block.holders && !late) {
      any_waits = true;
      continue;
    }
    order.replies.clear();
    if (!order.decoded.steps[0].silent) {
      Reply(order.replies, order.state.protocol).Integer(others);
    }
    Finish(order, OrderOutcome::kDone);
    waiting_.erase(sequences[i]);
  }
  if (any_waits) runtime_.AskHoldings();
}

void OrderExecutor::GiveBackWaiting() {
  const uint64_t epoch = LeadsEpoch();
  // In this node's next epoch they go on once it has begun (CarryOver).
  const auto stays = [&](const Running& order) {
    return order.epoch == epoch || order.OfEpochBefore(epoch);
  };
  std::erase_if(waiting_, [&](const auto& one) {
    Running& order = *one.second;
    if (order.epoch == 0 || order.epoch == epoch) return false;
    blocked_.Remove(one.first);
    Finish(order, OrderOutcome::kNotRun);
    return true;
  });
  std::erase_if(held_back_, [&](const RunningPtr& order) {
    if (stays(*order)) return false;
    // Of one that has done something nobody can say how it would have gone on.
    const bool nothing = order->next == 0 || OnlyReads(order->request);
    Finish(*order, nothing ? OrderOutcome::kNotRun : OrderOutcome::kForgotten);
    return true;
  });
  std::erase_if(pending_, [&](const RunningPtr& order) {
    if (stays(*order)) return false;
    Finish(*order, OrderOutcome::kForgotten);  // the next leaseholder decides
    return true;
  });
}

}  // namespace starling
