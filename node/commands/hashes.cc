#include <cmath>
#include <string>

#include "node/arguments.h"
#include "node/commands/collection_access.h"
#include "node/commands/random_elements.h"
#include "node/commands/scan.h"
#include "node/error_text.h"
#include "node/long_double.h"

namespace starling {
namespace {

constexpr ElementType kFields = ElementType::kHash;

/// Sets the fields of `pairs` (field, value, field, value...); returns how many are new, or nothing
/// where it has replied with an error.
std::optional<int64_t> SetFields(CommandContext& context, Arguments arguments,
                                 std::string_view command) {
  if (arguments.size() % 2 != 0) {
    ReplyWrongArity(context, command);
    return std::nullopt;
  }
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return std::nullopt;
  int64_t added = 0;
  for (size_t i = 2; i < arguments.size(); i += 2) {
    const Value value = Value::FromText(arguments[i + 1]);
    if (hash.access.AddElement(hash.key, kFields, arguments[i], value)) ++added;
  }
  return added;
}

void HSet(CommandContext& context, Arguments arguments) {
  std::optional<int64_t> added = SetFields(context, arguments, "hset");
  if (added) context.reply.Integer(*added);
}

void HMSet(CommandContext& context, Arguments arguments) {
  if (SetFields(context, arguments, "hmset")) context.reply.Ok();
}

void HSetNx(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  if (hash.access.HasElement(hash.key, kFields, arguments[2])) return context.reply.Integer(0);
  hash.access.AddElement(hash.key, kFields, arguments[2], Value::FromText(arguments[3]));
  context.reply.Integer(1);
}

void HGet(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  ReplyValue(context.reply, hash.access.GetElement(hash.key, kFields, arguments[2]));
}

void HMGet(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  Arguments fields = arguments.subspan(2);
  context.reply.Array(fields.size());
  for (std::string_view field : fields) {
    ReplyValue(context.reply, hash.access.GetElement(hash.key, kFields, field));
  }
}

void HDel(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  int64_t removed = 0;
  for (std::string_view field : arguments.subspan(2)) {
    if (hash.view && hash.access.RemoveElement(hash.key, kFields, field)) ++removed;
  }
  context.reply.Integer(removed);
}

void HExists(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  context.reply.Integer(hash.access.HasElement(hash.key, kFields, arguments[2]) ? 1 : 0);
}

void HLen(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  context.reply.Integer(static_cast<int64_t>(hash.size()));
}

void HStrLen(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  std::optional<Value> value = hash.access.GetElement(hash.key, kFields, arguments[2]);
  std::string buffer;
  context.reply.Integer(value ? static_cast<int64_t>(TextOf(*value, buffer).size()) : 0);
}

void HGetAll(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  Reply& reply = context.reply;
  reply.Map(hash.size());
  hash.access.ForEachElement(hash.key, kFields, [&](std::string_view field, const Value& value) {
    reply.Bulk(field);
    ReplyValue(reply, value);
  });
}

void HKeys(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  Reply& reply = context.reply;
  reply.Array(hash.size());
  hash.access.ForEachElement(hash.key, kFields,
                             [&](std::string_view field, const Value&) { reply.Bulk(field); });
}

void HVals(CommandContext& context, Arguments arguments) {
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  Reply& reply = context.reply;
  reply.Array(hash.size());
  hash.access.ForEachElement(
      hash.key, kFields, [&](std::string_view, const Value& value) { ReplyValue(reply, value); });
}

DrawFrom FieldsOf(CollectionAccess& hash) {
  return {hash.access, hash.key, kFields, hash.view->size};
}

void HRandFieldCount(CommandContext& context, Arguments arguments) {
  std::optional<RandomCount> count = ReadRandomCount(context, arguments.subspan(2), "withvalues");
  if (!count) return;
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  Reply& reply = context.reply;
  if (!hash.view || count->count == 0) return reply.Array(0);
  const bool nested = count->with_payload && reply.protocol() >= 3;
  const size_t words_each = count->with_payload && !nested ? 2 : 1;
  ReplyDrawn(
      context, FieldsOf(hash), count->count,
      [&](size_t fields) { reply.Array(fields * words_each); },
      [&](std::string_view field) {
        if (nested) reply.Array(2);
        reply.Bulk(field);
        if (count->with_payload) {
          ReplyValue(reply, hash.access.GetElement(hash.key, kFields, field));
        }
      });
}

void HRandField(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 2) return HRandFieldCount(context, arguments);
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  if (!hash.view) return context.reply.Null();
  context.reply.Bulk(DrawElement(context, FieldsOf(hash)));
}

void HScan(CommandContext& context, Arguments arguments) {
  std::optional<uint64_t> cursor = ReadCursor(context, arguments[2]);
  if (!cursor) return;
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  if (!hash.view) return ScanReply(context).Send(0);
  std::optional<ScanOptions> options =
      ReadScanOptions(context, arguments.subspan(3), ScanOf::kElements);
  if (!options) return;
  ScanReply found(context);
  std::string buffer;
  uint64_t next = hash.access.ScanElements(hash.key, kFields, *cursor, options->count,
                                           [&](std::string_view field, const Value& value) {
                                             if (!options->MatchesName(field)) return;
                                             found.Add(field);
                                             found.Add(TextOf(value, buffer));
                                           });
  found.Send(next);
}

void HIncrBy(CommandContext& context, Arguments arguments) {
  const std::optional<int64_t> by = ReadInteger(context, arguments[3]);
  if (!by) return;
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  const Result<int64_t> sum = hash.access.IncrementElement(hash.key, kFields, arguments[2], *by);
  if (sum) return context.reply.Integer(*sum);
  context.reply.Error(sum.error().code == Code::kInvalidArgument
                          ? "ERR hash value is not an integer"
                          : error_text::kIncrementOverflow);
}

/// What exact decimals cannot hold is added in long double, as Redis adds all, and stored as text.
void AddInexactly(CommandContext& context, CollectionAccess& hash, std::string_view field,
                  long double by) {
  const std::optional<Value> present = hash.access.GetElement(hash.key, kFields, field);
  std::string buffer;
  std::optional<long double> value = 0.0L;
  if (present) value = ParseLongDouble(TextOf(*present, buffer));
  if (!value) return context.reply.Error("ERR hash value is not a float");
  const long double sum = *value + by;
  if (!std::isfinite(sum)) {
    return context.reply.Error("ERR increment would produce NaN or Infinity");
  }
  const std::string text = FormatLongDouble(sum);
  hash.access.AddElement(hash.key, kFields, field, Value::FromText(text));
  context.reply.Bulk(text);
}

void HIncrByFloat(CommandContext& context, Arguments arguments) {
  const std::optional<long double> by = ParseLongDouble(arguments[3]);
  if (!by) return context.reply.Error(error_text::kNotAFloat);
  if (std::isinf(*by)) return context.reply.Error("ERR value is NaN or Infinity");
  CollectionAccess hash(context, arguments[1]);
  if (!CheckType(context, hash.view, KeyType::kHash)) return;
  if (const std::optional<Number> exact = Number::ParseDecimal(arguments[3])) {
    const Result<Number> sum =
        hash.access.IncrementElementDecimal(hash.key, kFields, arguments[2], *exact);
    if (sum) return context.reply.Bulk(sum->ToString());
  }
  AddInexactly(context, hash, arguments[2], *by);
}

constexpr CommandSpec kHashCommands[] = {
    {"hdel", -3, kWrite | kFast, 1, 1, 1, "hash", "2.0.0", "Remove fields from a hash.", HDel},
    {"hexists", 3, kReadOnly | kFast, 1, 1, 1, "hash", "2.0.0", "Whether a hash has a field.",
     HExists},
    {"hget", 3, kReadOnly | kFast, 1, 1, 1, "hash", "2.0.0", "The value of a field.", HGet},
    {"hgetall", 2, kReadOnly, 1, 1, 1, "hash", "2.0.0", "All fields of a hash with their values.",
     HGetAll},
    {"hincrby", 4, kWrite | kDenyOom | kFast, 1, 1, 1, "hash", "2.0.0", "Add to a field's integer.",
     HIncrBy},
    {"hincrbyfloat", 4, kWrite | kDenyOom | kFast, 1, 1, 1, "hash", "2.6.0",
     "Add to a field's decimal number.", HIncrByFloat},
    {"hkeys", 2, kReadOnly, 1, 1, 1, "hash", "2.0.0", "All fields of a hash.", HKeys},
    {"hlen", 2, kReadOnly | kFast, 1, 1, 1, "hash", "2.0.0", "Count the fields of a hash.", HLen},
    {"hmget", -3, kReadOnly | kFast, 1, 1, 1, "hash", "2.0.0", "The values of several fields.",
     HMGet},
    {"hmset", -4, kWrite | kDenyOom | kFast, 1, 1, 1, "hash", "2.0.0", "Set fields of a hash.",
     HMSet},
    {"hrandfield", -2, kReadOnly, 1, 1, 1, "hash", "6.2.0", "Random fields of a hash.", HRandField},
    {"hscan", -3, kReadOnly | kByThisNode, 1, 1, 1, "hash", "2.8.0",
     "Go through the fields of a hash step by step.", HScan},
    {"hset", -4, kWrite | kDenyOom | kFast, 1, 1, 1, "hash", "2.0.0",
     "Set fields of a hash and count those that are new.", HSet},
    {"hsetnx", 4, kWrite | kDenyOom | kFast, 1, 1, 1, "hash", "2.0.0",
     "Set a field if it is not there.", HSetNx},
    {"hstrlen", 3, kReadOnly | kFast, 1, 1, 1, "hash", "3.2.0", "The length of a field's value.",
     HStrLen},
    {"hvals", 2, kReadOnly, 1, 1, 1, "hash", "2.0.0", "All values of a hash.", HVals},
};

}  // namespace

std::span<const CommandSpec> HashCommands() { return kHashCommands; }

}  // namespace starling
