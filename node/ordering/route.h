/// Where a request runs: here, or at the leaseholder (DESIGN.md section 6).
#pragma once

#include "node/client_transaction.h"
#include "node/command.h"
#include "node/ordering/level.h"

namespace starling {

struct Route {
  bool ordered = false;     ///< It runs at the leaseholder; else where it arrived.
  bool repeatable = false;  ///< It writes nothing.
  bool blocks = false;      ///< It may wait for something to take.
  bool majority = false;    ///< What it writes, a majority holds before its client is told.
  bool script = false;      ///< Some of it is a script: it runs on the executor, wherever that is.
};

/// The levels of one connection: `rules` of the node, `otherwise` for keys that none fits and for
/// commands without keys. With a level of its own (STARLING LEVEL) a connection has no rules.
struct Levels {
  const LevelRules* rules = nullptr;  ///< Null: none.
  Level otherwise = Level::kLeased;
};

/// Whether a command may have to wait: for something to take, or for other members (WAIT).
inline bool MayBlock(const CommandSpec& row) {
  return (row.flags & (kBlocking | kForHolders)) != 0;
}

/// The route of a request. What would be refused, or queued by MULTI, runs here, and so does what
/// concerns the connection or the node alone.
Route RouteOf(const CommandTable::Resolved& resolved, Arguments words,
              const ClientTransaction& transaction, const Levels& levels);

}  // namespace starling
