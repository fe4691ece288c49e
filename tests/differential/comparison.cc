#include "tests/differential/comparison.h"

#include <strings.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

namespace starling {
namespace {

struct Rule {
  std::string_view command;
  Comparison comparison;
};

constexpr Rule kRules[] = {
    {"smembers", Comparison::kUnordered},
    {"sinter", Comparison::kUnordered},
    {"sunion", Comparison::kUnordered},
    {"sdiff", Comparison::kUnordered},
    {"hkeys", Comparison::kUnordered},
    {"hvals", Comparison::kUnordered},
    {"hgetall", Comparison::kPairs},
    {"keys", Comparison::kUnordered},
    {"ttl", Comparison::kTime},
    {"pttl", Comparison::kTime},
    {"expiretime", Comparison::kTime},
    {"pexpiretime", Comparison::kTime},
    {"incrbyfloat", Comparison::kFloat},
    {"hincrbyfloat", Comparison::kFloat},
    {"dump", Comparison::kDump},
    {"sort", Comparison::kSort},
    {"sort_ro", Comparison::kSort},
    {"zincrby", Comparison::kScore},
    {"zadd", Comparison::kScore},
    {"object", Comparison::kInside},
    {"scan", Comparison::kScan},
    {"sscan", Comparison::kScan},
    {"hscan", Comparison::kScan},
    {"zscan", Comparison::kScan},
    {"spop", Comparison::kPop},
    {"srandmember", Comparison::kDraw},
    {"hrandfield", Comparison::kDraw},
    {"zrandmember", Comparison::kDraw},
    {"randomkey", Comparison::kRandomKey},
    {"dbsize", Comparison::kCount},
    {"hello", Comparison::kInside},
    {"time", Comparison::kInside},
    {"lastsave", Comparison::kInside},
    {"memory", Comparison::kInside},
};

/// What a loaded machine may lose between the two servers, in milliseconds; times in seconds are
/// within it too, since all deadlines are far longer.
constexpr int64_t kTimeTolerance = 20'000;

/// 64 bits of mantissa, a few roundings lost.
constexpr long double kFloatTolerance = 1e-16L;

using Pairs = std::vector<std::pair<std::string, std::string>>;

Pairs SortedPairs(const RespReply& reply) {
  Pairs pairs;
  const std::vector<std::string> texts = Flattened(reply);
  for (size_t i = 0; i + 1 < texts.size(); i += 2) pairs.emplace_back(texts[i], texts[i + 1]);
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

/// 53 bits of mantissa, a few roundings lost.
constexpr double kScoreTolerance = 1e-14;

bool SameKind(const RespReply& a, const RespReply& b) {
  return a.type == b.type && a.null == b.null;
}

bool AgreeOnTime(const RespReply& expected, const RespReply& actual) {
  if (!SameKind(expected, actual) || expected.type != ':') return expected == actual;
  int64_t a = expected.integer();
  int64_t b = actual.integer();
  if (a < 0 || b < 0) return a == b;
  return std::llabs(a - b) <= kTimeTolerance;
}

bool AgreeOnFloat(const RespReply& expected, const RespReply& actual) {
  if (!SameKind(expected, actual) || expected.type != '$') return expected == actual;
  long double a = std::strtold(expected.text.c_str(), nullptr);
  long double b = std::strtold(actual.text.c_str(), nullptr);
  return std::fabs(a - b) <= kFloatTolerance * std::max(1.0L, std::max(std::fabs(a), std::fabs(b)));
}

/// ZADD with INCR and ZINCRBY answer a double; ZADD alone an integer, which must be the same.
bool AgreeOnScore(const RespReply& expected, const RespReply& actual) {
  if (!SameKind(expected, actual) || (expected.type != '$' && expected.type != ',')) {
    return expected == actual;
  }
  double a = std::strtod(expected.text.c_str(), nullptr);
  double b = std::strtod(actual.text.c_str(), nullptr);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::fabs(a - b) <= kScoreTolerance * std::max(1.0, std::max(std::fabs(a), std::fabs(b)));
}

bool AgreeOnPairs(const RespReply& expected, const RespReply& actual) {
  if (!expected.is_aggregate()) return expected == actual;
  return ShapeOf(expected) == ShapeOf(actual) && SortedPairs(expected) == SortedPairs(actual);
}

bool AgreeInside(const RespReply& expected, const RespReply& actual) {
  if (expected.is_error()) return expected == actual;
  return SameKind(expected, actual);
}

}  // namespace

Comparison ComparisonFor(std::string_view command) {
  for (const Rule& rule : kRules) {
    if (rule.command.size() == command.size() &&
        ::strncasecmp(rule.command.data(), command.data(), command.size()) == 0) {
      return rule.comparison;
    }
  }
  return Comparison::kExact;
}

std::vector<std::string> SortedElements(const RespReply& reply) {
  std::vector<std::string> texts;
  for (const RespReply& element : reply.elements) texts.push_back(element.ToString());
  std::sort(texts.begin(), texts.end());
  return texts;
}

std::vector<std::string> Flattened(const RespReply& reply) {
  if (!reply.is_aggregate()) return {reply.text};
  std::vector<std::string> texts;
  for (const RespReply& element : reply.elements) {
    std::vector<std::string> inner = Flattened(element);
    texts.insert(texts.end(), inner.begin(), inner.end());
  }
  return texts;
}

std::string ShapeOf(const RespReply& reply) {
  std::string shape(1, reply.type);
  if (reply.null) return shape + "-";
  if (!reply.is_aggregate()) return shape;
  shape += std::to_string(reply.elements.size()) + "[";
  for (const RespReply& element : reply.elements) shape += ShapeOf(element);
  return shape + "]";
}

bool Agree(Comparison comparison, const RespReply& expected, const RespReply& actual) {
  switch (comparison) {
    case Comparison::kUnordered:
      if (!expected.is_aggregate()) return expected == actual;
      return SameKind(expected, actual) && SortedElements(expected) == SortedElements(actual);
    case Comparison::kPairs:
      return AgreeOnPairs(expected, actual);
    case Comparison::kTime:
      return AgreeOnTime(expected, actual);
    case Comparison::kFloat:
      return AgreeOnFloat(expected, actual);
    case Comparison::kScore:
      return AgreeOnScore(expected, actual);
    case Comparison::kInside:
      return AgreeInside(expected, actual);
    default:
      return expected == actual;
  }
}

}  // namespace starling
