/// What clients read where their commands could not be run, or nobody knows whether they were
/// (I13).
#pragma once

#include <string_view>

namespace starling {

/// Reads are refused too: what the node holds beyond its log was never acknowledged (I7).
inline constexpr std::string_view kNoLog =
    "MISCONF An append to the log failed, so this node serves no keys until one succeeds. See its "
    "log for the reason.";
inline constexpr std::string_view kNoLeaseholder =
    "NOLEADER No leaseholder is in reach, so the command was not run (on-unreachable refuse).";
inline constexpr std::string_view kOutcomeUnknown =
    "UNKNOWN The leaseholder was lost while it had this command: whether it took effect is "
    "unknown.";
inline constexpr std::string_view kOrderTimedOut =
    "UNKNOWN The leaseholder has not answered in time: whether this command took effect is "
    "unknown.";
inline constexpr std::string_view kLeaseLost =
    "UNKNOWN The lease ended while this command ran: what it wrote counts, but its answer may lack "
    "what another node has done.";

}  // namespace starling
