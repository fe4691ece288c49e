/// What an asking node and the leaseholder say to each other: clients' requests and their answers.
///
/// Value types; views borrow as in peer_message.h. Each may be lost, doubled or late: an order has
/// an id, and whoever has run it says so again when it is asked again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling {

/// Requests of one client that are run one after another, or not at all; only `node/` knows their
/// form.
struct OrderView {
  uint64_t id = 0;      ///< Rises per process.
  uint64_t client = 0;  ///< The asking node's number for it.
  std::string_view request;
};

/// "Run these, each once."
struct Orders {
  uint64_t done_below = 0;  ///< The sender asks for no smaller id any more.
  std::vector<OrderView> orders;
};

/// The numbers are the wire format.
enum class OrderOutcome : uint8_t {
  kDone = 1,
  kNotRun = 2,     ///< And it never will be: the node does not lead, or is full.
  kForgotten = 3,  ///< It was run, but its answer is no longer known.
  kUnordered = 4,  ///< It was run, but the lease ended meanwhile: as if where it was asked for.
};

struct AnswerView {
  uint64_t id = 0;
  OrderOutcome outcome = OrderOutcome::kDone;
  std::string_view reply;
};

/// What came of orders. All that was done for them is in the stream of `origin` up to `upto`.
struct Answers {
  Origin origin;
  Stamp upto;
  std::vector<AnswerView> answers;
};

/// These clients have gone: what they watch needs no attention any more.
struct ClientsGone {
  std::vector<uint64_t> clients;
};

using ForwardingMessage = std::variant<Orders, Answers, ClientsGone>;

/// One readable line, for logs and golden transcripts; requests and replies as sizes only.
std::string ToString(const ForwardingMessage& message);

}  // namespace starling
