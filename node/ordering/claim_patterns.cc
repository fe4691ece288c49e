#include "node/ordering/claim_patterns.h"

#include <optional>

#include "node/arguments.h"
#include "node/glob.h"

namespace starling {
namespace {

constexpr size_t kMaxPattern = 512;

std::optional<bool> YesOrNo(std::string_view word) {
  if (IsWord(word, "yes")) return true;
  if (IsWord(word, "no")) return false;
  return std::nullopt;
}

}  // namespace

Result<ClaimPatterns> ClaimPatterns::Parse(const std::vector<std::string>& rules) {
  ClaimPatterns parsed;
  for (const std::string& rule : rules) {
    const size_t equals = rule.rfind('=');
    const auto claims = equals == std::string::npos
                            ? std::nullopt
                            : YesOrNo(std::string_view(rule).substr(equals + 1));
    if (!claims || equals == 0 || equals > kMaxPattern) {
      return Error{Code::kInvalidArgument,
                   "'" + rule.substr(0, 200) +
                       "' is not pattern=yes or pattern=no, as in rl:*=no; a pattern has 1 to 512 "
                       "bytes"};
    }
    parsed.rules_.push_back({rule.substr(0, equals), *claims});
  }
  return parsed;
}

bool ClaimPatterns::Claims(std::string_view key) const {
  for (const Rule& rule : rules_) {
    if (GlobMatch(rule.pattern, key)) return rule.claims;
  }
  return true;
}

}  // namespace starling
