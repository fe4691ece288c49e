#include <array>
#include <string>

#include "node/arguments.h"
#include "node/claim_desk.h"
#include "node/commands/string_commands.h"
#include "node/commands/string_compare.h"
#include "node/error_text.h"

namespace starling {
namespace {

/// What SET and GETEX have in common: words that say when the key expires.
struct TimeOptions {
  bool given = false;
  TimeUnit unit;
  std::string_view word;
  /// Where no option follows another's kind twice: EX 1 EX 2 is fine, EX 1 PX 2 is not.
  std::string_view option;
};

struct TimeOption {
  std::string_view name;
  TimeUnit unit;
};
constexpr std::array<TimeOption, 4> kTimeOptions = {{
    {"ex", {.seconds = true, .absolute = false}},
    {"px", {.seconds = false, .absolute = false}},
    {"exat", {.seconds = true, .absolute = true}},
    {"pxat", {.seconds = false, .absolute = true}},
}};

/// Takes `EX n` and its kin at `at`, and moves `at` to the number. False: not such an option here.
bool TakeTimeOption(Arguments arguments, size_t& at, TimeOptions& time) {
  if (at + 1 >= arguments.size()) return false;
  for (const TimeOption& option : kTimeOptions) {
    if (!IsWord(arguments[at], option.name)) continue;
    if (time.given && time.option != option.name) return false;
    time = {true, option.unit, arguments[++at], option.name};
    return true;
  }
  return false;
}

struct SetOptions {
  bool if_absent = false;
  bool if_present = false;
  bool get = false;
  bool keep_ttl = false;
  ValueCondition condition;
  TimeOptions time;
};

bool ParseSetOptions(Arguments arguments, SetOptions& options) {
  for (size_t i = 3; i < arguments.size(); ++i) {
    std::string_view word = arguments[i];
    const bool exclusive = options.condition.given();
    if (IsWord(word, "nx") && !options.if_present && !exclusive) {
      options.if_absent = true;
    } else if (IsWord(word, "xx") && !options.if_absent && !exclusive) {
      options.if_present = true;
    } else if (!options.if_absent && !options.if_present &&
               TakeCondition(arguments, i, options.condition)) {
      continue;
    } else if (IsWord(word, "get")) {
      options.get = true;
    } else if (IsWord(word, "keepttl") && !options.time.given) {
      options.keep_ttl = true;
    } else if (options.keep_ttl || !TakeTimeOption(arguments, i, options.time)) {
      return false;
    }
  }
  return true;
}

/// Replaces a value that the caller has just read and answers: where it is a counter and the new
/// value is a number, what was read is subtracted, so that increments made elsewhere meanwhile
/// survive (DESIGN.md section 3, GETSET).
void ReplaceObserved(Access& access, const KeyRef& key, std::string_view text, bool keep_ttl,
                     std::optional<int64_t> deadline) {
  std::optional<int64_t> number = Number::ParseInt(text);
  if (!number) return access.SetString(key, text, keep_ttl);
  access.ResetCounter(key, *number);
  if (keep_ttl && deadline) access.SetDeadline(key, *deadline);
}

/// Sets a key that is not there: as a claim where the cluster is to have one winner.
void SetAbsent(CommandContext& context, Access& access, const KeyRef& key, std::string_view text,
               std::optional<int64_t> deadline) {
  if (context.claims != nullptr && context.claims->Grants(key.name)) {
    const int64_t now = context.keyspace().NowMillis();
    if (deadline && *deadline <= now) return;  // it would be gone at once
    access.Claim(key, text, deadline ? *deadline - now : 0);
    return;
  }
  access.SetString(key, text);
  if (deadline) access.SetDeadline(key, *deadline);
}

/// SET with options: the plain form does not come here.
void SetWithOptions(CommandContext& context, Arguments arguments) {
  SetOptions options;
  if (!ParseSetOptions(arguments, options)) return context.reply.Error(error_text::kSyntax);
  std::optional<int64_t> deadline;
  if (options.time.given) {
    deadline = ReadDeadline(context, options.time.word, options.time.unit, "set");
    if (!deadline) return;
  }
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view;
  const bool conditional = options.condition.given();
  if (options.get || options.if_absent || options.if_present || conditional)
    view = access.Find(key);
  if (!CheckCondition(context, options.condition, view)) return;
  if (options.get) {
    if (!CheckType(context, view, KeyType::kString)) return;
    view ? ReplyText(context.reply, *view) : context.reply.Null();
  }
  if ((options.if_absent && view) || (options.if_present && !view) ||
      !Meets(options.condition, view)) {
    if (!options.get) context.reply.Null();
    return;
  }
  if (options.if_absent) {
    SetAbsent(context, access, key, arguments[2], deadline);
  } else if ((options.if_present || conditional) && access.HasLiveClaim(key)) {
    access.RewriteString(key, arguments[2], options.keep_ttl);
    if (deadline) access.SetDeadline(key, *deadline);
  } else if (options.get && view) {
    ReplaceObserved(access, key, arguments[2], options.keep_ttl, view->deadline_millis);
    if (deadline) access.SetDeadline(key, *deadline);
  } else {
    access.SetString(key, arguments[2], options.keep_ttl);
    if (deadline) access.SetDeadline(key, *deadline);
  }
  if (!options.get) context.reply.Ok();
}

void Set(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 3) return SetWithOptions(context, arguments);
  KeyRef key = context.Key(arguments[1]);
  context.keyspace().Lock(key).SetString(key, arguments[2]);
  context.reply.Ok();
}

void Get(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!view) return context.reply.Null();
  if (CheckType(context, view, KeyType::kString)) ReplyText(context.reply, *view);
}

