/// Keys that the benchmarks work on: a million rate-limit counters, `rl:{ip}:{user}:{path}`, in an
/// order that no cache can guess. Made once per process, immutable then, thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace starling {

inline constexpr size_t kBenchmarkKeys = 1'000'000;

/// kBenchmarkKeys different keys of 46 bytes, shuffled with a fixed seed.
const std::vector<std::string>& BenchmarkKeys();

}  // namespace starling
