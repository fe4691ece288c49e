#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "node/arguments.h"
#include "node/commands/collection_access.h"
#include "node/commands/scores.h"
#include "node/commands/sorted_set_commands.h"
#include "node/error_text.h"
#include "storage/score.h"

namespace starling {
namespace {

constexpr ElementType kMembers = ElementType::kSortedSet;

enum class RangeBy : uint8_t { kOption, kRank, kScore, kLex };
enum class Direction : uint8_t { kOption, kForward, kReverse };

/// What a command of the ZRANGE family settles by its name.
struct RangeForm {
  RangeBy by = RangeBy::kOption;
  Direction direction = Direction::kOption;
  bool store = false;
};

struct RangeOptions {
  RangeBy by = RangeBy::kRank;
  bool reverse = false;
  bool with_scores = false;
  int64_t offset = 0;
  int64_t limit = -1;
};

/// The words behind key, min and max. Nothing: it has replied with the error.
std::optional<RangeOptions> ReadRangeOptions(CommandContext& context, Arguments words,
                                             const RangeForm& form) {
  RangeOptions options;
  options.by = form.by == RangeBy::kOption ? RangeBy::kRank : form.by;
  options.reverse = form.direction == Direction::kReverse;
  bool by_option = false;
  bool rev_option = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (!form.store && IsWord(word, "withscores")) {
      options.with_scores = true;
    } else if (IsWord(word, "limit") && i + 2 < words.size()) {
      const std::optional<int64_t> offset = ReadInteger(context, words[i + 1]);
      if (!offset) return std::nullopt;
      const std::optional<int64_t> limit = ReadInteger(context, words[i + 2]);
      if (!limit) return std::nullopt;
      options.offset = *offset;
      options.limit = *limit;
      i += 2;
    } else if (form.direction == Direction::kOption && !rev_option && IsWord(word, "rev")) {
      options.reverse = rev_option = true;
    } else if (form.by == RangeBy::kOption && !by_option &&
               (IsWord(word, "bylex") || IsWord(word, "byscore"))) {
      options.by = IsWord(word, "bylex") ? RangeBy::kLex : RangeBy::kScore;
      by_option = true;
    } else {
      context.reply.Error(error_text::kSyntax);
      return std::nullopt;
    }
  }
  if (options.limit != -1 && options.by == RangeBy::kRank) {
    context.reply.Error(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    return std::nullopt;
  }
  if (options.with_scores && options.by == RangeBy::kLex) {
    context.reply.Error("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
    return std::nullopt;
  }
  return options;
}

/// A range as it was asked for; one of the three, by the options.
struct AskedRange {
  RankRange ranks;
  ScoreRange scores;
  LexRange members;
};

std::optional<AskedRange> ReadRange(CommandContext& context, std::string_view first,
                                    std::string_view second, const RangeOptions& options) {
  AskedRange asked;
  // From the highest on, the higher bound comes first; places count from there.
  if (options.reverse && options.by != RangeBy::kRank) std::swap(first, second);
  switch (options.by) {
    case RangeBy::kScore:
      if (auto range = ReadScoreRange(context, first, second)) {
        asked.scores = *range;
        return asked;
      }
      return std::nullopt;
    case RangeBy::kLex:
      if (auto range = ReadLexRange(context, first, second)) {
        asked.members = *range;
        return asked;
      }
      return std::nullopt;
    default:
      if (auto range = ReadRankRange(context, first, second)) {
        asked.ranks = *range;
        return asked;
      }
      return std::nullopt;
  }
}

/// The positions of what was asked for, counted in the direction it was asked for.
Positions PositionsOf(CollectionAccess& set, const AskedRange& asked, const RangeOptions& options) {
  if (options.by == RangeBy::kRank) return FindRanks(set.size(), asked.ranks);
  Positions positions =
      options.by == RangeBy::kScore ? Find(set, asked.scores) : Find(set, asked.members);
  if (options.reverse) positions = positions.Reversed(set.size());
  return positions.Limited(options.offset, options.limit);
}

void ReplyRange(CommandContext& context, Arguments arguments, const RangeForm& form) {
  const std::optional<RangeOptions> options = ReadRangeOptions(context, arguments.subspan(4), form);
  if (!options) return;
  const std::optional<AskedRange> asked = ReadRange(context, arguments[2], arguments[3], *options);
  if (!asked) return;
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  Reply& reply = context.reply;
  if (!set.view) return reply.Array(0);
  const Positions positions = PositionsOf(set, *asked, *options);
  ReplyScoredHead(reply, positions.count, options->with_scores);
  set.access.ForEachInOrder(set.key, kMembers, positions.first, positions.count, options->reverse,
                            [&](std::string_view member, const Value& value) {
                              std::optional<double> score;
                              if (options->with_scores) score = ScoreOf(value);
                              ReplyScored(reply, member, score);
                              return true;
                            });
}

void StoreRange(CommandContext& context, Arguments arguments) {
  const RangeForm form{RangeBy::kOption, Direction::kOption, /*store=*/true};
  const std::optional<RangeOptions> options = ReadRangeOptions(context, arguments.subspan(5), form);
  if (!options) return;
  const std::optional<AskedRange> asked = ReadRange(context, arguments[3], arguments[4], *options);
  if (!asked) return;
  const std::array<KeyRef, 2> keys = {context.Key(arguments[1]), context.Key(arguments[2])};
  CollectionAccess set(context, keys, /*place=*/1);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  // Copied: the target may be the source.
  std::vector<ScoredMember> members;
  const Positions positions = PositionsOf(set, *asked, *options);
  set.access.ForEachInOrder(set.key, kMembers, positions.first, positions.count, options->reverse,
                            [&members](std::string_view member, const Value& score) {
                              members.push_back({std::string(member), ScoreOf(score)});
                              return true;
                            });
  StoreSortedSet(set.access, keys[0], members);
  context.reply.Integer(static_cast<int64_t>(members.size()));
}

/// Replies how many members of the key are in a range by score or member.
template <typename Range>
void ReplyCount(CommandContext& context, std::string_view key, const std::optional<Range>& range) {
  if (!range) return;
  CollectionAccess set(context, key);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  const size_t count = set.view ? Find(set, *range).count : 0;
  context.reply.Integer(static_cast<int64_t>(count));
}

Positions Find(CollectionAccess& set, const RankRange& range) {
  return FindRanks(set.size(), range);
}

/// Removes what is in a range.
template <typename Range>
void RemoveRange(CommandContext& context, std::string_view key, const std::optional<Range>& range) {
  if (!range) return;
  CollectionAccess set(context, key);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  if (!set.view) return context.reply.Integer(0);
  const Positions positions = Find(set, *range);
  const size_t removed =
      set.access.RemoveRange(set.key, kMembers, positions.first, positions.count);
  context.reply.Integer(static_cast<int64_t>(removed));
}

}  // namespace

void ZRange(CommandContext& context, Arguments arguments) { ReplyRange(context, arguments, {}); }

void ZRangeStore(CommandContext& context, Arguments arguments) { StoreRange(context, arguments); }

void ZRangeByScore(CommandContext& context, Arguments arguments) {
  ReplyRange(context, arguments, {RangeBy::kScore, Direction::kForward});
}

void ZRangeByLex(CommandContext& context, Arguments arguments) {
  ReplyRange(context, arguments, {RangeBy::kLex, Direction::kForward});
}

void ZRevRange(CommandContext& context, Arguments arguments) {
  ReplyRange(context, arguments, {RangeBy::kRank, Direction::kReverse});
}

void ZRevRangeByScore(CommandContext& context, Arguments arguments) {
  ReplyRange(context, arguments, {RangeBy::kScore, Direction::kReverse});
}

void ZRevRangeByLex(CommandContext& context, Arguments arguments) {
  ReplyRange(context, arguments, {RangeBy::kLex, Direction::kReverse});
}

void ZCount(CommandContext& context, Arguments arguments) {
  ReplyCount(context, arguments[1], ReadScoreRange(context, arguments[2], arguments[3]));
}

void ZLexCount(CommandContext& context, Arguments arguments) {
  ReplyCount(context, arguments[1], ReadLexRange(context, arguments[2], arguments[3]));
}

void ZRemRangeByScore(CommandContext& context, Arguments arguments) {
  RemoveRange(context, arguments[1], ReadScoreRange(context, arguments[2], arguments[3]));
}

void ZRemRangeByRank(CommandContext& context, Arguments arguments) {
  RemoveRange(context, arguments[1], ReadRankRange(context, arguments[2], arguments[3]));
}

void ZRemRangeByLex(CommandContext& context, Arguments arguments) {
  RemoveRange(context, arguments[1], ReadLexRange(context, arguments[2], arguments[3]));
}

}  // namespace starling
