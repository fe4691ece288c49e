#include "node/scripting/sandbox.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <lua.hpp>
#include <utility>

extern "C" {
#include <lua5.1/lua-bitop.h>
#include <lua5.1/lua-cjson.h>
}

namespace starling {
namespace {

constexpr const char* kVariables = "starling.variables";
constexpr const char* kLibraryMark = "starling.library";
/// Lua's matcher recurses once for each part of a pattern.
constexpr size_t kMaxPattern = 4096;

/// Redis's list, but for what takes C++ to make safe, which follows below.
constexpr const char* kBase[] = {"xpcall",   "tostring",     "_VERSION", "next",        "assert",
                                 "tonumber", "rawequal",     "select",   "gcinfo",      "rawget",
                                 "ipairs",   "getmetatable", "error",    "setmetatable"};

int ReadOnly(lua_State* lua) { return luaL_error(lua, "Attempt to modify a readonly table"); }

int Nonexistent(lua_State* lua) {
  const char* name = lua_tostring(lua, 2);
  return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                    name == nullptr ? "?" : name);
}

/// Whether the value is a library as PushProtected makes them; pushes its table if so.
bool PushLibrary(lua_State* lua, int index) {
  if (lua_type(lua, index) != LUA_TUSERDATA || lua_getmetatable(lua, index) == 0) return false;
  lua_pushstring(lua, kLibraryMark);
  lua_rawget(lua, -2);
  lua_remove(lua, -2);
  if (lua_istable(lua, -1)) return true;
  lua_pop(lua, 1);
  return false;
}

int TypeOf(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (PushLibrary(lua, 1)) {
    lua_pushstring(lua, "table");
  } else {
    lua_pushstring(lua, luaL_typename(lua, 1));
  }
  return 1;
}

int NextOfLibrary(lua_State* lua) {
  lua_settop(lua, 2);
  return lua_next(lua, lua_upvalueindex(1)) != 0 ? 2 : 0;
}

/// pairs: libraries too can be gone through.
int Pairs(lua_State* lua) {
  if (PushLibrary(lua, 1)) {
    lua_pushcclosure(lua, &NextOfLibrary, 1);
    return 1;
  }
  luaL_checktype(lua, 1, LUA_TTABLE);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_pushvalue(lua, 1);
  lua_pushnil(lua);
  return 3;
}

int RawSet(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  luaL_checkany(lua, 3);
  if (lua_rawequal(lua, 1, LUA_GLOBALSINDEX) != 0) return ReadOnly(lua);
  lua_settop(lua, 3);
  lua_rawset(lua, 1);
  return 1;
}

/// pcall: what redis.call raises arrives as its text.
int ProtectedCall(lua_State* lua) {
  luaL_checkany(lua, 1);
  const bool failed = lua_pcall(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0) != 0;
  if (failed && lua_istable(lua, -1)) {
    lua_pushliteral(lua, "err");
    lua_rawget(lua, -2);
    if (lua_isstring(lua, -1) != 0) lua_replace(lua, 1);
    lua_settop(lua, 1);
  }
  lua_pushboolean(lua, failed ? 0 : 1);
  lua_insert(lua, 1);
  return lua_gettop(lua);
}

/// The collector may be run, not stopped.
int CollectGarbage(lua_State* lua) {
  const char* what = luaL_optstring(lua, 1, "collect");
  if (std::strcmp(what, "count") == 0) {
    lua_pushnumber(lua, lua_gc(lua, LUA_GCCOUNT, 0) + lua_gc(lua, LUA_GCCOUNTB, 0) / 1024.0);
    return 1;
  }
  if (std::strcmp(what, "collect") == 0) lua_gc(lua, LUA_GCCOLLECT, 0);
  lua_pushinteger(lua, 0);
  return 1;
}

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

/// find, match, gmatch, gsub with a pattern of bounded length; the original is an upvalue.
int WithPattern(lua_State* lua) {
  size_t size = 0;
  luaL_checklstring(lua, 2, &size);
  if (size > kMaxPattern) return luaL_error(lua, "pattern too long");
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
  return lua_gettop(lua);
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
/// system for it, not Lua. Upvalues: the original, encode_sparse_array.
int EncodeJson(lua_State* lua) {
  constexpr size_t kMost = size_t{256} << 20;
  luaL_checkany(lua, 1);
  lua_settop(lua, 1);
  lua_pushvalue(lua, lua_upvalueindex(2));
  lua_call(lua, 0, 3);
  const SparseArrays sparse{lua_tonumber(lua, -2), lua_tonumber(lua, -1)};
  lua_settop(lua, 1);
  if (EncodedBound(lua, 1, kMost, sparse) >= kMost) return luaL_error(lua, "not enough memory");
  lua_settop(lua, 1);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, 1, 1);
  return 1;
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
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, lua_gettop(lua) - 1, 1);
  return 1;
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
  lua_getfield(lua, -2, "encode_sparse_array");
  lua_pushcclosure(lua, &EncodeJson, 2);
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
  // What getmetatable("") shows.
  lua_pushliteral(lua, "");
  lua_getmetatable(lua, -1);
  lua_newtable(lua);
  lua_pushvalue(lua, -4);
  PushProtected(lua);
  lua_setfield(lua, -2, "__index");
  PushProtected(lua);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 3);
}

