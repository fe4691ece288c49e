// Claims at the leaseholder: steps that need a majority, and orders that wait for one.
#include <algorithm>
#include <utility>

#include "node/ordering/deciding_desk.h"
#include "node/ordering/order_executor.h"

namespace starling {
namespace {

constexpr std::string_view kMajorityLate =
    "UNKNOWN No majority of the voters has acknowledged in time what this command wrote: it may "
    "take effect later.";
constexpr std::string_view kAnswerNotKept =
    "UNKNOWN The leaseholder has changed while this command ran: it has taken effect, and what it "
    "answered was too long to be kept.";

}  // namespace

bool OrderExecutor::RunDecided(Running& order, const ResolvedStep& step, CommandContext& context) {
  const size_t start = order.replies.size();
  DecidingDesk desk(runtime_.store().keyspace(), order.epoch, claims_.Begun(order.epoch),
                    &patterns_);
  context.claims = &desk;
  const bool majority = step.step.majority;
  if (majority) desk.RequireMajority();
  desk.AnswerAgain(order.decoded.head.again_by, order.replies, start);
  uint64_t handed_over = 0;
  // A record has room for one name.
  if (!blocked_.empty() && order.decoded.head.again_by.empty()) {
    desk.BeforeRecord([&] {
      handed_over = HandOver(order, step.step);
      if (handed_over == 0) return;
      const Running& next = *waiting_.at(handed_over);
      desk.AnswerAgain(next.decoded.head.again_by, next.replies, 0);
    });
  }
  RunStep(order, step, context);
  if (desk.undone()) order.replies.resize(start);
  if (desk.written()) {
    if (handed_over != 0) AwaitHandedOver(handed_over, *desk.written());
    if (order.records_upto == Stamp{} || claims_.Decided(order.epoch, order.records_upto)) {
      order.open_step = order.next;
      order.open_replies = start;
      order.open_records.clear();
    }
    order.open_records.push_back(desk.written()->id);
    claims_.Add(*desk.written());
    order.records_upto = desk.written()->stamp;
  }
  order.met = desk.met();
  order.saw_claim = order.saw_claim || desk.saw_claim() || majority;
  return !desk.undone();
}

void OrderExecutor::DecideEarlier() {
  const ClaimDecider::Earlier decided = claims_.DecideEarlier();
  if (!decided.any()) return;
  log_->info("event=records_decided epoch={} committed={} void={}", claims_.lease().epoch,
             decided.committed, decided.voided);
  runtime_.FlushSoon();  // counters may have waited for it
}

void OrderExecutor::AddPending(RunningPtr order) {
  order->begun.reset();
  pending_.push_back(std::move(order));
}

void OrderExecutor::AskMajority() {
  Journal& journal = runtime_.store().journal();
  // Where the log does not take it, it stays undecided until it does, or the lease ends.
  if (!claims_.waits() || !journal.Log().ok()) return;
  const auto wanted = claims_.TakeWanted();
  if (!wanted) return;
  majority_rounds_.fetch_add(1, std::memory_order_relaxed);
  runtime_.AwaitMajority(claims_.lease().epoch, *wanted);
  if (journal.held() < *wanted) unsynced_ = wanted;
}

void OrderExecutor::AwaitMajority() {
  AskMajority();
  if (const auto wanted = std::exchange(unsynced_, std::nullopt)) {
    // The members' disks sync it meanwhile; they may then have waited for this node alone.
    if (runtime_.store().journal().Commit().ok()) {
      runtime_.AwaitMajority(claims_.lease().epoch, *wanted);
    }
  }
  // Not sooner: a script may have run in this round.
  if (std::exchange(decided_, false)) decided_at_ = Now();
  const auto begin = [this](auto order, auto end) {
    for (; order != end && !(*order)->begun; ++order) (*order)->begun = Now();
  };
  begin(pending_.rbegin(), pending_.rend());  // those of this round
  begin(held_back_.rbegin(), held_back_.rend());
}

void OrderExecutor::DecideHeld() {
  const LeaseWatch::Held held = runtime_.lease().majority();
  if (held.epoch != claims_.lease().epoch || LeadsEpoch() != held.epoch) return;
  if (!claims_.Decide(held.upto)) return;
  runtime_.FlushSoon();  // the verdicts; and counters may have waited for them
  std::erase_if(pending_, [&](const RunningPtr& order) {
    if (!claims_.Decided(order->epoch, order->records_upto)) return false;
    // The log took all of it before a majority was asked; the verdict follows from what that holds.
    order->decided = true;
    Finish(*order, OrderOutcome::kDone);
    return true;
  });
}

std::optional<OrderExecutor::Progress> OrderExecutor::FindEarlier(Running& order) {
  const std::string_view by = order.decoded.head.again_by;
  if (by.empty() || order.next != 0) return std::nullopt;
  const auto noted = runtime_.store().keyspace().records().FindNoted(std::string(by));
  order.in_doubt = false;
  if (!noted) return std::nullopt;
  order.in_doubt = !noted->decided;
  if (order.in_doubt) return Progress::kHeldBack;
  order.next = order.decoded.steps.size();
  order.saw_claim = true;
  if (order.decoded.steps[0].silent) return Progress::kDone;
  order.replies = noted->answer;
  if (noted->answer.empty()) Reply(order.replies, order.state.protocol).Error(kAnswerNotKept);
  return Progress::kDone;
}

OrderExecutor::Carried OrderExecutor::CarryOver(Running& order) {
  const Records& records = runtime_.store().keyspace().records();
  order.epoch = claims_.lease().epoch;
  size_t counted = 0;
  for (const RecordId& id : order.open_records) {
    const std::optional<bool> counts = records.VerdictOf(id);
    if (!counts) return Carried::kLost;
    counted += *counts ? 1 : 0;
  }
  const bool whole = counted == order.open_records.size();
  // What it watched went with its EXEC.
  const bool watched = order.watched != nullptr || order.decoded.head.watch_epoch != 0;
  if (!whole && (counted > 0 || watched)) return Carried::kLost;
  order.open_records.clear();
  order.records_upto = {};
  if (whole) return Carried::kCounts;
  order.replies.resize(order.open_replies);
  order.next = order.open_step;
  order.met.reset();
  return Carried::kVoid;
}

void OrderExecutor::CarryOver() {
  const uint64_t epoch = claims_.lease().epoch;
  if (!claims_.Begun(epoch)) return;  // nothing is decided yet
  std::erase_if(held_back_, [&](const RunningPtr& order) {
    if (!order->OfEpochBefore(epoch) || CarryOver(*order) != Carried::kLost) return false;
    Finish(*order, OrderOutcome::kForgotten);
    return true;
  });
  std::deque<RunningPtr> again;
  std::erase_if(pending_, [&](RunningPtr& order) {
    if (!order->OfEpochBefore(epoch)) return false;
    switch (CarryOver(*order)) {
      case Carried::kCounts:
        Finish(*order, OrderOutcome::kDone);
        break;
      case Carried::kVoid:
        again.push_back(std::move(order));
        break;
      case Carried::kLost:
        Finish(*order, OrderOutcome::kForgotten);
        break;
    }
    return true;
  });
  // They came before those that were held back.
  held_back_.insert(held_back_.begin(), std::make_move_iterator(again.begin()),
                    std::make_move_iterator(again.end()));
}

void OrderExecutor::RetryHeldBack(bool lease_changed) {
  const uint64_t decisions = runtime_.store().keyspace().records().decisions();
  decided_ = std::exchange(decisions_, decisions) != decisions;
  if (held_back_.empty() || (!decided_ && !lease_changed)) return;
  const Records& records = runtime_.store().keyspace().records();
  for (RunningPtr& order : std::exchange(held_back_, {})) {
    // One before it has just written to the same key: that this one would be held back is known.
    if (order->met && records.IsReserved(*order->met)) {
      held_back_.push_back(std::move(order));
    } else {
      Continue(std::move(order));
    }
  }
}

void OrderExecutor::EndLate(std::chrono::nanoseconds now) {
  const auto end = [&](const RunningPtr& order, std::chrono::nanoseconds since) {
    const bool late = order->begun && now >= std::max(*order->begun, since) + kMajorityWait;
    if (late) EndLate(*order);
    return late;
  };
  std::erase_if(pending_, [&](const RunningPtr& order) { return end(order, {}); });
  if (decided_) return;
  std::erase_if(held_back_, [&](const RunningPtr& order) { return end(order, decided_at_); });
}

void OrderExecutor::EndLate(Running& order) {
  Reply reply(order.replies, order.state.protocol);
  const auto answer = [&](size_t step, std::string_view error) {
    if (!order.decoded.steps[step].silent) reply.Error(error);
  };
  const bool wrote = order.records_upto != Stamp{};
  if (wrote && !claims_.Decided(order.epoch, order.records_upto)) {
    order.replies.resize(order.open_replies);
    for (size_t step = order.open_step; step < order.next; ++step) answer(step, kMajorityLate);
  }
  for (; order.next < order.decoded.steps.size(); ++order.next) {
    answer(order.next, order.in_doubt ? kMajorityLate : kNoMajority);
  }
  Finish(order, OrderOutcome::kDone);
}

}  // namespace starling
