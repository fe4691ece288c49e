/// Whether what clients saw of one key could have come from one copy of it, each operation at some
/// moment between its call and its return.
///
/// Source: Wing and Gong, "Testing and Verifying Concurrent Objects" (1993), with Lowe's memory of
/// what was tried, "Testing for Linearizability" (2017). Linearizability is local (Herlihy and
/// Wing, 1990), so a history is checked key by key. An operation whose outcome is unknown may have
/// taken effect at any moment after its call, or never.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace starling {

/// One operation on a string key, as a client saw it.
struct KeyOperation {
  enum class Kind : uint8_t {
    kGet,            ///< Result: the value, or none.
    kSet,            ///< To `argument`.
    kSetIfAbsent,    ///< SET NX. Result: "OK", or none.
    kDelete,         ///< Result: "1" or "0".
    kDeleteIfEqual,  ///< The compare-and-delete script. Result: "1" or "0".
    kIncrement,      ///< By one. Result: the sum.
    kSetIfEqual,     ///< To `argument` where it is `expected`. Result: "1" or "0".
  };
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  Kind kind = Kind::kGet;
  std::string argument;
  std::optional<std::string> result;
  int64_t called = 0;
  int64_t returned = kNever;
  bool unknown = false;  ///< Its outcome: `result` says nothing, it counts as never returned.
  int client = 0;        ///< For people.
  std::string expected;  ///< Of kSetIfEqual.
  /// Where it is believed to stand in the order of effects: tried first, never relied on.
  int64_t ran = kNever;
};

struct Linearization {
  bool possible = false;
  /// Whether the search ended for want of steps, so that `possible` says nothing.
  bool gave_up = false;
  /// Where it is impossible: the first operations in an order that goes as far as any does, and
  /// those of which none can come next, for people.
  std::vector<KeyOperation> longest;
  std::vector<KeyOperation> stuck;
};

/// `operations` of one key, which is absent at first. Takes exponential time at worst: `max_steps`
/// ends the search.
Linearization CheckLinearizable(const std::vector<KeyOperation>& operations,
                                uint64_t max_steps = 20'000'000);

/// One readable line.
std::string ToString(const KeyOperation& operation);

}  // namespace starling
