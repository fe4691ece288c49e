/// How strongly a command is ordered (docs/GUARANTEES.md says what each level promises).
#pragma once

#include <chrono>
#include <cstdint>

namespace starling {

/// Ordered by strength.
enum class Level : std::uint8_t {
  kLocal,     ///< Where it is asked for; merges with what others do at the same time.
  kLeased,    ///< At the leaseholder: as on one Redis while the nodes are connected.
  kMajority,  ///< There too, and acknowledged once a majority of the voters holds it.
};

/// What a handle is asked for with.
struct LevelOptions {
  Level level = Level::kLocal;
  /// Above `local`: how long a call waits for its answer, 1 ms to 1 hour. Shorter: a caller hears
  /// sooner that nobody orders; longer: a take-over (2 s where no process of this host can tell of
  /// a death) fits in. A call of a node whose threads are late may take half a second more.
  std::chrono::milliseconds timeout{5000};
};

}  // namespace starling
