#include "node/commands/starling_locks.h"

#include "node/arguments.h"
#include "node/blocking.h"
#include "node/claim_desk.h"

namespace starling {
namespace {

/// A thousand years: later deadlines would leave the clock's range.
constexpr int64_t kLongestMillis = int64_t{1000} * 366 * 24 * 3600 * 1000;

/// Milliseconds from `least` on; replies with the error where the word is none.
std::optional<int64_t> ReadMillis(CommandContext& context, std::string_view word,
                                  std::string_view what, int64_t least) {
  const std::optional<int64_t> millis = ReadInteger(context, word);
  if (!millis) return std::nullopt;
  if (*millis >= least && *millis <= kLongestMillis) return millis;
  context.reply.Error("ERR " + std::string(what) + " is " + std::to_string(least) + " to " +
                      std::to_string(kLongestMillis) + " milliseconds");
  return std::nullopt;
}

/// Sets the key, which is absent, and returns its fencing token.
Stamp Hold(CommandContext& context, Access& access, const KeyRef& key, std::string_view token,
           int64_t ttl) {
  if (context.claims != nullptr && context.claims->grants()) return *access.Claim(key, token, ttl);
  // Where nobody leads, this node alone decides, and its clock gives rising tokens.
  access.SetString(key, token);
  access.SetDeadline(key, context.keyspace().NowMillis() + ttl);
  return context.store.clock().last();
}

/// Whether the key holds this token.
bool Holds(Access& access, const KeyRef& key, std::string_view token) {
  const std::optional<KeyView> view = access.Find(key);
  if (!view || view->type != KeyType::kString) return false;
  std::string buffer;
  return view->Text(buffer) == token;
}

}  // namespace

void AcquireLock(CommandContext& context, Arguments arguments) {
  const std::string_view token = arguments[2];
  const std::optional<int64_t> ttl = ReadMillis(context, arguments[3], "a time to live", 1);
  if (!ttl) return;
  const std::optional<int64_t> wait = ReadMillis(context, arguments[4], "a time to wait", 0);
  if (!wait) return;
  if (token.empty()) return context.reply.Error("ERR a token is not empty");
  const Arguments names = arguments.subspan(5);
  if (*wait > 0 && context.block != nullptr) {
    context.block->type = KeyType::kNone;
    context.block->keys.assign(names.begin(), names.end());
    context.block->timeout = std::chrono::milliseconds(*wait);
  }
  for (const std::string_view name : names) {
    const KeyRef key = context.Key(name);
    Access access = context.keyspace().Lock(key);
    Stamp fence;
    if (!access.Find(key)) {
      fence = Hold(context, access, key, token, *ttl);
    } else if (Holds(access, key, token)) {
      // Asked again, since the answer was lost with a leaseholder.
      fence = access.ClaimToken(key).value_or(context.store.clock().last());
      access.SetDeadline(key, context.keyspace().NowMillis() + *ttl);
    } else {
      continue;
    }
    context.reply.Array(2);
    context.reply.Bulk(name);
    return context.reply.Bulk(std::to_string(fence.value));
  }
  if (*wait > 0 && context.block != nullptr) {
    context.block->wanted = true;
  } else {
    context.reply.NullArray();
  }
}

void ClaimFirst(CommandContext& context, Arguments arguments) {
  const std::optional<int64_t> ttl = ReadMillis(context, arguments[4], "a time to live", 1);
  if (!ttl) return;
  Reply& reply = context.reply;
  const KeyRef key = context.Key(arguments[2]);
  Access access = context.keyspace().Lock(key);
  const std::optional<KeyView> view = access.Find(key);
  reply.Array(3);
  reply.Integer(view ? 0 : 1);
  if (!view) {
    reply.Bulk(std::to_string(Hold(context, access, key, arguments[3], *ttl).value));
    return reply.Bulk(arguments[3]);
  }
  const std::optional<Stamp> fence = access.ClaimToken(key);
  fence ? reply.Bulk(std::to_string(fence->value)) : reply.Null();
  std::string buffer;
  view->type == KeyType::kString ? reply.Bulk(view->Text(buffer)) : reply.Null();
}

void ReleaseLock(CommandContext& context, Arguments arguments) {
  const KeyRef key = context.Key(arguments[2]);
  Access access = context.keyspace().Lock(key);
  context.reply.Integer(Holds(access, key, arguments[3]) && access.Delete(key) ? 1 : 0);
}

void ExtendLock(CommandContext& context, Arguments arguments) {
  const std::optional<int64_t> ttl = ReadMillis(context, arguments[4], "a time to live", 1);
  if (!ttl) return;
  const KeyRef key = context.Key(arguments[2]);
  Access access = context.keyspace().Lock(key);
  const bool held = Holds(access, key, arguments[3]);
  context.reply.Integer(held && access.SetDeadline(key, context.keyspace().NowMillis() + *ttl) ? 1
                                                                                               : 0);
}

}  // namespace starling
