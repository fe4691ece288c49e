#include "node/commands/multi_pop.h"

#include "node/error_text.h"

namespace starling {

std::optional<MultiPop> ReadMultiPop(CommandContext& context, Arguments words,
                                     const std::array<std::string_view, 2>& ends) {
  const auto refuse = [&context](std::string_view error) {
    context.reply.Error(error);
    return std::nullopt;
  };
  const std::optional<int64_t> keys = Number::ParseInt(words[0]);
  if (!keys || *keys < 1) return refuse("ERR numkeys should be greater than 0");
  if (*keys >= static_cast<int64_t>(words.size()) - 1) return refuse(error_text::kSyntax);
  MultiPop pop;
  pop.names = words.subspan(1, static_cast<size_t>(*keys));
  words = words.subspan(1 + pop.names.size());
  pop.last = IsWord(words[0], ends[1]);
  if (!pop.last && !IsWord(words[0], ends[0])) return refuse(error_text::kSyntax);
  if (words.size() == 1) return pop;
  if (words.size() == 2 || !IsWord(words[1], "count")) return refuse(error_text::kSyntax);
  const std::optional<int64_t> count = Number::ParseInt(words[2]);
  if (!count || *count < 1) return refuse("ERR count should be greater than 0");
  if (words.size() > 3) return refuse(error_text::kSyntax);
  pop.count = static_cast<size_t>(*count);
  return pop;
}

std::optional<size_t> FindFirst(CommandContext& context, Access& access,
                                std::span<const KeyRef> keys, KeyType type) {
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::optional<KeyView> view = access.Find(keys[i]);
    if (!view) continue;
    if (!CheckType(context, view, type)) return std::nullopt;
    return i;
  }
  context.reply.NullArray();
  return std::nullopt;
}

}  // namespace starling
