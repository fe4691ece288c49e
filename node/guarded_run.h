/// Runs one command so that it changes no claim but through its desk (claim_desk.h).
#pragma once

#include "node/command.h"

namespace starling {

class Speculation;

/// Runs `runner` with the shards of its keys held where it writes. Replies, unless the desk was
/// asked. Not within a transaction or script: those guard all they do at once.
void RunGuarded(const CommandTable::Resolved& resolved, CommandContext& context,
                Arguments arguments);

/// Ends a speculation whose replies began at `start` of the reply's buffer. False: what it did is
/// undone, and the error replied if there is one.
bool ConcludeGuarded(CommandContext& context, Speculation& speculation, size_t start);

/// Whether the request asks for one winner in the whole cluster: SET NX, SETNX, MSETNX, RENAMENX,
/// COPY without REPLACE, and locks, of a key that `desk` makes a claim of.
bool AsksForClaim(const CommandSpec& row, Arguments arguments, const ClaimDesk& desk);

}  // namespace starling
