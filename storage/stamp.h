/// A hybrid logical clock value: the time of a write and its version in its origin's stream.
///
/// Source: Kulkarni et al., "Logical Physical Clocks", 2014. 48 bits of milliseconds since the Unix
/// epoch, 16 bits logical; adding one to a full logical part carries into the milliseconds, so a
/// stamp is ordered and incremented as one integer. Stamp 0 means "none".
#pragma once

#include <compare>
#include <cstdint>

namespace starling {

struct Stamp {
  uint64_t value = 0;

  static constexpr int kLogicalBits = 16;
  /// The largest millisecond a stamp can hold (year 10889).
  static constexpr int64_t kMaxMillis = (int64_t{1} << 48) - 1;

  /// The first stamp of a millisecond; `millis` in [0, kMaxMillis].
  static constexpr Stamp FirstOf(int64_t millis) {
    return Stamp{static_cast<uint64_t>(millis) << kLogicalBits};
  }
  /// The last stamp of a millisecond: the cut that deletes what expired then.
  static constexpr Stamp LastOf(int64_t millis) { return Stamp{FirstOf(millis).value | 0xFFFF}; }

  constexpr int64_t millis() const { return static_cast<int64_t>(value >> kLogicalBits); }
  constexpr uint16_t logical() const { return static_cast<uint16_t>(value); }
  constexpr bool none() const { return value == 0; }
  constexpr Stamp next() const { return Stamp{value + 1}; }

  friend constexpr auto operator<=>(Stamp, Stamp) = default;
};

}  // namespace starling
