#include <string>

#include "node/arguments.h"
#include "node/command.h"
#include "node/command_keys.h"
#include "node/node_services.h"
#include "node/scripting/scripting.h"
#include "node/subcommands.h"

namespace starling {
namespace {

void Eval(CommandContext& context, Arguments arguments) {
  context.services.scripting().Eval(context, arguments, false);
}

void EvalReadOnly(CommandContext& context, Arguments arguments) {
  context.services.scripting().Eval(context, arguments, true);
}

void EvalSha(CommandContext& context, Arguments arguments) {
  context.services.scripting().EvalSha(context, arguments, false);
}

void EvalShaReadOnly(CommandContext& context, Arguments arguments) {
  context.services.scripting().EvalSha(context, arguments, true);
}

void Load(CommandContext& context, Arguments arguments) {
  const Result<std::string> sha =
      context.services.scripting().Load(context.keyspace(), arguments[2]);
  if (!sha) return context.reply.Error("ERR " + sha.error().message);
  context.reply.Bulk(*sha);
}

void Exists(CommandContext& context, Arguments arguments) {
  context.reply.Array(arguments.size() - 2);
  for (const std::string_view sha : arguments.subspan(2)) {
    context.reply.Integer(Scripting::Exists(context.keyspace(), sha) ? 1 : 0);
  }
}

void Flush(CommandContext& context, Arguments arguments) {
  const bool fits =
      arguments.size() == 2 ||
      (arguments.size() == 3 && (IsWord(arguments[2], "sync") || IsWord(arguments[2], "async")));
  if (!fits) return context.reply.Error("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
  context.services.scripting().Flush(context.keyspace());
  context.reply.Ok();
}

void Kill(CommandContext& context, Arguments) {
  switch (context.services.scripting().Kill()) {
    case Scripting::KillOutcome::kAsked:
      return context.reply.Ok();
    case Scripting::KillOutcome::kNotRunning:
      return context.reply.Error("NOTBUSY No scripts in execution right now.");
    case Scripting::KillOutcome::kHasWritten:
      return context.reply.Error(
          "UNKILLABLE Sorry the script already executed write commands against the dataset. You "
          "can either wait the script termination or kill the server in a hard way using the "
          "SHUTDOWN NOSAVE command.");
  }
}

void Help(CommandContext& context, Arguments) {
  static constexpr std::string_view kHelp[] = {
      "EXISTS <sha1> [<sha1> ...]",
      "    Whether these scripts are known.",
      "FLUSH [ASYNC|SYNC]",
      "    Forget all scripts.",
      "KILL",
      "    End the script that runs, if it has written nothing.",
      "LOAD <script>",
      "    Know a script without running it; answers its name.",
  };
  ReplyHelp(context.reply, "SCRIPT", kHelp);
}

void Script(CommandContext& context, Arguments arguments) {
  static constexpr Subcommand kSubcommands[] = {
      {"exists", Exists}, {"flush", Flush}, {"help", Help}, {"kill", Kill}, {"load", Load},
  };
  RunSubcommand(kSubcommands, context, arguments);
}

constexpr uint32_t kRuns = kNoScript | kStale | kSkipMonitor | kMovableKeys | kGuarded | kScript;

constexpr CommandSpec kScriptCommands[] = {
    {"eval", -3, kRuns | kMayWrite, 0, 0, 0, "scripting", "2.6.0", "Run a Lua script as one.", Eval,
     CountedKeys<2>},
    {"eval_ro", -3, kRuns | kReadOnly, 0, 0, 0, "scripting", "7.0.0",
     "Run a Lua script that writes nothing.", EvalReadOnly, CountedKeys<2>},
    {"evalsha", -3, kRuns | kMayWrite, 0, 0, 0, "scripting", "2.6.0",
     "Run a Lua script that is known.", EvalSha, CountedKeys<2>},
    {"evalsha_ro", -3, kRuns | kReadOnly, 0, 0, 0, "scripting", "7.0.0",
     "Run a Lua script that is known and writes nothing.", EvalShaReadOnly, CountedKeys<2>},
    {"script", -2, 0, 0, 0, 0, "scripting", "2.6.0", "What concerns Lua scripts.", Script},
    {"script|exists", -3, kNoScript | kInOrder, 0, 0, 0, "scripting", "2.6.0",
     "Whether scripts are known.", nullptr},
    {"script|flush", -2, kNoScript | kInOrder, 0, 0, 0, "scripting", "2.6.0", "Forget all scripts.",
     nullptr},
    {"script|help", 2, kLoading | kStale, 0, 0, 0, "scripting", "5.0.0", "List the subcommands.",
     nullptr},
    {"script|kill", 2, kNoScript | kAllowBusy | kInOrder, 0, 0, 0, "scripting", "2.6.0",
     "End the script that runs.", nullptr},
    {"script|load", 3, kNoScript | kStale | kInOrder, 0, 0, 0, "scripting", "2.6.0",
     "Know a script without running it.", nullptr},
};

}  // namespace

std::span<const CommandSpec> ScriptCommands() { return kScriptCommands; }

}  // namespace starling
