/// The server family's functions, for its table in server.cc.
#pragma once

#include <string>

#include "node/command.h"

namespace starling {

/// CONFIG (config.cc), COMMAND (command_docs.cc), LATENCY (latency.cc), MEMORY (memory.cc).
void ConfigCommand(CommandContext& context, Arguments arguments);
void CommandCommand(CommandContext& context, Arguments arguments);
void LatencyCommand(CommandContext& context, Arguments arguments);
void MemoryCommand(CommandContext& context, Arguments arguments);

/// ASCII lower case.
std::string LowerCase(std::string_view word);

}  // namespace starling
