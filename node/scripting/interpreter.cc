#include "node/scripting/interpreter.h"

#include <cstdlib>
#include <lua.hpp>

#include "node/scripting/safe_libraries.h"
#include "node/scripting/sandbox.h"
#include "node/scripting/values.h"
#include "storage/check.h"

namespace starling {
namespace {

/// Where compiled scripts stand in Lua's registry.
constexpr const char* kScripts = "starling.scripts";
constexpr const char* kInterpreter = "starling.interpreter";
/// How often a running script is asked whether it must end, in Lua's instructions.
constexpr int kHookInstructions = 100'000;

}  // namespace

void* Interpreter::Allocate(void* self, void* block, size_t old_size, size_t new_size) {
  auto& interpreter = *static_cast<Interpreter*>(self);
  if (block == nullptr) old_size = 0;
  if (new_size == 0) {
    std::free(block);
    interpreter.used_ -= old_size;
    return nullptr;
  }
  const bool grows = new_size > old_size;
  if (grows && new_size - old_size > interpreter.max_bytes_ - interpreter.used_) return nullptr;
  void* moved = std::realloc(block, new_size);
  // Lua takes it for granted that a block can shrink.
  if (moved == nullptr) return grows ? nullptr : block;
  interpreter.used_ = interpreter.used_ - old_size + new_size;
  return moved;
}

Interpreter::Interpreter(size_t max_bytes) : max_bytes_(max_bytes) {
  lua_ = lua_newstate(&Allocate, this);
  STARLING_CHECK(lua_ != nullptr);
  const bool made = Protected([this] {
    lua_pushlightuserdata(lua_, this);
    lua_setfield(lua_, LUA_REGISTRYINDEX, kInterpreter);
    lua_newtable(lua_);
    lua_setfield(lua_, LUA_REGISTRYINDEX, kScripts);
    BuildSandbox(lua_);
  });
  STARLING_CHECK(made);
}

Interpreter::~Interpreter() { lua_close(lua_); }

Interpreter& Interpreter::Of(lua_State* lua) {
  lua_getfield(lua, LUA_REGISTRYINDEX, kInterpreter);
  auto* interpreter = static_cast<Interpreter*>(lua_touserdata(lua, -1));
  lua_pop(lua, 1);
  return *interpreter;
}

bool Interpreter::Protected(const std::function<void()>& work) {
  const lua_CFunction trampoline = [](lua_State* lua) {
    (*static_cast<const std::function<void()>*>(lua_touserdata(lua, 1)))();
    return 0;
  };
  return lua_cpcall(lua_, trampoline, const_cast<std::function<void()>*>(&work)) == 0;
}

std::string Interpreter::TakeError() {
  size_t size = 0;
  const char* text = lua_type(lua_, -1) == LUA_TSTRING ? lua_tolstring(lua_, -1, &size) : nullptr;
  std::string error = text == nullptr ? "unknown error" : std::string(text, size);
  lua_pop(lua_, 1);
  return error;
}

Status Interpreter::Compile(const std::string& sha, std::string_view text) {
  if (text.starts_with(LUA_SIGNATURE[0])) {
    return Error{Code::kInvalidArgument, "user_script: bytecode is not allowed"};
  }
  const bool compiled = Protected([&] {
    if (!LoadChunk(lua_, text, "@user_script")) lua_error(lua_);
    lua_getfield(lua_, LUA_REGISTRYINDEX, kScripts);
    lua_insert(lua_, -2);
    lua_setfield(lua_, -2, sha.c_str());
  });
  if (!compiled) return Error{Code::kInvalidArgument, TakeError()};
  return {};
}

void Interpreter::Hook(lua_State* lua, lua_Debug*) {
  Interpreter& self = Of(lua);
  if (self.run_ == nullptr) return;
  const std::string reason = self.run_->must_end();
  if (reason.empty()) return;
  // From here on every instruction ends it: it must not go on behind a pcall.
  lua_sethook(lua, &Hook, LUA_MASKLINE | LUA_MASKCOUNT, 1);
  PushError(lua, reason);
  lua_error(lua);
}

/// Makes the error a table that tells where in the script it was raised.
int Interpreter::HandleError(lua_State* lua) {
  lua_settop(lua, 1);
  if (!lua_istable(lua, 1)) {
    const char* text = lua_tostring(lua, 1);
    if (text == nullptr) text = lua_isnil(lua, 1) ? "nil" : "unknown error";
    PushError(lua, std::string("ERR ") + text);
    lua_replace(lua, 1);
  }
  lua_Debug activation{};
  bool found = lua_getstack(lua, 1, &activation) != 0 && lua_getinfo(lua, "Sl", &activation) != 0;
  if (found && *activation.what == 'C') {
    found = lua_getstack(lua, 2, &activation) != 0 && lua_getinfo(lua, "Sl", &activation) != 0;
  }
  if (found) {
    lua_pushstring(lua, activation.source);
    lua_setfield(lua, 1, "source");
    lua_pushinteger(lua, activation.currentline);
    lua_setfield(lua, 1, "line");
  }
  return 1;
}

void Interpreter::Call(ScriptRun& run) {
  const auto push_words = [this](std::span<const std::string_view> words, const char* name) {
    lua_createtable(lua_, static_cast<int>(words.size()), 0);
    for (size_t i = 0; i < words.size(); ++i) {
      lua_pushlstring(lua_, words[i].data(), words[i].size());
      lua_rawseti(lua_, -2, static_cast<int>(i) + 1);
    }
    SetScriptVariable(lua_, name);
  };
  push_words(run.keys, "KEYS");
  push_words(run.arguments, "ARGV");
  lua_pushcfunction(lua_, &HandleError);
  lua_getfield(lua_, LUA_REGISTRYINDEX, kScripts);
  lua_pushlstring(lua_, run.sha.data(), run.sha.size());
  lua_rawget(lua_, -2);
  lua_remove(lua_, -2);
  lua_sethook(lua_, &Hook, LUA_MASKCOUNT, kHookInstructions);
  const int failed = lua_pcall(lua_, 0, 1, -2);
  lua_sethook(lua_, nullptr, 0, 0);
  if (failed != 0) {
    ReplyError(run);
  } else {
    ReplyValue(lua_, run.caller.reply, run.client.protocol);
  }
}

void Interpreter::ReplyError(ScriptRun& run) {
  if (!lua_istable(lua_, -1)) {
    // Out of memory, or an error in HandleError.
    const char* text = lua_tostring(lua_, -1);
    return run.caller.reply.Error("ERR Error running script " + std::string(run.sha) + ", " +
                                  (text == nullptr ? "execution failure" : text));
  }
  std::string message = ErrorText(lua_);
  lua_getfield(lua_, -1, "source");
  lua_getfield(lua_, -2, "line");
  if (lua_isstring(lua_, -1) != 0 && lua_isstring(lua_, -2) != 0) {
    message.append(" script: ").append(run.sha).append(", on ");
    message.append(lua_tostring(lua_, -2)).append(":").append(lua_tostring(lua_, -1)).append(".");
  }
  run.caller.reply.Error(message);
}

void Interpreter::Collect() {
  // What was left behind is not the next script's fault.
  if (used_ < max_bytes_ / 4 || used_ < collected_ + max_bytes_ / 8) return;
  lua_gc(lua_, LUA_GCCOLLECT, 0);
  collected_ = used_;
}

void Interpreter::Run(ScriptRun& run) {
  std::string& out = run.caller.reply.out();
  const size_t start = out.size();
  run_ = &run;
  const bool ended = Protected([&] { Call(run); });
  run_ = nullptr;
  lua_sethook(lua_, nullptr, 0, 0);
  if (ended) return;
  out.resize(start);
  run.caller.reply.Error("ERR Error running script " + std::string(run.sha) + ", " + TakeError());
}

}  // namespace starling
