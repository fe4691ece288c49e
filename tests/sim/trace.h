/// What happened, as a hash over everything and as text of the last events.
///
/// Two runs of one seed must end with the same hash (I14). Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "tests/sim/scheduler.h"

namespace starling::sim {

class Trace {
 public:
  /// `print`: every line goes to standard output at once. `keep`: lines kept for a failure.
  Trace(const Scheduler& scheduler, bool print, size_t keep = 60)
      : scheduler_(scheduler), print_(print), keep_(keep) {}

  /// One event of `who` (a node's name, or "-").
  void Add(std::string_view who, std::string_view what, std::string_view detail = {});
  /// Enters bytes into the hash without a line.
  void Mix(std::string_view bytes);
  void Mix(uint64_t value);

  uint64_t hash() const { return hash_; }
  const std::deque<std::string>& last() const { return last_; }

 private:
  const Scheduler& scheduler_;
  bool print_;
  size_t keep_;
  uint64_t hash_ = 0xcbf29ce484222325;
  std::deque<std::string> last_;
};

}  // namespace starling::sim
