/// Reading a command's words: numbers, options, cursors, times to live, lists of keys.
///
/// Stateless. A `Read...` function replies with Redis's error and returns nothing where the word is
/// not what it must be; the handler then just returns, having changed nothing (I13).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <absl/container/inlined_vector.h>

#include "node/command.h"

namespace starling {

/// Redis's `proto-max-bulk-len`: no string grows beyond it.
inline constexpr uint64_t kMaxStringBytes = uint64_t{512} << 20;

/// Whether `word` is `lower` (ASCII lower case) in any case.
bool IsWord(std::string_view word, std::string_view lower);

/// A 64-bit integer in Redis's strict form.
std::optional<int64_t> ReadInteger(CommandContext& context, std::string_view word);

struct IntegerRange {
  int64_t least;
  int64_t most;
};
/// An integer within `range`; the error names the range, or that it must be positive where the
/// range is [0, INT64_MAX].
std::optional<int64_t> ReadInteger(CommandContext& context, std::string_view word,
                                   IntegerRange range);

/// A database number of this node.
std::optional<uint8_t> ReadDatabase(CommandContext& context, std::string_view word);

/// A cursor of SCAN and its kin, as strtoul takes it.
std::optional<uint64_t> ReadCursor(CommandContext& context, std::string_view word);

/// How a time on the command line is meant.
struct TimeUnit {
  bool seconds = false;   ///< Else milliseconds.
  bool absolute = false;  ///< Since the Unix epoch; else from now.
};
/// A deadline in milliseconds of the hybrid clock. Times that are not above zero are refused, as
/// SET does; `command` is named in the error.
std::optional<int64_t> ReadDeadline(CommandContext& context, std::string_view word, TimeUnit unit,
                                    std::string_view command);
/// As above, but times in the past are taken, as EXPIRE does.
std::optional<int64_t> ReadAnyDeadline(CommandContext& context, std::string_view word,
                                       TimeUnit unit, std::string_view command);

/// Keys to lock together; a few need no memory of their own.
using KeyList = absl::InlinedVector<KeyRef, 8>;
/// Keys of `words`, every `step`th from the first, in the client's database.
KeyList ReadKeys(CommandContext& context, Arguments words, size_t step = 1);

/// The keys behind a count, as SINTERCARD and LMPOP have them: `words` begins with the count.
std::optional<Arguments> ReadCountedKeys(CommandContext& context, Arguments words);
/// The words behind the keys of SINTERCARD and ZINTERCARD: LIMIT, or nothing. 0: no limit.
std::optional<int64_t> ReadIntersectionLimit(CommandContext& context, Arguments words);

/// Whether `view` is absent or of `type`; else replies WRONGTYPE.
bool CheckType(CommandContext& context, const std::optional<KeyView>& view, KeyType type);

/// The text of a string key, straight into the reply.
void ReplyText(Reply& reply, const KeyView& view);

/// The text of an element's payload, or null where there is none.
void ReplyValue(Reply& reply, const std::optional<Value>& value);

/// Replies that `command` (lower case) got too few or too many words, as RunCommand does where the
/// table's arity tells.
void ReplyWrongArity(CommandContext& context, std::string_view command);

/// Replies with the lines of `COMMAND HELP`, Redis's head and last line around them.
void ReplyHelp(Reply& reply, std::string_view command, std::span<const std::string_view> lines);

}  // namespace starling
