/// How many seeds a property test draws: `count`, or a quarter under a sanitizer, where each takes
/// some ten times as long and looks for faults of memory and threads, not of logic.
#pragma once

#include <cstdint>

#include <gtest/gtest.h>

namespace starling::test {

constexpr uint64_t SeedCount(uint64_t count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return (count + 3) / 4;
#else
  return count;
#endif
}

/// 1, 2 ... SeedCount(count), for INSTANTIATE_TEST_SUITE_P.
inline auto Seeds(uint64_t count) { return testing::Range<uint64_t>(1, 1 + SeedCount(count)); }

}  // namespace starling::test
