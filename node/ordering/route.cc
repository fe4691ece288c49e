#include "node/ordering/route.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "node/command_keys.h"

namespace starling {
namespace {

constexpr uint32_t kUsesKeys = kWrite | kReadOnly | kMayWrite;

bool RunsInOrder(const CommandSpec& row) {
  return (row.flags & (kUsesKeys | kInOrder)) != 0 && (row.flags & kByThisNode) == 0;
}

Level LevelOf(const CommandSpec& row, Arguments words, const Levels& levels) {
  if (levels.rules == nullptr || levels.rules->empty()) return levels.otherwise;
  thread_local std::vector<std::string_view> keys;
  keys.clear();
  // What names no keys, or cannot be read, may use any.
  if (!FindKeys(row, words, keys) || keys.empty()) return levels.otherwise;
  Level strongest = Level::kLocal;
  for (const std::string_view key : keys) {
    strongest = std::max(strongest, levels.rules->Of(key, levels.otherwise));
  }
  return strongest;
}

Route OfTransaction(const ClientTransaction& transaction, const Levels& levels) {
  Route route{false, (transaction.flags() & (kWrite | kMayWrite)) == 0};
  for (size_t i = 0; i < transaction.size() && !route.ordered; ++i) {
    const ClientTransaction::Queued queued = transaction.At(i);
    route.ordered =
        RunsInOrder(*queued.row) && LevelOf(*queued.row, queued.words, levels) != Level::kLocal;
  }
  return route;
}

}  // namespace

Route RouteOf(const CommandTable::Resolved& resolved, Arguments words,
              const ClientTransaction& transaction, const Levels& levels) {
  const CommandSpec* row = resolved.row;
  if (row == nullptr || !row->Takes(words.size())) return {};
  if (transaction.open()) {
    const bool runs = std::strcmp(row->name, "exec") == 0 && !transaction.broken();
    return runs ? OfTransaction(transaction, levels) : Route{};
  }
  if (!RunsInOrder(*row)) return {};
  const bool ordered = LevelOf(*row, words, levels) != Level::kLocal;
  const bool blocks = MayBlock(*row);
  if (!ordered && !blocks) return {};
  return {ordered, (row->flags & (kWrite | kMayWrite)) == 0, blocks};
}

}  // namespace starling
