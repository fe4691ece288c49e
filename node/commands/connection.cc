#include "node/commands/connection_commands.h"

#include <algorithm>

#include "node/arguments.h"
#include "node/error_text.h"
#include "node/node_services.h"
#include "node/version.h"

namespace starling {
namespace {

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kDefaultUser = "default";
constexpr std::string_view kBadName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

/// Compares in a time that depends on the lengths alone.
bool SamePassword(std::string_view a, std::string_view b) {
  unsigned different = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    const char other = b.empty() ? '\0' : b[i % b.size()];
    different |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(other);
  }
  return different == 0;
}

/// Whether user and password are right; with no password set, the default user has any.
bool Authenticate(CommandContext& context, std::string_view user, std::string_view password) {
  const std::string wanted = context.services.RequirePass();
  if (user != kDefaultUser || (!wanted.empty() && !SamePassword(password, wanted))) return false;
  context.client.authenticated = true;
  return true;
}

void Ping(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 2) {
    context.reply.Error("ERR wrong number of arguments for 'ping' command");
  } else if (arguments.size() == 2) {
    context.reply.Bulk(arguments[1]);
  } else {
    context.reply.Simple("PONG");
  }
}

void Echo(CommandContext& context, Arguments arguments) { context.reply.Bulk(arguments[1]); }

void Auth(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 3) return context.reply.Error(error_text::kSyntax);
  if (arguments.size() == 2 && context.services.RequirePass().empty()) {
    return context.reply.Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  const std::string_view user = arguments.size() == 3 ? arguments[1] : kDefaultUser;
  if (!Authenticate(context, user, arguments.back())) return context.reply.Error(kWrongPassword);
  context.reply.Ok();
}

/// The options of HELLO; false when it has replied.
bool ReadHelloOptions(CommandContext& context, Arguments arguments) {
  for (size_t i = 2; i < arguments.size();) {
    const size_t left = arguments.size() - i - 1;
    if (IsWord(arguments[i], "auth") && left >= 2) {
      if (!Authenticate(context, arguments[i + 1], arguments[i + 2])) {
        context.reply.Error(kWrongPassword);
        return false;
      }
      i += 3;
    } else if (IsWord(arguments[i], "setname") && left >= 1) {
      if (!IsClientName(arguments[i + 1])) {
        context.reply.Error(kBadName);
        return false;
      }
      context.client.name = arguments[i + 1];
      i += 2;
    } else {
      context.reply.Error("ERR Syntax error in HELLO option '" + std::string(arguments[i]) + "'");
      return false;
    }
  }
  return true;
}

