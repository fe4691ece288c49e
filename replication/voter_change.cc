#include "replication/voter_change.h"

#include <algorithm>

namespace starling {
namespace {

using Names = std::vector<std::string>;

bool Has(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Names Without(const Names& names, const std::string& name) {
  Names left = names;
  std::erase(left, name);
  return left;
}

Names With(const Names& names, const std::string& name) {
  Names more = names;
  more.insert(std::lower_bound(more.begin(), more.end(), name), name);
  return more;
}

Error NoVoter(const std::string& name, const Names& voters) {
  return {Code::kNotFound, "'" + name + "' is no voter; the voters are: " + JoinNames(voters)};
}

/// As asked for, before it is compared with the members.
Result<Names> Asked(const VoterRequest& request, const Names& voters) {
  const Names& names = request.names;
  const size_t takes = request.kind == VoterRequest::Kind::kReplace ? 2 : 1;
  const bool list =
      request.kind == VoterRequest::Kind::kSet || request.kind == VoterRequest::Kind::kForce;
  if (names.size() < takes || (!list && names.size() > takes)) {
    return Error{Code::kInvalidArgument, "wrong number of names"};
  }
  switch (request.kind) {
    case VoterRequest::Kind::kAdd:
      if (Has(voters, names[0])) {
        return Error{Code::kAlreadyExists, "'" + names[0] + "' is a voter already"};
      }
      return With(voters, names[0]);
    case VoterRequest::Kind::kRemove:
      if (!Has(voters, names[0])) return NoVoter(names[0], voters);
      if (voters.size() == 1) {
        return Error{Code::kRefused,
                     "'" + names[0] + "' is the only voter; add another first, or use REPLACE"};
      }
      return Without(voters, names[0]);
    case VoterRequest::Kind::kReplace:
      if (names[0] == names[1]) {
        return Error{Code::kInvalidArgument, "REPLACE takes two different names"};
      }
      if (!Has(voters, names[0])) return NoVoter(names[0], voters);
      // Added already: a replacement that was cut short is finished so.
      if (Has(voters, names[1])) return Without(voters, names[0]);
      return With(Without(voters, names[0]), names[1]);
    case VoterRequest::Kind::kSet:
    case VoterRequest::Kind::kForce:
      break;
  }
  Names wanted = names;
  std::sort(wanted.begin(), wanted.end());
  const auto twice = std::adjacent_find(wanted.begin(), wanted.end());
  if (twice != wanted.end()) {
    return Error{Code::kInvalidArgument, "'" + *twice + "' is named twice"};
  }
  return wanted;
}

}  // namespace

std::string JoinNames(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Result<Names> VotersWanted(const VoterRequest& request, const Names& voters, const Names& members) {
  Result<Names> wanted = Asked(request, voters);
  if (!wanted) return wanted;
  for (const std::string& name : *wanted) {
    if (std::binary_search(members.begin(), members.end(), name) || Has(voters, name)) continue;
    return Error{Code::kNotFound,
                 "no member '" + name + "'; the members are: " + JoinNames(members)};
  }
  if (wanted->size() > kMostVoters) {
    return Error{Code::kLimitExceeded,
                 "at most " + std::to_string(kMostVoters) + " members can vote"};
  }
  return wanted;
}

std::optional<Names> NextVoters(const Names& voters, const Names& wanted, const std::string& self) {
  for (const std::string& name : wanted) {
    if (!Has(voters, name)) return With(voters, name);
  }
  std::optional<Names> last;
  for (const std::string& name : voters) {
    if (Has(wanted, name)) continue;
    if (name != self) return Without(voters, name);
    last = Without(voters, name);
  }
  return last;
}

}  // namespace starling
