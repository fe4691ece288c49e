/// A cluster under load that comes and goes, for minutes or hours of virtual time: what it leaves
/// behind must not grow (I9).
///
/// Three nodes take a thousand requests a second together, each what a sliding-window limiter sends
/// (U4: ZREMRANGEBYSCORE, ZCARD, ZADD, EXPIRE): a thousand members are added and, a second later,
/// removed again, by whichever node comes first, often by several. Beside it hash fields are
/// added to and removed, a list is pushed to and popped, and keys expire. Memory, tombstones,
/// records on disk and log are measured every second of virtual time.
///
/// The same seed and time give the same run (I14).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace starling::sim {

struct SlidingWindowOptions {
  uint64_t seed = 1;
  std::chrono::minutes time{3};  ///< 1 and more.
};

/// The largest of each measure over all nodes and a tenth of the time.
struct WindowFigures {
  size_t memory_bytes = 0;   ///< Of the keyspace: entries, elements, indexes.
  size_t tombstones = 0;     ///< That wait until they are stable.
  size_t elements = 0;       ///< Of the windows, the hash and the list.
  size_t state_records = 0;  ///< On disk, below the log.
  uint64_t log_bytes = 0;    ///< On disk.
  /// Of all nodes with their disks and the network, without what the stream checker remembers.
  size_t heap_bytes = 0;
};

struct SlidingWindowReport {
  std::vector<WindowFigures> tenths;
  std::optional<Violation> violation;
  uint64_t requests = 0;
  uint64_t removed = 0;  ///< Members that a node removed, each as often as nodes did.
  uint64_t events = 0;
  uint64_t hash = 0;
};

/// Violations: "I9" names the measure, what it was and what it may be; "I1" and "I9" also as after
/// any run, once the load has ended.
SlidingWindowReport RunSlidingWindow(const SlidingWindowOptions& options);

/// The figures as a table, a line a tenth.
std::string DescribeFigures(const SlidingWindowReport& report);

}  // namespace starling::sim
