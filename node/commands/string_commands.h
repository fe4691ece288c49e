/// The handlers of the string family, which strings.cc lists with arity, flags and keys.
///
/// Handlers as command.h describes them: one reply each, all arguments checked before anything
/// changes.
#pragma once

#include "node/command.h"

namespace starling {

// string_counters.cc: numbers that nodes add to at the same time.
void Incr(CommandContext& context, Arguments arguments);
void IncrBy(CommandContext& context, Arguments arguments);
void Decr(CommandContext& context, Arguments arguments);
void DecrBy(CommandContext& context, Arguments arguments);
void IncrByFloat(CommandContext& context, Arguments arguments);

// string_ranges.cc: parts of a string.
void Append(CommandContext& context, Arguments arguments);
void StrLen(CommandContext& context, Arguments arguments);
void GetRange(CommandContext& context, Arguments arguments);
void SetRange(CommandContext& context, Arguments arguments);

// string_compare.cc: what depends on the present value.
void DelIfEq(CommandContext& context, Arguments arguments);
void DelEx(CommandContext& context, Arguments arguments);
void Digest(CommandContext& context, Arguments arguments);

// string_lcs.cc: the longest common subsequence.
void Lcs(CommandContext& context, Arguments arguments);

}  // namespace starling