/// SETEX and PSETEX.
void SetExpiring(CommandContext& context, Arguments arguments, TimeUnit unit,
                 std::string_view command) {
  std::optional<int64_t> deadline = ReadDeadline(context, arguments[2], unit, command);
  if (!deadline) return;
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  access.SetString(key, arguments[3]);
  access.SetDeadline(key, *deadline);
  context.reply.Ok();
}

void SetEx(CommandContext& context, Arguments arguments) {
  SetExpiring(context, arguments, {.seconds = true}, "setex");
}

void PSetEx(CommandContext& context, Arguments arguments) {
  SetExpiring(context, arguments, {.seconds = false}, "psetex");
}

void SetNx(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  if (access.Exists(key)) return context.reply.Integer(0);
  SetAbsent(context, access, key, arguments[2], std::nullopt);
  context.reply.Integer(1);
}

void GetSet(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!CheckType(context, view, KeyType::kString)) return;
  if (!view) {
    access.SetString(key, arguments[2]);
    return context.reply.Null();
  }
  ReplyText(context.reply, *view);
  ReplaceObserved(access, key, arguments[2], /*keep_ttl=*/false, std::nullopt);
}

void GetDel(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!view) return context.reply.Null();
  if (!CheckType(context, view, KeyType::kString)) return;
  ReplyText(context.reply, *view);
  access.Delete(key);
}

void GetEx(CommandContext& context, Arguments arguments) {
  TimeOptions time;
  bool persist = false;
  for (size_t i = 2; i < arguments.size(); ++i) {
    if (IsWord(arguments[i], "persist") && !time.given) {
      persist = true;
    } else if (persist || !TakeTimeOption(arguments, i, time)) {
      return context.reply.Error(error_text::kSyntax);
    }
  }
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key);
  if (!view) return context.reply.Null();
  if (!CheckType(context, view, KeyType::kString)) return;
  std::optional<int64_t> deadline;
  if (time.given) {
    deadline = ReadDeadline(context, time.word, time.unit, "getex");
    if (!deadline) return;
  }
  ReplyText(context.reply, *view);
  if (deadline) access.SetDeadline(key, *deadline);
  if (persist) access.ClearDeadline(key);
}

void MGet(CommandContext& context, Arguments arguments) {
  KeyList keys = ReadKeys(context, arguments.subspan(1));
  Access access = context.keyspace().Lock(keys);
  context.reply.Array(keys.size());
  for (const KeyRef& key : keys) {
    std::optional<KeyView> view = access.Find(key);
    if (view && view->type == KeyType::kString) {
      ReplyText(context.reply, *view);
    } else {
      context.reply.Null();
    }
  }
}

/// MSET, and MSETNX where nothing may be there. All keys are set, or none.
void SetMany(CommandContext& context, Arguments arguments, bool if_none_exists) {
  if (arguments.size() % 2 == 0) {
    return context.reply.Error(if_none_exists ? "ERR wrong number of arguments for 'msetnx' command"
                                              : "ERR wrong number of arguments for 'mset' command");
  }
  KeyList keys = ReadKeys(context, arguments.subspan(1), 2);
  Access access = context.keyspace().Lock(keys);
  if (if_none_exists) {
    for (const KeyRef& key : keys) {
      if (access.Exists(key)) return context.reply.Integer(0);
    }
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string_view text = arguments[2 + 2 * i];
    // A name given twice has the last value.
    if (if_none_exists && !access.Exists(keys[i])) {
      SetAbsent(context, access, keys[i], text, std::nullopt);
    } else if (if_none_exists) {
      access.RewriteString(keys[i], text, true);
    } else {
      access.SetString(keys[i], text);
    }
  }
  if_none_exists ? context.reply.Integer(1) : context.reply.Ok();
}

