/// The handlers of the list family's second half, which lists.cc lists with arity, flags and keys.
///
/// Handlers as command.h describes them: one reply each, all arguments checked before anything
/// changes.
#pragma once

#include <optional>
#include <string_view>

#include "node/command.h"

namespace starling {

// list_search.cc: elements by their text.
void LInsert(CommandContext& context, Arguments arguments);
void LRem(CommandContext& context, Arguments arguments);
void LPos(CommandContext& context, Arguments arguments);

// list_moves.cc: taking elements out, and from one list to another.
void LPop(CommandContext& context, Arguments arguments);
void RPop(CommandContext& context, Arguments arguments);
void LMPop(CommandContext& context, Arguments arguments);
void LMove(CommandContext& context, Arguments arguments);
void RPopLPush(CommandContext& context, Arguments arguments);

/// Whether `word` names the right end of a list; nothing, with the error sent, where it names none.
std::optional<bool> ReadListEnd(CommandContext& context, std::string_view word);

}  // namespace starling
