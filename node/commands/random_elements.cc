#include "node/commands/random_elements.h"

#include <algorithm>
#include <limits>

#include <absl/container/flat_hash_set.h>

#include "node/arguments.h"
#include "node/error_text.h"

namespace starling {
namespace {

/// A negative count repeats elements without end: the reply must stay within memory (I11).
constexpr int64_t kMostRepetitions = int64_t{1} << 24;
constexpr size_t kMostReplyBytes = size_t{1} << 30;

std::vector<std::string_view> AllElements(const DrawFrom& from) {
  std::vector<std::string_view> ids;
  ids.reserve(from.size);
  from.access.ForEachElement(from.key, from.type,
                             [&ids](std::string_view id, const Value&) { ids.push_back(id); });
  return ids;
}

}  // namespace

std::string_view DrawElement(CommandContext& context, const DrawFrom& from) {
  return from.access.RandomElement(from.key, from.type, context.random);
}

std::vector<std::string_view> DrawDistinct(CommandContext& context, const DrawFrom& from,
                                           size_t count) {
  if (count >= from.size) return AllElements(from);
  // Drawing again on a repetition is cheap while few are asked for; else shuffle all.
  constexpr size_t kFew = 3;
  if (count * kFew > from.size) {
    std::vector<std::string_view> ids = AllElements(from);
    for (size_t i = 0; i < count; ++i) {
      std::uniform_int_distribution<size_t> place(i, ids.size() - 1);
      std::swap(ids[i], ids[place(context.random)]);
    }
    ids.resize(count);
    return ids;
  }
  absl::flat_hash_set<std::string_view> drawn;
  std::vector<std::string_view> ids;
  while (ids.size() < count) {
    std::string_view id = DrawElement(context, from);
    if (drawn.insert(id).second) ids.push_back(id);
  }
  return ids;
}

std::optional<RandomCount> ReadRandomCount(CommandContext& context, Arguments words,
                                           std::string_view option) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  std::optional<int64_t> count = ReadInteger(context, words[0], {-kMost, kMost});
  if (!count) return std::nullopt;
  if (words.size() > 2 || (words.size() == 2 && !IsWord(words[1], option))) {
    context.reply.Error(error_text::kSyntax);
    return std::nullopt;
  }
  const bool with_payload = words.size() == 2;
  if (with_payload && (*count < -kMost / 2 || *count > kMost / 2)) {
    context.reply.Error(error_text::kOutOfRange);
    return std::nullopt;
  }
  return RandomCount{*count, with_payload};
}

void ReplyDrawn(CommandContext& context, const DrawFrom& from, int64_t count,
                const std::function<void(size_t elements)>& head, const ReplyElement& each) {
  if (count >= 0) {
    std::vector<std::string_view> ids = DrawDistinct(context, from, static_cast<size_t>(count));
    head(ids.size());
    for (std::string_view id : ids) each(id);
    return;
  }
  if (count < -kMostRepetitions) return context.reply.Error(error_text::kOutOfRange);
  std::string& out = context.reply.out();
  const size_t start = out.size();
  const auto draws = static_cast<size_t>(-count);
  // Many draws are cheaper from a list of all; one draw may cost much where most were removed.
  std::vector<std::string_view> all;
  if (draws >= from.size / 4) all = AllElements(from);
  head(draws);
  for (size_t i = 0; i < draws; ++i) {
    each(all.empty() ? DrawElement(context, from) : all[context.random() % all.size()]);
    if (out.size() - start > kMostReplyBytes) {
      out.resize(start);
      return context.reply.Error(error_text::kOutOfRange);
    }
  }
}

}  // namespace starling
