#include <string>

#include "node/arguments.h"
#include "node/command_keys.h"
#include "node/commands/collection_access.h"
#include "node/commands/list_commands.h"
#include "node/commands/scores.h"
#include "node/error_text.h"

namespace starling {
namespace {

constexpr ElementType kElements = ElementType::kList;

void Push(CommandContext& context, Arguments arguments, bool left, bool only_if_there) {
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  if (only_if_there && !list.view) return context.reply.Integer(0);
  Arguments values = arguments.subspan(2);
  for (std::string_view value : values) {
    list.access.PushElement(list.key, left, Value::FromText(value));
  }
  context.reply.Integer(static_cast<int64_t>(list.size() + values.size()));
}

void LPush(CommandContext& context, Arguments arguments) {
  Push(context, arguments, /*left=*/true, /*only_if_there=*/false);
}

void RPush(CommandContext& context, Arguments arguments) {
  Push(context, arguments, /*left=*/false, /*only_if_there=*/false);
}

void LPushX(CommandContext& context, Arguments arguments) {
  Push(context, arguments, /*left=*/true, /*only_if_there=*/true);
}

void RPushX(CommandContext& context, Arguments arguments) {
  Push(context, arguments, /*left=*/false, /*only_if_there=*/true);
}

void LLen(CommandContext& context, Arguments arguments) {
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  context.reply.Integer(static_cast<int64_t>(list.size()));
}

/// A place from the front, of one that may count from the back; nothing where there is none.
std::optional<size_t> PlaceOf(int64_t index, size_t size) {
  if (index < 0) index += static_cast<int64_t>(size);
  if (index < 0 || index >= static_cast<int64_t>(size)) return std::nullopt;
  return static_cast<size_t>(index);
}

void LIndex(CommandContext& context, Arguments arguments) {
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  if (!list.view) return context.reply.Null();
  const std::optional<int64_t> index = ReadInteger(context, arguments[2]);
  if (!index) return;
  const std::optional<size_t> place = PlaceOf(*index, list.size());
  if (!place) return context.reply.Null();
  ReplyValue(context.reply, list.access.ElementAt(list.key, *place));
}

void LSet(CommandContext& context, Arguments arguments) {
  CollectionAccess list(context, arguments[1]);
  if (!list.view) return context.reply.Error(error_text::kNoSuchKey);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  const std::optional<int64_t> index = ReadInteger(context, arguments[2]);
  if (!index) return;
  const std::optional<size_t> place = PlaceOf(*index, list.size());
  if (!place) return context.reply.Error("ERR index out of range");
  list.access.SetElementAt(list.key, *place, Value::FromText(arguments[3]));
  context.reply.Ok();
}

void LRange(CommandContext& context, Arguments arguments) {
  const std::optional<RankRange> range = ReadRankRange(context, arguments[2], arguments[3]);
  if (!range) return;
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  Reply& reply = context.reply;
  const Positions positions = FindRanks(list.size(), *range);
  reply.Array(positions.count);
  list.access.ForEachInOrder(list.key, kElements, positions.first, positions.count,
                             /*reverse=*/false, [&reply](std::string_view, const Value& value) {
                               ReplyValue(reply, value);
                               return true;
                             });
}

void LTrim(CommandContext& context, Arguments arguments) {
  const std::optional<RankRange> range = ReadRankRange(context, arguments[2], arguments[3]);
  if (!range) return;
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  if (list.view) {
    const Positions kept = FindRanks(list.size(), *range);
    const size_t end = kept.first + kept.count;
    // By element also where none is kept: what others push at this time is not trimmed.
    list.access.RemoveRange(list.key, kElements, end, list.size() - end);
    list.access.RemoveRange(list.key, kElements, 0, kept.first);
  }
  context.reply.Ok();
}

constexpr CommandSpec kListCommands[] = {
    {"lindex", 3, kReadOnly, 1, 1, 1, "list", "1.0.0", "The element at a place.", LIndex},
    {"linsert", 5, kWrite | kDenyOom, 1, 1, 1, "list", "2.2.0",
     "Insert an element before or after another.", LInsert},
    {"llen", 2, kReadOnly | kFast, 1, 1, 1, "list", "1.0.0", "Count the elements.", LLen},
    {"lmove", 5, kWrite | kDenyOom, 1, 2, 1, "list", "6.2.0",
     "Move an element from one end of a list to an end of another.", LMove},
    {"lmpop", -4, kWrite | kMovableKeys, 0, 0, 0, "list", "7.0.0",
     "Take elements out of the first list that has any.", LMPop, CountedKeys<1>},
    {"lpop", -2, kWrite | kFast, 1, 1, 1, "list", "1.0.0", "Take out the first elements.", LPop},
    {"lpos", -3, kReadOnly, 1, 1, 1, "list", "6.0.6", "The places of an element.", LPos},
    {"lpush", -3, kWrite | kDenyOom | kFast, 1, 1, 1, "list", "1.0.0",
     "Add elements before the first.", LPush},
    {"lpushx", -3, kWrite | kDenyOom | kFast, 1, 1, 1, "list", "2.2.0",
     "Add elements before the first if there is a list.", LPushX},
    {"lrange", 4, kReadOnly, 1, 1, 1, "list", "1.0.0", "The elements in a range of places.",
     LRange},
    {"lrem", 4, kWrite, 1, 1, 1, "list", "1.0.0", "Remove elements by their text.", LRem},
    {"lset", 4, kWrite | kDenyOom, 1, 1, 1, "list", "1.0.0", "Replace the element at a place.",
     LSet},
    {"ltrim", 4, kWrite, 1, 1, 1, "list", "1.0.0", "Remove all elements outside of a range.",
     LTrim},
    {"rpop", -2, kWrite | kFast, 1, 1, 1, "list", "1.0.0", "Take out the last elements.", RPop},
    {"rpoplpush", 3, kWrite | kDenyOom, 1, 2, 1, "list", "1.2.0",
     "Move the last element of a list before the first of another.", RPopLPush},
    {"rpush", -3, kWrite | kDenyOom | kFast, 1, 1, 1, "list", "1.0.0",
     "Add elements behind the last.", RPush},
    {"rpushx", -3, kWrite | kDenyOom | kFast, 1, 1, 1, "list", "2.2.0",
     "Add elements behind the last if there is a list.", RPushX},
};

}  // namespace

std::span<const CommandSpec> ListCommands() { return kListCommands; }

}  // namespace starling
