#include <map>

#include "node/arguments.h"
#include "node/commands/server_commands.h"
#include "node/error_text.h"
#include "node/node_services.h"
#include "node/subcommands.h"

namespace starling {
namespace {

constexpr std::string_view kHelp[] = {
    "GET <pattern> [<pattern> ...]",
    "    Options whose names match, with their values.",
    "RESETSTAT",
    "    Set the counters that INFO shows to zero.",
    "REWRITE",
    "    Write what SET has changed into the configuration file.",
    "SET <option> <value> [<option> <value> ...]",
    "    Change options, all or none.",
};

void Get(CommandContext& context, Arguments arguments) {
  std::map<std::string, std::string> found;
  for (std::string_view pattern : arguments.subspan(2)) {
    for (auto& [name, value] : context.services.GetConfig(pattern)) found[name] = value;
  }
  context.reply.Map(found.size());
  for (const auto& [name, value] : found) {
    context.reply.Bulk(name);
    context.reply.Bulk(value);
  }
}

void ReplyStatus(CommandContext& context, const Status& status) {
  if (status.ok()) return context.reply.Ok();
  context.reply.Error("ERR " + status.error().message);
}

void Set(CommandContext& context, Arguments arguments) {
  if (arguments.size() % 2 != 0) return context.reply.Error(error_text::kSyntax);
  std::vector<std::pair<std::string, std::string>> values;
  for (size_t i = 2; i < arguments.size(); i += 2) {
    values.emplace_back(arguments[i], arguments[i + 1]);
  }
  ReplyStatus(context, context.services.SetConfig(values));
}

void ResetStat(CommandContext& context, Arguments) {
  context.services.ResetStatistics();
  context.reply.Ok();
}

void Rewrite(CommandContext& context, Arguments) {
  ReplyStatus(context, context.services.RewriteConfig());
}

void Help(CommandContext& context, Arguments) { ReplyHelp(context.reply, "CONFIG", kHelp); }

constexpr Subcommand kSubcommands[] = {
    {"get", Get}, {"set", Set}, {"resetstat", ResetStat}, {"rewrite", Rewrite}, {"help", Help},
};

}  // namespace

void ConfigCommand(CommandContext& context, Arguments arguments) {
  RunSubcommand(kSubcommands, context, arguments);
}

}  // namespace starling
