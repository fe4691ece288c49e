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
  Level strongest = Level::kLocal;
  for (size_t i = 0; i < transaction.size() && strongest != Level::kMajority; ++i) {
    const ClientTransaction::Queued queued = transaction.At(i);
    if (!RunsInOrder(*queued.row)) continue;
    strongest = std::max(strongest, LevelOf(*queued.row, queued.words, levels));
  }
  Route route{strongest != Level::kLocal, (transaction.flags() & (kWrite | kMayWrite)) == 0};
  route.majority = strongest == Level::kMajority;
  route.script = (transaction.flags() & kScript) != 0;
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
  if ((row->flags & kForHolders) != 0) return {.repeatable = true, .blocks = true};
  if (!RunsInOrder(*row)) return {};
  const Level level = LevelOf(*row, words, levels);
  const bool ordered = level != Level::kLocal;
  const bool blocks = MayBlock(*row);
  const bool script = (row->flags & kScript) != 0;
  if (!ordered && !blocks && !script) return {};
  const bool majority = level == Level::kMajority && (row->flags & kUsesKeys) != 0;
  return {ordered, (row->flags & (kWrite | kMayWrite)) == 0, blocks, majority, script};
}

}  // namespace starling
