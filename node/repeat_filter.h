/// Which of many equal warnings to log: the first, then one in a while, with how many were left
/// out.
///
/// Log and memory are bounded, whatever strangers make of the words: in one interval at most kMost
/// lines pass. Not thread-safe.
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
  static constexpr size_t kMost = 64;  ///< Lines in an interval; different warnings remembered.

  explicit RepeatFilter(std::chrono::nanoseconds interval) : interval_(interval) {}

  /// Nothing: leave it out. Otherwise log it; the number says how many were left out since the
  /// last: of equal ones, and, for a new one, of those there was no room for. `now` is monotonic.
  std::optional<uint64_t> Pass(const std::string& warning, std::chrono::nanoseconds now);

 private:
  struct Seen {
    std::chrono::nanoseconds logged{};
    uint64_t left_out = 0;
  };

  std::chrono::nanoseconds interval_;
  std::map<std::string, Seen> seen_;
  uint64_t no_room_ = 0;
};

}  // namespace starling
