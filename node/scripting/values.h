/// Between Redis's replies and Lua's values, both ways, in RESP2 and RESP3.
///
/// Stateless. Functions may raise Lua errors (memory, stack).
#pragma once

#include <string>
#include <string_view>

#include "node/reply.h"

struct lua_State;

namespace starling {

/// Pushes what `reply`, one whole reply in either protocol, is to a script: numbers, strings,
/// tables; errors and statuses are tables with `err` or `ok`; RESP2's nulls are false.
void PushReply(lua_State* lua, std::string_view reply);

/// Writes the value on top of the stack as a reply. `protocol`: the script's own choice
/// (redis.setresp), by which booleans are integers and nulls, or booleans.
void ReplyValue(lua_State* lua, Reply& reply, int protocol);

/// Pushes `{err = text}`.
void PushError(lua_State* lua, std::string_view text);

/// The text of the error table on top of the stack.
std::string ErrorText(lua_State* lua);

}  // namespace starling
