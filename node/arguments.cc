#include "node/arguments.h"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <limits>
#include <string>

#include "node/error_text.h"

namespace starling {
namespace {

constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();
constexpr int64_t kMinInt64 = std::numeric_limits<int64_t>::min();

void ReplyInvalidExpire(CommandContext& context, std::string_view command) {
  std::string text = "ERR invalid expire time in '";
  context.reply.Error(text.append(command).append("' command"));
}

}  // namespace

bool IsWord(std::string_view word, std::string_view lower) {
  if (word.size() != lower.size()) return false;
  for (size_t i = 0; i < word.size(); ++i) {
    char c = word[i];
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    if (c != lower[i]) return false;
  }
  return true;
}

std::optional<int64_t> ReadInteger(CommandContext& context, std::string_view word) {
  std::optional<int64_t> value = Number::ParseInt(word);
  if (!value) context.reply.Error(error_text::kNotAnInteger);
  return value;
}

std::optional<int64_t> ReadInteger(CommandContext& context, std::string_view word,
                                   IntegerRange range) {
  std::optional<int64_t> value = Number::ParseInt(word);
  bool positive = range.least == 0 && range.most == kMaxInt64;
  if (value && *value >= range.least && *value <= range.most) return value;
  if (positive) {
    context.reply.Error(error_text::kMustBePositive);
  } else if (!value) {
    context.reply.Error(error_text::kNotAnInteger);
  } else {
    context.reply.Error("ERR value is out of range, value must between " +
                        std::to_string(range.least) + " and " + std::to_string(range.most));
  }
  return std::nullopt;
}

std::optional<uint8_t> ReadDatabase(CommandContext& context, std::string_view word) {
  std::optional<int64_t> value = ReadInteger(
      context, word, {std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max()});
  if (!value) return std::nullopt;
  if (*value < 0 || *value >= kDatabases) {
    context.reply.Error(error_text::kDatabaseOutOfRange);
    return std::nullopt;
  }
  return static_cast<uint8_t>(*value);
}

std::optional<uint64_t> ReadCursor(CommandContext& context, std::string_view word) {
  std::string text(word);  // strtoul wants a terminator
  char* end = nullptr;
  errno = 0;
  uint64_t cursor = std::strtoul(text.c_str(), &end, 10);
  if (std::isspace(static_cast<unsigned char>(text[0])) || *end != '\0' || errno == ERANGE) {
    context.reply.Error(error_text::kInvalidCursor);
    return std::nullopt;
  }
  return cursor;
}

std::optional<int64_t> ReadAnyDeadline(CommandContext& context, std::string_view word,
                                       TimeUnit unit, std::string_view command) {
  std::optional<int64_t> value = ReadInteger(context, word);
  if (!value) return std::nullopt;
  int64_t now = unit.absolute ? 0 : context.keyspace().NowMillis();
  int64_t millis = *value;
  if (unit.seconds) {
    if (millis > kMaxInt64 / 1000 || millis < kMinInt64 / 1000) {
      ReplyInvalidExpire(context, command);
      return std::nullopt;
    }
    millis *= 1000;
  }
  if (millis > kMaxInt64 - now) {
    ReplyInvalidExpire(context, command);
    return std::nullopt;
  }
  return millis + now;
}

std::optional<int64_t> ReadDeadline(CommandContext& context, std::string_view word, TimeUnit unit,
                                    std::string_view command) {
  std::optional<int64_t> value = Number::ParseInt(word);
  if (value && *value <= 0) {
    ReplyInvalidExpire(context, command);
    return std::nullopt;
  }
  return ReadAnyDeadline(context, word, unit, command);
}

KeyList ReadKeys(CommandContext& context, Arguments words, size_t step) {
  KeyList keys;
  keys.reserve((words.size() + step - 1) / step);
  for (size_t i = 0; i < words.size(); i += step) keys.push_back(context.Key(words[i]));
  return keys;
}

std::optional<Arguments> ReadCountedKeys(CommandContext& context, Arguments words) {
  const std::optional<int64_t> count = Number::ParseInt(words[0]);
  if (!count || *count < 1) {
    context.reply.Error("ERR numkeys should be greater than 0");
    return std::nullopt;
  }
  if (*count > static_cast<int64_t>(words.size() - 1)) {
    context.reply.Error("ERR Number of keys can't be greater than number of args");
    return std::nullopt;
  }
  return words.subspan(1, static_cast<size_t>(*count));
}

std::optional<int64_t> ReadIntersectionLimit(CommandContext& context, Arguments words) {
  int64_t limit = 0;
  for (size_t i = 0; i < words.size(); i += 2) {
    if (i + 1 >= words.size() || !IsWord(words[i], "limit")) {
      context.reply.Error(error_text::kSyntax);
      return std::nullopt;
    }
    const std::optional<int64_t> value = Number::ParseInt(words[i + 1]);
    if (!value || *value < 0) {
      context.reply.Error("ERR LIMIT can't be negative");
      return std::nullopt;
    }
    limit = *value;
  }
  return limit;
}

bool CheckType(CommandContext& context, const std::optional<KeyView>& view, KeyType type) {
  if (!view || view->type == type) return true;
  context.reply.Error(error_text::kWrongType);
  return false;
}

void ReplyText(Reply& reply, const KeyView& view) { ReplyValue(reply, view.value); }

void ReplyValue(Reply& reply, const std::optional<Value>& value) {
  if (!value) return reply.Null();
  if (value->kind != Value::Kind::kNumber) return reply.Bulk(value->bytes);
  if (value->number.is_integer()) return reply.BulkInteger(value->number.ClampedInt64());
  reply.Bulk(value->number.ToString());
}

void ReplyWrongArity(CommandContext& context, std::string_view command) {
  std::string text = "ERR wrong number of arguments for '";
  context.reply.Error(text.append(command).append("' command"));
}

void ReplyHelp(Reply& reply, std::string_view command, std::span<const std::string_view> lines) {
  reply.Array(lines.size() + 3);
  std::string head(command);
  reply.Simple(head.append(" <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
  for (std::string_view line : lines) reply.Simple(line);
  reply.Simple("HELP");
  reply.Simple("    Print this help.");
}

}  // namespace starling