/// With the new globals on top of the stack: what scripts see of Lua's own.
void CopyGlobals(lua_State* lua) {
  for (const char* name : kBase) {
    lua_getglobal(lua, name);
    lua_setfield(lua, -2, name);
  }
  for (const char* name : {"string", "table", "math", "coroutine", "bit", "cjson"}) {
    lua_getglobal(lua, name);
    PushProtected(lua);
    lua_setfield(lua, -2, name);
  }
  constexpr luaL_Reg kOwn[] = {{"type", TypeOf},         {"rawset", RawSet},
                               {"pcall", ProtectedCall}, {"collectgarbage", CollectGarbage},
                               {"load", Load},           {"loadstring", LoadString},
                               {"unpack", Unpack},       {nullptr, nullptr}};
  luaL_register(lua, nullptr, kOwn);
  lua_getglobal(lua, "next");
  lua_pushcclosure(lua, &Pairs, 1);
  lua_setfield(lua, -2, "pairs");
  constexpr std::pair<const char*, void (*)(lua_State*)> kLibraries[] = {
      {"redis", PushRedisLibrary},
      {"cmsgpack", PushMessagePackLibrary},
      {"struct", PushStructLibrary}};
  for (const auto& [name, push] : kLibraries) {
    push(lua);
    PushProtected(lua);
    lua_setfield(lua, -2, name);
  }
}

/// Pops a table and makes it what the table below is looked up in.
void SetIndex(lua_State* lua) {
  lua_createtable(lua, 0, 1);
  lua_insert(lua, -2);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
}

}  // namespace

bool LoadChunk(lua_State* lua, std::string_view text, const char* name) {
  lua_gc(lua, LUA_GCSTOP, 0);
  const bool loaded = luaL_loadbuffer(lua, text.data(), text.size(), name) == 0;
  lua_gc(lua, LUA_GCRESTART, 0);
  return loaded;
}

void PushProtected(lua_State* lua) {
  lua_newuserdata(lua, 0);
  lua_createtable(lua, 0, 4);
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, "__index");
  lua_pushvalue(lua, -3);
  lua_setfield(lua, -2, kLibraryMark);
  lua_pushcfunction(lua, &ReadOnly);
  lua_setfield(lua, -2, "__newindex");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_setmetatable(lua, -2);
  lua_remove(lua, -2);
}

void SetScriptVariable(lua_State* lua, const char* name) {
  lua_getfield(lua, LUA_REGISTRYINDEX, kVariables);
  lua_insert(lua, -2);
  lua_setfield(lua, -2, name);
  lua_pop(lua, 1);
}

void BuildSandbox(lua_State* lua) {
  OpenLibrary(lua, luaopen_base, "");
  OpenLibrary(lua, luaopen_table, LUA_TABLIBNAME);
  OpenLibrary(lua, luaopen_string, LUA_STRLIBNAME);
  OpenLibrary(lua, luaopen_math, LUA_MATHLIBNAME);
  OpenBit(lua);
  OpenJson(lua);
  BoundPatterns(lua);

  lua_newtable(lua);  // what scripts take for the global table
  lua_newtable(lua);  // the script's variables
  lua_newtable(lua);  // the globals
  CopyGlobals(lua);
  lua_pushcfunction(lua, &Nonexistent);
  SetIndex(lua);
  SetIndex(lua);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, LUA_REGISTRYINDEX, kVariables);
  lua_pushvalue(lua, -2);
  lua_setfield(lua, -2, "_G");
  SetIndex(lua);
  lua_getmetatable(lua, -1);
  lua_pushcfunction(lua, &ReadOnly);
  lua_setfield(lua, -2, "__newindex");
  lua_pushboolean(lua, 0);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 1);
  lua_replace(lua, LUA_GLOBALSINDEX);
}

}  // namespace starling
