#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "node/arguments.h"
#include "node/commands/string_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

/// Redis takes no longer text for a float.
constexpr size_t kMaxFloatText = 5 * 1024;

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

std::optional<long double> ParseFloat(std::string_view text) {
  if (text.empty() || text.size() >= kMaxFloatText) return std::nullopt;
  if (std::isspace(static_cast<unsigned char>(text.front()))) return std::nullopt;
  std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  long double value = std::strtold(terminated.c_str(), &end);
  if (end != terminated.c_str() + terminated.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

/// 17 digits after the point, zeros at the end left out.
std::string FormatFloat(long double value) {
  int length = std::snprintf(nullptr, 0, "%.17Lf", value);
  std::string text(static_cast<size_t>(length) + 1, '\0');
  std::snprintf(text.data(), text.size(), "%.17Lf", value);
  text.resize(static_cast<size_t>(length));
  if (size_t point = text.find('.'); point != std::string::npos) {
    size_t last = text.find_last_not_of('0');
    text.resize(last == point ? point : last + 1);
  }
  return text == "-0" ? "0" : text;
}

/// What exact decimals cannot hold (1e40, 0x1p-70) is added in long double, as Redis adds all, and
/// stored as text.
void AddInexactly(CommandContext& context, Access& access, const KeyRef& key,
                  std::string_view increment) {
  std::optional<KeyView> view = access.Find(key);
  if (!CheckType(context, view, KeyType::kString)) return;
  std::string buffer;
  std::optional<long double> value = view ? ParseFloat(view->Text(buffer)) : 0.0L;
  std::optional<long double> by = ParseFloat(increment);
  if (!value || !by) return context.reply.Error(error_text::kNotAFloat);
  long double sum = *value + *by;
  if (!std::isfinite(sum)) {
    return context.reply.Error("ERR increment would produce NaN or Infinity");
  }
  std::string text = FormatFloat(sum);
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
