#include "node/scripting/sandbox.h"

#include <cstring>
#include <lua.hpp>
#include <utility>

#include "node/scripting/safe_libraries.h"

namespace starling {
namespace {

constexpr const char* kVariables = "starling.variables";
constexpr const char* kLibraryMark = "starling.library";

/// Redis's list, but for what is the sandbox's own, which follows below.
constexpr const char* kBase[] = {"xpcall",   "tostring",     "_VERSION", "next",         "assert",
                                 "tonumber", "rawequal",     "select",   "gcinfo",       "rawget",
                                 "ipairs",   "getmetatable", "error",    "setmetatable", "unpack",
                                 "load",     "loadstring"};

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

/// What getmetatable("") shows cannot be changed either.
void ProtectStrings(lua_State* lua) {
  lua_pushliteral(lua, "");
  lua_getmetatable(lua, -1);
  lua_newtable(lua);
  lua_getglobal(lua, LUA_STRLIBNAME);
  PushProtected(lua);
  lua_setfield(lua, -2, "__index");
  PushProtected(lua);
  lua_setfield(lua, -2, "__metatable");
  lua_pop(lua, 2);
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
  constexpr luaL_Reg kOwn[] = {{"type", TypeOf},
                               {"rawset", RawSet},
                               {"pcall", ProtectedCall},
                               {"collectgarbage", CollectGarbage},
                               {nullptr, nullptr}};
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
  OpenSafeLibraries(lua);
  ProtectStrings(lua);

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
