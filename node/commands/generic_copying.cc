#include <array>

#include "node/arguments.h"
#include "node/commands/generic_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

bool SameKey(const KeyRef& a, const KeyRef& b) {
  return a.database == b.database && a.name == b.name;
}

enum class Renamed { kDone, kNoSource, kTargetExists };

Renamed RenameKey(CommandContext& context, Arguments arguments, bool keep_target) {
  std::array<KeyRef, 2> keys = {context.Key(arguments[1]), context.Key(arguments[2])};
  const auto& [from, to] = keys;
  Access access = context.keyspace().Lock(keys);
  if (!access.Exists(from)) return Renamed::kNoSource;
  if (keep_target && access.Exists(to)) return Renamed::kTargetExists;
  if (SameKey(from, to)) return Renamed::kDone;
  access.Copy(from, to);
  access.Delete(from);
  return Renamed::kDone;
}

}  // namespace

void Rename(CommandContext& context, Arguments arguments) {
  if (RenameKey(context, arguments, /*keep_target=*/false) == Renamed::kNoSource) {
    return context.reply.Error(error_text::kNoSuchKey);
  }
  context.reply.Ok();
}

void RenameNx(CommandContext& context, Arguments arguments) {
  switch (RenameKey(context, arguments, /*keep_target=*/true)) {
    case Renamed::kDone:
      return context.reply.Integer(1);
    case Renamed::kNoSource:
      return context.reply.Error(error_text::kNoSuchKey);
    case Renamed::kTargetExists:
      return context.reply.Integer(0);
  }
}

void Copy(CommandContext& context, Arguments arguments) {
  bool replace = false;
  uint8_t database = context.client.database;
  for (size_t i = 3; i < arguments.size(); ++i) {
    if (IsWord(arguments[i], "replace")) {
      replace = true;
    } else if (IsWord(arguments[i], "db") && i + 1 < arguments.size()) {
      std::optional<uint8_t> other = ReadDatabase(context, arguments[++i]);
      if (!other) return;
      database = *other;
    } else {
      return context.reply.Error(error_text::kSyntax);
    }
  }
  std::array<KeyRef, 2> keys = {context.Key(arguments[1]),
                                context.keyspace().Ref(database, arguments[2])};
  const auto& [from, to] = keys;
  if (SameKey(from, to)) return context.reply.Error(error_text::kSameObject);
  Access access = context.keyspace().Lock(keys);
  if (!replace && access.Exists(to)) return context.reply.Integer(0);
  context.reply.Integer(access.Copy(from, to) ? 1 : 0);
}

void Move(CommandContext& context, Arguments arguments) {
  std::optional<uint8_t> database = ReadDatabase(context, arguments[2]);
  if (!database) return;
  if (*database == context.client.database) return context.reply.Error(error_text::kSameObject);
  std::array<KeyRef, 2> keys = {context.Key(arguments[1]),
                                context.keyspace().Ref(*database, arguments[1])};
  const auto& [from, to] = keys;
  Access access = context.keyspace().Lock(keys);
  if (access.Exists(to) || !access.Copy(from, to)) return context.reply.Integer(0);
  access.Delete(from);
  context.reply.Integer(1);
}

}  // namespace starling
