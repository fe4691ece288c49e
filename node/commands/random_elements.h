/// What SRANDMEMBER, HRANDFIELD and ZRANDMEMBER share: drawing elements, with or without repeating.
///
/// Handlers' code: under their Access, on their thread.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "node/command.h"

namespace starling {

/// A collection that has elements. Borrows.
struct DrawFrom {
  Access& access;
  const KeyRef& key;
  ElementType type;
  size_t size;  ///< Live elements.
};

/// A random element.
std::string_view DrawElement(CommandContext& context, const DrawFrom& from);

/// `count` different elements, or all of them where there are no more. Valid until the next write.
std::vector<std::string_view> DrawDistinct(CommandContext& context, const DrawFrom& from,
                                           size_t count);

/// Writes what belongs to an element into the reply.
using ReplyElement = std::function<void(std::string_view id)>;

/// The words that HRANDFIELD and ZRANDMEMBER take behind the key.
struct RandomCount {
  int64_t count = 0;          ///< Negative: elements may repeat.
  bool with_payload = false;  ///< WITHVALUES, WITHSCORES
};
/// `words`: a count, perhaps `option` (lower case). Replies with the error and returns nothing
/// where they are wrong.
std::optional<RandomCount> ReadRandomCount(CommandContext& context, Arguments words,
                                           std::string_view option);

/// Replies with as many elements as `count` asks for, repeating where it is negative; `head` begins
/// the reply, given their number. A reply that would not fit in memory (I11) is refused.
void ReplyDrawn(CommandContext& context, const DrawFrom& from, int64_t count,
                const std::function<void(size_t elements)>& head, const ReplyElement& each);

}  // namespace starling
