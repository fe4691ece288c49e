#include "node/ordering/order_steps.h"

namespace starling {

void RunAsTransaction(const CommandTable& table, CommandContext& context,
                      ClientTransaction& transaction,
                      const std::vector<std::vector<std::string_view>>& commands) {
  transaction.Begin();
  for (const std::vector<std::string_view>& words : commands) {
    const CommandTable::Resolved resolved = table.Resolve(words);
    if (resolved.row == nullptr) {
      transaction.Break();
    } else {
      transaction.Queue(*resolved.row, *resolved.runner, words);
    }
  }
  CommandContext own{context.store,  context.services, context.client, context.reply,
                     context.random, transaction,      nullptr,        context.claims};
  constexpr std::string_view kExec = "exec";
  RunCommand(table, own, Arguments(&kExec, 1));
}

}  // namespace starling
