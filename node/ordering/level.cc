#include "node/ordering/level.h"

#include <algorithm>

#include "node/arguments.h"
#include "node/glob.h"

namespace starling {
namespace {

constexpr Level kLevels[] = {Level::kLocal, Level::kLeased, Level::kMajority};
constexpr size_t kMaxPattern = 512;

}  // namespace

const char* NameOf(Level level) {
  switch (level) {
    case Level::kLocal:
      return "local";
    case Level::kLeased:
      return "leased";
    case Level::kMajority:
      break;
  }
  return "majority";
}

std::optional<Level> LevelNamed(std::string_view name) {
  for (const Level level : kLevels) {
    if (IsWord(name, NameOf(level))) return level;
  }
  return std::nullopt;
}

Result<LevelRules> LevelRules::Parse(const std::vector<std::string>& rules) {
  LevelRules parsed;
  for (const std::string& rule : rules) {
    const size_t equals = rule.rfind('=');
    const auto level = equals == std::string::npos
                           ? std::nullopt
                           : LevelNamed(std::string_view(rule).substr(equals + 1));
    if (!level || equals == 0 || equals > kMaxPattern) {
      return Error{Code::kInvalidArgument,
                   "'" + rule.substr(0, 200) +
                       "' is not pattern=level, as in lock:*=majority; levels are local, leased "
                       "and majority, a pattern has 1 to 512 bytes"};
    }
    parsed.rules_.push_back({rule.substr(0, equals), *level});
    parsed.strongest_ = std::max(parsed.strongest_, *level);
  }
  return parsed;
}

Level LevelRules::Of(std::string_view key, Level otherwise) const {
  for (const Rule& rule : rules_) {
    if (GlobMatch(rule.pattern, key)) return rule.level;
  }
  return otherwise;
}

}  // namespace starling
