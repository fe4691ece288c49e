/// Which voters an operator wants, and by which single steps they become the voters.
///
/// One voter more or one less at a time: every majority of before then has a member in every
/// majority of after (Ongaro, "Consensus: Bridging Theory and Practice", 2014, section 4.1). To
/// replace one is to add the other, and then to remove the first. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "replication/lease_message.h"
#include "starling/result.h"

namespace starling {

/// More voters than this make majorities slow and nothing safer.
inline constexpr size_t kMostVoters = 9;

/// STARLING VOTERS ADD name | REMOVE name | REPLACE old new | SET name ... | FORCE name ...
struct VoterRequest {
  enum class Kind : uint8_t { kAdd, kRemove, kReplace, kSet, kForce };
  Kind kind = Kind::kAdd;
  std::vector<std::string> names;
};

/// The voters that `request` asks for, sorted. `members`: of the cluster, sorted. Errors:
/// kInvalidArgument, kNotFound (no member, no voter), kAlreadyExists (a voter already), kRefused
/// (none would be left), kLimitExceeded.
Result<std::vector<std::string>> VotersWanted(const VoterRequest& request,
                                              const std::vector<std::string>& voters,
                                              const std::vector<std::string>& members);

/// The next step from `voters` to `wanted`: first who is added, then who is removed, `self` last.
/// None: they are equal.
std::optional<std::vector<std::string>> NextVoters(const std::vector<std::string>& voters,
                                                   const std::vector<std::string>& wanted,
                                                   const std::string& self);

/// `a, b, c`.
std::string JoinNames(const std::vector<std::string>& names);

}  // namespace starling
