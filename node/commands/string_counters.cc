#include <cmath>
#include <limits>
#include <string>

#include "node/arguments.h"
#include "node/commands/string_commands.h"
#include "node/error_text.h"
#include "node/long_double.h"

namespace starling {
namespace {

void AddTo(CommandContext& context, std::string_view key_name, int64_t by) {
  KeyRef key = context.Key(key_name);
  Result<int64_t> sum = context.keyspace().Lock(key).Increment(key, by);
  if (sum) return context.reply.Integer(*sum);
  switch (sum.error().code) {
    case Code::kWrongType:
      return context.reply.Error(error_text::kWrongType);
    case Code::kInvalidArgument:
      return context.reply.Error(error_text::kNotAnInteger);
    default:
      return context.reply.Error(error_text::kIncrementOverflow);
  }
}

/// What exact decimals cannot hold (1e40, 0x1p-70) is added in long double, as Redis adds all, and
/// stored as text.
void AddInexactly(CommandContext& context, Access& access, const KeyRef& key,
                  std::string_view increment) {
  std::optional<KeyView> view = access.Find(key);
  if (!CheckType(context, view, KeyType::kString)) return;
  std::string buffer;
  std::optional<long double> value = view ? ParseLongDouble(view->Text(buffer)) : 0.0L;
  std::optional<long double> by = ParseLongDouble(increment);
  if (!value || !by) return context.reply.Error(error_text::kNotAFloat);
  long double sum = *value + *by;
  if (!std::isfinite(sum)) {
    return context.reply.Error("ERR increment would produce NaN or Infinity");
  }
  std::string text = FormatLongDouble(sum);
  access.SetString(key, text, /*keep_ttl=*/true);
  context.reply.Bulk(text);
}

}  // namespace

void Incr(CommandContext& context, Arguments arguments) { AddTo(context, arguments[1], 1); }

void Decr(CommandContext& context, Arguments arguments) { AddTo(context, arguments[1], -1); }

void IncrBy(CommandContext& context, Arguments arguments) {
  if (std::optional<int64_t> by = ReadInteger(context, arguments[2])) {
    AddTo(context, arguments[1], *by);
  }
}

void DecrBy(CommandContext& context, Arguments arguments) {
  std::optional<int64_t> by = ReadInteger(context, arguments[2]);
  if (!by) return;
  if (*by == std::numeric_limits<int64_t>::min()) {
    return context.reply.Error("ERR decrement would overflow");
  }
  AddTo(context, arguments[1], -*by);
}

void IncrByFloat(CommandContext& context, Arguments arguments) {
  KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  if (std::optional<Number> by = Number::ParseDecimal(arguments[2])) {
    Result<Number> sum = access.IncrementDecimal(key, *by);
    if (sum) return context.reply.Bulk(sum->ToString());
  }
  AddInexactly(context, access, key, arguments[2]);
}

}  // namespace starling
