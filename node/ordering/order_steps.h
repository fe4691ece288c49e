/// Runs the steps of an order that has come to where it is to run.
#pragma once

#include "node/command.h"
#include "node/ordering/order_codec.h"

namespace starling {

/// Runs `commands` as one within `transaction`, which has not begun; replies as EXEC does.
void RunAsTransaction(const CommandTable& table, CommandContext& context,
                      ClientTransaction& transaction,
                      const std::vector<std::vector<std::string_view>>& commands);

}  // namespace starling
