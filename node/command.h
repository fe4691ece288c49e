/// Commands: one table that knows each one's arity, flags and keys, and what runs it.
///
/// A handler runs on the thread of its client (or of an in-process caller), takes the locks it
/// needs through the keyspace, and writes exactly one reply. It checks all its arguments before it
/// changes anything (I13). Handlers are stateless functions; what they need comes by the context.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "node/blocking.h"
#include "node/client_state.h"
#include "node/client_transaction.h"
#include "node/reply.h"
#include "storage/keyspace.h"
#include "storage/store.h"

namespace starling {

/// A command's words, its name first. Borrowed from the request buffer.
using Arguments = std::span<const std::string_view>;

class ClaimDesk;
class NodeServices;

struct CommandContext {
  Store& store;
  NodeServices& services;  ///< Configuration, statistics, clients, cluster: see node_services.h.
  ClientState& client;
  Reply& reply;
  std::mt19937_64& random;
  ClientTransaction& transaction;
  /// What the command waits for; null where it cannot wait (a transaction, a script).
  BlockRequest* block = nullptr;
  /// What it may do to claims; null: there are none (tests of commands alone).
  ClaimDesk* claims = nullptr;
  /// Within EXEC or a script, which guard all they do at once.
  bool within = false;

  Keyspace& keyspace() { return store.keyspace(); }
  KeyRef Key(std::string_view name) { return keyspace().Ref(client.database, name); }
};

/// Redis's command flags (https://redis.io/commands/command/), as bits.
enum CommandFlag : uint32_t {
  kWrite = 1 << 0,
  kReadOnly = 1 << 1,
  kDenyOom = 1 << 2,
  kAdmin = 1 << 3,
  kFast = 1 << 4,
  kNoAuth = 1 << 5,  ///< Allowed before AUTH.
  kLoading = 1 << 6,
  kStale = 1 << 7,
  kNoScript = 1 << 8,
  kBlocking = 1 << 9,
  kMovableKeys = 1 << 10,
  kSkipMonitor = 1 << 11,
  kSkipSlowlog = 1 << 12,
  kAllowBusy = 1 << 13,
  kNoMulti = 1 << 14,  ///< Refused within MULTI.
  // From here on not Redis's.
  /// Not queued by MULTI: it works on the transaction itself, or on the connection as a whole.
  kAtOnce = 1 << 15,
  /// Uses keys that its row does not tell: of other databases, or named by a pattern.
  kOtherKeys = 1 << 16,
  /// Asks other threads, or waits for a disk or a peer: never runs while its thread holds shards.
  kOutside = 1 << 17,
  kMayWrite = 1 << 18,  ///< A script: may write or not.
  kInOrder = 1 << 19,   ///< Runs at the leaseholder although it uses no keys.
  /// Runs where it arrived although it uses keys: its cursor is this node's.
  kByThisNode = 1 << 20,
  kClaims = 1 << 21,   ///< May ask for one winner in the whole cluster (guarded_run.h).
  kGuarded = 1 << 22,  ///< Looks after claims itself, all that it runs at once.
  kScript = 1 << 23,   ///< Runs for as long as it likes, alone (keyspace_gate.h).
  /// WAIT: may wait until other members hold what its client wrote; runs where that is connected.
  kForHolders = 1 << 24,
};

struct CommandSpec {
  const char* name;  ///< Lower case; `client|list` for a subcommand.
  int arity;         ///< Redis's: exact when positive, at least when negative; counts the name.
  uint32_t flags;    ///< CommandFlag bits.
  int first_key;     ///< 1-based; 0: no keys.
  int last_key;      ///< Negative: from the end.
  int key_step;
  const char* group;    ///< "string", "generic", "set", "connection", "server", ...
  const char* since;    ///< Redis version
  const char* summary;  ///< Own words, one line.
  /// Runs it. Null in the rows of subcommands: their container's function serves them all.
  void (*run)(CommandContext& context, Arguments arguments);
  /// Finds the keys that first, last and step do not say (command_keys.h); null: there are none.
  bool (*find_keys)(Arguments request, std::vector<std::string_view>& keys) = nullptr;

  /// Whether the arity allows a request of so many words.
  bool Takes(size_t words) const {
    const auto count = static_cast<int64_t>(words);
    return arity >= 0 ? count == arity : count >= -arity;
  }
};

/// Every family gives its rows; one family a file in node/commands/.
std::span<const CommandSpec> StringCommands();
std::span<const CommandSpec> GenericCommands();
std::span<const CommandSpec> SetCommands();
std::span<const CommandSpec> HashCommands();
std::span<const CommandSpec> SortedSetCommands();
std::span<const CommandSpec> ListCommands();
std::span<const CommandSpec> BlockingCommands();
std::span<const CommandSpec> ConnectionCommands();
std::span<const CommandSpec> TransactionCommands();
std::span<const CommandSpec> ScriptCommands();
std::span<const CommandSpec> ServerCommands();
std::span<const CommandSpec> StarlingCommands();

/// All families by name; built once, immutable, thread-safe.
class CommandTable {
 public:
  CommandTable();
  /// Case-insensitive; `client|list` finds a subcommand's row. Null when unknown.
  const CommandSpec* Find(std::string_view name) const;
  /// The row of `subcommand` within `container`, case-insensitive; null when unknown.
  const CommandSpec* FindSubcommand(const CommandSpec& container,
                                    std::string_view subcommand) const;
  /// Whether the command has subcommand rows.
  bool IsContainer(const CommandSpec& command) const;
  /// What a request asks for. `row` says arity and flags (a container's subcommand's, where one is
  /// given), `runner` runs it; both null when the command is unknown, `row` alone when the
  /// subcommand is.
  struct Resolved {
    const CommandSpec* row = nullptr;
    const CommandSpec* runner = nullptr;
  };
  Resolved Resolve(Arguments arguments) const;
  /// Every row, subcommands included, sorted by name.
  const std::vector<const CommandSpec*>& all() const { return all_; }

 private:
  struct Slot {
    const CommandSpec* command = nullptr;  ///< Null: free.
    uint32_t hash = 0;
    bool container = false;
  };
  const Slot* FindSlot(std::string_view name) const;
  void Insert(const CommandSpec& command);

  std::vector<const CommandSpec*> all_;
  std::vector<Slot> slots_;  // open addressing by case-folded name; a power of two, mostly empty
};

/// Checks name, arity, authentication (ClientState::authenticated, which the session sets at once
/// where no password is asked) and that the node may write; then runs the command and counts it.
/// Between MULTI and EXEC it is queued instead. Exactly one reply (none where CLIENT REPLY says
/// so). `arguments` is not empty. Does not commit: whoever sends the reply commits the journal
/// before.
void RunCommand(const CommandTable& table, CommandContext& context, Arguments arguments);
/// The same for a request that the caller has looked up already.
void RunResolved(const CommandTable::Resolved& resolved, CommandContext& context,
                 Arguments arguments);

/// Runs a command that was admitted before, and counts it. One reply, or none where CLIENT REPLY
/// writes none.
void RunAdmitted(const CommandTable::Resolved& resolved, CommandContext& context,
                 Arguments arguments);

/// Refuses a request for `error` ("ERR ...") before it runs: replies, and ends or breaks the
/// client's transaction as Redis does.
void Refuse(const CommandTable::Resolved& resolved, CommandContext& context,
            std::string_view error);

}  // namespace starling
