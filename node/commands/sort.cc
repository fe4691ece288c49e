// SORT and SORT_RO.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "node/arguments.h"
#include "node/commands/collection_access.h"
#include "node/commands/generic_commands.h"
#include "node/error_text.h"

namespace starling {
namespace {

/// What a SORT asks for. Texts borrow from the request.
struct SortRequest {
  bool descending = false;
  bool alphabetic = false;
  bool sorted = true;  ///< BY with a constant pattern: the elements stay in their own order.
  int64_t offset = 0;
  int64_t count = -1;
  std::optional<std::string_view> by;
  std::vector<std::string_view> gets;
  std::optional<std::string_view> store;

  /// Whether other keys are read, whose names come from the elements.
  bool ReadsOtherKeys() const {
    const auto has_star = [](std::string_view text) {
      return text.find('*') != std::string_view::npos;
    };
    return (by && has_star(*by)) || std::any_of(gets.begin(), gets.end(), has_star);
  }
};

std::optional<SortRequest> ReadSortRequest(CommandContext& context, Arguments words,
                                           bool may_store) {
  SortRequest request;
  for (size_t i = 0; i < words.size(); ++i) {
    const size_t left = words.size() - i - 1;
    if (IsWord(words[i], "asc")) {
      request.descending = false;
    } else if (IsWord(words[i], "desc")) {
      request.descending = true;
    } else if (IsWord(words[i], "alpha")) {
      request.alphabetic = true;
    } else if (left >= 2 && IsWord(words[i], "limit")) {
      const std::optional<int64_t> offset = ReadInteger(context, words[i + 1]);
      if (!offset) return std::nullopt;
      const std::optional<int64_t> count = ReadInteger(context, words[i + 2]);
      if (!count) return std::nullopt;
      request.offset = *offset;
      request.count = *count;
      i += 2;
    } else if (left >= 1 && may_store && IsWord(words[i], "store")) {
      request.store = words[++i];
    } else if (left >= 1 && IsWord(words[i], "by")) {
      request.by = words[++i];
      if (request.by->find('*') == std::string_view::npos) request.sorted = false;
    } else if (left >= 1 && IsWord(words[i], "get")) {
      request.gets.push_back(words[++i]);
    } else {
      context.reply.Error(error_text::kSyntax);
      return std::nullopt;
    }
  }
  return request;
}

/// One element with what it is sorted by.
struct SortElement {
  std::string text;
  double score = 0;
  std::optional<std::string> weight;  ///< BY together with ALPHA.
};

/// What `pattern` names for an element: itself, the string or the field of a hash whose key has
/// the element in place of the star; nothing where that is not there.
std::optional<std::string> Dereference(CommandContext& context, Access& access,
                                       std::string_view pattern, const std::string& element) {
  if (pattern == "#") return element;
  const size_t star = pattern.find('*');
  if (star == std::string_view::npos) return std::nullopt;
  const size_t arrow = pattern.find("->", star + 1);
  const bool of_hash = arrow != std::string_view::npos && arrow + 2 < pattern.size();
  std::string name(pattern.substr(0, star));
  name += element;
  name += of_hash ? pattern.substr(star + 1, arrow - star - 1) : pattern.substr(star + 1);
  const KeyRef key = context.Key(name);
  const std::optional<KeyView> view = access.Find(key);
  std::string buffer;
  if (!of_hash) {
    if (!view || view->type != KeyType::kString) return std::nullopt;
    return std::string(view->Text(buffer));
  }
  if (!view || view->type != KeyType::kHash) return std::nullopt;
  const std::optional<Value> value =
      access.GetElement(key, ElementType::kHash, pattern.substr(arrow + 2));
  if (!value) return std::nullopt;
  return std::string(TextOf(*value, buffer));
}

std::vector<SortElement> LoadElements(Access& access, const KeyRef& key,
                                      const std::optional<KeyView>& view, bool reverse) {
  std::vector<SortElement> elements;
  if (!view) return elements;
  elements.reserve(view->size);
  std::string buffer;
  if (view->type == KeyType::kSet) {
    access.ForEachElement(key, ElementType::kSet, [&](std::string_view id, const Value&) {
      elements.push_back({std::string(id), 0, {}});
    });
    return elements;
  }
  const bool list = view->type == KeyType::kList;
  access.ForEachInOrder(
      key, list ? ElementType::kList : ElementType::kSortedSet, 0, view->size, reverse,
      [&](std::string_view id, const Value& value) {
        elements.push_back({std::string(list ? TextOf(value, buffer) : id), 0, {}});
        return true;
      });
  return elements;
}

/// Redis takes what strtod takes whole.
bool ParseScore(const std::string& text, double& score) {
  char* end = nullptr;
  errno = 0;
  score = std::strtod(text.c_str(), &end);
  return *end == '\0' && errno != ERANGE && !std::isnan(score);
}

/// Finds what each element is sorted by; false where one must be a number and is not.
bool Weigh(CommandContext& context, Access& access, const SortRequest& request,
           std::vector<SortElement>& elements) {
  if (request.alphabetic && !request.by) return true;
  bool numbers = true;
  for (SortElement& element : elements) {
    std::optional<std::string> weight =
        request.by ? Dereference(context, access, *request.by, element.text) : element.text;
    if (request.alphabetic) {
      element.weight = std::move(weight);
    } else if (weight && !ParseScore(*weight, element.score)) {
      numbers = false;
    }
  }
  return numbers;
}

/// Texts as bytes: Redis goes by the locale, and no further than a zero byte.
int Compare(const SortElement& a, const SortElement& b, const SortRequest& request) {
  if (!request.alphabetic) {
    if (a.score != b.score) return a.score < b.score ? -1 : 1;
    return a.text.compare(b.text);
  }
  if (!request.by) return a.text.compare(b.text);
  if (!a.weight || !b.weight) return (a.weight ? 1 : 0) - (b.weight ? 1 : 0);
  return a.weight->compare(*b.weight);
}

/// The elements that LIMIT leaves, as a range of places.
std::pair<size_t, size_t> Limited(const SortRequest& request, size_t size) {
  const auto all = static_cast<int64_t>(size);
  const int64_t first = std::min(std::max<int64_t>(request.offset, 0), all);
  const int64_t left = all - first;
  const int64_t count = request.count < 0 ? left : std::min(request.count, left);
  return {static_cast<size_t>(first), static_cast<size_t>(first + count)};
}

/// What goes out for the elements, each of them or what GET names for it.
using Output = std::vector<std::optional<std::string>>;

Output Collect(CommandContext& context, Access& access, const SortRequest& request,
               std::vector<SortElement>& elements) {
  Output output;
  const auto [first, end] = Limited(request, elements.size());
  for (size_t i = first; i < end; ++i) {
    if (request.gets.empty()) output.emplace_back(std::move(elements[i].text));
    for (std::string_view pattern : request.gets) {
      output.push_back(Dereference(context, access, pattern, elements[i].text));
    }
  }
  return output;
}

void StoreOutput(CommandContext& context, Access& access, const KeyRef& target,
                 const Output& output) {
  ClearForStore(access, target, output.size());
  for (const std::optional<std::string>& text : output) {
    access.PushElement(target, /*left=*/false, Value::FromText(text ? *text : ""));
  }
  context.reply.Integer(static_cast<int64_t>(output.size()));
}

Access LockFor(CommandContext& context, const SortRequest& request, const KeyRef& key) {
  // Which other keys will be read is not known before the elements are.
  if (request.ReadsOtherKeys()) return context.keyspace().LockAll();
  if (!request.store) return context.keyspace().Lock(key);
  const std::array<KeyRef, 2> keys = {key, context.Key(*request.store)};
  return context.keyspace().Lock(keys);
}

void RunSort(CommandContext& context, Arguments arguments, bool may_store) {
  std::optional<SortRequest> request = ReadSortRequest(context, arguments.subspan(2), may_store);
  if (!request) return;
  const KeyRef key = context.Key(arguments[1]);
  Access access = LockFor(context, *request, key);
  const std::optional<KeyView> view = access.Find(key);
  if (view && view->type != KeyType::kSet && view->type != KeyType::kList &&
      view->type != KeyType::kSortedSet) {
    return context.reply.Error(error_text::kWrongType);
  }
  if (!request->sorted && request->store && view && view->type == KeyType::kSet) {
    // A set has no order of its own; what is kept must not depend on chance.
    request->sorted = true;
    request->alphabetic = true;
    request->by.reset();
  }
  std::vector<SortElement> elements =
      LoadElements(access, key, view, !request->sorted && request->descending);
  if (request->sorted) {
    if (!Weigh(context, access, *request, elements)) {
      return context.reply.Error("ERR One or more scores can't be converted into double");
    }
    std::stable_sort(elements.begin(), elements.end(),
                     [&](const SortElement& a, const SortElement& b) {
                       const int order = Compare(a, b, *request);
                       return request->descending ? order > 0 : order < 0;
                     });
  }
  const Output output = Collect(context, access, *request, elements);
  if (request->store) return StoreOutput(context, access, context.Key(*request->store), output);
  context.reply.Array(output.size());
  for (const std::optional<std::string>& text : output) {
    text ? context.reply.Bulk(*text) : context.reply.Null();
  }
}

}  // namespace

bool FindSortKeys(Arguments request, std::vector<std::string_view>& keys) {
  std::optional<std::string_view> target;
  for (size_t i = 2; i < request.size(); ++i) {
    if (IsWord(request[i], "limit")) {
      i += 2;
    } else if (IsWord(request[i], "get") || IsWord(request[i], "by")) {
      ++i;
    } else if (i + 1 < request.size() && IsWord(request[i], "store")) {
      target = request[i + 1];
    }
  }
  if (target) keys.push_back(*target);
  return true;
}

void Sort(CommandContext& context, Arguments arguments) {
  RunSort(context, arguments, /*may_store=*/true);
}

void SortRo(CommandContext& context, Arguments arguments) {
  RunSort(context, arguments, /*may_store=*/false);
}

}  // namespace starling
