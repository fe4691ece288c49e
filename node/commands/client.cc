#include "node/arguments.h"
#include "node/commands/connection_commands.h"
#include "node/error_text.h"
#include "node/node_services.h"
#include "node/subcommands.h"

namespace starling {
namespace {

constexpr std::string_view kHelp[] = {
    "GETNAME",
    "    The name of this connection.",
    "ID",
    "    The id of this connection.",
    "INFO",
    "    What is known of this connection.",
    "KILL <ip:port>",
    "    Close the connection from there.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Close connections. Options:",
    "    * ADDR <ip:port>: from there.",
    "    * LADDR <ip:port>: to that address of the server.",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB): of that kind.",
    "    * USER <username>: of that user.",
    "    * ID <client-id>: with that id.",
    "    * SKIPME (YES|NO): spare this connection (default: yes).",
    "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <client-id> [...]]",
    "    What is known of all connections, or of these.",
    "NO-EVICT (ON|OFF)",
    "    Spare this connection when memory is short.",
    "NO-TOUCH (ON|OFF)",
    "    Let this connection's commands not count as use of a key.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Let the commands of all connections, or their writes, wait so many milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Whether this connection gets replies.",
    "SETINFO (LIB-NAME|LIB-VER) <text>",
    "    Tell which client library this is.",
    "SETNAME <name>",
    "    Name this connection.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    End what that connection waits for, as at its timeout or with an error.",
    "UNPAUSE",
    "    End the wait that PAUSE began.",
};

void Help(CommandContext& context, Arguments) { ReplyHelp(context.reply, "CLIENT", kHelp); }

void Id(CommandContext& context, Arguments) {
  context.reply.Integer(static_cast<int64_t>(context.client.id));
}

void GetName(CommandContext& context, Arguments) {
  if (context.client.name.empty()) return context.reply.Null();
  context.reply.Bulk(context.client.name);
}

void SetName(CommandContext& context, Arguments arguments) {
  if (!IsClientName(arguments[2])) {
    return context.reply.Error(
        "ERR Client names cannot contain spaces, newlines or special characters.");
  }
  context.client.name = arguments[2];
  context.reply.Ok();
}

void SetInfo(CommandContext& context, Arguments arguments) {
  const bool name = IsWord(arguments[2], "lib-name");
  if (!name && !IsWord(arguments[2], "lib-ver")) {
    return context.reply.Error("ERR Unrecognized option '" + std::string(arguments[2]) + "'");
  }
  if (!IsClientName(arguments[3])) {
    return context.reply.Error("ERR " + std::string(name ? "lib-name" : "lib-ver") +
                               " cannot contain spaces, newlines or special characters.");
  }
  (name ? context.client.library_name : context.client.library_version) = arguments[3];
  context.reply.Ok();
}

/// ON or OFF into `flag`.
void Switch(CommandContext& context, Arguments arguments, bool& flag) {
  const bool on = IsWord(arguments[2], "on");
  if (!on && !IsWord(arguments[2], "off")) return context.reply.Error(error_text::kSyntax);
  flag = on;
  context.reply.Ok();
}

void NoEvict(CommandContext& context, Arguments arguments) {
  Switch(context, arguments, context.client.no_evict);
}

void NoTouch(CommandContext& context, Arguments arguments) {
  Switch(context, arguments, context.client.no_touch);
}

void ReplyModeCommand(CommandContext& context, Arguments arguments) {
  using Mode = ClientState::ReplyMode;
  Mode& mode = context.client.reply_mode;
  if (IsWord(arguments[2], "on")) {
    mode = Mode::kOn;
    context.reply.Ok();
  } else if (IsWord(arguments[2], "off")) {
    mode = Mode::kOff;
  } else if (IsWord(arguments[2], "skip")) {
    if (mode != Mode::kOff) mode = Mode::kSkipNext;
  } else {
    context.reply.Error(error_text::kSyntax);
  }
}

void Pause(CommandContext& context, Arguments arguments) {
  bool writes_only = false;
  if (arguments.size() > 4) return context.reply.Error(error_text::kSyntax);
  if (arguments.size() == 4) {
    writes_only = IsWord(arguments[3], "write");
    if (!writes_only && !IsWord(arguments[3], "all")) {
      return context.reply.Error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  constexpr int64_t kLongest = int64_t{1} << 40;  // 35 years: no overflow in nanoseconds
  std::optional<int64_t> millis = Number::ParseInt(arguments[2]);
  if (!millis || *millis > kLongest) {
    return context.reply.Error("ERR timeout is not an integer or out of range");
  }
  if (*millis < 0) return context.reply.Error("ERR timeout is negative");
  context.services.PauseClients(std::chrono::milliseconds(*millis), writes_only);
  context.reply.Ok();
}

void Unpause(CommandContext& context, Arguments) {
  context.services.UnpauseClients();
  context.reply.Ok();
}

constexpr Subcommand kSubcommands[] = {
    {"getname", GetName},        {"help", Help},        {"id", Id},
    {"info", ClientInfoCommand}, {"kill", ClientKill},  {"list", ClientList},
    {"no-evict", NoEvict},       {"no-touch", NoTouch}, {"pause", Pause},
    {"reply", ReplyModeCommand}, {"setinfo", SetInfo},  {"setname", SetName},
    {"unblock", ClientUnblock},  {"unpause", Unpause},
};

}  // namespace

void Client(CommandContext& context, Arguments arguments) {
  RunSubcommand(kSubcommands, context, arguments);
}

}  // namespace starling
