#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "node/arguments.h"
#include "node/commands/collection_access.h"
#include "node/commands/multi_pop.h"
#include "node/commands/random_elements.h"
#include "node/commands/scan.h"
#include "node/commands/scores.h"
#include "node/commands/sorted_set_commands.h"
#include "node/error_text.h"
#include "storage/score.h"

namespace starling {
namespace {

constexpr ElementType kMembers = ElementType::kSortedSet;

/// The words of ZADD before the scores.
struct AddOptions {
  bool if_none = false;     ///< NX
  bool if_some = false;     ///< XX
  bool if_greater = false;  ///< GT
  bool if_less = false;     ///< LT
  bool changed = false;     ///< CH
  bool increment = false;   ///< INCR
};

/// How many words they are.
size_t TakeAddOptions(Arguments words, AddOptions& options) {
  size_t taken = 0;
  for (; taken < words.size(); ++taken) {
    const std::string_view word = words[taken];
    if (IsWord(word, "nx")) {
      options.if_none = true;
    } else if (IsWord(word, "xx")) {
      options.if_some = true;
    } else if (IsWord(word, "gt")) {
      options.if_greater = true;
    } else if (IsWord(word, "lt")) {
      options.if_less = true;
    } else if (IsWord(word, "ch")) {
      options.changed = true;
    } else if (IsWord(word, "incr")) {
      options.increment = true;
    } else {
      break;
    }
  }
  return taken;
}

/// What is wrong with them, or null.
const char* Contradiction(const AddOptions& options, size_t pairs) {
  if (options.if_none && options.if_some) {
    return "ERR XX and NX options at the same time are not compatible";
  }
  if ((options.if_none && (options.if_greater || options.if_less)) ||
      (options.if_greater && options.if_less)) {
    return "ERR GT, LT, and/or NX options at the same time are not compatible";
  }
  if (options.increment && pairs > 1) {
    return "ERR INCR option supports a single increment-element pair";
  }
  return nullptr;
}

struct AddCounts {
  int64_t added = 0;
  int64_t updated = 0;
  std::optional<double> score;  ///< Of the last member that was not left alone.
};

enum class Added { kDone, kNotANumber };

/// The score of one member.
void SetScore(CollectionAccess& set, std::string_view member, double score,
              const AddOptions& options, AddCounts& counts) {
  set.access.ChangeScore(set.key, member,
                         [&](std::optional<double> present) -> std::optional<double> {
                           if (present ? options.if_none : options.if_some) return std::nullopt;
                           if (present && options.if_less && score >= *present) return std::nullopt;
                           if (present && options.if_greater && score <= *present)
                             return std::nullopt;
                           if (!present) {
                             ++counts.added;
                           } else if (score != *present) {
                             ++counts.updated;
                           }
                           return score;
                         });
}

/// One amount that is added to the score of a member.
Added AddToScore(CollectionAccess& set, std::string_view member, double amount,
                 const AddOptions& options, AddCounts& counts) {
  const std::optional<double> present = set.access.Score(set.key, member);
  if (present ? options.if_none : options.if_some) return Added::kDone;
  double score = amount;
  if (present) {
    score += *present;
    if (std::isnan(score)) return Added::kNotANumber;
    if (options.if_less && score >= *present) return Added::kDone;
    if (options.if_greater && score <= *present) return Added::kDone;
  }
  counts.score = score;
  if (present && score == *present) return Added::kDone;
  const Result<double> sum = set.access.IncrementScore(set.key, member, amount);
  if (!sum) return Added::kNotANumber;
  counts.score = *sum;
  ++(present ? counts.updated : counts.added);
  return Added::kDone;
}

void AddMembers(CommandContext& context, Arguments arguments, AddOptions options) {
  Arguments pairs = arguments.subspan(2);
  pairs = pairs.subspan(TakeAddOptions(pairs, options));
  if (pairs.empty() || pairs.size() % 2 != 0) return context.reply.Error(error_text::kSyntax);
  if (const char* error = Contradiction(options, pairs.size() / 2)) {
    return context.reply.Error(error);
  }
  std::vector<double> scores;
  for (size_t i = 0; i < pairs.size(); i += 2) {
    const std::optional<double> score = ReadScore(context, pairs[i]);
    if (!score) return;
    scores.push_back(*score);
  }
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  AddCounts counts;
  for (size_t i = 0; i < scores.size(); ++i) {
    const std::string_view member = pairs[2 * i + 1];
    if (!options.increment) {
      SetScore(set, member, scores[i], options, counts);
    } else if (AddToScore(set, member, scores[i], options, counts) == Added::kNotANumber) {
      return context.reply.Error("ERR resulting score is not a number (NaN)");
    }
  }
  if (!options.increment) {
    return context.reply.Integer(counts.added + (options.changed ? counts.updated : 0));
  }
  counts.score ? context.reply.Double(*counts.score) : context.reply.Null();
}

void ReplyRank(CommandContext& context, Arguments arguments, bool from_highest) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  const std::optional<size_t> rank = set.access.RankOf(set.key, kMembers, arguments[2]);
  if (!rank) return context.reply.Null();
  context.reply.Integer(static_cast<int64_t>(from_highest ? set.size() - 1 - *rank : *rank));
}

/// Takes `count` members from the lowest or highest score on.
std::vector<ScoredMember> TakeMembers(Access& access, const KeyRef& key, size_t size, size_t count,
                                      bool highest) {
  count = std::min(count, size);
  std::vector<ScoredMember> members;
  access.RemoveRange(key, kMembers, highest ? size - 1 : 0, count, highest,
                     [&members](std::string_view member, const Value& score) {
                       members.push_back({std::string(member), ScoreOf(score)});
                     });
  return members;
}

void Pop(CommandContext& context, Arguments arguments, bool highest) {
  if (arguments.size() > 3) return context.reply.Error(error_text::kSyntax);
  const bool counted = arguments.size() == 3;
  const std::optional<size_t> count = ReadPopCount(context, arguments);
  if (!count) return;
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  const std::vector<ScoredMember> members =
      TakeMembers(set.access, set.key, set.size(), *count, highest);
  const bool nested = counted && context.reply.protocol() >= 3;
  context.reply.Array(nested ? members.size() : 2 * members.size());
  for (const auto& [member, score] : members) {
    if (nested) context.reply.Array(2);
    context.reply.Bulk(member);
    context.reply.Double(score);
  }
}

DrawFrom MembersOf(CollectionAccess& set) {
  return {set.access, set.key, kMembers, set.view->size};
}

void ZRandMemberCount(CommandContext& context, Arguments arguments) {
  const std::optional<RandomCount> count =
      ReadRandomCount(context, arguments.subspan(2), "withscores");
  if (!count) return;
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  Reply& reply = context.reply;
  if (!set.view || count->count == 0) return reply.Array(0);
  ReplyDrawn(
      context, MembersOf(set), count->count,
      [&](size_t members) { ReplyScoredHead(reply, members, count->with_payload); },
      [&](std::string_view member) {
        std::optional<double> score;
        if (count->with_payload) score = set.access.Score(set.key, member);
        ReplyScored(reply, member, score);
      });
}

}  // namespace

