// What a session has run at the leaseholder, and what becomes of it.
#include <cstring>
#include <utility>

#include "node/ordering/order_steps.h"
#include "server/io_thread.h"
#include "server/order_errors.h"
#include "server/session.h"
#include "storage/check.h"

namespace starling {
namespace {

bool Is(const CommandSpec& row, const char* name) { return std::strcmp(row.name, name) == 0; }

}  // namespace

Route Session::RouteHere(const CommandTable::Resolved& resolved, Arguments words) const {
  if (!state_.authenticated) return {};
  const Levels levels = state_.level ? Levels{nullptr, *state_.level}
                                     : Levels{&thread_.shared().levels, Level::kLeased};
  Route route = RouteOf(resolved, words, *transaction_, levels);
  // Whether its client's keys have changed is known where they are watched, whatever it runs.
  const bool watched = watch_.any && !watch_.here && transaction_->open();
  if (watched && !transaction_->broken() && resolved.row != nullptr && Is(*resolved.row, "exec")) {
    route.ordered = true;
  }
  return route;
}

bool Session::MayNeedMajority() const {
  if (state_.level) return *state_.level == Level::kMajority;
  return thread_.shared().levels.strongest() == Level::kMajority;
}

ClaimDesk::Kind Session::ClaimsHere(const CommandTable::Resolved& resolved, Arguments words) const {
  const TurnOrder& turn = thread_.turn_order();
  if (turn.lone) return ClaimDesk::Kind::kLocal;
  // Without levels of its own a connection has all at the leaseholder.
  const bool plain = !state_.level && thread_.shared().levels.empty();
  if (!plain && !RouteHere(resolved, words).ordered) return ClaimDesk::Kind::kLocal;
  return turn.epoch != 0 ? ClaimDesk::Kind::kElsewhere : ClaimDesk::Kind::kWithout;
}

Session::Gathered Session::Gather(const CommandTable::Resolved& resolved, Arguments words) {
  const CommandSpec* row = resolved.row;
  const TurnOrder& turn = thread_.turn_order();
  // At the leaseholder nearly all runs here and now: a look at the row is enough.
  const bool here = !turn.forwards() && !turn.refuses();
  const bool may_wait = row != nullptr && MayBlock(*row);
  const bool script = row != nullptr && ((row->flags | transaction_->flags()) & kScript) != 0;
  const bool follows = !order_.empty() && order_own_ && !transaction_->open() &&
                       UsesKeys(resolved) && (row->flags & kByThisNode) == 0;
  if (here && !may_wait && !script && !follows && !MayNeedMajority()) return Gathered::kNo;
  if (row != nullptr && Is(*row, "script|kill") && thread_.services().scripting().running()) {
    return Gathered::kNo;  // one that runs here is meant
  }
  const Route route = RouteHere(resolved, words);
  const bool elsewhere = turn.forwards() && route.ordered;
  const bool refused = turn.refuses() && route.ordered;
  const bool decided = route.majority && turn.epoch != 0;
  const bool apart = route.blocks || decided || route.script || follows;
  if (refused || !(elsewhere || apart)) return Gathered::kNo;
  // What was watched under another lease, or under none, nobody can vouch for.
  const bool watched = transaction_->open() && watch_.any;
  const bool lost = elsewhere ? watch_.lost || watch_.epoch == 0 : !WatchesCount();
  if (watched && lost) return Gathered::kNo;
  const bool alone = route.blocks || Is(*row, "watch");
  const bool alike = order_own_ != elsewhere && order_leased_ == route.ordered;
  if (!order_.empty() && (alone || !alike)) return Gathered::kLater;
  if ((row->flags & kForHolders) != 0 && turn_wrote_) {
    more_ = true;  // what it wrote in this turn is not in the log yet
    return Gathered::kLater;
  }
  order_own_ = !elsewhere;
  AddToOrder(*row, words, route);
  return alone ? Gathered::kLast : Gathered::kAdded;
}

void Session::AddToOrder(const CommandSpec& row, Arguments words, Route route) {
  const bool transaction = transaction_->open();
  if (order_.empty()) {
    order_repeatable_ = true;
    order_watches_ = false;
    order_blocks_ = route.blocks;
    order_in_doubt_ = false;
    order_for_holders_ = (row.flags & kForHolders) != 0;
    order_scripts_ = false;
    order_leased_ = route.ordered;
    const uint64_t watched = transaction && watch_.any ? watch_.epoch : 0;
    // Who waits may be handed on from one leaseholder to the next.
    const std::string again_by = route.blocks && !route.repeatable ? NewOrderName() : std::string();
    order_.Begin(
        {state_.database, static_cast<uint8_t>(state_.protocol), watched, state_.name, again_by});
  }
  using Mode = ClientState::ReplyMode;
  const bool silent = state_.reply_mode != Mode::kOn;
  if (state_.reply_mode == Mode::kSkipNext) state_.reply_mode = Mode::kOn;
  order_repeatable_ = order_repeatable_ && route.repeatable;
  order_scripts_ = order_scripts_ || route.script;
  if (transaction) {
    order_.AddTransaction(*transaction_, silent, route.majority);
    if (order_own_ && watch_.any) {
      transaction_->Unqueue();
      order_watched_ = std::exchange(
          transaction_, std::make_unique<ClientTransaction>(thread_.shared().store.keyspace()));
    } else {
      EndTransaction();
    }
    watch_ = {};
  } else {
    order_.AddCommand(words, silent, route.majority);
    order_watches_ = order_watches_ || Is(row, "watch");
  }
  state_.last_command = row.name;
  ++state_.commands;
  thread_.services().CountCommand(row, CommandOutcome::kDone);
  thread_.counters().commands_processed.Add(1);
}

void Session::SubmitOrder() {
  order_replies_ = order_.replies();
  Dispatch(order_.Take());
  if (order_blocks_) UpdateInterest();
}

void Session::Dispatch(std::string request) {
  Order order;
  order.client = state_.id;
  order.request = std::move(request);
  order.repeatable = order_repeatable_ && !order_watches_;
  order.waits = order_blocks_ && !order_repeatable_;
  order.in_doubt = order_in_doubt_;
  // A script takes as long as it likes, too, while the leaseholder is heard of.
  if (!order_blocks_ && !order_scripts_) order.timeout = thread_.settings().leaseholder_timeout;
  order_bytes_ = order.request.size();
  waits_for_ = order_own_ ? thread_.RunOwnOrder(id(), std::move(order), order_leased_,
                                                std::move(order_watched_),
                                                order_for_holders_ ? written_ : VersionVector())
                          : thread_.SubmitOrder(id(), std::move(order));
  order_watched_.reset();
}

void Session::TakeBackOrdered() {
  const size_t replies = turn_replies_ - ordered_.replies;
  out_.resize(committed_ + ordered_.out);
  turn_replies_ = ordered_.replies;
  const bool behind = waits_for_ != 0 || state_.close_after_reply;
  if (ordered_.reads && !behind) {
    state_.reply_mode = ordered_.reply_mode;
    input_.Rewind();
    parser_.Reset();
    more_ = true;
    return;
  }
  ReplyToAll(replies, kLeaseLost);
  if (transaction_->open()) transaction_->Break();  // who reads an error takes it for refused
}

void Session::OnOrderEnd(OrderEffect end) {
  if (closed_ || end.number != waits_for_) return;
  waits_for_ = 0;
  order_bytes_ = 0;
  JoinTurn();
  std::string_view reply = end.text;
  switch (end.result) {
    case OrderResult::kUnordered:
      if (!order_watches_) {  // which is told by its EXEC
        if (TakeHead(reply)) ReplyToAll(order_replies_, kLeaseLost);
        break;
      }
      [[fallthrough]];
    case OrderResult::kDone:
      if (TakeReply(reply) && !order_repeatable_) NoteWritten(end.position);
      break;
    case OrderResult::kAskHere:
      order_in_doubt_ = true;
      [[fallthrough]];
    case OrderResult::kNotRun:
      RunUnsent(std::move(end.text));
      break;
    case OrderResult::kUnknown:
      ReplyToAll(order_replies_, kOutcomeUnknown);
      break;
    case OrderResult::kTimedOut:
      ReplyToAll(order_replies_, kOrderTimedOut);
      break;
  }
  if (closed_ || waits_for_ != 0) return;
  Execute();
  UpdateInterest();
}

void Session::AwaitUnblock(const ThreadServices::BegunUnblock& begun, bool silent) {
  waits_for_ = thread_.AwaitLater(id());
  order_replies_ = silent ? 0 : 1;
  order_blocks_ = false;
  order_own_ = true;
  begun.thread->UnblockClient({begun.client, begun.with_error, &thread_, waits_for_});
}

void Session::OnLaterReply(uint64_t number, std::string_view reply) {
  if (closed_ || number != waits_for_) return;
  waits_for_ = 0;
  JoinTurn();
  if (order_replies_ != 0) out_.append(reply);
  turn_replies_ += order_replies_;
  Execute();
  UpdateInterest();
}

bool Session::TakeHead(std::string_view& reply) {
  const Result<ReplyHead> head = TakeReplyHead(reply);
  if (!head) {
    ReplyToAll(order_replies_, kOutcomeUnknown);
    return false;
  }
  state_.database = head->database;
  if (state_.name != head->name) state_.name = head->name;
  if (order_watches_ && !reply.starts_with('-')) NoteWatch(head->epoch, false);
  return true;
}

bool Session::TakeReply(std::string_view reply) {
  if (!TakeHead(reply)) return false;
  const uint64_t hard = thread_.settings().output_limit.hard;
  if (hard != 0 && output_pending() + reply.size() > hard) {
    CutOff("replies above the hard output limit");
    return false;
  }
  const bool failed = order_replies_ == 1 && reply.starts_with('-');
  if (failed) thread_.shared().errors.Count(reply);
  out_.append(reply);
  turn_replies_ += order_replies_;
  return true;
}

void Session::NoteWritten(const OrderPosition& position) {
  if (position.upto == Stamp{}) return;
  if (written_.Get(position.origin) == Stamp{} && !written_.empty()) {
    // What is over all members hold to its end.
    const VersionVector held = thread_.shared().store.vector();
    const VersionVector earlier = std::exchange(written_, {});
    for (const VersionVector::Entry& entry : earlier.entries()) {
      const bool over = held.OverUpTo(entry.origin.node) >= entry.origin.incarnation;
      if (!over) written_.Raise(entry.origin, entry.upto);
    }
  }
  written_.Raise(position.origin, position.upto);
}

void Session::NoteWrittenHere() {
  Store& store = thread_.shared().store;
  for (;;) {
    const OrderPosition here{store.origin(), store.journal().upto()};
    if (here.origin == store.origin()) return NoteWritten(here);  // of one incarnation
  }
}

void Session::ReplyToAll(size_t replies, std::string_view error) {
  for (size_t i = 0; i < replies; ++i) {
    const size_t start = out_.size();
    Reply(out_, state_.protocol).Error(error);
    thread_.shared().errors.Count(std::string_view(out_).substr(start));
  }
  turn_replies_ += replies;
}

void Session::RunUnsent(std::string request) {
  const TurnOrder& turn = thread_.turn_order();
  if (turn.forwards()) {  // there is a leaseholder again
    order_own_ = false;
    return Dispatch(std::move(request));
  }
  if (order_in_doubt_ && turn.epoch == 0) return ReplyToAll(order_replies_, kOutcomeUnknown);
  if (turn.refuses()) return ReplyToAll(order_replies_, kNoLeaseholder);
  if (thread_.turn_without_log()) return ReplyToAll(order_replies_, kNoLog);
  if (!order_watches_) {
    order_own_ = true;
    return Dispatch(std::move(request));
  }
  // WATCH, which travels alone: the keys are watched here now.
  const Result<DecodedOrder> order = DecodeOrder(request);
  STARLING_CHECK(order.ok() && order->steps.size() == 1);
  const OrderStep& step = order->steps[0];
  const size_t start = out_.size();
  const size_t replies = turn_replies_;
  RunOne(thread_.shared().commands.Resolve(step.commands[0]), step.commands[0], 0);
  if (!step.silent) return;
  out_.resize(start);
  turn_replies_ = replies;
}

// --- watches ---

void Session::NoteWatch(uint64_t epoch, bool here) {
  if (watch_.any && watch_.epoch != epoch) watch_.lost = true;
  watch_.any = true;
  watch_.here = here;
  watch_.epoch = epoch;
}

bool Session::WatchesCount() const {
  return !watch_.lost && watch_.here && watch_.epoch == thread_.turn_order().epoch;
}

void Session::EndTransaction() {
  if (!watches()) return transaction_->Discard();
  thread_.Retire(std::exchange(
      transaction_, std::make_unique<ClientTransaction>(thread_.shared().store.keyspace())));
}

bool Session::PrepareWatches(const CommandTable::Resolved& resolved, Arguments words) {
  const CommandSpec& row = *resolved.row;
  if (!watch_.any && (row.flags & kAtOnce) == 0) return true;  // nearly all
  if (Is(row, "watch") && !transaction_->open()) {
    NoteWatch(thread_.turn_order().epoch, true);
  } else if (Is(row, "exec") && watch_.any) {
    const bool elsewhere = thread_.turn_order().forwards() && RouteHere(resolved, words).ordered;
    const bool count = !elsewhere && WatchesCount();
    DropWatches();
    if (!count && transaction_->open() && !transaction_->broken()) {
      transaction_->Discard();
      return false;
    }
  } else if (Is(row, "unwatch") || Is(row, "discard") || Is(row, "reset")) {
    DropWatches();
    if (Is(row, "reset")) {  // it is as a new connection
      written_ = {};
      turn_wrote_ = false;
    }
  }
  return true;
}

/// What the leaseholder remembers of this client goes; what stands in transaction_ is not touched.
void Session::DropWatches() {
  const bool there = (waits_for_ != 0 && !order_own_) || (watch_.any && !watch_.here);
  watch_ = {};
  if (there) thread_.shared().runtime.ClientGone(state_.id);
  if (waits_for_ != 0 && order_own_) thread_.shared().orders->DropOwnClient(state_.id);
}

}  // namespace starling
