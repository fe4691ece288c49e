#include "starling/claims.h"

#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "node/node_core.h"
#include "node/ordering/order_reply.h"
#include "node/random_number.h"
#include "node/time_to_live.h"
#include "storage/records.h"

namespace starling {
namespace {

std::string NeverTheSame(const std::string& name) {
  char text[34];
  std::snprintf(text, sizeof(text), ":%016" PRIx64 "%016" PRIx64, RandomNumber(), RandomNumber());
  return name + text;
}

}  // namespace

Result<Claimed> Claims::First(std::string_view key, std::chrono::milliseconds ttl,
                              std::string_view by) const {
  if (const Status checked = CheckTimeToLive(ttl); !checked) return checked.error();
  // A claim and what it writes are one record.
  if (key.size() > Records::kMaxRecordBytes / 4 || by.size() > Records::kMaxRecordBytes / 4) {
    return Error{Code::kInvalidArgument, "a key or a name of 4 MB or more is not claimed"};
  }
  const OperationGate::Pass pass(core_->gate);
  if (!pass) return NodeCore::Closed();
  const std::string maker = by.empty() ? NeverTheSame(core_->name) : std::string(by);
  const Result<std::string> reply = core_->order_client->Ask(
      {.words = {"STARLING", "CLAIM", std::string(key), maker, std::to_string(ttl.count())}},
      OrderClient::kAnswerWithin);
  if (!reply) return reply.error();
  const auto parts = ElementsOfReply(*reply);
  if (!parts) return parts.error();
  if (parts->size() != 3) return NotUnderstood();
  const auto first = IntegerOfReply((*parts)[0]);
  const auto fence = BulkOfReply((*parts)[1]);
  const auto held_by = BulkOfReply((*parts)[2]);
  if (!first || !fence || !held_by) return NotUnderstood();
  Claimed claimed;
  claimed.first = *first == 1;
  claimed.by = held_by->value_or("");
  if (*fence) {
    const auto [end, error] = std::from_chars((*fence)->data(), (*fence)->data() + (*fence)->size(),
                                              claimed.fencing_token);
    if (error != std::errc() || end != (*fence)->data() + (*fence)->size()) return NotUnderstood();
  }
  return claimed;
}

Status Claims::Withdraw(std::string_view key, std::string_view by) const {
  const OperationGate::Pass pass(core_->gate);
  if (!pass) return NodeCore::Closed();
  const Result<std::string> reply = core_->order_client->Ask(
      {.words = {"STARLING", "RELEASE", std::string(key), std::string(by)}},
      OrderClient::kAnswerWithin);
  if (!reply) return reply.error();
  const Result<int64_t> ended = IntegerOfReply(*reply);
  if (!ended) return ended.error();
  if (*ended == 1) return {};
  return Error{Code::kNotFound, "no claim of this maker stands"};
}

}  // namespace starling
