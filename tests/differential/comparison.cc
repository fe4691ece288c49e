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
    {"keys", Comparison::kUnordered},
    {"ttl", Comparison::kTime},
    {"pttl", Comparison::kTime},
    {"expiretime", Comparison::kTime},
    {"pexpiretime", Comparison::kTime},
    {"incrbyfloat", Comparison::kFloat},
    {"object", Comparison::kInside},
    {"scan", Comparison::kScan},
    {"sscan", Comparison::kScan},
    {"spop", Comparison::kPop},
    {"srandmember", Comparison::kDraw},
    {"randomkey", Comparison::kRandomKey},
    {"dbsize", Comparison::kCount},
    {"hello", Comparison::kInside},
    {"time", Comparison::kInside},
    {"lastsave", Comparison::kInside},
    {"memory", Comparison::kInside},
};

/// What a loaded machine may lose between the two servers, in milliseconds; times in seconds are
/// within it too, since all deadlines are far longer.
constexpr int64_t kTimeTolerance = 5000;

/// 64 bits of mantissa, a few roundings lost.
constexpr long double kFloatTolerance = 1e-16L;

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

bool Agree(Comparison comparison, const RespReply& expected, const RespReply& actual) {
  switch (comparison) {
    case Comparison::kUnordered:
      if (!expected.is_aggregate()) return expected == actual;
      return SameKind(expected, actual) && SortedElements(expected) == SortedElements(actual);
    case Comparison::kTime:
      return AgreeOnTime(expected, actual);
    case Comparison::kFloat:
      return AgreeOnFloat(expected, actual);
    case Comparison::kInside:
      return AgreeInside(expected, actual);
    default:
      return expected == actual;
  }
}

}  // namespace starling
