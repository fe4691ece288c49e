/// Keeps the slow events of the last time, for LATENCY.
///
/// Thread-safe. Bounded: 160 samples of at most 32 kinds of event, as many as Redis keeps.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "node/node_services.h"

namespace starling {

class LatencyMonitor {
 public:
  static constexpr size_t kSamples = 160;
  static constexpr size_t kEvents = 32;

  /// Events of one second are one sample: the slowest.
  void Record(std::string_view event, int64_t unix_seconds, std::chrono::milliseconds took);
  std::vector<LatencyEvent> Events() const;
  /// Forgets these, or all where `events` is empty; returns how many were known.
  int Reset(const std::vector<std::string>& events);

 private:
  struct History {
    std::deque<LatencyEvent::Sample> samples;
    int64_t max_millis = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, History, std::less<>> events_;
};

}  // namespace starling
