#include "bench/workload.h"

#include <algorithm>
#include <cstdio>
#include <random>

namespace starling {

const std::vector<std::string>& BenchmarkKeys() {
  static const std::vector<std::string>* const keys = [] {
    auto* made = new std::vector<std::string>;
    made->reserve(kBenchmarkKeys);
    char text[64];
    for (size_t i = 0; i < kBenchmarkKeys; ++i) {
      // bench/compare/keys.py makes the same keys.
      const int length =
          std::snprintf(text, sizeof text, "rl:10.%03zu.%03zu.%03zu:user%07zu:/api/v1/orders",
                        i >> 16 & 255, i >> 8 & 255, i & 255, i);
      made->emplace_back(text, static_cast<size_t>(length));
    }
    std::shuffle(made->begin(), made->end(), std::mt19937_64(1));
    return made;
  }();
  return *keys;
}

}  // namespace starling
