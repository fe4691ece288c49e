#include <algorithm>
#include <cstring>
#include <functional>

#include "node/arguments.h"
#include "node/command_keys.h"
#include "node/commands/server_commands.h"
#include "node/error_text.h"
#include "node/glob.h"
#include "node/node_services.h"
#include "node/subcommands.h"

namespace starling {
namespace {

constexpr std::string_view kHelp[] = {
    "(no subcommand)",
    "    As INFO of all commands.",
    "COUNT",
    "    How many commands there are.",
    "DOCS [<command> ...]",
    "    What these, or all, commands are for.",
    "GETKEYS <command> <argument> [<argument> ...]",
    "    The keys among the arguments.",
    "INFO [<command> ...]",
    "    Arity, flags and keys of these commands, or of all.",
    "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
    "    The names of all commands, or of some.",
};

struct FlagName {
  uint32_t flag;
  const char* name;
};

/// In Redis's order.
constexpr FlagName kFlagNames[] = {
    {kWrite, "write"},
    {kReadOnly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kFast, "fast"},
    {kSkipSlowlog, "skip_slowlog"},
    {kNoAuth, "no_auth"},
    {kAllowBusy, "allow_busy"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
};

/// Redis's ACL category for a group of commands; groups without one have none.
constexpr std::pair<std::string_view, const char*> kGroupCategories[] = {
    {"generic", "@keyspace"},
    {"string", "@string"},
    {"set", "@set"},
    {"sorted-set", "@sortedset"},
    {"hash", "@hash"},
    {"list", "@list"},
    {"stream", "@stream"},
    {"pubsub", "@pubsub"},
    {"connection", "@connection"},
    {"transactions", "@transaction"},
    {"scripting", "@scripting"},
};

bool Has(const CommandSpec& command, uint32_t flag) { return (command.flags & flag) != 0; }

std::vector<std::string_view> Flags(const CommandSpec& command) {
  std::vector<std::string_view> names;
  for (const auto& [flag, name] : kFlagNames) {
    if (Has(command, flag)) names.emplace_back(name);
  }
  return names;
}

/// In Redis's order: keys, access, type, danger, speed, the rest.
std::vector<std::string_view> Categories(const CommandSpec& command) {
  std::string_view group_category;
  for (const auto& [group, category] : kGroupCategories) {
    if (group == command.group) group_category = category;
  }
  const bool connection = group_category == "@connection";
  const bool keyspace = group_category == "@keyspace";
  std::vector<std::string_view> names;
  if (keyspace) names.push_back(group_category);
  if (Has(command, kReadOnly)) names.emplace_back("@read");
  if (Has(command, kWrite)) names.emplace_back("@write");
  if (!group_category.empty() && !keyspace && !connection) names.push_back(group_category);
  if (Has(command, kAdmin)) names.emplace_back("@admin");
  names.emplace_back(Has(command, kFast) ? "@fast" : "@slow");
  if (Has(command, kBlocking)) names.emplace_back("@blocking");
  if (Has(command, kAdmin)) names.emplace_back("@dangerous");
  if (connection) names.push_back(group_category);
  return names;
}

bool IsSubcommand(const CommandSpec& command) { return std::strchr(command.name, '|') != nullptr; }

/// Rows of a container's subcommands.
std::vector<const CommandSpec*> SubcommandsOf(const CommandTable& table,
                                              const CommandSpec& container) {
  const std::string prefix = std::string(container.name) + "|";
  std::vector<const CommandSpec*> rows;
  for (const CommandSpec* row : table.all()) {
    if (std::string_view(row->name).starts_with(prefix)) rows.push_back(row);
  }
  return rows;
}

void ForEachCommand(const CommandTable& table,
                    const std::function<void(const CommandSpec&)>& visit) {
  for (const CommandSpec* row : table.all()) {
    if (!IsSubcommand(*row)) visit(*row);
  }
}

size_t CountCommands(const CommandTable& table) {
  size_t count = 0;
  ForEachCommand(table, [&count](const CommandSpec&) { ++count; });
  return count;
}

void ReplyWords(Reply& reply, const std::vector<std::string_view>& words) {
  reply.Set(words.size());
  for (std::string_view word : words) reply.Simple(word);
}

/// The head of one of a command's key specifications, up to where the search for keys begins.
void ReplySpecHead(Reply& reply, const CommandSpec& command, int begin, const char* find_keys) {
  reply.Map(3);
  reply.Bulk("flags");
  ReplyWords(reply, Has(command, kWrite) ? std::vector<std::string_view>{"RW", "access", "update"}
                                         : std::vector<std::string_view>{"RO", "access"});
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("index");
  reply.Bulk("spec");
  reply.Map(1);
  reply.Bulk("index");
  reply.Integer(begin);
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk(find_keys);
  reply.Bulk("spec");
  reply.Map(3);
}

void ReplyKeySpecs(Reply& reply, const CommandSpec& command) {
  const int counted = command.find_keys == CountedKeys<1>   ? 1
                      : command.find_keys == CountedKeys<2> ? 2
                                                            : 0;
  reply.Set((command.first_key != 0 ? 1 : 0) + (counted != 0 ? 1 : 0));
  if (command.first_key != 0) {
    const int last = command.last_key < 0 ? command.last_key : command.last_key - command.first_key;
    ReplySpecHead(reply, command, command.first_key, "range");
    reply.Bulk("lastkey");
    reply.Integer(last);
    reply.Bulk("keystep");
    reply.Integer(command.key_step);
    reply.Bulk("limit");
    reply.Integer(0);
  }
  if (counted != 0) {
    ReplySpecHead(reply, command, counted, "keynum");
    reply.Bulk("keynumidx");
    reply.Integer(0);
    reply.Bulk("firstkey");
    reply.Integer(1);
    reply.Bulk("keystep");
    reply.Integer(1);
  }
}

void ReplyInfo(CommandContext& context, const CommandSpec& command) {
  Reply& reply = context.reply;
  reply.Array(10);
  reply.Bulk(command.name);
  reply.Integer(command.arity);
  ReplyWords(reply, Flags(command));
  reply.Integer(command.first_key);
  reply.Integer(command.last_key);
  reply.Integer(command.key_step);
  ReplyWords(reply, Categories(command));
  reply.Set(0);  // tips
  ReplyKeySpecs(reply, command);
  const std::vector<const CommandSpec*> rows = SubcommandsOf(context.services.commands(), command);
  reply.Set(rows.size());
  for (const CommandSpec* row : rows) ReplyInfo(context, *row);
}

void ReplyAllInfo(CommandContext& context) {
  const CommandTable& table = context.services.commands();
  context.reply.Array(CountCommands(table));
  ForEachCommand(table, [&](const CommandSpec& row) { ReplyInfo(context, row); });
}

void InfoSubcommand(CommandContext& context, Arguments arguments) {
  if (arguments.size() == 2) return ReplyAllInfo(context);
  context.reply.Array(arguments.size() - 2);
  for (std::string_view name : arguments.subspan(2)) {
    const CommandSpec* command = context.services.commands().Find(name);
    if (command == nullptr) {
      context.reply.Null();
    } else {
      ReplyInfo(context, *command);
    }
  }
}

void ReplyDocs(CommandContext& context, const CommandSpec& command) {
  Reply& reply = context.reply;
  const std::vector<const CommandSpec*> rows = SubcommandsOf(context.services.commands(), command);
  reply.Bulk(command.name);
  reply.Map(rows.empty() ? 3 : 4);
  reply.Bulk("summary");
  reply.Bulk(command.summary);
  reply.Bulk("since");
  reply.Bulk(command.since);
  reply.Bulk("group");
  reply.Bulk(command.group);
  if (rows.empty()) return;
  reply.Bulk("subcommands");
  reply.Map(rows.size());
  for (const CommandSpec* row : rows) ReplyDocs(context, *row);
}

void Docs(CommandContext& context, Arguments arguments) {
  const CommandTable& table = context.services.commands();
  if (arguments.size() == 2) {
    context.reply.Map(CountCommands(table));
    return ForEachCommand(table, [&](const CommandSpec& row) { ReplyDocs(context, row); });
  }
  std::vector<const CommandSpec*> found;
  for (std::string_view name : arguments.subspan(2)) {
    if (const CommandSpec* command = table.Find(name)) found.push_back(command);
  }
  context.reply.Map(found.size());
  for (const CommandSpec* command : found) ReplyDocs(context, *command);
}

void Count(CommandContext& context, Arguments) {
  context.reply.Integer(static_cast<int64_t>(CountCommands(context.services.commands())));
}

void List(CommandContext& context, Arguments arguments) {
  std::function<bool(const CommandSpec&)> wanted = [](const CommandSpec&) { return true; };
  if (arguments.size() == 5 && IsWord(arguments[2], "filterby")) {
    const std::string_view value = arguments[4];
    if (IsWord(arguments[3], "module")) {
      wanted = [](const CommandSpec&) { return false; };
    } else if (IsWord(arguments[3], "aclcat")) {
      const std::string category = "@" + LowerCase(value);
      wanted = [category](const CommandSpec& row) {
        const std::vector<std::string_view> names = Categories(row);
        return std::find(names.begin(), names.end(), category) != names.end();
      };
    } else if (IsWord(arguments[3], "pattern")) {
      wanted = [value](const CommandSpec& row) {
        return GlobMatch(value, row.name, GlobCase::kIgnore);
      };
    } else {
      return context.reply.Error(error_text::kSyntax);
    }
  } else if (arguments.size() != 2) {
    return context.reply.Error(error_text::kSyntax);
  }
  std::vector<std::string_view> names;
  for (const CommandSpec* row : context.services.commands().all()) {
    if (wanted(*row)) names.emplace_back(row->name);
  }
  context.reply.Array(names.size());
  for (std::string_view name : names) context.reply.Bulk(name);
}

void GetKeys(CommandContext& context, Arguments arguments) {
  Arguments request = arguments.subspan(2);
  const CommandTable::Resolved resolved = context.services.commands().Resolve(request);
  if (resolved.row == nullptr) return context.reply.Error("ERR Invalid command specified");
  const CommandSpec& row = *resolved.row;
  if (row.first_key == 0 && row.find_keys == nullptr) {
    return context.reply.Error("ERR The command has no key arguments");
  }
  if (!row.Takes(request.size())) {
    return context.reply.Error("ERR Invalid number of arguments specified for command");
  }
  std::vector<std::string_view> keys;
  if (!FindKeys(row, request, keys)) {
    return context.reply.Error("ERR Invalid arguments specified for command");
  }
  context.reply.Array(keys.size());
  for (std::string_view key : keys) context.reply.Bulk(key);
}

void Help(CommandContext& context, Arguments) { ReplyHelp(context.reply, "COMMAND", kHelp); }

constexpr Subcommand kSubcommands[] = {
    {"count", Count}, {"docs", Docs},           {"getkeys", GetKeys},
    {"help", Help},   {"info", InfoSubcommand}, {"list", List},
};

}  // namespace

void CommandCommand(CommandContext& context, Arguments arguments) {
  if (arguments.size() == 1) return ReplyAllInfo(context);
  RunSubcommand(kSubcommands, context, arguments);
}

}  // namespace starling
