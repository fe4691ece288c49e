/// The key that most commands on a collection are about: locked and looked at.
#pragma once

#include <limits>
#include <optional>
#include <string_view>

#include "node/arguments.h"
#include "node/command.h"

namespace starling {

/// Holds the key's lock while it lives.
struct CollectionAccess {
  KeyRef key;
  Access access;
  std::optional<KeyView> view;

  CollectionAccess(CommandContext& context, std::string_view name)
      : key(context.Key(name)), access(context.keyspace().Lock(key)), view(access.Find(key)) {}
  /// Locks all of `keys` and looks at one of them.
  CollectionAccess(CommandContext& context, std::span<const KeyRef> keys, size_t place)
      : key(keys[place]), access(context.keyspace().Lock(keys)), view(access.Find(key)) {}

  /// Live elements; 0 where there is no key.
  size_t size() const { return view ? view->size : 0; }
};

/// Makes room for a store of `elements` elements: what is at `target` goes, and if anything will be
/// written also what this node has not heard of yet, so that of two stores at once one stays.
inline void ClearForStore(Access& access, const KeyRef& target, size_t elements) {
  if (elements == 0) {
    access.Delete(target);
  } else {
    access.Clear(target);
  }
}

/// How many LPOP, RPOP, ZPOPMIN and ZPOPMAX take: their third word, or 1. Nothing, with the error
/// sent, where it is no count.
inline std::optional<size_t> ReadPopCount(CommandContext& context, Arguments arguments) {
  if (arguments.size() < 3) return 1;
  const std::optional<int64_t> count =
      ReadInteger(context, arguments[2], {0, std::numeric_limits<int64_t>::max()});
  if (!count) return std::nullopt;
  return static_cast<size_t>(*count);
}

}  // namespace starling
