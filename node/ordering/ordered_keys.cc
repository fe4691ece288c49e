#include "node/ordering/ordered_keys.h"

#include <utility>

#include "node/ordering/order_reply.h"
#include "node/time_to_live.h"

namespace starling {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestTimeout = std::chrono::hours(1);

/// GETSET alone would put a 0 in the place of a text.
constexpr const char* kTakeCounter =
    "local held = redis.call('GET', KEYS[1]) "
    "if held and string.match(held, '^%-?%d+$') then redis.call('GETSET', KEYS[1], '0') end "
    "return held";

Result<bool> OneOrNone(const Result<std::string>& reply) {
  if (!reply) return reply.error();
  const Result<int64_t> count = IntegerOfReply(*reply);
  if (!count) return count.error();
  return *count != 0;
}

Result<std::optional<std::string>> Text(const Result<std::string>& reply) {
  if (!reply) return reply.error();
  return BulkOfReply(*reply);
}

Result<int64_t> Integer(const Result<std::string>& reply) {
  if (!reply) return reply.error();
  return IntegerOfReply(*reply);
}

}  // namespace

Result<std::string> OrderedKeys::Ask(std::string_view key, OrderClient::Words words, Kind kind) {
  if (options_.timeout.count() < 1 || options_.timeout > kLongestTimeout) {
    return Error{Code::kInvalidArgument, "LevelOptions::timeout is 1 millisecond to 1 hour"};
  }
  if (key.size() > kMaxTextBytes) {
    return Error{Code::kInvalidArgument, "the key is longer than 512 MB"};
  }
  const OperationGate::Pass pass(core_.gate);
  if (!pass) return NodeCore::Closed();
  return core_.order_client->Ask(
      {.words = std::move(words), .reads = kind == Kind::kRead, .level = options_.level},
      options_.timeout);
}

Result<std::optional<std::string>> OrderedKeys::Get(std::string_view key) {
  return Text(Ask(key, {"GET", std::string(key)}, Kind::kRead));
}

Result<bool> OrderedKeys::Get(std::string_view key, std::string& value) {
  Result<std::optional<std::string>> found = Get(key);
  if (!found) return found.error();
  value = found->has_value() ? std::move(**found) : std::string();
  return found->has_value();
}

Status OrderedKeys::Set(std::string_view key, std::string_view value,
                        std::optional<milliseconds> ttl) {
  if (value.size() > kMaxTextBytes) {
    return Error{Code::kInvalidArgument, "the value is longer than 512 MB"};
  }
  OrderClient::Words words = {"SET", std::string(key), std::string(value)};
  if (ttl) {
    if (const Status checked = CheckTimeToLive(*ttl); !checked) return checked;
    words.insert(words.end(), {"PX", std::to_string(ttl->count())});
  }
  const Result<std::string> reply = Ask(key, std::move(words), Kind::kWrite);
  if (!reply) return reply.error();
  return OkOfReply(*reply);
}

Result<bool> OrderedKeys::Delete(std::string_view key) {
  return OneOrNone(Ask(key, {"DEL", std::string(key)}, Kind::kWrite));
}

Result<bool> OrderedKeys::Expire(std::string_view key, milliseconds ttl) {
  if (ttl > kLongestLife) {
    return Error{Code::kInvalidArgument, "a time to live is at most 1000 years"};
  }
  if (ttl.count() <= 0) return Delete(key);
  return OneOrNone(
      Ask(key, {"PEXPIRE", std::string(key), std::to_string(ttl.count())}, Kind::kWrite));
}

Result<bool> OrderedKeys::Persist(std::string_view key) {
  return OneOrNone(Ask(key, {"PERSIST", std::string(key)}, Kind::kWrite));
}

Result<TimeToLive> OrderedKeys::Ttl(std::string_view key) {
  const Result<int64_t> left = Integer(Ask(key, {"PTTL", std::string(key)}, Kind::kRead));
  if (!left) return left.error();
  TimeToLive life;
  life.exists = *left != -2;
  if (*left >= 0) life.remaining = milliseconds(*left);  // -1: it does not expire
  return life;
}

Result<int64_t> OrderedKeys::Add(std::string_view key, int64_t n) {
  return Integer(Ask(key, {"INCRBY", std::string(key), std::to_string(n)}, Kind::kWrite));
}

Result<std::optional<std::string>> OrderedKeys::TakeCounter(std::string_view key) {
  return Text(Ask(key, {"EVAL", kTakeCounter, "1", std::string(key)}, Kind::kWrite));
}

}  // namespace starling
