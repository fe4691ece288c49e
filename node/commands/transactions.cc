#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "node/claim_desk.h"
#include "node/command.h"
#include "node/command_keys.h"
#include "node/guarded_run.h"
#include "node/node_services.h"
#include "node/scripting/scripting.h"
#include "storage/held_shards.h"
#include "storage/records.h"
#include "storage/speculation.h"

namespace starling {
namespace {

using Queued = ClientTransaction::Queued;

bool Has(const CommandSpec& row, uint32_t flag) { return (row.flags & flag) != 0; }

void Multi(CommandContext& context, Arguments) {
  if (context.transaction.open()) {
    return context.reply.Error("ERR MULTI calls can not be nested");
  }
  context.transaction.Begin();
  context.reply.Ok();
}

void Discard(CommandContext& context, Arguments) {
  if (!context.transaction.open()) return context.reply.Error("ERR DISCARD without MULTI");
  context.transaction.Discard();
  context.reply.Ok();
}

void Watch(CommandContext& context, Arguments arguments) {
  if (context.transaction.open()) {
    return context.reply.Error("ERR WATCH inside MULTI is not allowed");
  }
  Watches& watches = context.transaction.watches();
  // Once a key has changed, EXEC is bound to answer nil: more keys make no difference.
  for (size_t i = 1; i < arguments.size() && !watches.touched(); ++i) {
    watches.Add(context.Key(arguments[i]));
  }
  context.reply.Ok();
}

void Unwatch(CommandContext& context, Arguments) {
  context.transaction.watches().Clear();
  context.reply.Ok();
}

/// The keys whose shards the transaction needs; nullopt: any, since some of its commands may use
/// others than their rows tell.
std::optional<std::vector<KeyRef>> KeysOf(CommandContext& context,
                                          const std::vector<Queued>& commands) {
  std::vector<KeyRef> keys;
  std::vector<std::string_view> names;
  for (const Queued& command : commands) {
    const CommandSpec& row = *command.row;
    if (Has(row, kOutside)) continue;
    if (Has(row, kOtherKeys | kMovableKeys) || row.first_key == 0) return std::nullopt;
    names.clear();
    FindKeys(row, command.words, names);
    for (const std::string_view name : names) keys.push_back(context.Key(name));
  }
  context.transaction.watches().AppendKeys(keys);
  return keys;
}

class Execution {
 public:
  explicit Execution(CommandContext& context) : context_(context), out_(context.reply.out()) {
    for (size_t i = 0; i < context.transaction.size(); ++i) {
      commands_.push_back(context.transaction.At(i));
    }
  }

  /// Runs all commands as one and replies; replies nil where a watched key has changed.
  void Run() {
    std::optional<HeldShards> held;
    if (auto keys = KeysOf(context_, commands_)) {
      if (context_.claims != nullptr) keys->push_back(context_.keyspace().records().key());
      held.emplace(context_.keyspace(), *keys);
    } else {
      held.emplace(context_.keyspace());
    }
    if (!context_.transaction.watches().Unchanged()) return context_.reply.NullArray();
    const size_t start = out_.size();
    std::optional<Speculation> speculation;
    if (context_.claims != nullptr) speculation.emplace(context_.keyspace());
    const bool outer = std::exchange(context_.within, true);
    const Connection before(context_.client);
    context_.reply.Array(commands_.size());
    for (size_t i = 0; i < commands_.size(); ++i) {
      if (Has(*commands_[i].row, kOutside)) {
        left_.push_back({i, out_.size()});
      } else {
        RunOne(commands_[i]);
      }
    }
    context_.within = outer;
    if (speculation && !ConcludeGuarded(context_, *speculation, start)) {
      return before.Restore(context_.client);
    }
    speculation.reset();
    held.reset();
    KeepScripts();
    RunLeft();
  }

 private:
  /// What commands change of the connection: it has to be undone with the rest.
  struct Connection {
    explicit Connection(const ClientState& client)
        : database(client.database),
          protocol(client.protocol),
          reply_mode(client.reply_mode),
          name(client.name),
          library_name(client.library_name),
          library_version(client.library_version) {}
    void Restore(ClientState& client) const {
      client.database = database;
      client.protocol = protocol;
      client.reply_mode = reply_mode;
      client.name = name;
      client.library_name = library_name;
      client.library_version = library_version;
    }
    uint8_t database;
    int protocol;
    ClientState::ReplyMode reply_mode;
    std::string name;
    std::string library_name;
    std::string library_version;
  };
  struct Left {
    size_t command;
    size_t place;  // of its reply
  };

  void RunOne(const Queued& command) {
    const size_t start = out_.size();
    RunAdmitted({command.row, command.runner}, context_, command.words);
    // CLIENT REPLY OFF and SKIP answer nothing. Redis sends an array that is too short then, and
    // its clients take the next reply for the missing one.
    if (out_.size() == start) context_.reply.Null();
  }

  /// Scripts that were given whole are known from now on; not as a part of what a majority has to
  /// hold.
  void KeepScripts() {
    for (const Queued& command : commands_) {
      if (!Has(*command.row, kGuarded) || command.words.size() < 2) continue;
      context_.services.scripting().Keep(context_.keyspace(), command.words[1]);
    }
  }

  /// Those that must not run while shards are held. They use no keys, so that nobody can tell that
  /// the transaction was over before they ran; their replies go where they belong.
  void RunLeft() {
    if (left_.empty()) return;
    const std::string rest = std::move(out_);
    out_.assign(rest, 0, left_.front().place);
    for (size_t i = 0; i < left_.size(); ++i) {
      RunOne(commands_[left_[i].command]);
      const size_t begin = left_[i].place;
      const size_t end = i + 1 < left_.size() ? left_[i + 1].place : rest.size();
      out_.append(rest, begin, end - begin);
    }
  }

  CommandContext& context_;
  std::string& out_;
  std::vector<Queued> commands_;
  std::vector<Left> left_;
};

void Exec(CommandContext& context, Arguments) {
  ClientTransaction& transaction = context.transaction;
  if (!transaction.open()) return context.reply.Error("ERR EXEC without MULTI");
  if (transaction.broken()) {
    context.reply.Error("EXECABORT Transaction discarded because of previous errors.");
  } else {
    Execution(context).Run();
  }
  // What could not be run here is run whole elsewhere: its queue is still needed.
  if (context.claims != nullptr && context.claims->undone()) return;
  transaction.Discard();
}

constexpr uint32_t kAnytime = kNoScript | kLoading | kStale;

constexpr CommandSpec kTransactionCommands[] = {
    {"discard", 1, kAnytime | kFast | kAllowBusy | kAtOnce, 0, 0, 0, "transactions", "2.0.0",
     "Forget what was queued since MULTI.", Discard},
    {"exec", 1, kAnytime | kSkipSlowlog | kAtOnce, 0, 0, 0, "transactions", "1.2.0",
     "Run what was queued since MULTI as one.", Exec},
    {"multi", 1, kAnytime | kFast | kAllowBusy | kAtOnce, 0, 0, 0, "transactions", "1.2.0",
     "Queue the commands that follow.", Multi},
    {"unwatch", 1, kAnytime | kFast | kAllowBusy, 0, 0, 0, "transactions", "2.2.0",
     "Watch no keys any more.", Unwatch},
    {"watch", -2, kAnytime | kFast | kAllowBusy | kAtOnce | kInOrder, 1, -1, 1, "transactions",
     "2.2.0", "Let EXEC do nothing if one of these keys changes before.", Watch},
};

}  // namespace

std::span<const CommandSpec> TransactionCommands() { return kTransactionCommands; }

}  // namespace starling
