/// Which times to live the library takes.
#pragma once

#include <chrono>

#include "starling/result.h"

namespace starling {

/// Times to live beyond this (a thousand years) are refused: their deadline would leave the clock's
/// range.
inline constexpr std::chrono::milliseconds kLongestLife = std::chrono::hours(24) * 365'250;

/// kInvalidArgument for what is none.
inline Status CheckTimeToLive(std::chrono::milliseconds ttl) {
  if (ttl.count() > 0 && ttl <= kLongestLife) return {};
  return Error{Code::kInvalidArgument, "a time to live is 1 millisecond to 1000 years"};
}

}  // namespace starling
