/// The scripts that the cluster knows, and the interpreter that runs one at a time.
///
/// The texts are elements of a hash in the cluster's own database, so that a script known on one
/// node is known on all; what has been compiled here is only a copy.
///
/// Thread-safe. A script runs with all shards held (storage/held_shards.h), so that nobody sees
/// half of what it does and any key may be used, declared or not; shards are held before the mutex
/// here is taken. Invariants: I6 (its writes are one generation), I9 and I11 (limits below).
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <spdlog/logger.h>

#include "node/command.h"
#include "node/scripting/interpreter.h"
#include "node/scripting/script_header.h"
#include "starling/result.h"

namespace starling {

/// The name of a script: 40 lower-case hexadecimal digits of its text's SHA-1.
std::string ScriptSha(std::string_view text);

struct ScriptLimits {
  /// Of all that Lua holds, compiled scripts included.
  size_t interpreter_bytes = size_t{256} << 20;
  /// Of the texts of known scripts; beyond, all are forgotten, as by SCRIPT FLUSH.
  size_t text_bytes = size_t{32} << 20;
};

class Scripting {
 public:
  explicit Scripting(ScriptLimits limits = {}) : limits_(limits) {}

  /// Where lines go that scripts write by redis.log; before the first script. Default: nowhere.
  void SetLog(std::shared_ptr<spdlog::logger> log) { log_ = std::move(log); }

  /// EVAL and EVAL_RO: runs a text, and knows it from then on.
  void Eval(CommandContext& context, Arguments arguments, bool read_only);
  /// EVALSHA and EVALSHA_RO: runs a known script.
  void EvalSha(CommandContext& context, Arguments arguments, bool read_only);

  /// The script's name. Errors (nothing changed): kInvalidArgument, Redis's words without a code.
  Result<std::string> Load(Keyspace& keyspace, std::string_view text);
  /// Lets all nodes know a text that EVAL has run here within a transaction, which is over; nothing
  /// where it did not compile.
  void Keep(Keyspace& keyspace, std::string_view text);
  static bool Exists(Keyspace& keyspace, std::string_view sha);
  /// Forgets all scripts, on all nodes.
  void Flush(Keyspace& keyspace);

  enum class KillOutcome : uint8_t { kAsked, kNotRunning, kHasWritten };
  /// Asks the script that runs, if any, to end; one that has written goes on.
  KillOutcome Kill();
  /// Whether one runs here.
  bool running() const { return state_ != State::kIdle; }
  /// The node is about to end: so does a script that runs for long, and it leaves nothing. Short
  /// ones still run: the node leads until another can.
  void Stop() { stopped_ = true; }

 private:
  enum class State : uint8_t { kIdle, kRunning, kWrote, kKilled };

  void Run(CommandContext& context, Arguments arguments, const std::string& sha, bool read_only);
  Status Compile(const std::string& sha, std::string_view text);
  /// Tells the cluster of a script that compiles.
  void Publish(Keyspace& keyspace, const std::string& sha, std::string_view text) const;
  void Forget();

  const ScriptLimits limits_;
  std::shared_ptr<spdlog::logger> log_;
  std::atomic<State> state_{State::kIdle};
  std::atomic<bool> stopped_{false};

  std::mutex mutex_;  // guards what follows
  std::unique_ptr<Interpreter> interpreter_;
  std::unordered_map<std::string, ScriptHeader> compiled_;
  size_t text_bytes_ = 0;  // of those
};

}  // namespace starling
