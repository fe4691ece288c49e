/// A container's subcommands as a table: which word runs what.
#pragma once

#include <span>
#include <string_view>

#include "node/arguments.h"
#include "node/command.h"
#include "node/error_text.h"

namespace starling {

struct Subcommand {
  std::string_view name;  ///< Lower case.
  void (*run)(CommandContext& context, Arguments arguments);
};

/// Runs the row that `arguments[1]` names. RunCommand has checked name and arity by the command
/// table; a row that is there but not here is answered as a syntax error.
inline void RunSubcommand(std::span<const Subcommand> rows, CommandContext& context,
                          Arguments arguments) {
  for (const Subcommand& row : rows) {
    if (arguments.size() > 1 && IsWord(arguments[1], row.name)) return row.run(context, arguments);
  }
  context.reply.Error(error_text::kSyntax);
}

}  // namespace starling
