/// The words for a member's state, the same in replies, INFO and the log.
#pragma once

#include "replication/replicator.h"

namespace starling {

constexpr const char* MemberStateName(MemberState state) {
  switch (state) {
    case MemberState::kAlive:
      return "alive";
    case MemberState::kSuspect:
      return "suspect";
    case MemberState::kDead:
      return "dead";
    case MemberState::kLeft:
      return "left";
    case MemberState::kForgotten:
      return "forgotten";
  }
  return "unknown";
}

}  // namespace starling
