/// The starling family's functions beyond starling.cc, for its table there.
#pragma once

#include "node/command.h"

namespace starling {

/// STARLING DEBUG KEY (starling_debug.cc); arity and words are checked.
void DebugKey(CommandContext& context, Arguments arguments);

}  // namespace starling