void ZAdd(CommandContext& context, Arguments arguments) { AddMembers(context, arguments, {}); }

void ZIncrBy(CommandContext& context, Arguments arguments) {
  AddOptions options;
  options.increment = true;
  AddMembers(context, arguments, options);
}

void ZRem(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  int64_t removed = 0;
  for (std::string_view member : arguments.subspan(2)) {
    if (set.view && set.access.RemoveElement(set.key, kMembers, member)) ++removed;
  }
  context.reply.Integer(removed);
}

void ZScore(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  const std::optional<double> score = set.access.Score(set.key, arguments[2]);
  score ? context.reply.Double(*score) : context.reply.Null();
}

void ZMScore(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  Arguments members = arguments.subspan(2);
  context.reply.Array(members.size());
  for (std::string_view member : members) {
    const std::optional<double> score = set.access.Score(set.key, member);
    score ? context.reply.Double(*score) : context.reply.Null();
  }
}

void ZCard(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  context.reply.Integer(static_cast<int64_t>(set.size()));
}

void ZRank(CommandContext& context, Arguments arguments) { ReplyRank(context, arguments, false); }

void ZRevRank(CommandContext& context, Arguments arguments) { ReplyRank(context, arguments, true); }

void ZPopMin(CommandContext& context, Arguments arguments) { Pop(context, arguments, false); }

void ZPopMax(CommandContext& context, Arguments arguments) { Pop(context, arguments, true); }

void ZMPop(CommandContext& context, Arguments arguments) {
  const std::optional<MultiPop> pop = ReadMultiPop(context, arguments.subspan(1), {"min", "max"});
  if (!pop) return;
  KeyList keys = ReadKeys(context, pop->names);
  Access access = context.keyspace().Lock(keys);
  const std::optional<size_t> found = FindFirst(context, access, keys, KeyType::kSortedSet);
  if (!found) return;
  const KeyRef& key = keys[*found];
  const std::vector<ScoredMember> members =
      TakeMembers(access, key, access.Find(key)->size, pop->count, pop->last);
  context.reply.Array(2);
  context.reply.Bulk(key.name);
  context.reply.Array(members.size());
  for (const auto& [member, score] : members) {
    context.reply.Array(2);
    context.reply.Bulk(member);
    context.reply.Double(score);
  }
}

void ZRandMember(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 2) return ZRandMemberCount(context, arguments);
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  if (!set.view) return context.reply.Null();
  context.reply.Bulk(DrawElement(context, MembersOf(set)));
}

void ZScan(CommandContext& context, Arguments arguments) {
  const std::optional<uint64_t> cursor = ReadCursor(context, arguments[2]);
  if (!cursor) return;
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSortedSet)) return;
  if (!set.view) return ScanReply(context).Send(0);
  const std::optional<ScanOptions> options =
      ReadScanOptions(context, arguments.subspan(3), ScanOf::kElements);
  if (!options) return;
  ScanReply found(context);
  const uint64_t next = set.access.ScanElements(set.key, kMembers, *cursor, options->count,
                                                [&](std::string_view member, const Value& score) {
                                                  if (!options->MatchesName(member)) return;
                                                  found.Add(member);
                                                  found.Add(ScoreText17(ScoreOf(score)));
                                                });
  found.Send(next);
}

}  // namespace starling
