#include "node/commands/string_compare.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "node/arguments.h"
#include "node/commands/string_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

constexpr size_t kDigestSize = 16;

struct ConditionWord {
  std::string_view name;
  ValueCondition::Kind kind;
};
constexpr ConditionWord kConditions[] = {
    {"ifeq", ValueCondition::Kind::kEqual},
    {"ifne", ValueCondition::Kind::kNotEqual},
    {"ifdeq", ValueCondition::Kind::kDigestEqual},
    {"ifdne", ValueCondition::Kind::kDigestNotEqual},
};

/// XXH3 of 64 bits, as 16 hexadecimal digits.
std::string DigestOf(std::string_view text) {
  char digits[kDigestSize + 1];
  std::snprintf(digits, sizeof(digits), "%016" PRIx64,
                static_cast<uint64_t>(XXH3_64bits(text.data(), text.size())));
  return digits;
}

bool ComparesDigests(const ValueCondition& condition) {
  return condition.kind == ValueCondition::Kind::kDigestEqual ||
         condition.kind == ValueCondition::Kind::kDigestNotEqual;
}

bool Equals(const ValueCondition& condition, const KeyView& view) {
  std::string buffer;
  const std::string_view text = view.Text(buffer);
  if (!ComparesDigests(condition)) return text == condition.operand;
  std::string asked(condition.operand);
  std::transform(asked.begin(), asked.end(), asked.begin(),
                 [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
  return DigestOf(text) == asked;
}

void DeleteWhere(CommandContext& context, std::string_view name, const ValueCondition& condition) {
  const KeyRef key = context.Key(name);
  Access access = context.keyspace().Lock(key);
  if (condition.given()) {
    const std::optional<KeyView> view = access.Find(key);
    if (!CheckCondition(context, condition, view)) return;
    if (!view || !Meets(condition, view)) return context.reply.Integer(0);
  }
  context.reply.Integer(access.Delete(key) ? 1 : 0);
}

}  // namespace

bool TakeCondition(Arguments arguments, size_t& at, ValueCondition& condition) {
  if (condition.given() || at + 1 >= arguments.size()) return false;
  for (const ConditionWord& word : kConditions) {
    if (!IsWord(arguments[at], word.name)) continue;
    condition = {word.kind, arguments[++at]};
    return true;
  }
  return false;
}

bool CheckCondition(CommandContext& context, const ValueCondition& condition,
                    const std::optional<KeyView>& view) {
  // As in Redis: of a key that is not there nothing is compared.
  if (!condition.given() || !view) return true;
  if (!CheckType(context, view, KeyType::kString)) return false;
  if (!ComparesDigests(condition) || condition.operand.size() == kDigestSize) return true;
  context.reply.Error("ERR must be exactly 16 hexadecimal characters");
  return false;
}

bool Meets(const ValueCondition& condition, const std::optional<KeyView>& view) {
  switch (condition.kind) {
    case ValueCondition::Kind::kEqual:
    case ValueCondition::Kind::kDigestEqual:
      return view && Equals(condition, *view);
    case ValueCondition::Kind::kNotEqual:
    case ValueCondition::Kind::kDigestNotEqual:
      return !view || !Equals(condition, *view);
    case ValueCondition::Kind::kNone:
      break;
  }
  return true;
}

void DelIfEq(CommandContext& context, Arguments arguments) {
  DeleteWhere(context, arguments[1], {ValueCondition::Kind::kEqual, arguments[2]});
}

void DelEx(CommandContext& context, Arguments arguments) {
  ValueCondition condition;
  size_t at = 2;
  const bool whole = arguments.size() == 2 ||
                     (TakeCondition(arguments, at, condition) && at + 1 == arguments.size());
  if (!whole) return context.reply.Error(error_text::kSyntax);
  DeleteWhere(context, arguments[1], condition);
}

void Digest(CommandContext& context, Arguments arguments) {
  const KeyRef key = context.Key(arguments[1]);
  Access access = context.keyspace().Lock(key);
  const std::optional<KeyView> view = access.Find(key);
  if (!view) return context.reply.Null();
  if (!CheckType(context, view, KeyType::kString)) return;
  std::string buffer;
  context.reply.Bulk(DigestOf(view->Text(buffer)));
}

}  // namespace starling
