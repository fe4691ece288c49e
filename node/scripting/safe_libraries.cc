#include "node/scripting/safe_libraries.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <lua.hpp>

extern "C" {
#include <lua5.1/lua-bitop.h>
#include <lua5.1/lua-cjson.h>
}

namespace starling {
namespace {

/// Lua's matcher recurses once for each part of a pattern.
constexpr size_t kMaxPattern = 4096;

/// unpack. Lua 5.1's own counts in an int, which a range may overflow (CVE-2025-46817).
int Unpack(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const int64_t first = luaL_optint(lua, 2, 1);
  const int64_t last = lua_isnoneornil(lua, 3) ? static_cast<int64_t>(lua_objlen(lua, 1))
                                               : int64_t{luaL_checkint(lua, 3)};
  if (first > last) return 0;
  const int64_t count = last - first + 1;
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  if (count >= kMost || lua_checkstack(lua, static_cast<int>(count)) == 0) {
    return luaL_error(lua, "too many results to unpack");
  }
  for (int64_t i = first; i <= last; ++i) lua_rawgeti(lua, 1, static_cast<int>(i));
  return static_cast<int>(count);
}

/// load and loadstring for text alone: bytecode can do anything to the process.
int LoadText(lua_State* lua, const char* text, size_t size, const char* name) {
  const bool bytecode = size > 0 && text[0] == LUA_SIGNATURE[0];
  if (!bytecode && LoadChunk(lua, {text, size}, name)) return 1;
  if (bytecode) lua_pushstring(lua, "bytecode is not allowed");
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int LoadString(lua_State* lua) {
  size_t size = 0;
  const char* text = luaL_checklstring(lua, 1, &size);
  return LoadText(lua, text, size, luaL_optstring(lua, 2, text));
}

int Load(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TFUNCTION);
  const char* name = luaL_optstring(lua, 2, "=(load)");
  lua_settop(lua, 2);
  // All pieces in one string, kept at index 3.
  lua_pushliteral(lua, "");
  for (;;) {
    lua_pushvalue(lua, 1);
    lua_call(lua, 0, 1);
    if (lua_isnil(lua, -1)) break;
    size_t size = 0;
    if (lua_isstring(lua, -1) == 0) return luaL_error(lua, "reader function must return a string");
    lua_tolstring(lua, -1, &size);
    if (size == 0) break;
    lua_concat(lua, 2);
  }
  lua_settop(lua, 3);
  size_t size = 0;
  const char* text = lua_tolstring(lua, 3, &size);
  return LoadText(lua, text, size, name);
}

/// find, match, gmatch, gsub with a pattern of bounded length. Upvalue: the original.
int WithPattern(lua_State* lua) {
  size_t size = 0;
  luaL_checklstring(lua, 2, &size);
  if (size > kMaxPattern) return luaL_error(lua, "pattern too long");
  return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

/// Which arrays with holes cjson refuses or writes as objects; in others each hole is a `null`.
struct SparseArrays {
  double ratio = 0;  // 0: none
  double safe = 0;
};

/// Bytes that encoding the value at `index` may take, counted no further than `limit`.
size_t EncodedBound(lua_State* lua, int index, size_t limit, const SparseArrays& sparse) {
  constexpr size_t kEscaped = 6;  // of one byte
  constexpr size_t kOther = 32;
  constexpr double kNull = 5;
  if (lua_type(lua, index) == LUA_TSTRING) return kEscaped * lua_objlen(lua, index) + 2;
  if (!lua_istable(lua, index)) return kOther;
  luaL_checkstack(lua, 4, "too deeply nested");
  size_t bytes = kOther;
  double items = 0;
  double longest = 0;
  lua_pushnil(lua);
  while (bytes < limit && lua_next(lua, index) != 0) {
    const int value = lua_gettop(lua);
    ++items;
    if (lua_type(lua, value - 1) == LUA_TNUMBER) {
      longest = std::max(longest, lua_tonumber(lua, value - 1));
    }
    bytes += EncodedBound(lua, value - 1, limit - bytes, sparse);
    if (bytes < limit) bytes += EncodedBound(lua, value, limit - bytes, sparse);
    lua_settop(lua, value - 1);
  }
  const bool no_array = sparse.ratio > 0 && longest > items * sparse.ratio && longest > sparse.safe;
  if (no_array || bytes >= limit) return bytes;
  return bytes + static_cast<size_t>(std::min(kNull * longest, static_cast<double>(limit)));
}

/// cjson.encode of what is not too large: it ends the process where it gets no memory, and asks the
/// system for it, not Lua. Upvalues: the original's own, the original, encode_sparse_array.
int EncodeJson(lua_State* lua) {
  constexpr size_t kMost = size_t{256} << 20;
  if (lua_gettop(lua) == 1) {
    lua_pushvalue(lua, lua_upvalueindex(3));
    lua_call(lua, 0, 3);
    const SparseArrays sparse{lua_tonumber(lua, -2), lua_tonumber(lua, -1)};
    lua_settop(lua, 1);
    if (EncodedBound(lua, 1, kMost, sparse) >= kMost) return luaL_error(lua, "not enough memory");
    lua_settop(lua, 1);
  }
  return lua_tocfunction(lua, lua_upvalueindex(2))(lua);
}

/// bit.tohex without the one number of digits whose negative is none: Debian's writes past its
/// buffer there (CVE-2024-31449). Upvalues: the original, bit.tobit.
int ToHex(lua_State* lua) {
  if (lua_isnumber(lua, 2) != 0) {
    lua_settop(lua, 2);
    lua_pushvalue(lua, lua_upvalueindex(2));
    lua_insert(lua, 2);
    lua_call(lua, 1, 1);
    const double digits = std::max(lua_tonumber(lua, 2), -8.0);
    lua_settop(lua, 1);
    lua_pushnumber(lua, digits);
  }
  return lua_tocfunction(lua, lua_upvalueindex(1))(lua);
}

/// Leaves `bit` as a global.
void OpenBit(lua_State* lua) {
  lua_pushcfunction(lua, luaopen_bit);
  lua_call(lua, 0, 1);
  lua_getfield(lua, -1, "tohex");
  lua_getfield(lua, -2, "tobit");
  lua_pushcclosure(lua, &ToHex, 2);
  lua_setfield(lua, -2, "tohex");
  lua_setglobal(lua, "bit");
}

/// Leaves `cjson` as a global.
void OpenJson(lua_State* lua) {
  lua_pushcfunction(lua, luaopen_cjson);
  lua_call(lua, 0, 1);
  lua_getfield(lua, -1, "encode");
  lua_getupvalue(lua, -1, 1);  // its settings, which it looks for in its first upvalue
  lua_insert(lua, -2);
  lua_getfield(lua, -3, "encode_sparse_array");
  lua_pushcclosure(lua, &EncodeJson, 3);
  lua_setfield(lua, -2, "encode");
  // Another instance's encode would be the original.
  lua_pushnil(lua);
  lua_setfield(lua, -2, "new");
  lua_setglobal(lua, "cjson");
}

void OpenLibrary(lua_State* lua, lua_CFunction open, const char* name) {
  lua_pushcfunction(lua, open);
  lua_pushstring(lua, name);
  lua_call(lua, 1, 0);
}

void BoundPatterns(lua_State* lua) {
  lua_getglobal(lua, "string");
  for (const char* name : {"find", "match", "gmatch", "gfind", "gsub"}) {
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, &WithPattern, 1);
    lua_setfield(lua, -2, name);
  }
  lua_pop(lua, 1);
}

}  // namespace

bool LoadChunk(lua_State* lua, std::string_view text, const char* name) {
  lua_gc(lua, LUA_GCSTOP, 0);
  const bool loaded = luaL_loadbuffer(lua, text.data(), text.size(), name) == 0;
  lua_gc(lua, LUA_GCRESTART, 0);
  return loaded;
}

void OpenSafeLibraries(lua_State* lua) {
  OpenLibrary(lua, luaopen_base, "");
  OpenLibrary(lua, luaopen_table, LUA_TABLIBNAME);
  OpenLibrary(lua, luaopen_string, LUA_STRLIBNAME);
  OpenLibrary(lua, luaopen_math, LUA_MATHLIBNAME);
  lua_register(lua, "unpack", &Unpack);
  lua_register(lua, "load", &Load);
  lua_register(lua, "loadstring", &LoadString);
  BoundPatterns(lua);
  OpenBit(lua);
  OpenJson(lua);
}

}  // namespace starling
