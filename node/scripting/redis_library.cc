// The functions under `redis` in scripts.
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <lua.hpp>
#include <string>
#include <vector>

#include "node/node_services.h"
#include "node/scripting/interpreter.h"
#include "node/scripting/sandbox.h"
#include "node/scripting/scripting.h"
#include "node/scripting/values.h"
#include "node/version.h"

namespace starling {
namespace {

/// Of what scripts say by redis.log: bytes of a line, as in Redis, and lines of one run.
constexpr size_t kMaxLogBytes = 1024;
constexpr int kMaxLogLines = 100;
/// Of one command's arguments: one string of Lua's may stand there thousands of times.
constexpr size_t kMaxArgumentBytes = size_t{512} << 20;

/// Raises `{err = text}`.
int Raise(lua_State* lua, std::string_view text) {
  PushError(lua, text);
  return lua_error(lua);
}

/// The arguments of redis.call as words; false where one is neither string nor number. Strings
/// borrow from Lua's stack.
bool ReadWords(lua_State* lua, std::vector<std::string>& numbers,
               std::vector<std::string_view>& words) {
  const int count = lua_gettop(lua);
  numbers.reserve(static_cast<size_t>(count));
  for (int i = 1; i <= count; ++i) {
    if (lua_type(lua, i) == LUA_TNUMBER) {
      char text[40];
      std::snprintf(text, sizeof(text), "%.17g", lua_tonumber(lua, i));
      numbers.emplace_back(text);
      words.emplace_back(numbers.back());
    } else if (lua_type(lua, i) == LUA_TSTRING) {
      size_t size = 0;
      const char* text = lua_tolstring(lua, i, &size);
      words.emplace_back(text, size);
    } else {
      return false;
    }
  }
  return true;
}

/// Why a script may not run this command; empty: it may.
std::string_view Objection(const CommandTable::Resolved& resolved, ScriptRun& run, size_t words) {
  if (resolved.row == nullptr) return "ERR Unknown Redis command called from script";
  const CommandSpec& row = *resolved.row;
  if (!row.Takes(words)) {
    return "ERR Wrong number of args calling Redis command from script";
  }
  // Those that ask other threads must not run while all shards are held.
  if ((row.flags & (kNoScript | kOutside)) != 0) {
    return "ERR This Redis command is not allowed from script";
  }
  if ((row.flags & kWrite) == 0) return {};
  if (run.read_only) return "ERR Write commands are not allowed from read-only scripts.";
  if (run.caller.store.journal().read_only()) {
    return "MISCONF An append to the log failed, so this node no longer writes.";
  }
  return {};
}

/// Runs the command on the stack and pushes its reply.
void RunFromScript(lua_State* lua) {
  if (lua_gettop(lua) == 0) {
    return PushError(lua, "ERR Please specify at least one argument for this redis lib call");
  }
  std::vector<std::string> numbers;
  std::vector<std::string_view> words;
  if (!ReadWords(lua, numbers, words)) {
    return PushError(lua, "ERR Lua redis lib command arguments must be strings or integers");
  }
  size_t bytes = 0;
  for (const std::string_view word : words) bytes += word.size();
  if (bytes > kMaxArgumentBytes) {
    return PushError(lua, "ERR Lua redis lib command arguments must not exceed 512 MB in total");
  }
  ScriptRun& run = Interpreter::Of(lua).run();
  CommandContext& caller = run.caller;
  const CommandTable::Resolved resolved = caller.services.commands().Resolve(words);
  const std::string_view objection = Objection(resolved, run, words.size());
  if (!objection.empty()) return PushError(lua, objection);
  if ((resolved.row->flags & kWrite) != 0 && !run.wrote) {
    run.wrote = true;
    run.on_write();
  }
  std::string out;
  Reply reply(out, run.client.protocol);
  // No command that a script may run asks for the transaction.
  CommandContext context{caller.store,       caller.services, run.client,    reply, caller.random,
                         caller.transaction, nullptr,         caller.claims, true};
  RunAdmitted(resolved, context, words);
  PushReply(lua, out);
}

int Call(lua_State* lua) {
  RunFromScript(lua);
  if (!lua_istable(lua, -1)) return 1;
  lua_pushliteral(lua, "err");
  lua_rawget(lua, -2);
  const bool failed = lua_isstring(lua, -1) != 0;
  lua_pop(lua, 1);
  return failed ? lua_error(lua) : 1;
}

int ProtectedCall(lua_State* lua) {
  RunFromScript(lua);
  return 1;
}

int StatusReply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    PushError(lua, "ERR wrong number or type of arguments");
    return 1;
  }
  lua_newtable(lua);
  lua_pushvalue(lua, 1);
  lua_setfield(lua, -2, "ok");
  return 1;
}

int ErrorReply(lua_State* lua) {
  if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING) {
    PushError(lua, "ERR wrong number or type of arguments");
    return 1;
  }
  size_t size = 0;
  const char* text = lua_tolstring(lua, 1, &size);
  std::string_view message(text, size);
  if (message.starts_with('-')) message.remove_prefix(1);
  // A text of one word has no code.
  const bool coded = message.find(' ') != std::string_view::npos;
  PushError(lua, coded ? std::string(message) : "ERR " + std::string(message));
  return 1;
}