void Hello(CommandContext& context, Arguments arguments) {
  Reply& reply = context.reply;
  int protocol = context.client.protocol;
  if (arguments.size() > 1) {
    std::optional<int64_t> wanted = Number::ParseInt(arguments[1]);
    if (!wanted) return reply.Error("ERR Protocol version is not an integer or out of range");
    if (*wanted < 2 || *wanted > 3) return reply.Error("NOPROTO unsupported protocol version");
    protocol = static_cast<int>(*wanted);
  }
  if (!ReadHelloOptions(context, arguments)) return;
  if (!context.client.authenticated) {
    return reply.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  context.client.protocol = protocol;
  reply.set_protocol(protocol);
  reply.Map(7);
  reply.Bulk("server");
  reply.Bulk("redis");
  reply.Bulk("version");
  reply.Bulk(kRedisVersion);
  reply.Bulk("proto");
  reply.Integer(protocol);
  reply.Bulk("id");
  reply.Integer(static_cast<int64_t>(context.client.id));
  reply.Bulk("mode");
  reply.Bulk("standalone");
  reply.Bulk("role");
  reply.Bulk("master");
  reply.Bulk("modules");
  reply.Array(0);
}

void Select(CommandContext& context, Arguments arguments) {
  std::optional<uint8_t> database = ReadDatabase(context, arguments[1]);
  if (!database) return;
  context.client.database = *database;
  context.reply.Ok();
}

void Quit(CommandContext& context, Arguments) {
  context.client.close_after_reply = true;
  context.reply.Ok();
}

void Reset(CommandContext& context, Arguments) {
  ClientState& client = context.client;
  client.name.clear();
  client.database = 0;
  client.protocol = 2;
  client.authenticated = context.services.RequirePass().empty();
  client.no_evict = false;
  client.no_touch = false;
  client.level.reset();
  client.reply_mode = ClientState::ReplyMode::kOn;
  context.transaction.Discard();
  context.reply.set_protocol(2);
  context.reply.Simple("RESET");
}

constexpr uint32_t kAnytime = kLoading | kStale;
constexpr uint32_t kOwnConnection = kNoScript | kAnytime;
constexpr uint32_t kOthersConnections = kAdmin | kNoScript | kAnytime;
constexpr uint32_t kBeforeAuth = kNoScript | kAnytime | kFast | kNoAuth | kAllowBusy;

constexpr CommandSpec kConnectionCommands[] = {
    {"auth", -2, kBeforeAuth, 0, 0, 0, "connection", "1.0.0", "Prove that you may use the server.",
     Auth},
    {"client", -2, 0, 0, 0, 0, "connection", "2.4.0", "What concerns connections.", Client},
    {"client|getname", 2, kOwnConnection, 0, 0, 0, "connection", "2.6.9",
     "The name of this connection.", nullptr},
    {"client|help", 2, kAnytime, 0, 0, 0, "connection", "5.0.0", "List the subcommands.", nullptr},
    {"client|id", 2, kOwnConnection, 0, 0, 0, "connection", "5.0.0", "The id of this connection.",
     nullptr},
    {"client|info", 2, kOwnConnection | kOutside, 0, 0, 0, "connection", "6.2.0",
     "What the server knows of this connection.", nullptr},
    {"client|kill", -3, kOthersConnections | kOutside, 0, 0, 0, "connection", "2.4.0",
     "Close connections.", nullptr},
    {"client|list", -2, kOthersConnections | kOutside, 0, 0, 0, "connection", "2.4.0",
     "What the server knows of all connections.", nullptr},
    {"client|no-evict", 3, kOthersConnections, 0, 0, 0, "connection", "7.0.0",
     "Spare this connection when memory is short.", nullptr},
    {"client|no-touch", 3, kOwnConnection, 0, 0, 0, "connection", "7.2.0",
     "Let this connection's commands not count as use of a key.", nullptr},
    {"client|pause", -3, kOthersConnections | kOutside, 0, 0, 0, "connection", "3.0.0",
     "Let the commands of all connections wait.", nullptr},
    {"client|reply", 3, kOwnConnection, 0, 0, 0, "connection", "3.2.0",
     "Whether this connection gets replies.", nullptr},
    {"client|setinfo", 4, kOwnConnection, 0, 0, 0, "connection", "7.2.0",
     "Tell which client library this is.", nullptr},
    {"client|setname", 3, kOwnConnection, 0, 0, 0, "connection", "2.6.9", "Name this connection.",
     nullptr},
    {"client|unblock", -3, kOthersConnections | kOutside | kNoMulti, 0, 0, 0, "connection", "5.0.0",
     "End what another connection waits for.", nullptr},
    {"client|unpause", 2, kOthersConnections | kOutside, 0, 0, 0, "connection", "6.2.0",
     "End the wait that CLIENT PAUSE began.", nullptr},
    {"echo", 2, kAnytime | kFast, 0, 0, 0, "connection", "1.0.0", "Give the text back.", Echo},
    {"hello", -1, kBeforeAuth, 0, 0, 0, "connection", "6.0.0",
     "Choose the protocol's version and introduce yourself.", Hello},
    {"ping", -1, kFast, 0, 0, 0, "connection", "1.0.0", "See whether the server answers.", Ping},
    {"quit", -1, kBeforeAuth | kAtOnce, 0, 0, 0, "connection", "1.0.0", "Close this connection.",
     Quit},
    {"reset", 1, kBeforeAuth | kAtOnce, 0, 0, 0, "connection", "6.2.0",
     "Bring this connection back to how it began.", Reset},
    {"select", 2, kAnytime | kFast, 0, 0, 0, "connection", "1.0.0", "Choose a database.", Select},
};

}  // namespace

bool IsClientName(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::span<const CommandSpec> ConnectionCommands() { return kConnectionCommands; }

}  // namespace starling
