#include <algorithm>
#include <string>

#include "node/command.h"
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

bool ArityFits(const CommandSpec& row, size_t words) {
  int64_t count = static_cast<int64_t>(words);
  return row.arity >= 0 ? count == row.arity : count >= -row.arity;
}

/// Replies with an error and returns false where the request may not run.
bool Admit(const CommandTable::Resolved& resolved, CommandContext& context, Arguments arguments) {
  if (resolved.row == nullptr) {
    context.reply.Error(resolved.runner == nullptr ? UnknownCommand(arguments)
                                                   : UnknownSubcommand(arguments));
    return false;
  }
  const CommandSpec& row = *resolved.row;
  if (!ArityFits(row, arguments.size())) {
    context.reply.Error(std::string("ERR wrong number of arguments for '") + row.name +
                        "' command");
    return false;
  }
  if (!context.client.authenticated && (row.flags & kNoAuth) == 0) {
    context.reply.Error("NOAUTH Authentication required.");
    return false;
  }
  if ((row.flags & kWrite) != 0 && context.store.journal().read_only()) {
    context.reply.Error(
        "MISCONF An append to the log failed, so this node no longer writes. See its log for the "
        "reason and restart it.");
    return false;
  }
  return true;
}

}  // namespace

void RunCommand(const CommandTable& table, CommandContext& context, Arguments arguments) {
  ClientState& client = context.client;
  std::string& out = context.reply.out();
  const size_t start = out.size();
  // A command that follows CLIENT REPLY SKIP is silent, and may itself ask for another skip.
  const bool skip = client.reply_mode == ClientState::ReplyMode::kSkipNext;
  const bool off = client.reply_mode == ClientState::ReplyMode::kOff;
  if (skip) client.reply_mode = ClientState::ReplyMode::kOn;

  CommandTable::Resolved resolved = table.Resolve(arguments);
  if (Admit(resolved, context, arguments)) {
    client.last_command = resolved.row->name;
    ++client.commands;
    resolved.runner->run(context, arguments);
    bool failed = out.size() > start && out[start] == '-';
    context.services.CountCommand(*resolved.row,
                                  failed ? CommandOutcome::kFailed : CommandOutcome::kDone);
  } else if (resolved.row != nullptr) {
    context.services.CountCommand(*resolved.row, CommandOutcome::kRejected);
  }

  bool silent = skip || (off && client.reply_mode == ClientState::ReplyMode::kOff);
  if (silent) out.resize(start);
}

}  // namespace starling
