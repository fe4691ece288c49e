// Claims at the leaseholder: steps that need a majority, and orders that wait for one.
#include <algorithm>
#include <utility>

#include "node/ordering/deciding_desk.h"
#include "node/ordering/order_executor.h"

namespace starling {

bool OrderExecutor::RunDecided(Running& order, const ResolvedStep& step, CommandContext& context) {
  const size_t start = order.replies.size();
  DecidingDesk desk(runtime_.store().keyspace(), order.epoch, claims_.Begun(order.epoch),
                    &patterns_);
  context.claims = &desk;
  const bool majority = step.step.majority;
  if (majority) desk.RequireMajority();
  RunStep(order, step, context);
  if (desk.undone()) order.replies.resize(start);
  if (desk.written()) {
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

void OrderExecutor::AwaitMajority() {
  // Where the log does not take it, it stays undecided until it does, or the lease ends.
  if (!claims_.waits() || !runtime_.store().journal().Commit().ok()) return;
  if (const auto wanted = claims_.TakeWanted()) {
    runtime_.AwaitMajority(claims_.lease().epoch, *wanted);
  }
}

void OrderExecutor::DecideHeld() {
  const LeaseWatch::Held held = runtime_.lease().majority();
  if (held.epoch != claims_.lease().epoch || LeadsEpoch() != held.epoch) return;
  if (!claims_.Decide(held.upto)) return;
  runtime_.FlushSoon();  // the verdicts; and counters may have waited for them
  std::erase_if(pending_, [&](const RunningPtr& order) {
    if (!claims_.Decided(order->epoch, order->records_upto)) return false;
    // The log took all of it before a majority was asked; the verdict follows from what that holds.
    order->logged = true;
    Finish(*order, OrderOutcome::kDone);
    return true;
  });
}

void OrderExecutor::RetryHeldBack(bool lease_changed) {
  const uint64_t decisions = runtime_.store().keyspace().records().decisions();
  const bool decided = std::exchange(decisions_, decisions) != decisions;
  if (decided) decided_at_ = Now();
  if (held_back_.empty() || (!decided && !lease_changed)) return;
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

void OrderExecutor::EndHeldBack(std::chrono::nanoseconds now) {
  std::erase_if(held_back_, [&](const RunningPtr& order) {
    if (now < std::max(*order->begun, decided_at_) + kHeldBackAtMost) return false;
    Reply reply(order->replies, order->state.protocol);
    for (; order->next < order->decoded.steps.size(); ++order->next) {
      if (!order->decoded.steps[order->next].silent) reply.Error(kNoMajority);
    }
    const bool nothing = order->records_upto == Stamp{};
    Finish(*order, nothing ? OrderOutcome::kDone : OrderOutcome::kForgotten);
    return true;
  });
}

}  // namespace starling
