#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>

#include "node/arguments.h"
#include "node/commands/connection_commands.h"
#include "node/error_text.h"
#include "node/node_services.h"

namespace starling {
namespace {

/// One line of CLIENT LIST, Redis's fields in Redis's order.
std::string Line(const ClientInfo& info, std::chrono::nanoseconds now) {
  const ClientState& client = info.state;
  const auto seconds = [now](std::chrono::nanoseconds since) {
    return std::to_string(std::max<int64_t>(
        0, std::chrono::duration_cast<std::chrono::seconds>(now - since).count()));
  };
  std::string flags;
  if (info.waits) flags += "b";
  if (info.queued >= 0) flags += "x";
  if (info.watch_touched) flags += "d";
  if (client.close_after_reply) flags += "c";
  if (client.no_evict) flags += "e";
  if (client.no_touch) flags += "T";
  std::string line = "id=" + std::to_string(client.id);
  const auto put = [&line](std::string_view name, std::string_view value) {
    line.append(" ").append(name).append("=").append(value);
  };
  put("addr", client.address);
  put("laddr", client.local_address);
  put("fd", std::to_string(info.descriptor));
  put("name", client.name);
  put("age", seconds(client.created));
  put("idle", seconds(client.last_active));
  put("flags", flags.empty() ? "N" : flags);
  put("db", std::to_string(client.database));
  put("sub", "0");
  put("psub", "0");
  put("ssub", "0");
  put("multi", std::to_string(info.queued));
  put("qbuf", std::to_string(info.input_bytes));
  put("qbuf-free", "0");
  put("argv-mem", "0");
  put("multi-mem", std::to_string(info.queued_bytes));
  put("obl", std::to_string(info.output_bytes));
  put("oll", "0");
  put("omem", std::to_string(info.output_bytes));
  put("tot-mem", std::to_string(info.input_bytes + info.output_bytes + info.queued_bytes));
  put("events", "r");
  put("cmd", client.last_command);
  put("user", "default");
  put("redir", "-1");
  put("resp", std::to_string(client.protocol));
  put("lib-name", client.library_name);
  put("lib-ver", client.library_version);
  return line;
}

/// All clients here are normal ones: whether `word` is that type; nullopt when it is no type.
std::optional<bool> IsNormalType(CommandContext& context, std::string_view word) {
  if (IsWord(word, "normal")) return true;
  for (std::string_view other : {"master", "slave", "replica", "pubsub"}) {
    if (IsWord(word, other)) return false;
  }
  context.reply.Error("ERR Unknown client type '" + std::string(word) + "'");
  return std::nullopt;
}

std::vector<ClientInfo> SortedClients(CommandContext& context) {
  std::vector<ClientInfo> clients = context.services.Clients();
  std::sort(clients.begin(), clients.end(),
            [](const ClientInfo& a, const ClientInfo& b) { return a.state.id < b.state.id; });
  return clients;
}

/// What CLIENT KILL is to close; all that are given must hold.
struct KillFilter {
  std::optional<uint64_t> id;
  std::optional<std::string> address;
  std::optional<std::string> local_address;
  bool normal = true;
  bool skip_self = true;
  uint64_t self = 0;

  bool operator()(const ClientInfo& client) const {
    const ClientState& state = client.state;
    return normal && (!id || state.id == *id) && (!address || state.address == *address) &&
           (!local_address || state.local_address == *local_address) &&
           !(skip_self && state.id == self);
  }
};

/// One option and its value into `filter`; false when it has replied.
bool ReadKillOption(CommandContext& context, std::string_view option, std::string_view value,
                    KillFilter& filter) {
  if (IsWord(option, "id")) {
    std::optional<int64_t> id = Number::ParseInt(value);
    if (!id || *id < 1) {
      context.reply.Error("ERR client-id should be greater than 0");
      return false;
    }
    filter.id = static_cast<uint64_t>(*id);
  } else if (IsWord(option, "type")) {
    std::optional<bool> normal = IsNormalType(context, value);
    if (!normal) return false;
    filter.normal = filter.normal && *normal;
  } else if (IsWord(option, "addr")) {
    filter.address = value;
  } else if (IsWord(option, "laddr")) {
    filter.local_address = value;
  } else if (IsWord(option, "user")) {
    if (value != "default") {
      context.reply.Error("ERR No such user '" + std::string(value) + "'");
      return false;
    }
  } else if (IsWord(option, "skipme") && (IsWord(value, "yes") || IsWord(value, "no"))) {
    filter.skip_self = IsWord(value, "yes");
  } else {
    context.reply.Error(error_text::kSyntax);
    return false;
  }
  return true;
}

}  // namespace

void ClientInfoCommand(CommandContext& context, Arguments) {
  const std::chrono::nanoseconds now = context.store.clock().time().Monotonic();
  for (const ClientInfo& client : context.services.Clients()) {
    if (client.state.id == context.client.id) {
      return context.reply.Verbatim(Line(client, now) + "\n");
    }
  }
  // A caller that is no connection (in process) still has a state.
  context.reply.Verbatim(Line(ClientInfo{context.client}, now) + "\n");
}

void ClientList(CommandContext& context, Arguments arguments) {
  std::set<uint64_t> ids;
  bool normal = true;
  if (arguments.size() == 4 && IsWord(arguments[2], "type")) {
    std::optional<bool> type = IsNormalType(context, arguments[3]);
    if (!type) return;
    normal = *type;
  } else if (arguments.size() > 3 && IsWord(arguments[2], "id")) {
    for (std::string_view word : arguments.subspan(3)) {
      std::optional<int64_t> id = Number::ParseInt(word);
      if (!id) return context.reply.Error("ERR Invalid client ID");
      ids.insert(static_cast<uint64_t>(*id));
    }
  } else if (arguments.size() != 2) {
    return context.reply.Error(error_text::kSyntax);
  }
  const std::chrono::nanoseconds now = context.store.clock().time().Monotonic();
  std::string text;
  for (const ClientInfo& client : SortedClients(context)) {
    const bool wanted = normal && (ids.empty() || ids.contains(client.state.id));
    if (wanted) text.append(Line(client, now)).append("\n");
  }
  context.reply.Verbatim(text);
}

void ClientUnblock(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 4) {
    return context.reply.Error("ERR unknown subcommand or wrong number of arguments for '" +
                               std::string(arguments[1]) + "'. Try CLIENT HELP.");
  }
  const bool with_error = arguments.size() == 4 && IsWord(arguments[3], "error");
  if (arguments.size() == 4 && !with_error && !IsWord(arguments[3], "timeout")) {
    return context.reply.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const std::optional<int64_t> id = ReadInteger(context, arguments[2]);
  if (!id) return;
  const bool waits =
      *id > 0 && context.services.UnblockClient(static_cast<uint64_t>(*id), with_error);
  if (!waits) context.reply.Integer(0);
}

void ClientKill(CommandContext& context, Arguments arguments) {
  KillFilter filter;
  filter.self = context.client.id;
  const bool by_address = arguments.size() == 3;
  if (by_address) {
    filter.address = arguments[2];
    filter.skip_self = false;
  } else {
    for (size_t i = 2; i < arguments.size(); i += 2) {
      if (i + 1 == arguments.size()) return context.reply.Error(error_text::kSyntax);
      if (!ReadKillOption(context, arguments[i], arguments[i + 1], filter)) return;
    }
  }
  const int killed = context.services.KillClients(filter, context.client.id);
  if (!by_address) return context.reply.Integer(killed);
  if (killed == 0) return context.reply.Error("ERR No such client");
  context.reply.Ok();
}

}  // namespace starling
