/// Lua 5.1 in Redis's sandbox: compiled scripts, and one that runs.
///
/// Used by one thread at a time (scripting.h sees to it). Lua's errors are C++ exceptions here
/// (Debian's liblua5.1-c++), so what its functions own is freed; they never leave this class.
/// Invariant (I11): memory is bounded by `max_bytes`, time by what `ScriptRun::MustEnd` says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "node/command.h"
#include "starling/result.h"

struct lua_State;
struct lua_Debug;

namespace starling {

/// What a script that runs may do, and has done.
struct ScriptRun {
  CommandContext& caller;
  std::string_view sha;
  std::span<const std::string_view> keys;
  std::span<const std::string_view> arguments;
  bool read_only = false;
  /// Asked now and then: why the script must end ("ERR ..."); empty: it may go on.
  std::function<std::string()> must_end{};
  /// Called before the first command that may write.
  std::function<void()> on_write{};
  /// Takes a line of redis.log, at Redis's levels: 0 debug, 1 verbose, 2 notice, 3 warning.
  std::function<void(int level, std::string_view line)> on_log{};

  ClientState client{};  ///< The script's own: its database, its protocol (redis.setresp).
  bool wrote = false;
  int log_lines = 0;  ///< By redis.log.
};

class Interpreter {
 public:
  explicit Interpreter(size_t max_bytes);
  ~Interpreter();
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// Compiles a script's text under its name. kInvalidArgument (nothing is kept): Lua's own words.
  Status Compile(const std::string& sha, std::string_view text);
  /// Runs a compiled script; writes its reply, or its error, to the caller's reply.
  void Run(ScriptRun& run);
  size_t memory_bytes() const { return used_; }
  /// Frees what earlier scripts left behind, where that may be much; call before a script.
  void Collect();

  // --- for the libraries of this folder, while a script runs ---
  ScriptRun& run() { return *run_; }
  /// The interpreter of a Lua state.
  static Interpreter& Of(lua_State* lua);

 private:
  static void* Allocate(void* self, void* block, size_t old_size, size_t new_size);
  static int HandleError(lua_State* lua);
  static void Hook(lua_State* lua, lua_Debug* activation);
  /// Runs `work` so that Lua's errors end it; false, with the error on Lua's stack.
  bool Protected(const std::function<void()>& work);
  void Call(ScriptRun& run);
  void ReplyError(ScriptRun& run);
  /// Takes the error from Lua's stack as text.
  std::string TakeError();

  size_t max_bytes_;
  size_t used_ = 0;
  size_t collected_ = 0;  // used_ after the last Collect
  lua_State* lua_ = nullptr;
  ScriptRun* run_ = nullptr;
};

}  // namespace starling
