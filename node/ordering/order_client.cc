#include "node/ordering/order_client.h"

#include <algorithm>
#include <condition_variable>
#include <optional>
#include <utility>

#include "node/ordering/order_codec.h"

namespace starling {
namespace {

constexpr std::chrono::milliseconds kTryAgain{5};
// The node ends an order at its timeout and knows then whether it was run. Who asked waits that
// much longer for its word, where the node's thread is late (a slow disk, a loaded machine).
constexpr std::chrono::milliseconds kMarginForTheEnd{500};

Result<std::string> ResultOf(OrderEffect& ended, bool reads) {
  switch (ended.result) {
    case OrderResult::kDone: {
      std::string_view reply = ended.text;
      if (!TakeReplyHead(reply)) break;
      return std::string(reply);
    }
    case OrderResult::kNotRun:
      return Error{Code::kUnavailable, "no leaseholder is in reach; nothing was changed"};
    case OrderResult::kUnordered:
    case OrderResult::kAskHere:
    case OrderResult::kUnknown:
    case OrderResult::kTimedOut:
      break;
  }
  const bool late = ended.result == OrderResult::kTimedOut;
  return Error{reads ? Code::kUnavailable : Code::kUnknownOutcome,
               late ? "the leaseholder has not answered in time"
                    : "the leaseholder was lost while it had the request"};
}

}  // namespace

Instant OrderClient::Now() const { return runtime_.store().clock().time().Monotonic(); }

OrderClient::OrderClient(Runtime& runtime, OrderExecutor& executor, uint8_t database, bool alone)
    : runtime_(runtime), executor_(executor), database_(database), alone_(alone) {
  const auto sink = [this](std::vector<OrderEffect> ended) { OnEnds(std::move(ended)); };
  base_ = runtime_.AddOrderSink(sink);
  executor_.SetSink(base_, sink);
}

uint64_t OrderClient::Start(const Request& request, std::chrono::milliseconds timeout, Done done) {
  OrderWriter writer;
  const std::string again_by = request.blocks ? NewOrderName() : std::string();
  writer.Begin({.database = database_, .again_by = again_by});
  const std::vector<std::string_view> views(request.words.begin(), request.words.end());
  writer.AddCommand(views, /*silent=*/false, request.level == Level::kMajority);
  Order order;
  order.request = writer.Take();
  order.repeatable = request.reads;
  order.waits = request.blocks;
  if (!request.blocks) order.timeout = timeout;
  uint64_t number = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      number = base_ + ++last_;
      order.client = number;  // its own: whatever it leaves behind ends with it
      waiting_.emplace(number, Waiting{request.reads, std::move(done), false});
    }
  }
  if (number == 0) {
    done(Error{Code::kClosed, "the node has been closed"});
    return 0;
  }
  const bool here = alone_ || request.level == Level::kLocal;
  const uint64_t epoch = request.level == Level::kLocal ? 0 : runtime_.lease().Leads(Now());
  if (epoch != 0 || here) {
    executor_.RunOwn({.number = number, .order = std::move(order), .epoch = epoch});
    return number;
  }
  std::vector<std::pair<uint64_t, Order>> orders;
  orders.emplace_back(number, std::move(order));
  runtime_.Submit(std::move(orders));
  return number;
}

void OrderClient::Cancel(uint64_t number) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || waiting_.erase(number) == 0) return;
  }
  runtime_.ClientGone(number);
  executor_.DropOwnClient(number);
}

Result<std::string> OrderClient::Ask(const Request& request, std::chrono::milliseconds timeout) {
  struct Answer {
    std::mutex mutex;
    std::condition_variable given;
    std::optional<Result<std::string>> result;
  };
  const auto end = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto answer = std::make_shared<Answer>();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    const uint64_t number =
        Start(request, std::max(left, kTryAgain), [answer](Result<std::string> result) {
          const std::lock_guard lock(answer->mutex);
          answer->result = std::move(result);
          answer->given.notify_all();
        });
    std::unique_lock lock(answer->mutex);
    if (!answer->given.wait_until(lock, end + kMarginForTheEnd,
                                  [&] { return answer->result.has_value(); })) {
      lock.unlock();
      Cancel(number);
      return Error{
          request.reads ? Code::kUnavailable : Code::kUnknownOutcome,
          "the leaseholder has not answered within " + std::to_string(timeout.count()) + " ms"};
    }
    const bool again = !answer->result->ok() && answer->result->error().code == Code::kUnavailable;
    if (!again || std::chrono::steady_clock::now() + kTryAgain >= end) return *answer->result;
    answer->given.wait_for(lock, kTryAgain, [] { return false; });
  }
}

void OrderClient::Close() {
  std::map<uint64_t, Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting.swap(waiting_);
  }
  for (auto& [number, one] : waiting) {
    one.done(Error{Code::kUnknownOutcome, "the node was closed while it waited for the answer"});
  }
}

void OrderClient::AskAgain(OrderEffect& ended) {
  Order order;
  order.client = ended.number;
  order.request = std::move(ended.text);
  if (const uint64_t epoch = runtime_.lease().Leads(Now()); epoch != 0) {
    executor_.RunOwn({.number = ended.number, .order = std::move(order), .epoch = epoch});
    return;
  }
  order.waits = true;
  order.in_doubt = true;
  std::vector<std::pair<uint64_t, Order>> orders;
  orders.emplace_back(ended.number, std::move(order));
  runtime_.Submit(std::move(orders));
}

void OrderClient::OnEnds(std::vector<OrderEffect> ended) {
  for (OrderEffect& one : ended) {
    Waiting waiting;
    {
      // Over AskAgain too: who cancels takes back what that has sent.
      const std::lock_guard lock(mutex_);
      const auto found = waiting_.find(one.number);
      if (found == waiting_.end()) continue;
      if (one.result == OrderResult::kAskHere) found->second.in_doubt = true;
      const bool unrun = one.result == OrderResult::kAskHere || one.result == OrderResult::kNotRun;
      if (unrun && found->second.in_doubt) {
        AskAgain(one);
        continue;
      }
      waiting = std::move(found->second);
      waiting_.erase(found);
    }
    waiting.done(ResultOf(one, waiting.reads));
  }
}

}  // namespace starling
