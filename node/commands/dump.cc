// DUMP and RESTORE.
#include <string>

#include "node/arguments.h"
#include "node/commands/collection_access.h"
#include "node/commands/generic_commands.h"
#include "node/error_text.h"
#include "node/rdb_object.h"
#include "node/rdb_payload.h"

namespace starling {
namespace {

struct RestoreOptions {
  bool replace = false;
  bool absolute_ttl = false;
};

/// The words behind the payload; IDLETIME and FREQ are checked and otherwise left to the key's own
/// use from now on. Nothing: it has replied with the error.
std::optional<RestoreOptions> ReadRestoreOptions(CommandContext& context, Arguments words) {
  constexpr int64_t kMostFrequent = 255;
  RestoreOptions options;
  bool idle = false;
  bool frequency = false;
  for (size_t i = 0; i < words.size(); ++i) {
    const bool has_value = i + 1 < words.size();
    if (IsWord(words[i], "replace")) {
      options.replace = true;
    } else if (IsWord(words[i], "absttl")) {
      options.absolute_ttl = true;
    } else if (has_value && !frequency && IsWord(words[i], "idletime")) {
      const std::optional<int64_t> seconds = ReadInteger(context, words[++i]);
      if (!seconds) return std::nullopt;
      if (*seconds < 0) {
        context.reply.Error("ERR Invalid IDLETIME value, must be >= 0");
        return std::nullopt;
      }
      idle = true;
    } else if (has_value && !idle && IsWord(words[i], "freq")) {
      const std::optional<int64_t> value = ReadInteger(context, words[++i]);
      if (!value) return std::nullopt;
      if (*value < 0 || *value > kMostFrequent) {
        context.reply.Error("ERR Invalid FREQ value, must be >= 0 and <= 255");
        return std::nullopt;
      }
      frequency = true;
    } else {
      context.reply.Error(error_text::kSyntax);
      return std::nullopt;
    }
  }
  return options;
}

}  // namespace

void Dump(CommandContext& context, Arguments arguments) {
  CollectionAccess key(context, arguments[1]);
  if (!key.view) return context.reply.Null();
  std::optional<std::string> payload = EncodeRdbObject(key.access, key.key, *key.view);
  if (!payload) return context.reply.Error("ERR DUMP does not know this type");
  SealPayload(*payload);
  context.reply.Bulk(*payload);
}

void Restore(CommandContext& context, Arguments arguments) {
  const std::optional<RestoreOptions> options = ReadRestoreOptions(context, arguments.subspan(4));
  if (!options) return;
  CollectionAccess target(context, arguments[1]);
  if (!options->replace && target.view) {
    return context.reply.Error("BUSYKEY Target key name already exists.");
  }
  const std::optional<int64_t> ttl = ReadInteger(context, arguments[2]);
  if (!ttl) return;
  if (*ttl < 0) return context.reply.Error("ERR Invalid TTL value, must be >= 0");
  const std::optional<std::string_view> value = OpenPayload(arguments[3]);
  if (!value) return context.reply.Error("ERR DUMP payload version or checksum are wrong");
  const std::optional<RdbObject> object = DecodeRdbObject(*value);
  if (!object) return context.reply.Error("ERR Bad data format");
  const int64_t now = context.keyspace().NowMillis();
  int64_t deadline = *ttl;
  if (deadline != 0 && !options->absolute_ttl && __builtin_add_overflow(deadline, now, &deadline)) {
    return context.reply.Error("ERR Invalid TTL value, must be >= 0");
  }
  // A string ends by itself what was there before it.
  ClearForStore(target.access, target.key,
                object->type == KeyType::kString ? 0 : object->texts.size());
  if (deadline == 0 || deadline > now) {
    WriteRdbObject(target.access, target.key, *object);
    if (deadline != 0) target.access.SetDeadline(target.key, deadline);
  }
  context.reply.Ok();
}

}  // namespace starling
