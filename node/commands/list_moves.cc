#include <algorithm>
#include <array>
#include <string>

#include "node/arguments.h"
#include "node/commands/collection_access.h"
#include "node/commands/list_commands.h"
#include "node/commands/multi_pop.h"
#include "node/error_text.h"

namespace starling {
namespace {

constexpr ElementType kElements = ElementType::kList;

/// Takes `count` of `size` elements out of an end, each of them replied.
void TakeFromEnd(Reply& reply, Access& access, const KeyRef& key, size_t size, size_t count,
                 bool right) {
  access.RemoveRange(key, kElements, right ? size - 1 : 0, count, right,
                     [&reply](std::string_view, const Value& value) { ReplyValue(reply, value); });
}

/// Replies with up to `count` elements from an end of a list and takes them out.
void PopSome(Reply& reply, Access& access, const KeyRef& key, size_t size, size_t count,
             bool right) {
  count = std::min(count, size);
  reply.Array(count);
  TakeFromEnd(reply, access, key, size, count, right);
}

void Pop(CommandContext& context, Arguments arguments, bool right) {
  if (arguments.size() > 3) return ReplyWrongArity(context, right ? "rpop" : "lpop");
  const bool counted = arguments.size() == 3;
  const std::optional<size_t> count = ReadPopCount(context, arguments);
  if (!count) return;
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  if (!list.view) return counted ? context.reply.NullArray() : context.reply.Null();
  if (counted) {
    return PopSome(context.reply, list.access, list.key, list.size(), *count, right);
  }
  TakeFromEnd(context.reply, list.access, list.key, list.size(), 1, right);
}

struct Move {
  bool from_right = false;
  bool to_right = false;
};

void MoveElement(CommandContext& context, Arguments arguments, Move move) {
  const std::array<KeyRef, 2> keys = {context.Key(arguments[1]), context.Key(arguments[2])};
  CollectionAccess from(context, keys, 0);
  if (!from.view) return context.reply.Null();
  if (!CheckType(context, from.view, KeyType::kList)) return;
  if (!CheckType(context, from.access.Find(keys[1]), KeyType::kList)) return;
  const size_t place = move.from_right ? from.size() - 1 : 0;
  std::string buffer;
  // Copied: removing it ends what borrows from it.
  const std::string text(TextOf(*from.access.ElementAt(from.key, place), buffer));
  // Pushed first: a list moved onto itself is never empty between, so its deadline stays.
  from.access.PushElement(keys[1], !move.to_right, Value::FromText(text));
  const bool shifted = keys[0].name == keys[1].name && !move.to_right;
  from.access.RemoveRange(from.key, kElements, place + (shifted ? 1 : 0), 1);
  context.reply.Bulk(text);
}

}  // namespace

std::optional<bool> ReadListEnd(CommandContext& context, std::string_view word) {
  if (IsWord(word, "left")) return false;
  if (IsWord(word, "right")) return true;
  context.reply.Error(error_text::kSyntax);
  return std::nullopt;
}

void LPop(CommandContext& context, Arguments arguments) {
  Pop(context, arguments, /*right=*/false);
}

void RPop(CommandContext& context, Arguments arguments) { Pop(context, arguments, /*right=*/true); }

void LMPop(CommandContext& context, Arguments arguments) {
  const std::optional<MultiPop> pop =
      ReadMultiPop(context, arguments.subspan(1), {"left", "right"});
  if (!pop) return;
  KeyList keys = ReadKeys(context, pop->names);
  Access access = context.keyspace().Lock(keys);
  const std::optional<size_t> found = FindFirst(context, access, keys, KeyType::kList);
  if (!found) return;
  const KeyRef& key = keys[*found];
  context.reply.Array(2);
  context.reply.Bulk(key.name);
  PopSome(context.reply, access, key, access.Find(key)->size, pop->count, pop->last);
}

void LMove(CommandContext& context, Arguments arguments) {
  const std::optional<bool> from = ReadListEnd(context, arguments[3]);
  if (!from) return;
  const std::optional<bool> to = ReadListEnd(context, arguments[4]);
  if (to) MoveElement(context, arguments, {*from, *to});
}

void RPopLPush(CommandContext& context, Arguments arguments) {
  MoveElement(context, arguments, {/*from_right=*/true, /*to_right=*/false});
}

}  // namespace starling
