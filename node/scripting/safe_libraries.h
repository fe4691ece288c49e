/// Lua's own libraries, `bit` and `cjson` as scripts of strangers may have them: what could crash
/// the process or take its memory past the interpreter's limit is bounded or refused, all else is
/// the library's.
///
/// Debian's Lua 5.1, lua-bitop and lua-cjson do not have Redis's mends of CVE-2024-31449
/// (bit.tohex), CVE-2025-46817 (unpack) and CVE-2025-49844 (the parser), which is why they stand
/// here.
#pragma once

#include <string_view>

struct lua_State;

namespace starling {

/// Leaves the libraries as globals; `io`, `os`, `debug` and `package` are not among them. Patterns
/// have 4096 bytes at most; `load` and `loadstring` take no bytecode. May raise Lua errors.
void OpenSafeLibraries(lua_State* lua);

/// Pushes the text as a function (true), or what is wrong with it. Nothing is collected meanwhile:
/// Lua 5.1's parser keeps the chunk's name where the collector does not see it (CVE-2025-49844).
bool LoadChunk(lua_State* lua, std::string_view text, const char* name);

}  // namespace starling
