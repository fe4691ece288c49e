/// What disk holds about itself: to what the state family is complete, the floor, and walks taken.
///
/// Stateless, thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "starling/result.h"
#include "storage/engine.h"
#include "storage/version_vector.h"

namespace starling {

/// Names above every entry's, so that a scan reads them last.
inline constexpr std::string_view kVectorRecord = "\xFFvector";
inline constexpr std::string_view kFloorRecord =
    "\xFF"
    "floor";

/// What a write of state holds: a checkpoint is written in pieces of bounded size.
inline size_t StateBytes(const Engine::StateWrite& write) {
  return write.key.size() + (write.value ? write.value->size() : 0);
}

/// A vector with the number of walks taken.
struct StateVector {
  VersionVector vector;
  uint64_t walks = 0;

  std::string Encode() const;
  /// kCorruption when malformed.
  static Result<StateVector> Decode(std::string_view bytes);
};

/// The first log record of a walk that was taken; its chunks follow.
struct WalkRecord {
  bool whole_state = false;
  uint64_t chunks = 0;
  /// What was held just before: the walk leaves it out, so it has to be replayed first.
  VersionVector held;

  std::string Encode() const;
  /// kCorruption when malformed.
  static Result<WalkRecord> Decode(std::string_view bytes);
};

}  // namespace starling
