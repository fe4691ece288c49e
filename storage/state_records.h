/// The state family's records about itself: to what it is complete, and the floor.
///
/// Stateless, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "starling/result.h"
#include "storage/version_vector.h"

namespace starling {

/// Names above every entry's, so that a scan reads them last.
inline constexpr std::string_view kVectorRecord = "\xFFvector";
inline constexpr std::string_view kFloorRecord =
    "\xFF"
    "floor";

/// A vector with the number of walks taken.
struct StateVector {
  VersionVector vector;
  uint64_t walks = 0;

  std::string Encode() const;
  /// kCorruption when malformed.
  static Result<StateVector> Decode(std::string_view bytes);
};

}  // namespace starling
