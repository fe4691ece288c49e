/// What ZMPOP and LMPOP share: `numkeys key [key ...] <end> [COUNT count]`.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "node/arguments.h"
#include "node/command.h"

namespace starling {

struct MultiPop {
  Arguments names;    ///< Of the keys.
  bool last = false;  ///< The second of the ends: MAX, RIGHT.
  size_t count = 1;
};

/// `words` begins with numkeys; `ends` are the two words for an end, lower case. Replies with the
/// error and returns nothing where the words are wrong.
std::optional<MultiPop> ReadMultiPop(CommandContext& context, Arguments words,
                                     const std::array<std::string_view, 2>& ends);

/// Which key is the first that is there. Replies nil where none is, or WRONGTYPE where it, or one
/// before it, is not of `type`, and returns nothing.
std::optional<size_t> FindFirst(CommandContext& context, Access& access,
                                std::span<const KeyRef> keys, KeyType type);

}  // namespace starling
