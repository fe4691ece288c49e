#include "node/repeat_filter.h"

#include <algorithm>
#include <utility>

namespace starling {

std::optional<uint64_t> RepeatFilter::Pass(const std::string& warning,
                                           std::chrono::nanoseconds now) {
  const auto found = seen_.find(warning);
  if (found != seen_.end()) {
    Seen& seen = found->second;
    if (now < seen.logged + interval_) {
      ++seen.left_out;
      return std::nullopt;
    }
    seen.logged = now;
    return std::exchange(seen.left_out, 0);
  }
  if (seen_.size() >= kMost) {
    const auto oldest = std::min_element(
        seen_.begin(), seen_.end(),
        [](const auto& a, const auto& b) { return a.second.logged < b.second.logged; });
    if (now < oldest->second.logged + interval_) {
      ++no_room_;
      return std::nullopt;
    }
    seen_.erase(oldest);
  }
  seen_.emplace(warning, Seen{now, 0});
  return std::exchange(no_room_, 0);
}

}  // namespace starling
