#include <algorithm>
#include <cstring>
#include <string>

#include "node/claim_desk.h"
#include "node/command.h"
#include "node/guarded_run.h"
#include "node/node_services.h"

namespace starling {
namespace {

/// How much of a client's own words an error repeats.
constexpr size_t kMaxEcho = 128;

/// Redis prints words as C strings: up to the first zero byte.
std::string_view Printed(std::string_view word, size_t limit) {
  return word.substr(0, std::min({word.size(), word.find('\0'), limit}));
}

std::string UnknownCommand(Arguments arguments) {
  std::string text = "ERR unknown command '";
  text.append(Printed(arguments[0], kMaxEcho)).append("', with args beginning with: ");
  size_t echoed = 0;
  for (size_t i = 1; i < arguments.size() && echoed < kMaxEcho; ++i) {
    std::string_view word = Printed(arguments[i], kMaxEcho - echoed);
    text.append("'").append(word).append("' ");
    echoed += word.size() + 3;
  }
  return text;
}

std::string UnknownSubcommand(Arguments arguments) {
  std::string text = "ERR unknown subcommand '";
  text.append(Printed(arguments[1], kMaxEcho)).append("'. Try ");
  for (char c : arguments[0]) {
    text.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c);
  }
  return text.append(" HELP.");
}

bool IsExec(const CommandSpec& row) { return std::strcmp(row.name, "exec") == 0; }

constexpr std::string_view kReadOnlyLog =
    "MISCONF An append to the log failed, so this node no longer writes. See its log for the "
    "reason and restart it.";

/// Why the request may not run; empty: it may.
std::string Objection(const CommandTable::Resolved& resolved, CommandContext& context,
                      Arguments arguments) {
  if (resolved.row == nullptr) {
    return resolved.runner == nullptr ? UnknownCommand(arguments) : UnknownSubcommand(arguments);
  }
  const CommandSpec& row = *resolved.row;
  if (!row.Takes(arguments.size())) {
    return std::string("ERR wrong number of arguments for '") + row.name + "' command";
  }
  if (!context.client.authenticated && (row.flags & kNoAuth) == 0) {
    return "NOAUTH Authentication required.";
  }
  if (context.transaction.open() && (row.flags & kNoMulti) != 0) {
    return "ERR Command not allowed inside a transaction";
  }
  const bool writes =
      (row.flags & kWrite) != 0 || (IsExec(row) && (context.transaction.flags() & kWrite) != 0);
  if (writes && context.store.journal().read_only()) return std::string(kReadOnlyLog);
  return {};
}

}  // namespace

void RunAdmitted(const CommandTable::Resolved& resolved, CommandContext& context,
                 Arguments arguments) {
  const std::string& out = context.reply.out();
  const size_t start = out.size();
  if (context.within) {
    resolved.runner->run(context, arguments);
  } else {
    RunGuarded(resolved, context, arguments);
  }
  if (context.claims != nullptr && context.claims->undone()) return;
  const bool failed = out.size() > start && out[start] == '-';
  context.services.CountCommand(*resolved.row,
                                failed ? CommandOutcome::kFailed : CommandOutcome::kDone);
}

void Refuse(const CommandTable::Resolved& resolved, CommandContext& context,
            std::string_view error) {
  if (resolved.row != nullptr) {
    context.services.CountCommand(*resolved.row, CommandOutcome::kRejected);
  }
  if (resolved.row == nullptr || !IsExec(*resolved.row)) {
    context.transaction.Break();
    return context.reply.Error(error);
  }
  constexpr std::string_view kGeneric = "ERR ";
  if (error.starts_with(kGeneric)) error.remove_prefix(kGeneric.size());
  context.transaction.Discard();
  context.reply.Error("EXECABORT Transaction discarded because of: " + std::string(error));
}

void RunCommand(const CommandTable& table, CommandContext& context, Arguments arguments) {
  RunResolved(table.Resolve(arguments), context, arguments);
}

void RunResolved(const CommandTable::Resolved& resolved, CommandContext& context,
                 Arguments arguments) {
  ClientState& client = context.client;
  std::string& out = context.reply.out();
  const size_t start = out.size();
  // A command that follows CLIENT REPLY SKIP is silent, and may itself ask for another skip.
  const bool skip = client.reply_mode == ClientState::ReplyMode::kSkipNext;
  const bool off = client.reply_mode == ClientState::ReplyMode::kOff;
  if (skip) client.reply_mode = ClientState::ReplyMode::kOn;

  const std::string objection = Objection(resolved, context, arguments);
  if (!objection.empty()) {
    Refuse(resolved, context, objection);
  } else if (context.transaction.open() && (resolved.row->flags & kAtOnce) == 0) {
    context.transaction.Queue(*resolved.row, *resolved.runner, arguments);
    context.reply.Simple("QUEUED");
  } else {
    client.last_command = resolved.row->name;
    ++client.commands;
    RunAdmitted(resolved, context, arguments);
  }

  bool silent = skip || (off && client.reply_mode == ClientState::ReplyMode::kOff);
  if (silent) out.resize(start);
}

}  // namespace starling
