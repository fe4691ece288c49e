#include <algorithm>
#include <charconv>
#include <cmath>
#include <thread>

#include "node/arguments.h"
#include "node/commands/server_commands.h"
#include "node/error_text.h"
#include "node/node_services.h"

namespace starling {
namespace {

void Info(CommandContext& context, Arguments arguments) {
  std::vector<std::string> sections;
  for (std::string_view word : arguments.subspan(1)) sections.push_back(LowerCase(word));
  context.reply.Verbatim(context.services.Info(sections));
}

void Time(CommandContext& context, Arguments) {
  const int64_t millis = context.store.clock().time().WallMillis();
  context.reply.Array(2);
  context.reply.BulkInteger(millis / 1000);
  context.reply.BulkInteger(millis % 1000 * 1000);
}

void DebugSleep(CommandContext& context, std::string_view word) {
  constexpr double kLongest = 3600;
  double seconds = 0;
  auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), seconds);
  if (failure != std::errc() || end != word.data() + word.size() || !std::isfinite(seconds)) {
    return context.reply.Error(error_text::kNotAFloat);
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(std::clamp(seconds, 0.0, kLongest)));
  context.reply.Ok();
}

void Debug(CommandContext& context, Arguments arguments) {
  static constexpr std::string_view kHelp[] = {
      "SLEEP <seconds>",
      "    Let this client's I/O thread sleep; decimals are taken.",
  };
  if (IsWord(arguments[1], "sleep") && arguments.size() == 3) {
    return DebugSleep(context, arguments[2]);
  }
  if (IsWord(arguments[1], "help") && arguments.size() == 2) {
    return ReplyHelp(context.reply, "DEBUG", kHelp);
  }
  context.reply.Error(
      "ERR DEBUG command not allowed. Of its subcommands starling has SLEEP alone.");
}

void Save(CommandContext& context, Arguments) {
  Status saved = context.store.Checkpoint();
  if (!saved.ok()) return context.reply.Error("ERR " + saved.error().message);
  context.reply.Ok();
}

void BackgroundSave(CommandContext& context, Arguments arguments) {
  if (arguments.size() > 2 || (arguments.size() == 2 && !IsWord(arguments[1], "schedule"))) {
    return context.reply.Error(error_text::kSyntax);
  }
  Status started = context.services.StartCheckpoint();
  if (started.ok()) return context.reply.Simple("Background saving started");
  if (started.error().code == Code::kUnavailable) {
    return context.reply.Error("ERR Background save already in progress");
  }
  context.reply.Error("ERR " + started.error().message);
}

void LastSave(CommandContext& context, Arguments) {
  context.reply.Integer(context.store.last_checkpoint_millis() / 1000);
}

void Role(CommandContext& context, Arguments) {
  context.reply.Array(3);
  context.reply.Bulk("master");
  context.reply.Integer(0);
  context.reply.Array(0);
}

void Shutdown(CommandContext& context, Arguments arguments) {
  bool save = false;
  bool no_save = false;
  bool abort = false;
  for (std::string_view word : arguments.subspan(1)) {
    if (IsWord(word, "save")) {
      save = true;
    } else if (IsWord(word, "nosave")) {
      no_save = true;
    } else if (IsWord(word, "abort")) {
      abort = true;
    } else if (!IsWord(word, "now") && !IsWord(word, "force")) {
      return context.reply.Error(error_text::kSyntax);
    }
  }
  if ((save && no_save) || (abort && arguments.size() > 2)) {
    return context.reply.Error(error_text::kSyntax);
  }
  if (abort) return context.reply.Error("ERR No shutdown in progress.");
  Status begun = context.services.Shutdown(!no_save);
  if (!begun.ok()) return context.reply.Error("ERR " + begun.error().message);
  // As with Redis the client is told by the end of its connection.
  context.client.close_after_reply = true;
}

constexpr uint32_t kAnytime = kLoading | kStale;
constexpr uint32_t kOperator = kAdmin | kNoScript | kAnytime;

