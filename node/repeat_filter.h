/// Which of many equal warnings to log: the first, then one in a while, with how many were left
/// out.
///
/// Memory is bounded: of many different ones the least recently logged is forgotten. Not
/// thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace starling {

class RepeatFilter {
 public:
  static constexpr size_t kKept = 64;  ///< Different warnings remembered.

  explicit RepeatFilter(std::chrono::nanoseconds interval) : interval_(interval) {}

  /// Nothing: leave it out. Otherwise log it; the number says how many equal ones were left out
  /// since the last. `now` is monotonic.
  std::optional<uint64_t> Pass(const std::string& warning, std::chrono::nanoseconds now);

 private:
  struct Seen {
    std::chrono::nanoseconds logged{};
    uint64_t left_out = 0;
  };

  std::chrono::nanoseconds interval_;
  std::map<std::string, Seen> seen_;
};

}  // namespace starling
