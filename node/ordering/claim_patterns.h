/// Which keys `SET NX` and its kin make claims of (DESIGN.md section 6, "claims no").
///
/// A key that is none is written at its level like any other, and is cheaper: no majority is waited
/// for. Of two nodes that cannot see each other both may then find it absent. Immutable once built.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "starling/result.h"

namespace starling {

class ClaimPatterns {
 public:
  /// `rules`: `pattern=yes` or `pattern=no` each, patterns as LevelRules's. Errors:
  /// kInvalidArgument names the rule and what would be right.
  static Result<ClaimPatterns> Parse(const std::vector<std::string>& rules);

  /// Whether the key becomes a claim: as the first pattern that fits says, else yes.
  bool Claims(std::string_view key) const;

 private:
  struct Rule {
    std::string pattern;
    bool claims;
  };
  std::vector<Rule> rules_;
};

}  // namespace starling
