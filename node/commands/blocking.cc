// Commands that wait for something to take. Each tries at once what its kin without the B does.
// Sources: https://redis.io/commands/blpop/ and its neighbours, https://redis.io/commands/wait/.
#include <cmath>
#include <limits>

#include "node/arguments.h"
#include "node/command.h"
#include "node/command_keys.h"
#include "node/commands/collection_access.h"
#include "node/commands/list_commands.h"
#include "node/commands/scores.h"
#include "node/commands/sorted_set_commands.h"

namespace starling {
namespace {

/// Seconds with a fraction. Replies with the error and returns nothing where they are none.
std::optional<std::chrono::milliseconds> ReadTimeout(CommandContext& context,
                                                     std::string_view word) {
  const std::optional<double> seconds =
      ReadScore(context, word, "ERR timeout is not a float or out of range");
  if (!seconds) return std::nullopt;
  const double millis = std::ceil(*seconds * 1000);
  // Redis takes what its counter cannot hold for negative.
  if (millis < 0 || millis >= static_cast<double>(std::numeric_limits<int64_t>::max() / 2)) {
    context.reply.Error("ERR timeout is negative");
    return std::nullopt;
  }
  return std::chrono::milliseconds(static_cast<int64_t>(millis));
}

/// Whether what stands in the reply since `start` is nil, in either protocol.
bool RepliedNil(const CommandContext& context, size_t start) {
  const std::string_view reply = std::string_view(context.reply.out()).substr(start);
  return reply == "*-1\r\n" || reply == "$-1\r\n" || reply == "_\r\n";
}

/// Waits for `keys` where that is possible: not within a transaction or script, where the reply
/// stays nil as it is.
void WaitFor(CommandContext& context, size_t start, KeyType type, Arguments keys,
             std::chrono::milliseconds timeout) {
  if (context.block == nullptr) return;
  context.reply.out().resize(start);
  context.block->wanted = true;
  context.block->type = type;
  context.block->keys.assign(keys.begin(), keys.end());
  context.block->timeout = timeout;
}

/// Tries the keys in order and takes from the first that has something. WRONGTYPE where one before
/// it, or it, is of another type.
void PopFirst(CommandContext& context, Arguments arguments, KeyType type,
              void (*pop)(CommandContext&, Arguments)) {
  const auto timeout = ReadTimeout(context, arguments.back());
  if (!timeout) return;
  const Arguments keys = arguments.subspan(1, arguments.size() - 2);
  const size_t start = context.reply.out().size();
  for (const std::string_view name : keys) {
    {
      CollectionAccess found(context, name);
      if (!CheckType(context, found.view, type)) return;
      if (!found.view) continue;
    }
    // Within MULTI the shards are held; else a racing pop leaves nil, and the next key is tried.
    std::string& out = context.reply.out();
    const size_t head = out.size();
    context.reply.Array(type == KeyType::kList ? 2 : 3);
    context.reply.Bulk(name);
    const size_t popped = out.size();
    const std::string_view words[] = {arguments[0], name};
    pop(context, Arguments(words, 2));
    if (type == KeyType::kSortedSet) {
      // ZPOPMIN's own array: a member and its score, or nothing.
      const std::string_view taken = std::string_view(out).substr(popped);
      const std::string_view two = "*2\r\n";
      if (taken.starts_with(two)) {
        out.erase(popped, two.size());
        return;
      }
    } else if (!RepliedNil(context, popped)) {
      return;
    }
    out.resize(head);
  }
  context.reply.NullArray();
  WaitFor(context, start, type, keys, *timeout);
}

void BLPop(CommandContext& context, Arguments arguments) {
  PopFirst(context, arguments, KeyType::kList, LPop);
}
void BRPop(CommandContext& context, Arguments arguments) {
  PopFirst(context, arguments, KeyType::kList, RPop);
}
void BZPopMin(CommandContext& context, Arguments arguments) {
  PopFirst(context, arguments, KeyType::kSortedSet, ZPopMin);
}
void BZPopMax(CommandContext& context, Arguments arguments) {
  PopFirst(context, arguments, KeyType::kSortedSet, ZPopMax);
}

/// BLMPOP and BZMPOP: the timeout stands before the words of LMPOP.
void PopSeveral(CommandContext& context, Arguments arguments, KeyType type,
                void (*pop)(CommandContext&, Arguments)) {
  const auto timeout = ReadTimeout(context, arguments[1]);
  if (!timeout) return;
  const size_t start = context.reply.out().size();
  pop(context, arguments.subspan(1));
  if (!RepliedNil(context, start)) return;
  std::vector<std::string_view> keys;
  AppendCountedKeys(arguments, 2, keys);
  WaitFor(context, start, type, keys, *timeout);
}

void BLMPop(CommandContext& context, Arguments arguments) {
  PopSeveral(context, arguments, KeyType::kList, LMPop);
}
void BZMPop(CommandContext& context, Arguments arguments) {
  PopSeveral(context, arguments, KeyType::kSortedSet, ZMPop);
}

void Move(CommandContext& context, Arguments arguments, void (*move)(CommandContext&, Arguments)) {
  const auto timeout = ReadTimeout(context, arguments.back());
  if (!timeout) return;
  const size_t start = context.reply.out().size();
  move(context, arguments.first(arguments.size() - 1));
  if (RepliedNil(context, start)) {
    WaitFor(context, start, KeyType::kList, arguments.subspan(1, 1), *timeout);
  }
}

void BLMove(CommandContext& context, Arguments arguments) {
  // The ends are looked at before the timeout, as Redis does.
  if (!ReadListEnd(context, arguments[3]) || !ReadListEnd(context, arguments[4])) return;
  Move(context, arguments, LMove);
}
void BRPopLPush(CommandContext& context, Arguments arguments) {
  Move(context, arguments, RPopLPush);
}

void Wait(CommandContext& context, Arguments arguments) {
  const std::optional<int64_t> holders = ReadInteger(context, arguments[1]);
  if (!holders) return;
  const std::optional<int64_t> millis = Number::ParseInt(arguments[2]);
  if (!millis) return context.reply.Error("ERR timeout is not an integer or out of range");
  if (*millis < 0) return context.reply.Error("ERR timeout is negative");
  // Within a transaction nobody has heard of its writes yet.
  if (context.block == nullptr) return context.reply.Integer(0);
  context.block->wanted = true;
  context.block->holders = *holders;
  context.block->timeout = std::chrono::milliseconds(*millis);
}

constexpr uint32_t kPops = kWrite | kNoScript | kBlocking;
constexpr uint32_t kMoves = kPops | kDenyOom;
constexpr uint32_t kPopsSeveral = kWrite | kBlocking | kMovableKeys;

constexpr CommandSpec kBlockingCommands[] = {
    {"blmove", 6, kMoves, 1, 2, 1, "list", "6.2.0",
     "Move an element from one list to another, or wait for one.", BLMove},
    {"blmpop", -5, kPopsSeveral, 0, 0, 0, "list", "7.0.0",
     "Take elements out of the first list that has any, or wait for one.", BLMPop, CountedKeys<2>},
    {"blpop", -3, kPops, 1, -2, 1, "list", "2.0.0",
     "Take out the first element of the first list that has any, or wait for one.", BLPop},
    {"brpop", -3, kPops, 1, -2, 1, "list", "2.0.0",
     "Take out the last element of the first list that has any, or wait for one.", BRPop},
    {"brpoplpush", 4, kMoves, 1, 2, 1, "list", "2.2.0",
     "Move the last element of a list before the first of another, or wait for one.", BRPopLPush},
    {"bzmpop", -5, kPopsSeveral, 0, 0, 0, "sorted-set", "7.0.0",
     "Take members out of the first sorted set that has any, or wait for one.", BZMPop,
     CountedKeys<2>},
    {"bzpopmax", -3, kPops | kFast, 1, -2, 1, "sorted-set", "5.0.0",
     "Take out the member with the highest score of the first set that has any, or wait.",
     BZPopMax},
    {"bzpopmin", -3, kPops | kFast, 1, -2, 1, "sorted-set", "5.0.0",
     "Take out the member with the lowest score of the first set that has any, or wait.", BZPopMin},
    {"wait", 3, kNoScript | kOutside | kForHolders, 0, 0, 0, "generic", "3.0.0",
     "Wait until other members hold what this connection wrote.", Wait},
};

}  // namespace

std::span<const CommandSpec> BlockingCommands() { return kBlockingCommands; }

}  // namespace starling
