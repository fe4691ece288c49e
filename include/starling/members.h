/// The members of the cluster as this node sees them. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace starling {

enum class MemberStatus : uint8_t {
  kAlive,
  kSuspect,    ///< Did not answer; has a moment to refute.
  kDead,       ///< Does not answer. Its state is kept for its return until `forget_after`.
  kLeft,       ///< Said goodbye.
  kForgotten,  ///< Ended: what it returns with is taken up anew.
};

/// The word for it, e.g. "alive".
const char* MemberStatusName(MemberStatus status);

struct Member {
  std::string name;
  std::string address;  ///< `host:port` of its gossip.
  MemberStatus status = MemberStatus::kAlive;
  bool self = false;
  bool connected = false;  ///< A connection to it stands.
  std::chrono::milliseconds round_trip{0};
  /// Whether it is known to hold everything that this node has logged.
  bool up_to_date = false;
};

}  // namespace starling
