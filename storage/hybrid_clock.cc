#include "storage/hybrid_clock.h"

#include <algorithm>

namespace starling {

Stamp HybridClock::Draw() {
  const uint64_t wall = Stamp::FirstOf(time_.WallMillis()).value;
  uint64_t last = last_.load(std::memory_order_relaxed);
  uint64_t drawn;
  do {
    drawn = std::max(wall, last + 1);
  } while (!last_.compare_exchange_weak(last, drawn, std::memory_order_acq_rel));
  return Stamp{drawn};
}

void HybridClock::Observe(Stamp remote) {
  uint64_t last = last_.load(std::memory_order_relaxed);
  while (last < remote.value &&
         !last_.compare_exchange_weak(last, remote.value, std::memory_order_acq_rel)) {
  }
}

int64_t HybridClock::NowMillis() const { return std::max(time_.WallMillis(), last().millis()); }

}  // namespace starling
