#include "server/latency_monitor.h"

#include <algorithm>

namespace starling {

void LatencyMonitor::Record(std::string_view event, int64_t unix_seconds,
                            std::chrono::milliseconds took) {
  std::lock_guard lock(mutex_);
  auto found = events_.find(event);
  if (found == events_.end()) {
    if (events_.size() >= kEvents) return;
    found = events_.emplace(std::string(event), History{}).first;
  }
  History& history = found->second;
  history.max_millis = std::max<int64_t>(history.max_millis, took.count());
  if (!history.samples.empty() && history.samples.back().unix_seconds == unix_seconds) {
    int64_t& millis = history.samples.back().millis;
    millis = std::max<int64_t>(millis, took.count());
    return;
  }
  if (history.samples.size() == kSamples) history.samples.pop_front();
  history.samples.push_back({unix_seconds, took.count()});
}

std::vector<LatencyEvent> LatencyMonitor::Events() const {
  std::lock_guard lock(mutex_);
  std::vector<LatencyEvent> events;
  for (const auto& [name, history] : events_) {
    events.push_back({name, {history.samples.begin(), history.samples.end()}, history.max_millis});
  }
  return events;
}

int LatencyMonitor::Reset(const std::vector<std::string>& events) {
  std::lock_guard lock(mutex_);
  int reset = 0;
  if (events.empty()) {
    reset = static_cast<int>(events_.size());
    events_.clear();
  }
  for (const std::string& event : events) reset += static_cast<int>(events_.erase(event));
  return reset;
}

}  // namespace starling
