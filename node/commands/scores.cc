#include "node/commands/scores.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace starling {
namespace {

/// strtod on what a C string shows of `text`, which ends at its first zero byte.
std::optional<double> ParseWholeDouble(std::string_view text) {
  const std::string terminated(text);
  char* end = nullptr;
  const double value = std::strtod(terminated.c_str(), &end);
  if (*end != '\0' || std::isnan(value)) return std::nullopt;
  return value;
}

std::optional<ScoreBound> ParseScoreBound(std::string_view word) {
  ScoreBound bound;
  bound.exclusive = word.starts_with('(');
  if (bound.exclusive) word.remove_prefix(1);
  const std::optional<double> score = ParseWholeDouble(word);
  if (!score) return std::nullopt;
  bound.score = *score;
  return bound;
}

std::optional<LexBound> ParseLexBound(std::string_view word) {
  const bool alone = word.size() == 1 || (word.size() > 1 && word[1] == '\0');
  if (word.starts_with('-') && alone) return LexBound{LexBound::Kind::kLowest, false, {}};
  if (word.starts_with('+') && alone) return LexBound{LexBound::Kind::kHighest, false, {}};
  if (word.starts_with('(')) return LexBound{LexBound::Kind::kMember, true, word.substr(1)};
  if (word.starts_with('[')) return LexBound{LexBound::Kind::kMember, false, word.substr(1)};
  return std::nullopt;
}

/// Members before a bound; `inclusive` counts the one at it.
size_t CountBefore(CollectionAccess& set, const LexBound& bound, bool inclusive) {
  switch (bound.kind) {
    case LexBound::Kind::kLowest:
      return 0;
    case LexBound::Kind::kHighest:
      return set.size();
    case LexBound::Kind::kMember:
      break;
  }
  return set.access.CountBelowMember(set.key, bound.member, inclusive);
}

Positions Between(size_t first, size_t end) {
  return first < end ? Positions{first, end - first} : Positions{};
}

}  // namespace

std::optional<double> ReadScore(CommandContext& context, std::string_view word,
                                std::string_view error) {
  const std::string terminated(word);
  char* end = nullptr;
  errno = 0;
  const double value = std::strtod(terminated.c_str(), &end);
  const bool space = std::isspace(static_cast<unsigned char>(terminated[0])) != 0;
  const bool out_of_range = errno == ERANGE && (std::isinf(value) || value == 0);
  if (word.empty() || space || end != terminated.c_str() + word.size() || out_of_range ||
      std::isnan(value)) {
    context.reply.Error(error);
    return std::nullopt;
  }
  return value + 0.0;  // -0 becomes 0
}

std::string ScoreText17(double score) {
  if (std::isinf(score)) return score > 0 ? "inf" : "-inf";
  std::array<char, 40> text;
  const int size = std::snprintf(text.data(), text.size(), "%.17g", score);
  return {text.data(), static_cast<size_t>(size)};
}

std::optional<ScoreRange> ReadScoreRange(CommandContext& context, std::string_view least,
                                         std::string_view most) {
  const std::optional<ScoreBound> from = ParseScoreBound(least);
  const std::optional<ScoreBound> to = ParseScoreBound(most);
  if (from && to) return ScoreRange{*from, *to};
  context.reply.Error("ERR min or max is not a float");
  return std::nullopt;
}

std::optional<LexRange> ReadLexRange(CommandContext& context, std::string_view least,
                                     std::string_view most) {
  const std::optional<LexBound> from = ParseLexBound(least);
  const std::optional<LexBound> to = ParseLexBound(most);
  if (from && to) return LexRange{*from, *to};
  context.reply.Error("ERR min or max not valid string range item");
  return std::nullopt;
}

std::optional<RankRange> ReadRankRange(CommandContext& context, std::string_view first,
                                       std::string_view last) {
  const std::optional<int64_t> from = ReadInteger(context, first);
  if (!from) return std::nullopt;
  const std::optional<int64_t> to = ReadInteger(context, last);
  if (!to) return std::nullopt;
  return RankRange{*from, *to};
}

Positions Positions::Limited(int64_t offset, int64_t most) const {
  if (offset < 0 || static_cast<uint64_t>(offset) >= count) return {};
  Positions left{first + static_cast<size_t>(offset), count - static_cast<size_t>(offset)};
  if (most >= 0) left.count = std::min(left.count, static_cast<size_t>(most));
  return left;
}

Positions Find(CollectionAccess& set, const ScoreRange& range) {
  const auto& [least, most] = range;
  return Between(set.access.CountBelow(set.key, least.score, least.exclusive),
                 set.access.CountBelow(set.key, most.score, !most.exclusive));
}

Positions Find(CollectionAccess& set, const LexRange& range) {
  const auto& [least, most] = range;
  return Between(CountBefore(set, least, least.exclusive), CountBefore(set, most, !most.exclusive));
}

Positions FindRanks(size_t size, const RankRange& range) {
  const auto count = static_cast<int64_t>(size);
  int64_t first = range.first < 0 ? std::max<int64_t>(range.first + count, 0) : range.first;
  int64_t last = range.last < 0 ? range.last + count : std::min(range.last, count - 1);
  if (first > last || first >= count) return {};
  return {static_cast<size_t>(first), static_cast<size_t>(last - first + 1)};
}

}  // namespace starling
