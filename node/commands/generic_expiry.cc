#include <string>

#include "node/arguments.h"
#include "node/commands/generic_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

/// NX, XX, GT, LT: when a new deadline may replace what is there.
struct ExpireConditions {
  bool if_none = false;
  bool if_some = false;
  bool if_greater = false;
  bool if_less = false;

  /// A key without a deadline lives for ever: nothing is greater, everything is less.
  bool Allow(int64_t deadline, std::optional<int64_t> present) const {
    if (if_none && present) return false;
    if (if_some && !present) return false;
    if (if_greater && (!present || deadline <= *present)) return false;
    if (if_less && present && deadline >= *present) return false;
    return true;
  }
};

std::optional<ExpireConditions> ReadConditions(CommandContext& context, Arguments words) {
  ExpireConditions conditions;
  for (std::string_view word : words) {
    if (IsWord(word, "nx")) {
      conditions.if_none = true;
    } else if (IsWord(word, "xx")) {
      conditions.if_some = true;
    } else if (IsWord(word, "gt")) {
      conditions.if_greater = true;
    } else if (IsWord(word, "lt")) {
      conditions.if_less = true;
    } else {
      context.reply.Error("ERR Unsupported option " + std::string(word));
      return std::nullopt;
    }
  }
  if (conditions.if_none && (conditions.if_some || conditions.if_greater || conditions.if_less)) {
    context.reply.Error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return std::nullopt;
  }
  if (conditions.if_greater && conditions.if_less) {
    context.reply.Error("ERR GT and LT options at the same time are not compatible");
    return std::nullopt;
  }
  return conditions;
}

void SetExpiry(CommandContext& context, Arguments arguments, TimeUnit unit,
               std::string_view command) {
  std::optional<ExpireConditions> conditions = ReadConditions(context, arguments.subspan(3));
  if (!conditions) return;
  std::optional<int64_t> deadline = ReadAnyDeadline(context, arguments[2], unit, command);
  if (!deadline) return;
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!view || !conditions->Allow(*deadline, view->deadline_millis)) {
    return context.reply.Integer(0);
  }
  access.SetDeadline(key, *deadline);
  context.reply.Integer(1);
}

/// Milliseconds to seconds, rounded; unsigned so that the latest deadlines do not overflow.
int64_t RoundToSeconds(int64_t millis) {
  return static_cast<int64_t>((static_cast<uint64_t>(millis) + 500) / 1000);
}

/// TTL and its kin: -2 without the key, -1 without a deadline.
void ReplyExpiry(CommandContext& context, Arguments arguments, TimeUnit unit) {
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key, /*touch=*/false);
  if (!view) return context.reply.Integer(-2);
  if (!view->deadline_millis) return context.reply.Integer(-1);
  int64_t millis = *view->deadline_millis;
  if (!unit.absolute) millis -= context.keyspace().NowMillis();
  if (millis < 0) millis = 0;
  context.reply.Integer(unit.seconds ? RoundToSeconds(millis) : millis);
}

}  // namespace

void Expire(CommandContext& context, Arguments arguments) {
  SetExpiry(context, arguments, {.seconds = true, .absolute = false}, "expire");
}

void ExpireAt(CommandContext& context, Arguments arguments) {
  SetExpiry(context, arguments, {.seconds = true, .absolute = true}, "expireat");
}

void PExpire(CommandContext& context, Arguments arguments) {
  SetExpiry(context, arguments, {.seconds = false, .absolute = false}, "pexpire");
}

void PExpireAt(CommandContext& context, Arguments arguments) {
  SetExpiry(context, arguments, {.seconds = false, .absolute = true}, "pexpireat");
}

void Ttl(CommandContext& context, Arguments arguments) {
  ReplyExpiry(context, arguments, {.seconds = true, .absolute = false});
}

void PTtl(CommandContext& context, Arguments arguments) {
  ReplyExpiry(context, arguments, {.seconds = false, .absolute = false});
}

void ExpireTime(CommandContext& context, Arguments arguments) {
  ReplyExpiry(context, arguments, {.seconds = true, .absolute = true});
}

void PExpireTime(CommandContext& context, Arguments arguments) {
  ReplyExpiry(context, arguments, {.seconds = false, .absolute = true});
}

void Persist(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  bool cleared = context.keyspace().Lock(key).ClearDeadline(key);
  context.reply.Integer(cleared ? 1 : 0);
}

}  // namespace starling
