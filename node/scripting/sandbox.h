/// What a script finds around it: Lua's harmless libraries, `cjson`, `cmsgpack`, `struct`, `bit`
/// and `redis`, none of which it can change, and no way to anything else.
///
/// The global table that scripts see is empty and lets nothing in; behind it, out of reach, stand
/// the variables of the script (KEYS, ARGV), then the globals. Libraries are shown through
/// userdata, which `rawset` and `table.insert` cannot write to. What could crash the process or
/// undo the memory limit (bytecode, patterns that recurse without end, stopping the collector) is
/// refused.
#pragma once

struct lua_State;

namespace starling {

/// Fills a fresh Lua state. May raise Lua errors.
void BuildSandbox(lua_State* lua);

/// Pops a value and makes it the script's variable `name`.
void SetScriptVariable(lua_State* lua, const char* name);

/// Pops a table and pushes what shows its fields and lets nobody change them.
void PushProtected(lua_State* lua);

/// Each pushes the table of the functions under one global name.
void PushRedisLibrary(lua_State* lua);        ///< `redis`
void PushMessagePackLibrary(lua_State* lua);  ///< `cmsgpack`
void PushStructLibrary(lua_State* lua);       ///< `struct`

}  // namespace starling
