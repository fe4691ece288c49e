/// Where time comes from: injected, so that the simulator owns it.
#pragma once

#include <chrono>
#include <cstdint>

namespace starling {

/// Thread-safe.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  /// Wall clock, milliseconds since the Unix epoch; may step in either direction.
  virtual int64_t WallMillis() = 0;
  /// Time since an arbitrary point; never goes back, and goes on while the machine is suspended
  /// (CLOCK_BOOTTIME), so that a lease does not outlive a laptop's closed lid.
  virtual std::chrono::nanoseconds Monotonic() = 0;
};

/// The operating system's clocks.
class SystemTimeSource final : public TimeSource {
 public:
  int64_t WallMillis() override;
  std::chrono::nanoseconds Monotonic() override;
};

}  // namespace starling
