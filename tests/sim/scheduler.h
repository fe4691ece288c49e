/// Virtual time: events in order of (time, sequence).
///
/// Nothing in a simulation happens outside an event, so a run is a function of its seed alone
/// (I14). Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

namespace starling::sim {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::nanoseconds;

class Scheduler {
 public:
  using Event = std::function<void()>;

  Instant now() const { return now_; }
  /// Runs `event` at `when`, at once (after what is due already) if that has passed.
  void At(Instant when, Event event);
  void After(Duration delay, Event event) { At(now_ + delay, std::move(event)); }

  /// Runs the next event; false when there is none at or before `limit` (now is `limit` then).
  bool RunNext(Instant limit);
  /// Runs everything up to `limit`.
  void RunUntil(Instant limit);
  uint64_t events() const { return events_; }

 private:
  struct Entry {
    Instant when;
    uint64_t sequence;
    Event event;
    bool operator<(const Entry& other) const {  // the heap's top is the earliest
      return when != other.when ? when > other.when : sequence > other.sequence;
    }
  };

  Instant now_{0};
  uint64_t sequence_ = 0;
  uint64_t events_ = 0;
  std::vector<Entry> heap_;
};

}  // namespace starling::sim
