/// Exact decimal numbers: what counters add up.
///
/// A value is `units * 10^-scale`. Integers have scale 0. Integer nets are 128 bits wide so that no
/// order of merging can overflow them; float increments (`INCRBYFLOAT`) are exact decimals, so that
/// their sum is the same on every node. Not thread-safe; a value type.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace starling {

struct Number {
  __int128 units = 0;
  uint8_t scale = 0;  ///< Digits after the point, 0 to kMaxScale.

  /// Redis prints 17 digits after the point; more are not kept.
  static constexpr int kMaxScale = 17;
  /// Never the units of a number: it has no negative.
  static constexpr __int128 kMinUnits =
      static_cast<__int128>(static_cast<unsigned __int128>(1) << 127);

  static constexpr Number FromInt(int64_t value) { return Number{value, 0}; }

  /// Parses what Redis takes as a 64-bit integer: optional minus, no plus, no leading zeros or
  /// spaces, in the range of int64. nullopt otherwise.
  static std::optional<int64_t> ParseInt(std::string_view text);
  /// Parses a decimal with optional sign, fraction and exponent, as far as it is exact within
  /// kMaxScale digits and 128 bits; nullopt otherwise (also for inf and nan). Normalized.
  static std::optional<Number> ParseDecimal(std::string_view text);

  bool is_integer() const { return scale == 0; }
  bool fits_int64() const;
  /// The value clamped to the range of int64; fractions are cut off.
  int64_t ClampedInt64() const;
  Number Negated() const { return Number{-units, scale}; }
  /// The exact sum, normalized; nullopt where it, or a term brought to the other's scale, does not
  /// fit 128 bits.
  static std::optional<Number> Sum(const Number& a, const Number& b);
  /// The same value with the smallest scale.
  Number Normalized() const;
  /// Shortest exact form: "-3", "10.5", "0".
  std::string ToString() const;

  /// Same value and same scale; compare Normalized() for equal values.
  friend bool operator==(const Number&, const Number&) = default;
};

}  // namespace starling
