/// What commands may ask of the node around them, beyond the keyspace: implemented by the daemon.
///
/// Thread-safe. A node without a part answers by the defaults here.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/client_state.h"
#include "replication/replicator.h"
#include "starling/result.h"

namespace starling {

class CommandTable;
class Scripting;
struct CommandSpec;

/// How a command ended, for the statistics.
enum class CommandOutcome : uint8_t {
  kDone,      ///< It ran and replied without an error.
  kFailed,    ///< It ran and replied with an error.
  kRejected,  ///< It did not run: arity, authentication, state of the node.
};

/// Memory of the process, in bytes.
struct MemoryFigures {
  uint64_t used = 0;      ///< Resident now.
  uint64_t peak = 0;      ///< The most that was ever resident.
  uint64_t startup = 0;   ///< Resident when the node began to serve.
  uint64_t keyspace = 0;  ///< Entries, collections and indexes.
  uint64_t clients = 0;   ///< Buffers of connections.
  uint64_t system = 0;    ///< Of the machine.
};

/// What LATENCY knows of one kind of event.
struct LatencyEvent {
  struct Sample {
    int64_t unix_seconds;
    int64_t millis;
  };
  std::string name;
  std::vector<Sample> samples;  ///< Oldest first.
  int64_t max_millis = 0;       ///< Since the last reset.
};

/// A client as CLIENT LIST shows it: a copy.
struct ClientInfo {
  ClientState state;
  uint64_t input_bytes = 0;   ///< Unparsed request bytes.
  uint64_t output_bytes = 0;  ///< Replies not yet sent.
  int descriptor = -1;
  bool waits = false;          ///< For something to take, or for members (BLPOP, WAIT).
  int queued = -1;             ///< Commands queued since MULTI; -1: none is open.
  uint64_t queued_bytes = 0;   ///< What they take.
  bool watch_touched = false;  ///< A watched key has changed: EXEC will answer nil.
};

class NodeServices {
 public:
  virtual ~NodeServices() = default;

  virtual const CommandTable& commands() = 0;
  /// The node's scripts (scripting/scripting.h).
  virtual Scripting& scripting() = 0;
  /// Called now and then while a script runs, on its thread, which holds all shards.
  virtual void WhileScriptRuns() {}

  // --- configuration (CONFIG GET/SET/RESETSTAT/REWRITE) ---
  /// Parameters whose names match the glob pattern.
  virtual std::vector<std::pair<std::string, std::string>> GetConfig(std::string_view pattern) = 0;
  /// All or none. Errors name parameter and reason as Redis does.
  virtual Status SetConfig(const std::vector<std::pair<std::string, std::string>>& values) = 0;
  /// Writes what CONFIG SET changed into the configuration file. Errors: kNotFound (started without
  /// one), kIo.
  virtual Status RewriteConfig() = 0;
  /// The password clients must give; empty: none.
  virtual std::string RequirePass() = 0;

  // --- clients ---
  virtual std::vector<ClientInfo> Clients() = 0;
  /// Closes those for which `match` holds; returns how many.
  virtual int KillClients(const std::function<bool(const ClientInfo&)>& match, uint64_t self) = 0;
  /// CLIENT UNBLOCK: has what the client waits for end as at its timeout, or with an error. True:
  /// whether it has is answered later, by whoever calls; false: no such client waits.
  virtual bool UnblockClient(uint64_t, bool /*with_error*/) { return false; }
  /// CLIENT PAUSE / UNPAUSE.
  virtual void PauseClients(std::chrono::milliseconds time, bool writes_only) = 0;
  virtual void UnpauseClients() = 0;

  // --- statistics ---
  /// Counts one command of the calling thread. The time it took is the services' to measure: from
  /// the call before (or the read that brought the command) to this one, so that a pipelined
  /// command costs one look at the clock.
  virtual void CountCommand(const CommandSpec& command, CommandOutcome outcome) = 0;
  virtual MemoryFigures Memory() = 0;
  /// Text of INFO for the sections asked for (lower case; empty: default).
  virtual std::string Info(const std::vector<std::string>& sections) = 0;
  virtual void ResetStatistics() = 0;
  /// Events that have samples, by name.
  virtual std::vector<LatencyEvent> Latency() = 0;
  /// Forgets these events, or all where `events` is empty; returns how many were known.
  virtual int ResetLatency(const std::vector<std::string>& events) = 0;

  // --- cluster (STARLING ...) ---
  virtual std::vector<MemberInfo> Members() = 0;
  virtual LeaseInfo Lease() = 0;
  virtual Status Forget(const std::vector<std::string>& names) = 0;
  virtual Status Join(const std::vector<std::string>& addresses) = 0;
  /// See Replicator::ChangeVoters.
  virtual Result<std::string> ChangeVoters(const VoterRequest&) {
    return Error{Code::kRefused, "this is run at the node itself"};
  }
  virtual Status Backup(const std::string& folder) = 0;

  // --- life ---
  /// SHUTDOWN: begins a graceful end (`save`: with a checkpoint). Errors: nothing changed.
  virtual Status Shutdown(bool save) = 0;
  /// BGSAVE: starts a checkpoint on the background thread; kUnavailable when one is running.
  virtual Status StartCheckpoint() = 0;
};

}  // namespace starling
