#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "node/arguments.h"
#include "node/command_keys.h"
#include "node/commands/collection_access.h"
#include "node/commands/random_elements.h"
#include "node/commands/scan.h"
#include "node/commands/set_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

constexpr ElementType kMembers = ElementType::kSet;

void SAdd(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  int64_t added = 0;
  for (std::string_view member : arguments.subspan(2)) {
    if (set.access.AddElement(set.key, kMembers, member)) ++added;
  }
  context.reply.Integer(added);
}

void SRem(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  if (!set.view) return context.reply.Integer(0);
  int64_t removed = 0;
  for (std::string_view member : arguments.subspan(2)) {
    if (set.access.RemoveElement(set.key, kMembers, member)) ++removed;
  }
  context.reply.Integer(removed);
}

void SMembers(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  Reply& reply = context.reply;
  reply.Set(set.view ? set.view->size : 0);
  if (!set.view) return;
  set.access.ForEachElement(set.key, kMembers,
                            [&reply](std::string_view id, const Value&) { reply.Bulk(id); });
}

void SIsMember(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  bool member = set.view && set.access.HasElement(set.key, kMembers, arguments[2]);
  context.reply.Integer(member ? 1 : 0);
}

void SMIsMember(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  Arguments members = arguments.subspan(2);
  context.reply.Array(members.size());
  for (std::string_view member : members) {
    bool found = set.view && set.access.HasElement(set.key, kMembers, member);
    context.reply.Integer(found ? 1 : 0);
  }
}

void SCard(CommandContext& context, Arguments arguments) {
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  context.reply.Integer(set.view ? static_cast<int64_t>(set.view->size) : 0);
}

DrawFrom MembersOf(CollectionAccess& set) {
  return {set.access, set.key, kMembers, set.view->size};
}

/// Takes random members out, and replies with them.
void PopSome(CommandContext& context, CollectionAccess& set, size_t count) {
  // Copied and drawn at once: views end with the first removal, and drawing from what removals
  // leave behind would become slow.
  std::vector<std::string> popped;
  for (std::string_view member : DrawDistinct(context, MembersOf(set), count)) {
    popped.emplace_back(member);
  }
  for (const std::string& member : popped) {
    set.access.RemoveElement(set.key, kMembers, member);
    context.reply.Bulk(member);
  }
}

void SPop(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 3) return context.reply.Error(error_text::kSyntax);
  if (arguments.size() == 2) {
    CollectionAccess set(context, arguments[1]);
    if (!CheckType(context, set.view, KeyType::kSet)) return;
    return set.view ? PopSome(context, set, 1) : context.reply.Null();
  }
  std::optional<int64_t> count =
      ReadInteger(context, arguments[2], {0, std::numeric_limits<int64_t>::max()});
  if (!count) return;
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  const size_t popped = std::min(set.size(), static_cast<size_t>(*count));
  context.reply.Set(popped);
  if (popped > 0) PopSome(context, set, popped);
}

void SRandMemberCount(CommandContext& context, Arguments arguments) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  std::optional<int64_t> count = ReadInteger(context, arguments[2], {-kMost, kMost});
  if (!count) return;
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  Reply& reply = context.reply;
  if (!set.view || *count == 0) return reply.Array(0);
  ReplyDrawn(
      context, MembersOf(set), *count, [&reply](size_t members) { reply.Array(members); },
      [&reply](std::string_view member) { reply.Bulk(member); });
}

void SRandMember(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 3) return context.reply.Error(error_text::kSyntax);
  if (arguments.size() == 3) return SRandMemberCount(context, arguments);
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  if (!set.view) return context.reply.Null();
  context.reply.Bulk(DrawElement(context, MembersOf(set)));
}

void SScan(CommandContext& context, Arguments arguments) {
  std::optional<uint64_t> cursor = ReadCursor(context, arguments[2]);
  if (!cursor) return;
  CollectionAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  if (!set.view) return ScanReply(context).Send(0);
  std::optional<ScanOptions> options =
      ReadScanOptions(context, arguments.subspan(3), ScanOf::kElements);
  if (!options) return;
  ScanReply found(context);
  uint64_t next = set.access.ScanElements(set.key, kMembers, *cursor, options->count,
                                          [&](std::string_view id, const Value&) {
                                            if (options->MatchesName(id)) found.Add(id);
                                          });
  found.Send(next);
}

constexpr CommandSpec kSetCommands[] = {
    {"sadd", -3, kWrite | kDenyOom | kFast, 1, 1, 1, "set", "1.0.0", "Add members to a set.", SAdd},
    {"scard", 2, kReadOnly | kFast, 1, 1, 1, "set", "1.0.0", "Count the members of a set.", SCard},
    {"sdiff", -2, kReadOnly, 1, -1, 1, "set", "1.0.0",
     "Members of the first set that no other set has.", SDiff},
    {"sdiffstore", -3, kWrite | kDenyOom, 1, -1, 1, "set", "1.0.0", "Keep what SDIFF would reply.",
     SDiffStore},
    {"sinter", -2, kReadOnly, 1, -1, 1, "set", "1.0.0", "Members that all sets have.", SInter},
    {"sintercard", -3, kReadOnly | kMovableKeys, 0, 0, 0, "set", "7.0.0",
     "Count the members that all sets have.", SInterCard, CountedKeys<1>},
    {"sinterstore", -3, kWrite | kDenyOom, 1, -1, 1, "set", "1.0.0",
     "Keep what SINTER would reply.", SInterStore},
    {"sismember", 3, kReadOnly | kFast, 1, 1, 1, "set", "1.0.0", "Whether a set has a member.",
     SIsMember},
    {"smembers", 2, kReadOnly, 1, 1, 1, "set", "1.0.0", "All members of a set.", SMembers},
    {"smismember", -3, kReadOnly | kFast, 1, 1, 1, "set", "6.2.0",
     "Which of several members a set has.", SMIsMember},
    {"smove", 4, kWrite | kFast, 1, 2, 1, "set", "1.0.0", "Move a member to another set.", SMove},
    {"spop", -2, kWrite | kFast, 1, 1, 1, "set", "1.0.0", "Take random members out of a set.",
     SPop},
    {"srandmember", -2, kReadOnly, 1, 1, 1, "set", "1.0.0", "Random members of a set.",
     SRandMember},
    {"srem", -3, kWrite | kFast, 1, 1, 1, "set", "1.0.0", "Remove members from a set.", SRem},
    {"sscan", -3, kReadOnly | kByThisNode, 1, 1, 1, "set", "2.8.0",
     "Go through the members of a set step by step.", SScan},
    {"sunion", -2, kReadOnly, 1, -1, 1, "set", "1.0.0", "Members that any of the sets has.",
     SUnion},
    {"sunionstore", -3, kWrite | kDenyOom, 1, -1, 1, "set", "1.0.0",
     "Keep what SUNION would reply.", SUnionStore},
};

}  // namespace

std::span<const CommandSpec> SetCommands() { return kSetCommands; }

}  // namespace starling
