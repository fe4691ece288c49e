#include "server/unblocking.h"

#include <string>
#include <utility>

#include "node/ordering/order_codec.h"
#include "server/io_thread.h"

namespace starling {
namespace {

constexpr std::string_view kNotBlocked = ":0\r\n";

}  // namespace

void Unblocking::Begin(const Unblock& unblock) {
  Session* session = thread_.Find(unblock.client);
  if (session == nullptr || !session->waits()) return Tell(unblock, kNotBlocked);
  Send(*session, {unblock, session->commands()});
}

void Unblocking::Send(const Session& session, const UnderWay& under_way) {
  const std::string id = std::to_string(under_way.unblock.client);
  const std::string_view words[] = {"CLIENT", "UNBLOCK", id,
                                    under_way.unblock.with_error ? "ERROR" : "TIMEOUT"};
  OrderWriter writer;
  writer.Begin({});
  writer.AddCommand(words, /*silent=*/false);
  Order order;
  order.request = writer.Take();
  order.repeatable = true;
  order.timeout = thread_.settings().leaseholder_timeout;
  order.behind = session.waits_for();
  const uint64_t number =
      session.waits_here() ? thread_.RunOwnOrder(0, std::move(order), /*leased=*/false, nullptr, {})
                           : thread_.SubmitOrder(0, std::move(order));
  under_way_.emplace(number, under_way);
}

bool Unblocking::OnOrderEnd(const OrderEffect& end) {
  const auto found = under_way_.find(end.number);
  if (found == under_way_.end()) return false;
  const UnderWay under_way = found->second;
  under_way_.erase(found);
  std::string_view reply = end.text;
  const bool answered = end.result == OrderResult::kDone && TakeReplyHead(reply).ok();
  const bool there = answered && !reply.starts_with('$');  // else nil: it does not wait there
  if (there) {
    Tell(under_way.unblock, reply);
    return true;
  }
  // It has been served, and its answer came before this one; or it is on its way to a leaseholder.
  const Session* session = thread_.Find(under_way.unblock.client);
  const bool waits =
      session != nullptr && session->waits() && session->commands() == under_way.commands;
  waits ? Send(*session, under_way) : Tell(under_way.unblock, kNotBlocked);
  return true;
}

void Unblocking::Tell(const Unblock& unblock, std::string_view reply) {
  unblock.asker->AnswerLater(unblock.number, std::string(reply));
}

}  // namespace starling
