#include "node/command_keys.h"
#include "node/commands/collection_access.h"
#include "node/commands/sorted_set_commands.h"
#include "storage/score.h"

namespace starling {

void StoreSortedSet(Access& access, const KeyRef& target,
                    const std::vector<ScoredMember>& members) {
  ClearForStore(access, target, members.size());
  ScoreText text;
  for (const auto& [member, score] : members) {
    access.AddElement(target, ElementType::kSortedSet, member,
                      ScoreValue(score + 0.0, text));  // no -0
  }
}

void ReplyScored(Reply& reply, std::string_view member, std::optional<double> score) {
  if (score && reply.protocol() >= 3) reply.Array(2);
  reply.Bulk(member);
  if (score) reply.Double(*score);
}

void ReplyScoredHead(Reply& reply, size_t members, bool with_scores) {
  reply.Array(with_scores && reply.protocol() < 3 ? 2 * members : members);
}

namespace {

constexpr char kGroup[] = "sorted-set";

constexpr CommandSpec kSortedSetCommands[] = {
    {"zadd", -4, kWrite | kDenyOom | kFast, 1, 1, 1, kGroup, "1.2.0",
     "Add members with their scores, or change scores.", ZAdd},
    {"zcard", 2, kReadOnly | kFast, 1, 1, 1, kGroup, "1.2.0", "Count the members.", ZCard},
    {"zcount", 4, kReadOnly | kFast, 1, 1, 1, kGroup, "2.0.0",
     "Count the members with scores in a range.", ZCount},
    {"zdiff", -3, kReadOnly | kMovableKeys, 0, 0, 0, kGroup, "6.2.0",
     "Members of the first set that no other set has.", ZDiff, CountedKeys<1>},
    {"zdiffstore", -4, kWrite | kDenyOom | kMovableKeys, 1, 1, 1, kGroup, "6.2.0",
     "Keep what ZDIFF would reply.", ZDiffStore, CountedKeys<2>},
    {"zincrby", 4, kWrite | kDenyOom | kFast, 1, 1, 1, kGroup, "1.2.0", "Add to a member's score.",
     ZIncrBy},
    {"zinter", -3, kReadOnly | kMovableKeys, 0, 0, 0, kGroup, "6.2.0",
     "Members that all sets have.", ZInter, CountedKeys<1>},
    {"zintercard", -3, kReadOnly | kMovableKeys, 0, 0, 0, kGroup, "7.0.0",
     "Count the members that all sets have.", ZInterCard, CountedKeys<1>},
    {"zinterstore", -4, kWrite | kDenyOom | kMovableKeys, 1, 1, 1, kGroup, "2.0.0",
     "Keep what ZINTER would reply.", ZInterStore, CountedKeys<2>},
    {"zlexcount", 4, kReadOnly | kFast, 1, 1, 1, kGroup, "2.8.9",
     "Count the members in a range by member.", ZLexCount},
    {"zmpop", -4, kWrite | kMovableKeys, 0, 0, 0, kGroup, "7.0.0",
     "Take the lowest or highest members out of the first set that has any.", ZMPop,
     CountedKeys<1>},
    {"zmscore", -3, kReadOnly | kFast, 1, 1, 1, kGroup, "6.2.0", "The scores of several members.",
     ZMScore},
    {"zpopmax", -2, kWrite | kFast, 1, 1, 1, kGroup, "5.0.0",
     "Take out the members with the highest scores.", ZPopMax},
    {"zpopmin", -2, kWrite | kFast, 1, 1, 1, kGroup, "5.0.0",
     "Take out the members with the lowest scores.", ZPopMin},
    {"zrandmember", -2, kReadOnly, 1, 1, 1, kGroup, "6.2.0", "Random members.", ZRandMember},
    {"zrange", -4, kReadOnly, 1, 1, 1, kGroup, "1.2.0", "Members in a range.", ZRange},
    {"zrangebylex", -4, kReadOnly, 1, 1, 1, kGroup, "2.8.9", "Members in a range by member.",
     ZRangeByLex},
    {"zrangebyscore", -4, kReadOnly, 1, 1, 1, kGroup, "1.0.5", "Members with scores in a range.",
     ZRangeByScore},
    {"zrangestore", -5, kWrite | kDenyOom, 1, 2, 1, kGroup, "6.2.0",
     "Keep what ZRANGE would reply.", ZRangeStore},
    {"zrank", 3, kReadOnly | kFast, 1, 1, 1, kGroup, "2.0.0",
     "A member's place, from the lowest score.", ZRank},
    {"zrem", -3, kWrite | kFast, 1, 1, 1, kGroup, "1.2.0", "Remove members.", ZRem},
    {"zremrangebylex", 4, kWrite, 1, 1, 1, kGroup, "2.8.9", "Remove a range by member.",
     ZRemRangeByLex},
    {"zremrangebyrank", 4, kWrite, 1, 1, 1, kGroup, "2.0.0", "Remove a range of places.",
     ZRemRangeByRank},
    {"zremrangebyscore", 4, kWrite, 1, 1, 1, kGroup, "1.2.0", "Remove a range of scores.",
     ZRemRangeByScore},
    {"zrevrange", -4, kReadOnly, 1, 1, 1, kGroup, "1.2.0",
     "Members in a range of places from the highest score.", ZRevRange},
    {"zrevrangebylex", -4, kReadOnly, 1, 1, 1, kGroup, "2.8.9",
     "Members in a range by member, the last first.", ZRevRangeByLex},
    {"zrevrangebyscore", -4, kReadOnly, 1, 1, 1, kGroup, "2.2.0",
     "Members with scores in a range, the highest first.", ZRevRangeByScore},
    {"zrevrank", 3, kReadOnly | kFast, 1, 1, 1, kGroup, "2.0.0",
     "A member's place, from the highest score.", ZRevRank},
    {"zscan", -3, kReadOnly | kByThisNode, 1, 1, 1, kGroup, "2.8.0",
     "Go through the members step by step.", ZScan},
    {"zscore", 3, kReadOnly | kFast, 1, 1, 1, kGroup, "1.2.0", "The score of a member.", ZScore},
    {"zunion", -3, kReadOnly | kMovableKeys, 0, 0, 0, kGroup, "6.2.0",
     "Members that any of the sets has.", ZUnion, CountedKeys<1>},
    {"zunionstore", -4, kWrite | kDenyOom | kMovableKeys, 1, 1, 1, kGroup, "2.0.0",
     "Keep what ZUNION would reply.", ZUnionStore, CountedKeys<2>},
};

}  // namespace

std::span<const CommandSpec> SortedSetCommands() { return kSortedSetCommands; }

}  // namespace starling
