/// Reading scores and ranges of sorted sets, and turning ranges into positions.
///
/// A range by score or by member is first turned into positions, which the keyspace finds in
/// O(log n); what is then done to it (visit, count, remove) is the same for all kinds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "node/command.h"
#include "node/commands/collection_access.h"
#include "node/error_text.h"

namespace starling {

/// A double as Redis takes it, inf included and NaN not; else replies `error`. Never -0, which
/// Redis keeps or not depending on its encoding.
std::optional<double> ReadScore(CommandContext& context, std::string_view word,
                                std::string_view error = error_text::kNotAFloat);

/// A double in Redis's %.17g form.
std::string ScoreText17(double score);

/// One end of a range by member.
struct LexBound {
  enum class Kind : uint8_t { kLowest, kMember, kHighest };
  Kind kind = Kind::kMember;
  bool exclusive = false;
  std::string_view member;
};

/// One end of a range by score.
struct ScoreBound {
  double score = 0;
  bool exclusive = false;
};

struct ScoreRange {
  ScoreBound least;
  ScoreBound most;
};

struct LexRange {
  LexBound least;
  LexBound most;
};

/// Places from the first or, behind `ZREV...`, from the last; negative ones count from the other
/// end.
struct RankRange {
  int64_t first = 0;
  int64_t last = 0;
};

/// The words of a range; replies with the error and returns nothing where they are none.
std::optional<ScoreRange> ReadScoreRange(CommandContext& context, std::string_view least,
                                         std::string_view most);
std::optional<LexRange> ReadLexRange(CommandContext& context, std::string_view least,
                                     std::string_view most);
std::optional<RankRange> ReadRankRange(CommandContext& context, std::string_view first,
                                       std::string_view last);

/// Neighbouring elements: `count` from place `first` on.
struct Positions {
  size_t first = 0;
  size_t count = 0;

  /// The same elements counted from the other end of `size`.
  Positions Reversed(size_t size) const { return {size - first - count, count}; }
  /// What LIMIT leaves of them; a negative `count` means all.
  Positions Limited(int64_t offset, int64_t count) const;
};

/// Where a range stands, from the front. The set is seen.
Positions Find(CollectionAccess& set, const ScoreRange& range);
Positions Find(CollectionAccess& set, const LexRange& range);
/// The same for places, from whichever end they count.
Positions FindRanks(size_t size, const RankRange& range);

}  // namespace starling
