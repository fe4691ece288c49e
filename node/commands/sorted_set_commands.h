/// The handlers of the sorted set family, which sorted_sets.cc lists with arity, flags and keys.
///
/// Handlers as command.h describes them: one reply each, all arguments checked before anything
/// changes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/command.h"

namespace starling {

// sorted_set_members.cc: adding, counting up and taking out members.
void ZAdd(CommandContext& context, Arguments arguments);
void ZIncrBy(CommandContext& context, Arguments arguments);
void ZRem(CommandContext& context, Arguments arguments);
void ZScore(CommandContext& context, Arguments arguments);
void ZMScore(CommandContext& context, Arguments arguments);
void ZCard(CommandContext& context, Arguments arguments);
void ZRank(CommandContext& context, Arguments arguments);
void ZRevRank(CommandContext& context, Arguments arguments);
void ZPopMin(CommandContext& context, Arguments arguments);
void ZPopMax(CommandContext& context, Arguments arguments);
void ZMPop(CommandContext& context, Arguments arguments);
void ZRandMember(CommandContext& context, Arguments arguments);
void ZScan(CommandContext& context, Arguments arguments);

// sorted_set_ranges.cc: neighbouring members.
void ZRange(CommandContext& context, Arguments arguments);
void ZRangeStore(CommandContext& context, Arguments arguments);
void ZRangeByScore(CommandContext& context, Arguments arguments);
void ZRangeByLex(CommandContext& context, Arguments arguments);
void ZRevRange(CommandContext& context, Arguments arguments);
void ZRevRangeByScore(CommandContext& context, Arguments arguments);
void ZRevRangeByLex(CommandContext& context, Arguments arguments);
void ZCount(CommandContext& context, Arguments arguments);
void ZLexCount(CommandContext& context, Arguments arguments);
void ZRemRangeByScore(CommandContext& context, Arguments arguments);
void ZRemRangeByRank(CommandContext& context, Arguments arguments);
void ZRemRangeByLex(CommandContext& context, Arguments arguments);

// sorted_set_operations.cc: several sets.
void ZUnion(CommandContext& context, Arguments arguments);
void ZUnionStore(CommandContext& context, Arguments arguments);
void ZInter(CommandContext& context, Arguments arguments);
void ZInterStore(CommandContext& context, Arguments arguments);
void ZInterCard(CommandContext& context, Arguments arguments);
void ZDiff(CommandContext& context, Arguments arguments);
void ZDiffStore(CommandContext& context, Arguments arguments);

/// A member on its way into a reply or another set; its text is its own.
struct ScoredMember {
  std::string member;
  double score = 0;
};

/// Replaces what stands at `target` by `members`, or deletes it where there are none.
void StoreSortedSet(Access& access, const KeyRef& target, const std::vector<ScoredMember>& members);

/// Writes one member of a reply: WITHSCORES nests pairs in RESP3 and strings them out in RESP2.
void ReplyScored(Reply& reply, std::string_view member, std::optional<double> score);

/// Begins an array of `members` of them.
void ReplyScoredHead(Reply& reply, size_t members, bool with_scores);

}  // namespace starling
