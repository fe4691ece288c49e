/// The connection family's functions, for its table in connection.cc.
#pragma once

#include "node/command.h"

namespace starling {

/// CLIENT and its subcommands (client.cc, client_list.cc).
void Client(CommandContext& context, Arguments arguments);
void ClientInfoCommand(CommandContext& context, Arguments arguments);
void ClientList(CommandContext& context, Arguments arguments);
void ClientKill(CommandContext& context, Arguments arguments);
void ClientUnblock(CommandContext& context, Arguments arguments);

/// Whether a client's or a library's name holds only visible characters, as Redis asks.
bool IsClientName(std::string_view name);

}  // namespace starling
