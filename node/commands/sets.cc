#include <algorithm>
#include <limits>
#include <string>
#include <unordered_set>
#include <vector>

#include "node/arguments.h"
#include "node/commands/scan.h"
#include "node/error_text.h"

namespace starling {
namespace {

/// SRANDMEMBER with a negative count repeats members: the reply must stay within memory (I11).
constexpr int64_t kMostRepetitions = int64_t{1} << 24;

constexpr ElementType kMembers = ElementType::kSet;

/// Locks the key of most set commands and looks at it.
struct SetAccess {
  KeyRef key;
  Access access;
  std::optional<KeyView> view;

  SetAccess(CommandContext& context, std::string_view name)
      : key(context.Key(name)), access(context.keyspace().Lock(key)), view(access.Find(key)) {}
};

void SAdd(CommandContext& context, Arguments arguments) {
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  int64_t added = 0;
  for (std::string_view member : arguments.subspan(2)) {
    if (set.access.AddElement(set.key, kMembers, member)) ++added;
  }
  context.reply.Integer(added);
}

void SRem(CommandContext& context, Arguments arguments) {
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  if (!set.view) return context.reply.Integer(0);
  int64_t removed = 0;
  for (std::string_view member : arguments.subspan(2)) {
    if (set.access.RemoveElement(set.key, kMembers, member)) ++removed;
  }
  context.reply.Integer(removed);
}

void SMembers(CommandContext& context, Arguments arguments) {
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  Reply& reply = context.reply;
  reply.Set(set.view ? set.view->size : 0);
  if (!set.view) return;
  set.access.ForEachElement(set.key, kMembers,
                            [&reply](std::string_view id, const Value&) { reply.Bulk(id); });
}

void SIsMember(CommandContext& context, Arguments arguments) {
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  bool member = set.view && set.access.HasElement(set.key, kMembers, arguments[2]);
  context.reply.Integer(member ? 1 : 0);
}

void SMIsMember(CommandContext& context, Arguments arguments) {
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  Arguments members = arguments.subspan(2);
  context.reply.Array(members.size());
  for (std::string_view member : members) {
    bool found = set.view && set.access.HasElement(set.key, kMembers, member);
    context.reply.Integer(found ? 1 : 0);
  }
}

void SCard(CommandContext& context, Arguments arguments) {
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  context.reply.Integer(set.view ? static_cast<int64_t>(set.view->size) : 0);
}

/// Removes a random member and replies with it.
void PopOne(CommandContext& context, SetAccess& set) {
  // Copied: the view into the collection ends with the removal.
  std::string member(set.access.RandomElement(set.key, kMembers, context.random));
  set.access.RemoveElement(set.key, kMembers, member);
  context.reply.Bulk(member);
}

void SPop(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 3) return context.reply.Error(error_text::kSyntax);
  if (arguments.size() == 2) {
    SetAccess set(context, arguments[1]);
    if (!CheckType(context, set.view, KeyType::kSet)) return;
    set.view ? PopOne(context, set) : context.reply.Null();
    return;
  }
  std::optional<int64_t> count =
      ReadInteger(context, arguments[2], {0, std::numeric_limits<int64_t>::max()});
  if (!count) return;
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  size_t size = set.view ? set.view->size : 0;
  size_t popped = std::min(size, static_cast<size_t>(*count));
  context.reply.Set(popped);
  for (size_t i = 0; i < popped; ++i) PopOne(context, set);
}

std::vector<std::string_view> AllMembers(SetAccess& set) {
  std::vector<std::string_view> members;
  members.reserve(set.view->size);
  set.access.ForEachElement(
      set.key, kMembers, [&members](std::string_view id, const Value&) { members.push_back(id); });
  return members;
}

/// `count` different members of a set that has more.
std::vector<std::string_view> DistinctMembers(CommandContext& context, SetAccess& set,
                                              size_t count) {
  // Drawing again on a repetition is cheap while few are asked for; else shuffle all.
  constexpr size_t kFew = 3;
  if (count * kFew > set.view->size) {
    std::vector<std::string_view> members = AllMembers(set);
    for (size_t i = 0; i < count; ++i) {
      std::uniform_int_distribution<size_t> place(i, members.size() - 1);
      std::swap(members[i], members[place(context.random)]);
    }
    members.resize(count);
    return members;
  }
  std::unordered_set<std::string_view> drawn;
  std::vector<std::string_view> members;
  while (members.size() < count) {
    std::string_view member = set.access.RandomElement(set.key, kMembers, context.random);
    if (drawn.insert(member).second) members.push_back(member);
  }
  return members;
}

void SRandMemberCount(CommandContext& context, Arguments arguments) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  std::optional<int64_t> count = ReadInteger(context, arguments[2], {-kMost, kMost});
  if (!count) return;
  if (*count < -kMostRepetitions) return context.reply.Error("ERR value is out of range");
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  if (!set.view || *count == 0) return context.reply.Array(0);
  Reply& reply = context.reply;
  if (*count < 0) {
    reply.Array(static_cast<size_t>(-*count));
    for (int64_t i = 0; i < -*count; ++i) {
      reply.Bulk(set.access.RandomElement(set.key, kMembers, context.random));
    }
    return;
  }
  size_t wanted = static_cast<size_t>(*count);
  std::vector<std::string_view> members =
      wanted >= set.view->size ? AllMembers(set) : DistinctMembers(context, set, wanted);
  reply.Array(members.size());
  for (std::string_view member : members) reply.Bulk(member);
}

void SRandMember(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 3) return context.reply.Error(error_text::kSyntax);
  if (arguments.size() == 3) return SRandMemberCount(context, arguments);
  SetAccess set(context, arguments[1]);
  if (!CheckType(context, set.view, KeyType::kSet)) return;
  if (!set.view) return context.reply.Null();
  context.reply.Bulk(set.access.RandomElement(set.key, kMembers, context.random));
}

void SScan(CommandContext& context, Arguments arguments) {
  std::optional<uint64_t> cursor = ReadCursor(context, arguments[2]);
  if (!cursor) return;
  SetAccess set(context, arguments[1]);
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
    {"sismember", 3, kReadOnly | kFast, 1, 1, 1, "set", "1.0.0", "Whether a set has a member.",
     SIsMember},
    {"smembers", 2, kReadOnly, 1, 1, 1, "set", "1.0.0", "All members of a set.", SMembers},
    {"smismember", -3, kReadOnly | kFast, 1, 1, 1, "set", "6.2.0",
     "Which of several members a set has.", SMIsMember},
    {"spop", -2, kWrite | kFast, 1, 1, 1, "set", "1.0.0", "Take random members out of a set.",
     SPop},
    {"srandmember", -2, kReadOnly, 1, 1, 1, "set", "1.0.0", "Random members of a set.",
     SRandMember},
    {"srem", -3, kWrite | kFast, 1, 1, 1, "set", "1.0.0", "Remove members from a set.", SRem},
    {"sscan", -3, kReadOnly, 1, 1, 1, "set", "2.8.0",
     "Go through the members of a set step by step.", SScan},
};

}  // namespace

std::span<const CommandSpec> SetCommands() { return kSetCommands; }

}  // namespace starling