void MSet(CommandContext& context, Arguments arguments) { SetMany(context, arguments, false); }

void MSetNx(CommandContext& context, Arguments arguments) { SetMany(context, arguments, true); }

constexpr uint32_t kAdd = kWrite | kDenyOom;

constexpr CommandSpec kStringCommands[] = {
    {"append", 3, kAdd | kFast, 1, 1, 1, "string", "2.0.0", "Add bytes to the end of a string.",
     Append},
    {"decr", 2, kAdd | kFast, 1, 1, 1, "string", "1.0.0", "Subtract one from a counter.", Decr},
    {"decrby", 3, kAdd | kFast, 1, 1, 1, "string", "1.0.0", "Subtract from a counter.", DecrBy},
    {"delex", -2, kWrite | kFast, 1, 1, 1, "string", "8.4.0",
     "Delete a key where its value is as expected.", DelEx},
    {"delifeq", 3, kWrite | kFast, 1, 1, 1, "string", "valkey 9.0.0",
     "Delete a key that has this value.", DelIfEq},
    {"digest", 2, kReadOnly | kFast, 1, 1, 1, "string", "8.4.0", "XXH3 of a string.", Digest},
    {"get", 2, kReadOnly | kFast, 1, 1, 1, "string", "1.0.0", "Read a string.", Get},
    {"getdel", 2, kWrite | kFast, 1, 1, 1, "string", "6.2.0", "Read a string and delete its key.",
     GetDel},
    {"getex", -2, kWrite | kFast, 1, 1, 1, "string", "6.2.0",
     "Read a string and change when its key expires.", GetEx},
    {"getrange", 4, kReadOnly, 1, 1, 1, "string", "2.4.0", "Read a part of a string.", GetRange},
    {"getset", 3, kAdd | kFast, 1, 1, 1, "string", "1.0.0", "Replace a string and answer the old.",
     GetSet},
    {"incr", 2, kAdd | kFast, 1, 1, 1, "string", "1.0.0", "Add one to a counter.", Incr},
    {"incrby", 3, kAdd | kFast, 1, 1, 1, "string", "1.0.0", "Add to a counter.", IncrBy},
    {"incrbyfloat", 3, kAdd | kFast, 1, 1, 1, "string", "2.6.0",
     "Add a decimal number to a counter.", IncrByFloat},
    {"lcs", -3, kReadOnly, 1, 2, 1, "string", "7.0.0",
     "Compare two strings: their longest common subsequence.", Lcs},
    {"mget", -2, kReadOnly | kFast, 1, -1, 1, "string", "1.0.0", "Read several strings.", MGet},
    {"mset", -3, kAdd, 1, -1, 2, "string", "1.0.1", "Set several strings in one step.", MSet},
    {"msetnx", -3, kAdd | kClaims, 1, -1, 2, "string", "1.0.1",
     "Set several strings in one step, if none of the keys exists.", MSetNx},
    {"psetex", 4, kAdd, 1, 1, 1, "string", "2.6.0",
     "Set a string and its time to live in milliseconds.", PSetEx},
    {"set", -3, kAdd | kClaims, 1, 1, 1, "string", "1.0.0", "Set a string.", Set},
    {"setex", 4, kAdd, 1, 1, 1, "string", "2.0.0", "Set a string and its time to live in seconds.",
     SetEx},
    {"setnx", 3, kAdd | kFast | kClaims, 1, 1, 1, "string", "1.0.0",
     "Set a string if its key is free.", SetNx},
    {"setrange", 4, kAdd, 1, 1, 1, "string", "2.2.0", "Overwrite a part of a string.", SetRange},
    {"strlen", 2, kReadOnly | kFast, 1, 1, 1, "string", "2.2.0", "Length of a string in bytes.",
     StrLen},
    {"substr", 4, kReadOnly, 1, 1, 1, "string", "1.0.0", "Old name of GETRANGE.", GetRange},
};

}  // namespace

std::span<const CommandSpec> StringCommands() { return kStringCommands; }

}  // namespace starling
