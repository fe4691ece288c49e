/// How strongly a command is ordered, by the key it uses (DESIGN.md section 6, "How a command
/// runs").
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "starling/level.h"
#include "starling/result.h"

namespace starling {

const char* NameOf(Level level);
/// Case-insensitive; nullopt: no level is called so.
std::optional<Level> LevelNamed(std::string_view name);

/// What a client does while no leaseholder is in reach.
enum class OnUnreachable : uint8_t {
  kLocal,   ///< Its commands run where they arrive, and merge later.
  kRefuse,  ///< They are refused.
};

/// Patterns of keys and their levels: the first that fits decides. Immutable once built.
class LevelRules {
 public:
  /// `rules`: `pattern=level` each; a pattern is a glob as KEYS takes it, of at most 512 bytes, and
  /// may hold `=`. Errors: kInvalidArgument names the rule and what would be right.
  static Result<LevelRules> Parse(const std::vector<std::string>& rules);

  /// `otherwise`: for a key that no pattern fits.
  Level Of(std::string_view key, Level otherwise) const;
  bool empty() const { return rules_.empty(); }
  /// The strongest that a rule gives; kLocal: there are none.
  Level strongest() const { return strongest_; }

 private:
  struct Rule {
    std::string pattern;
    Level level;
  };
  std::vector<Rule> rules_;
  Level strongest_ = Level::kLocal;
};

}  // namespace starling
