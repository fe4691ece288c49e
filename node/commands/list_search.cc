#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "node/arguments.h"
#include "node/commands/collection_access.h"
#include "node/commands/list_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

constexpr ElementType kElements = ElementType::kList;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

/// How a list is searched.
struct Search {
  std::string_view text;
  bool from_back = false;
  size_t skip = 0;                                       ///< Matches to pass over.
  size_t matches = std::numeric_limits<size_t>::max();   ///< At most so many are found.
  size_t compared = std::numeric_limits<size_t>::max();  ///< At most so many are looked at.
};

/// The places, from the front, of the elements found, in the order of the search.
std::vector<size_t> FindPlaces(CollectionAccess& list, Search search) {
  std::vector<size_t> places;
  std::string buffer;
  size_t place = 0;
  list.access.ForEachInOrder(
      list.key, kElements, 0, search.compared, search.from_back,
      [&](std::string_view, const Value& value) {
        if (TextOf(value, buffer) == search.text && search.skip-- == 0) {
          search.skip = 0;
          places.push_back(search.from_back ? list.size() - 1 - place : place);
        }
        ++place;
        return places.size() < search.matches;
      });
  return places;
}

/// The options of LPOS.
struct PositionOptions {
  int64_t rank = 1;
  std::optional<int64_t> count;
  int64_t max_compared = 0;  ///< 0: all.
};

std::optional<PositionOptions> ReadPositionOptions(CommandContext& context, Arguments words) {
  PositionOptions options;
  const auto not_negative = [&context](std::string_view word,
                                       std::string_view error) -> std::optional<int64_t> {
    const std::optional<int64_t> value = Number::ParseInt(word);
    if (value && *value >= 0) return value;
    context.reply.Error(error);
    return std::nullopt;
  };
  for (size_t i = 0; i < words.size(); i += 2) {
    const bool has_value = i + 1 < words.size();
    std::optional<int64_t> value;
    if (has_value && IsWord(words[i], "rank")) {
      // Redis's search goes wrong for the least integer, which has no positive counterpart.
      value = ReadInteger(context, words[i + 1], {-kMost, kMost});
      if (value == 0) {
        context.reply.Error(
            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or "
            "use negative to start from the end of the list");
        return std::nullopt;
      }
      options.rank = value.value_or(1);
    } else if (has_value && IsWord(words[i], "count")) {
      value = options.count = not_negative(words[i + 1], "ERR COUNT can't be negative");
    } else if (has_value && IsWord(words[i], "maxlen")) {
      value = not_negative(words[i + 1], "ERR MAXLEN can't be negative");
      options.max_compared = value.value_or(0);
    } else {
      context.reply.Error(error_text::kSyntax);
    }
    if (!value) return std::nullopt;
  }
  return options;
}

}  // namespace

void LInsert(CommandContext& context, Arguments arguments) {
  const bool after = IsWord(arguments[2], "after");
  if (!after && !IsWord(arguments[2], "before")) return context.reply.Error(error_text::kSyntax);
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  if (!list.view) return context.reply.Integer(0);
  Search search;
  search.text = arguments[3];
  search.matches = 1;
  const std::vector<size_t> places = FindPlaces(list, search);
  if (places.empty()) return context.reply.Integer(-1);
  list.access.InsertElementAt(list.key, places[0] + (after ? 1 : 0), Value::FromText(arguments[4]));
  context.reply.Integer(static_cast<int64_t>(list.size() + 1));
}

void LRem(CommandContext& context, Arguments arguments) {
  const std::optional<int64_t> count = ReadInteger(context, arguments[2]);
  if (!count) return;
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  Search search;
  search.text = arguments[3];
  search.from_back = *count < 0;
  const auto magnitude = static_cast<size_t>(*count);
  if (*count != 0) search.matches = *count < 0 ? 0 - magnitude : magnitude;
  std::vector<size_t> places = FindPlaces(list, search);
  // From the last on, so that the places before stay what they are.
  if (!search.from_back) std::reverse(places.begin(), places.end());
  for (size_t place : places) list.access.RemoveRange(list.key, kElements, place, 1);
  context.reply.Integer(static_cast<int64_t>(places.size()));
}

void LPos(CommandContext& context, Arguments arguments) {
  const std::optional<PositionOptions> options = ReadPositionOptions(context, arguments.subspan(3));
  if (!options) return;
  CollectionAccess list(context, arguments[1]);
  if (!CheckType(context, list.view, KeyType::kList)) return;
  Search search;
  search.text = arguments[2];
  search.from_back = options->rank < 0;
  const auto rank = static_cast<size_t>(options->rank);
  search.skip = (search.from_back ? 0 - rank : rank) - 1;
  if (options->max_compared > 0) search.compared = static_cast<size_t>(options->max_compared);
  if (!options->count) {
    search.matches = 1;
  } else if (*options->count > 0) {
    search.matches = static_cast<size_t>(*options->count);
  }
  const std::vector<size_t> places = FindPlaces(list, search);
  if (!options->count) {
    return places.empty() ? context.reply.Null()
                          : context.reply.Integer(static_cast<int64_t>(places[0]));
  }
  context.reply.Array(places.size());
  for (size_t place : places) context.reply.Integer(static_cast<int64_t>(place));
}

}  // namespace starling
