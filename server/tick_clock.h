/// Time between two commands of a pipeline, at a third of what the operating system's clock costs.
///
/// Reads the processor's time-stamp counter where there is one, and learns what a tick is worth by
/// comparing it with the monotonic clock over the thread's whole life. One object per thread.
/// Accuracy: about a percent from the first second on; good for statistics, for nothing else.
#pragma once

#include <chrono>
#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace starling {

class TickClock {
 public:
  static uint64_t Ticks() {
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
  }

  /// Compares with the monotonic clock, which is `now`; call once per turn.
  void Compare(std::chrono::nanoseconds now) {
    const uint64_t ticks = Ticks();
    if (first_ticks_ == 0) {
      first_ticks_ = ticks;
      first_time_ = now;
    } else if (now - first_time_ > std::chrono::milliseconds(1)) {
      nanos_per_tick_ = static_cast<double>((now - first_time_).count()) /
                        static_cast<double>(ticks - first_ticks_);
    }
  }

  uint64_t Nanoseconds(uint64_t ticks) const {
    return static_cast<uint64_t>(static_cast<double>(ticks) * nanos_per_tick_);
  }

 private:
  uint64_t first_ticks_ = 0;
  std::chrono::nanoseconds first_time_{0};
  double nanos_per_tick_ = 0.4;  // until it is known: a processor of 2.5 GHz
};

}  // namespace starling