constexpr CommandSpec kServerCommands[] = {
    {"bgsave", -1, kAdmin | kNoScript | kOutside, 0, 0, 0, "server", "1.0.0",
     "Begin a checkpoint in the background.", BackgroundSave},
    {"command", -1, kAnytime, 0, 0, 0, "server", "2.8.13", "What commands there are.",
     CommandCommand},
    {"command|count", 2, kAnytime, 0, 0, 0, "server", "2.8.13", "How many commands there are.",
     nullptr},
    {"command|docs", -2, kAnytime, 0, 0, 0, "server", "7.0.0", "What commands are for.", nullptr},
    {"command|getkeys", -4, kAnytime, 0, 0, 0, "server", "2.8.13", "The keys of a whole command.",
     nullptr},
    {"command|help", 2, kAnytime, 0, 0, 0, "server", "5.0.0", "List the subcommands.", nullptr},
    {"command|info", -2, kAnytime, 0, 0, 0, "server", "2.8.13",
     "Arity, flags and keys of commands.", nullptr},
    {"command|list", -2, kAnytime, 0, 0, 0, "server", "7.0.0", "The names of commands.", nullptr},
    {"config", -2, 0, 0, 0, 0, "server", "2.0.0", "What concerns the configuration.",
     ConfigCommand},
    {"config|get", -3, kOperator, 0, 0, 0, "server", "2.0.0", "The values of options.", nullptr},
    {"config|help", 2, kAnytime, 0, 0, 0, "server", "5.0.0", "List the subcommands.", nullptr},
    {"config|resetstat", 2, kOperator | kOutside, 0, 0, 0, "server", "2.0.0",
     "Set INFO's counters to zero.", nullptr},
    {"config|rewrite", 2, kOperator | kOutside, 0, 0, 0, "server", "2.8.0",
     "Write what CONFIG SET changed into the configuration file.", nullptr},
    {"config|set", -4, kOperator | kOutside, 0, 0, 0, "server", "2.0.0", "Change options.",
     nullptr},
    {"debug", -2, kOperator | kOutside, 0, 0, 0, "server", "1.0.0", "For tests of clients.", Debug},
    {"info", -1, kAnytime | kOutside, 0, 0, 0, "server", "1.0.0", "Figures and facts of this node.",
     Info},
    {"lastsave", 1, kAnytime | kFast | kOutside, 0, 0, 0, "server", "1.0.0",
     "Unix time of the last checkpoint.", LastSave},
    {"latency", -2, 0, 0, 0, 0, "server", "2.8.13", "What was slow.", LatencyCommand},
    {"latency|doctor", 2, kOperator, 0, 0, 0, "server", "2.8.13", "A report for people.", nullptr},
    {"latency|help", 2, kAnytime, 0, 0, 0, "server", "2.8.13", "List the subcommands.", nullptr},
    {"latency|history", 3, kOperator, 0, 0, 0, "server", "2.8.13", "Times and lengths of an event.",
     nullptr},
    {"latency|latest", 2, kOperator, 0, 0, 0, "server", "2.8.13", "The last of every event.",
     nullptr},
    {"latency|reset", -2, kOperator, 0, 0, 0, "server", "2.8.13", "Forget events.", nullptr},
    {"memory", -2, 0, 0, 0, 0, "server", "4.0.0", "What takes memory.", MemoryCommand},
    {"memory|doctor", 2, kOutside, 0, 0, 0, "server", "4.0.0", "A report for people.", nullptr},
    {"memory|help", 2, kAnytime, 0, 0, 0, "server", "4.0.0", "List the subcommands.", nullptr},
    {"memory|purge", 2, kOutside, 0, 0, 0, "server", "4.0.0",
     "Give free memory back to the system.", nullptr},
    {"memory|stats", 2, kOutside, 0, 0, 0, "server", "4.0.0", "Figures.", nullptr},
    {"memory|usage", -3, kReadOnly, 2, 2, 1, "server", "4.0.0", "Bytes that a key takes.", nullptr},
    {"role", 1, kNoScript | kAnytime | kFast, 0, 0, 0, "server", "2.8.12",
     "What this node is in Redis's replication.", Role},
    {"save", 1, kAdmin | kNoScript | kNoMulti, 0, 0, 0, "server", "1.0.0",
     "Write a checkpoint and wait for it.", Save},
    {"shutdown", -1, kOperator | kAllowBusy | kNoMulti, 0, 0, 0, "server", "1.0.0",
     "End this node gracefully.", Shutdown},
    {"time", 1, kAnytime | kFast, 0, 0, 0, "server", "2.6.0", "The server's time.", Time},
};

}  // namespace

std::string LowerCase(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::span<const CommandSpec> ServerCommands() { return kServerCommands; }

}  // namespace starling
