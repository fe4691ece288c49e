#include "replication/forwarding_message.h"

namespace starling {
namespace {

const char* NameOf(OrderOutcome outcome) {
  switch (outcome) {
    case OrderOutcome::kDone:
      return "done";
    case OrderOutcome::kNotRun:
      return "not-run";
    case OrderOutcome::kForgotten:
      return "forgotten";
    case OrderOutcome::kUnordered:
      return "unordered";
  }
  return "unknown";
}

struct Print {
  std::string operator()(const Orders& m) const {
    std::string text = "orders done_below=" + std::to_string(m.done_below);
    for (const OrderView& order : m.orders) {
      text += " [" + std::to_string(order.id) + " client=" + std::to_string(order.client) +
              " bytes=" + std::to_string(order.request.size()) + "]";
    }
    return text;
  }
  std::string operator()(const Answers& m) const {
    std::string text = "answers upto=" + std::to_string(m.upto.value);
    for (const AnswerView& answer : m.answers) {
      text += " [" + std::to_string(answer.id) + " " + NameOf(answer.outcome) +
              " bytes=" + std::to_string(answer.reply.size()) + "]";
    }
    return text;
  }
  std::string operator()(const ClientsGone& m) const {
    return "clients-gone count=" + std::to_string(m.clients.size());
  }
};

}  // namespace

std::string ToString(const ForwardingMessage& message) { return std::visit(Print{}, message); }

}  // namespace starling
