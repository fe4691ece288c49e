#include <malloc.h>

#include <algorithm>

#include "node/arguments.h"
#include "node/commands/server_commands.h"
#include "node/error_text.h"
#include "node/node_services.h"
#include "node/subcommands.h"

namespace starling {
namespace {

constexpr std::string_view kHelp[] = {
    "DOCTOR",
    "    A report for people.",
    "PURGE",
    "    Give free memory back to the operating system.",
    "STATS",
    "    Figures of the process and of the keyspace, in bytes.",
    "USAGE <key> [SAMPLES <count>]",
    "    Bytes that the key and its value take, exactly; SAMPLES is accepted for Redis's sake.",
};

void Usage(CommandContext& context, Arguments arguments) {
  for (size_t i = 3; i < arguments.size(); i += 2) {
    if (!IsWord(arguments[i], "samples") || i + 1 >= arguments.size()) {
      return context.reply.Error(error_text::kSyntax);
    }
    std::optional<int64_t> samples = ReadInteger(context, arguments[i + 1]);
    if (!samples) return;
    if (*samples < 0) return context.reply.Error(error_text::kSyntax);
  }
  const KeyRef key = context.Key(arguments[2]);
  std::optional<size_t> bytes = context.keyspace().Lock(key).MemoryUsage(key);
  if (!bytes) return context.reply.Null();
  context.reply.Integer(static_cast<int64_t>(*bytes));
}

int64_t CountKeys(const Keyspace& keyspace) {
  size_t keys = 0;
  for (int database = 0; database < kDatabases; ++database) {
    keys += keyspace.Size(static_cast<uint8_t>(database));
  }
  return static_cast<int64_t>(keys);
}

double Percent(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void Stats(CommandContext& context, Arguments) {
  const MemoryFigures figures = context.services.Memory();
  const int64_t keys = CountKeys(context.keyspace());
  const auto keyspace = static_cast<int64_t>(figures.keyspace);
  const std::pair<std::string_view, int64_t> integers[] = {
      {"peak.allocated", static_cast<int64_t>(figures.peak)},
      {"total.allocated", static_cast<int64_t>(figures.used)},
      {"startup.allocated", static_cast<int64_t>(figures.startup)},
      {"clients.normal", static_cast<int64_t>(figures.clients)},
      {"overhead.total", std::max<int64_t>(0, static_cast<int64_t>(figures.used) - keyspace)},
      {"keys.count", keys},
      {"keys.bytes-per-key", keys == 0 ? 0 : keyspace / keys},
      {"dataset.bytes", keyspace},
  };
  context.reply.Map(std::size(integers) + 2);
  for (const auto& [name, value] : integers) {
    context.reply.Bulk(name);
    context.reply.Integer(value);
  }
  context.reply.Bulk("dataset.percentage");
  context.reply.Double(Percent(figures.keyspace, figures.used));
  context.reply.Bulk("peak.percentage");
  context.reply.Double(Percent(figures.used, figures.peak));
}

void Doctor(CommandContext& context, Arguments) {
  constexpr uint64_t kLittle = 64 << 20;
  const MemoryFigures figures = context.services.Memory();
  std::string text;
  if (figures.used < kLittle) {
    text = "This node uses too little memory for its figures to tell anything.\n";
  }
  if (figures.used >= kLittle && figures.peak > figures.used + figures.used / 2) {
    text +=
        "At its peak the process took more than half as much again: what is free inside can be "
        "given back by MEMORY PURGE.\n";
  }
  if (figures.used >= kLittle && figures.clients > figures.used / 4) {
    text +=
        "Buffers of connections take more than a quarter of all memory: look for slow readers "
        "in CLIENT LIST (omem) and at client-output-buffer-limit.\n";
  }
  if (figures.used > figures.system / 2) {
    text += "The process takes more than half of this machine's memory.\n";
  }
  if (text.empty()) text = "Nothing stands out.\n";
  context.reply.Verbatim(text);
}

void Purge(CommandContext& context, Arguments) {
  ::malloc_trim(0);
  context.reply.Ok();
}

void Help(CommandContext& context, Arguments) { ReplyHelp(context.reply, "MEMORY", kHelp); }

constexpr Subcommand kSubcommands[] = {
    {"doctor", Doctor}, {"help", Help}, {"purge", Purge}, {"stats", Stats}, {"usage", Usage},
};

}  // namespace

void MemoryCommand(CommandContext& context, Arguments arguments) {
  RunSubcommand(kSubcommands, context, arguments);
}

}  // namespace starling
