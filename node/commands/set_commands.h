/// The handlers of commands on several sets (set_operations.cc), for the table in sets.cc.
///
/// Handlers as command.h describes them: one reply each, all arguments checked before anything
/// changes.
#pragma once

#include "node/command.h"

namespace starling {

void SMove(CommandContext& context, Arguments arguments);
void SInter(CommandContext& context, Arguments arguments);
void SInterCard(CommandContext& context, Arguments arguments);
void SInterStore(CommandContext& context, Arguments arguments);
void SUnion(CommandContext& context, Arguments arguments);
void SUnionStore(CommandContext& context, Arguments arguments);
void SDiff(CommandContext& context, Arguments arguments);
void SDiffStore(CommandContext& context, Arguments arguments);

}  // namespace starling