int Sha1Hex(lua_State* lua) {
  if (lua_gettop(lua) != 1) return Raise(lua, "ERR wrong number of arguments");
  size_t size = 0;
  const char* text = lua_tolstring(lua, 1, &size);
  const std::string hex = ScriptSha({text == nullptr ? "" : text, text == nullptr ? 0 : size});
  lua_pushlstring(lua, hex.data(), hex.size());
  return 1;
}

int Log(lua_State* lua) {
  if (lua_gettop(lua) < 2) return Raise(lua, "ERR redis.log() requires two arguments or more.");
  if (lua_type(lua, 1) != LUA_TNUMBER) {
    return Raise(lua, "ERR First argument must be a number (log level).");
  }
  const lua_Number level = lua_tonumber(lua, 1);
  if (level < 0 || level > 3) return Raise(lua, "ERR Invalid debug level.");
  ScriptRun& run = Interpreter::Of(lua).run();
  if (run.log_lines == kMaxLogLines) return 0;
  ++run.log_lines;
  std::string text;
  for (int i = 2; i <= lua_gettop(lua) && text.size() < kMaxLogBytes; ++i) {
    size_t size = 0;
    const char* word = lua_tolstring(lua, i, &size);
    if (word == nullptr) continue;
    if (!text.empty()) text += ' ';
    text.append(word, std::min(size, kMaxLogBytes - std::min(text.size(), kMaxLogBytes)));
  }
  // A line is one line, whatever a script says.
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, ' ');
  std::replace(text.begin(), text.end(), '"', '\'');
  if (run.log_lines == kMaxLogLines) text += " (no more of this script's)";
  if (run.on_log) run.on_log(static_cast<int>(level), text);
  return 0;
}

int SetResp(lua_State* lua) {
  if (lua_gettop(lua) != 1) return Raise(lua, "ERR redis.setresp() requires one argument.");
  const lua_Number version = lua_tonumber(lua, 1);
  if (version != 2 && version != 3) return Raise(lua, "ERR RESP version must be 2 or 3.");
  Interpreter::Of(lua).run().client.protocol = static_cast<int>(version);
  return 0;
}

/// What is written always goes to disk and peers: the choice is taken and has no effect.
int SetRepl(lua_State* lua) {
  if (lua_gettop(lua) != 1) return Raise(lua, "ERR redis.set_repl() requires one argument.");
  const auto flags = static_cast<int>(lua_tonumber(lua, 1));
  if ((flags & ~3) != 0) {
    return Raise(lua,
                 "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or "
                 "REPL_NONE.");
  }
  return 0;
}

int ReplicateCommands(lua_State* lua) {
  lua_pushboolean(lua, 1);
  return 1;
}

int Breakpoint(lua_State* lua) {
  lua_pushboolean(lua, 0);
  return 1;
}

int Nothing(lua_State*) { return 0; }

/// There is one user, who may do everything.
int AclCheck(lua_State* lua) {
  if (lua_gettop(lua) == 0) {
    return Raise(lua, "ERR Please specify at least one argument for this redis lib call");
  }
  size_t size = 0;
  const char* name = lua_tolstring(lua, 1, &size);
  const std::string_view word(name == nullptr ? "" : name, size);
  CommandContext& caller = Interpreter::Of(lua).run().caller;
  if (caller.services.commands().Find(word) == nullptr) {
    return Raise(lua, "ERR Invalid command passed to redis.acl_check_cmd()");
  }
  lua_pushboolean(lua, 1);
  return 1;
}

constexpr luaL_Reg kFunctions[] = {{"call", Call},
                                   {"pcall", ProtectedCall},
                                   {"status_reply", StatusReply},
                                   {"error_reply", ErrorReply},
                                   {"sha1hex", Sha1Hex},
                                   {"log", Log},
                                   {"setresp", SetResp},
                                   {"set_repl", SetRepl},
                                   {"replicate_commands", ReplicateCommands},
                                   {"breakpoint", Breakpoint},
                                   {"debug", Nothing},
                                   {"acl_check_cmd", AclCheck},
                                   {nullptr, nullptr}};

constexpr std::pair<const char*, int> kConstants[] = {
    {"LOG_DEBUG", 0},  {"LOG_VERBOSE", 1},
    {"LOG_NOTICE", 2}, {"LOG_WARNING", 3},
    {"REPL_NONE", 0},  {"REPL_AOF", 1},
    {"REPL_SLAVE", 2}, {"REPL_REPLICA", 2},
    {"REPL_ALL", 3},   {"REDIS_VERSION_NUM", 0x0007000f}};

}  // namespace

void PushRedisLibrary(lua_State* lua) {
  lua_newtable(lua);
  luaL_register(lua, nullptr, kFunctions);
  for (const auto& [name, value] : kConstants) {
    lua_pushinteger(lua, value);
    lua_setfield(lua, -2, name);
  }
  const std::string version(kRedisVersion);
  lua_pushstring(lua, version.c_str());
  lua_setfield(lua, -2, "REDIS_VERSION");
}

std::string ScriptSha(std::string_view text) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : digest) {
    hex.push_back(kDigits[byte >> 4]);
    hex.push_back(kDigits[byte & 15]);
  }
  return hex;
}

}  // namespace starling
