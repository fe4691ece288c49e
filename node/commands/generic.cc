#include "node/arguments.h"
#include "node/commands/generic_commands.h"

namespace starling {

std::string_view TypeName(KeyType type) {
  switch (type) {
    case KeyType::kNone:
      return "none";
    case KeyType::kString:
      return "string";
    case KeyType::kSet:
      return "set";
    case KeyType::kHash:
      return "hash";
    case KeyType::kSortedSet:
      return "zset";
    case KeyType::kList:
      return "list";
    case KeyType::kStream:
      return "stream";
  }
  return "none";
}

std::string_view TypeName(ElementType type) {
  switch (type) {
    case ElementType::kNone:
      break;
    case ElementType::kSet:
      return TypeName(KeyType::kSet);
    case ElementType::kHash:
      return TypeName(KeyType::kHash);
    case ElementType::kSortedSet:
      return TypeName(KeyType::kSortedSet);
    case ElementType::kList:
      return TypeName(KeyType::kList);
    case ElementType::kStream:
      return TypeName(KeyType::kStream);
  }
  return TypeName(KeyType::kNone);
}

namespace {

/// DEL and UNLINK: memory of large values is given back by the keyspace, not here, for both.
void Del(CommandContext& context, Arguments arguments) {
  KeyList keys = ReadKeys(context, arguments.subspan(1));
  Access access = context.keyspace().Lock(keys);
  int64_t deleted = 0;
  for (const KeyRef& key : keys) {
    if (access.Delete(key)) ++deleted;
  }
  context.reply.Integer(deleted);
}

/// A key named twice counts twice.
int64_t CountSeen(CommandContext& context, Arguments arguments, bool touch) {
  KeyList keys = ReadKeys(context, arguments.subspan(1));
  Access access = context.keyspace().Lock(keys);
  int64_t seen = 0;
  for (const KeyRef& key : keys) {
    if (access.Find(key, touch)) ++seen;
  }
  return seen;
}

void Exists(CommandContext& context, Arguments arguments) {
  context.reply.Integer(CountSeen(context, arguments, /*touch=*/false));
}

void Touch(CommandContext& context, Arguments arguments) {
  context.reply.Integer(CountSeen(context, arguments, /*touch=*/true));
}

void Type(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  std::optional<KeyView> view = access.Find(key, /*touch=*/false);
  context.reply.Simple(TypeName(view ? view->type : KeyType::kNone));
}

constexpr CommandSpec kGenericCommands[] = {
    {"copy", -3, kWrite | kDenyOom | kOtherKeys | kClaims, 1, 2, 1, "generic", "6.2.0",
     "Copy a key.", Copy},
    {"dbsize", 1, kReadOnly | kFast, 0, 0, 0, "server", "1.0.0", "Count the keys of the database.",
     DbSize},
    {"del", -2, kWrite, 1, -1, 1, "generic", "1.0.0", "Delete keys.", Del},
    {"dump", 2, kReadOnly, 1, 1, 1, "generic", "2.6.0", "A key's value as bytes for RESTORE.",
     Dump},
    {"exists", -2, kReadOnly | kFast, 1, -1, 1, "generic", "1.0.0", "Count the keys that exist.",
     Exists},
    {"expire", -3, kWrite | kFast, 1, 1, 1, "generic", "1.0.0",
     "Set a key's time to live in seconds.", Expire},
    {"expireat", -3, kWrite | kFast, 1, 1, 1, "generic", "1.2.0",
     "Set the Unix time in seconds at which a key expires.", ExpireAt},
    {"expiretime", 2, kReadOnly | kFast, 1, 1, 1, "generic", "7.0.0",
     "The Unix time in seconds at which a key expires.", ExpireTime},
    {"flushall", -1, kWrite, 0, 0, 0, "server", "1.0.0", "Delete all keys of all databases.",
     FlushAll},
    {"flushdb", -1, kWrite, 0, 0, 0, "server", "1.0.0", "Delete all keys of the database.",
     FlushDb},
    {"keys", 2, kReadOnly, 0, 0, 0, "generic", "1.0.0", "All keys whose names match a pattern.",
     Keys},
    {"move", 3, kWrite | kFast | kOtherKeys, 1, 1, 1, "generic", "1.0.0",
     "Move a key to another database.", Move},
    {"object", -2, 0, 0, 0, 0, "generic", "2.2.3", "What a key looks like inside.", Object},
    {"object|encoding", 3, kReadOnly, 2, 2, 1, "generic", "2.2.3", "How the value is represented.",
     nullptr},
    {"object|freq", 3, kReadOnly, 2, 2, 1, "generic", "4.0.0", "How often the key is used.",
     nullptr},
    {"object|help", 2, kLoading | kStale, 0, 0, 0, "generic", "6.2.0", "List the subcommands.",
     nullptr},
    {"object|idletime", 3, kReadOnly, 2, 2, 1, "generic", "2.2.3",
     "Seconds since the key was last used.", nullptr},
    {"object|refcount", 3, kReadOnly, 2, 2, 1, "generic", "2.2.3",
     "How many places share the value.", nullptr},
    {"persist", 2, kWrite | kFast, 1, 1, 1, "generic", "2.2.0", "Remove a key's time to live.",
     Persist},
    {"pexpire", -3, kWrite | kFast, 1, 1, 1, "generic", "2.6.0",
     "Set a key's time to live in milliseconds.", PExpire},
    {"pexpireat", -3, kWrite | kFast, 1, 1, 1, "generic", "2.6.0",
     "Set the Unix time in milliseconds at which a key expires.", PExpireAt},
    {"pexpiretime", 2, kReadOnly | kFast, 1, 1, 1, "generic", "7.0.0",
     "The Unix time in milliseconds at which a key expires.", PExpireTime},
    {"pttl", 2, kReadOnly | kFast, 1, 1, 1, "generic", "2.6.0",
     "A key's time to live in milliseconds.", PTtl},
    {"randomkey", 1, kReadOnly, 0, 0, 0, "generic", "1.0.0", "The name of a random key.",
     RandomKey},
    {"rename", 3, kWrite, 1, 2, 1, "generic", "1.0.0", "Give a key another name.", Rename},
    {"renamenx", 3, kWrite | kFast | kClaims, 1, 2, 1, "generic", "1.0.0",
     "Give a key another name if that is free.", RenameNx},
    {"restore", -4, kWrite | kDenyOom, 1, 1, 1, "generic", "2.6.0",
     "Make a key from the bytes that DUMP gave.", Restore},
    {"scan", -2, kReadOnly | kByThisNode, 0, 0, 0, "generic", "2.8.0",
     "Go through the keys of the database step by step.", Scan},
    {"sort", -2, kWrite | kDenyOom | kMovableKeys, 1, 1, 1, "generic", "1.0.0",
     "The elements of a list, set or sorted set in order.", Sort, FindSortKeys},
    {"sort_ro", -2, kReadOnly | kMovableKeys, 1, 1, 1, "generic", "7.0.0",
     "As SORT, but never stored.", SortRo},
    {"touch", -2, kReadOnly | kFast, 1, -1, 1, "generic", "3.2.1",
     "Count the keys that exist, as used just now.", Touch},
    {"ttl", 2, kReadOnly | kFast, 1, 1, 1, "generic", "1.0.0", "A key's time to live in seconds.",
     Ttl},
    {"type", 2, kReadOnly | kFast, 1, 1, 1, "generic", "1.0.0", "The type of a key.", Type},
    {"unlink", -2, kWrite | kFast, 1, -1, 1, "generic", "4.0.0",
     "Delete keys; their memory is given back later.", Del},
};

}  // namespace

std::span<const CommandSpec> GenericCommands() { return kGenericCommands; }

}  // namespace starling
