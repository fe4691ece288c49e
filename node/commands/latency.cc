#include <algorithm>

#include "node/arguments.h"
#include "node/commands/server_commands.h"
#include "node/node_services.h"
#include "node/subcommands.h"

namespace starling {
namespace {

constexpr std::string_view kHelp[] = {
    "DOCTOR",
    "    A report for people.",
    "HISTORY <event>",
    "    Unix time and milliseconds of the event's samples.",
    "LATEST",
    "    The last sample of every event.",
    "RESET [<event> ...]",
    "    Forget these events, or all.",
};

void Latest(CommandContext& context, Arguments) {
  const std::vector<LatencyEvent> events = context.services.Latency();
  context.reply.Array(events.size());
  for (const LatencyEvent& event : events) {
    context.reply.Array(4);
    context.reply.Bulk(event.name);
    context.reply.Integer(event.samples.back().unix_seconds);
    context.reply.Integer(event.samples.back().millis);
    context.reply.Integer(event.max_millis);
  }
}

void History(CommandContext& context, Arguments arguments) {
  for (const LatencyEvent& event : context.services.Latency()) {
    if (event.name != arguments[2]) continue;
    context.reply.Array(event.samples.size());
    for (const LatencyEvent::Sample& sample : event.samples) {
      context.reply.Array(2);
      context.reply.Integer(sample.unix_seconds);
      context.reply.Integer(sample.millis);
    }
    return;
  }
  context.reply.Array(0);
}

void Reset(CommandContext& context, Arguments arguments) {
  std::vector<std::string> events(arguments.begin() + 2, arguments.end());
  context.reply.Integer(context.services.ResetLatency(events));
}

std::string Advice(std::string_view event) {
  if (event == "log-append") {
    return "appending to the log took long: the disk is slow or shared; appendfsync 'everysec' or "
           "'no' waits for it less";
  }
  return "a command took long: look for large values or collections, KEYS, and DEBUG SLEEP";
}

void Doctor(CommandContext& context, Arguments) {
  const std::vector<LatencyEvent> events = context.services.Latency();
  std::string text;
  for (const LatencyEvent& event : events) {
    int64_t sum = 0;
    for (const LatencyEvent::Sample& sample : event.samples) sum += sample.millis;
    text.append(event.name + ": " + std::to_string(event.samples.size()) + " samples, average " +
                std::to_string(sum / static_cast<int64_t>(event.samples.size())) +
                " ms, worst ever " + std::to_string(event.max_millis) + " ms; " +
                Advice(event.name) + ".\n");
  }
  if (text.empty()) {
    const auto threshold = context.services.GetConfig("latency-monitor-threshold");
    const bool off = threshold.empty() || threshold.front().second == "0";
    text = off ? "Nothing is recorded: latency-monitor-threshold is 0. CONFIG SET "
                 "latency-monitor-threshold <milliseconds> turns the record on.\n"
               : "No event has reached latency-monitor-threshold.\n";
  }
  context.reply.Verbatim(text);
}

void Help(CommandContext& context, Arguments) { ReplyHelp(context.reply, "LATENCY", kHelp); }

constexpr Subcommand kSubcommands[] = {
    {"doctor", Doctor}, {"help", Help}, {"history", History}, {"latest", Latest}, {"reset", Reset},
};

}  // namespace

void LatencyCommand(CommandContext& context, Arguments arguments) {
  RunSubcommand(kSubcommands, context, arguments);
}

}  // namespace starling
