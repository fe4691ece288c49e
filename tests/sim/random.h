/// Seeded randomness of the simulator: the same seed gives the same numbers on every standard
/// library.
///
/// Not thread-safe; each part of a simulation forks its own, so that one part's draws never shift
/// another's.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace starling::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}

  /// In [0, bound); 0 when bound is 0.
  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : engine_() % bound; }
  /// In [low, high].
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  std::chrono::nanoseconds Between(std::chrono::nanoseconds low, std::chrono::nanoseconds high) {
    return std::chrono::nanoseconds(Between(low.count(), high.count()));
  }
  /// True `per_mille` times in a thousand.
  bool Chance(uint64_t per_mille) { return Below(1000) < per_mille; }
  template <typename Container>
  auto& Pick(Container& container) {
    return container[Below(container.size())];
  }
  Random Fork() { return Random(engine_()); }
  uint64_t Next() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace starling::sim
