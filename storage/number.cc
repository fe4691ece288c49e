#include "storage/number.h"

#include <array>
#include <charconv>
#include <limits>

namespace starling {
namespace {

using Wide = __int128;
using UnsignedWide = unsigned __int128;

constexpr int64_t kMaxInt64 = std::numeric_limits<int64_t>::max();
constexpr int64_t kMinInt64 = std::numeric_limits<int64_t>::min();
/// "-9223372036854775808"
constexpr size_t kMaxIntLength = 20;
/// 128 bits hold 39 digits; with sign, point and a leading "0." the text stays below this.
constexpr size_t kMaxTextLength = 48;
/// No power of ten above this fits 128 bits.
constexpr int kMaxPower = 38;

constexpr std::array<Wide, kMaxPower + 1> MakePowers() {
  std::array<Wide, kMaxPower + 1> powers{};
  powers[0] = 1;
  for (int i = 1; i <= kMaxPower; ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}
constexpr std::array<Wide, kMaxPower + 1> kPowersOfTen = MakePowers();

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool MultiplyByPower(Wide& units, int64_t power) {
  if (units == 0) return true;
  return power <= kMaxPower && !__builtin_mul_overflow(units, kPowersOfTen[power], &units);
}

/// The exponent after `e`, clamped to what no mantissa of any possible length can bring back.
std::optional<int64_t> ParseExponent(std::string_view text) {
  constexpr int64_t kBeyondAll = int64_t{1} << 40;
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;
  int64_t value = 0;
  for (const char c : text) {
    if (!IsDigit(c)) return std::nullopt;
    if (value < kBeyondAll) value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

/// Digits before `e`: `units * 10^(zeros - fraction)`. Zeros at the end are only counted, so that
/// they neither overflow the units nor count as digits after the point.
struct Mantissa {
  Wide units = 0;
  int64_t zeros = 0;
  int64_t fraction = 0;
  bool any_digit = false;
  size_t length = 0;
};

std::optional<Mantissa> ParseMantissa(std::string_view text) {
  Mantissa mantissa;
  bool after_point = false;
  for (; mantissa.length < text.size(); ++mantissa.length) {
    const char c = text[mantissa.length];
    if (c == '.' && !after_point) {
      after_point = true;
      continue;
    }
    if (!IsDigit(c)) break;
    mantissa.any_digit = true;
    if (after_point) ++mantissa.fraction;
    if (c == '0') {
      ++mantissa.zeros;
      continue;
    }
    if (!MultiplyByPower(mantissa.units, mantissa.zeros + 1)) return std::nullopt;
    if (__builtin_add_overflow(mantissa.units, Wide{c - '0'}, &mantissa.units)) return std::nullopt;
    mantissa.zeros = 0;
  }
  if (!mantissa.any_digit) return std::nullopt;
  return mantissa;
}

/// Writes the digits of `magnitude` before `end`; returns where they begin.
char* WriteDigits(UnsignedWide magnitude, char* end) {
  do {
    *--end = static_cast<char>('0' + static_cast<int>(magnitude % 10));
    magnitude /= 10;
  } while (magnitude != 0);
  return end;
}

}  // namespace

std::optional<int64_t> Number::ParseInt(std::string_view text) {
  if (text.empty() || text.size() > kMaxIntLength) return std::nullopt;
  const bool negative = text.front() == '-';
  const std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty()) return std::nullopt;
  // Only the canonical text of a number is one: no "-0", no leading zero, no plus.
  if (digits.front() == '0') return text.size() == 1 ? std::optional<int64_t>(0) : std::nullopt;
  uint64_t magnitude = 0;
  for (const char c : digits) {
    if (!IsDigit(c) || __builtin_mul_overflow(magnitude, uint64_t{10}, &magnitude) ||
        __builtin_add_overflow(magnitude, static_cast<uint64_t>(c - '0'), &magnitude)) {
      return std::nullopt;
    }
  }
  if (magnitude > static_cast<uint64_t>(kMaxInt64) + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<int64_t>(negative ? uint64_t{0} - magnitude : magnitude);
}

std::optional<Number> Number::ParseDecimal(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  std::optional<Mantissa> mantissa = ParseMantissa(text);
  if (!mantissa) return std::nullopt;
  text.remove_prefix(mantissa->length);
  int64_t exponent = 0;
  if (!text.empty()) {
    if (text.front() != 'e' && text.front() != 'E') return std::nullopt;
    const std::optional<int64_t> parsed = ParseExponent(text.substr(1));
    if (!parsed) return std::nullopt;
    exponent = *parsed;
  }
  if (mantissa->units == 0) return Number{};
  const int64_t power = mantissa->zeros - mantissa->fraction + exponent;
  Number number{negative ? -mantissa->units : mantissa->units, 0};
  if (power >= 0) {
    if (!MultiplyByPower(number.units, power)) return std::nullopt;
    return number;
  }
  // The units end in no zero, so that each of these digits after the point is needed.
  if (-power > kMaxScale) return std::nullopt;
  number.scale = static_cast<uint8_t>(-power);
  return number;
}

bool Number::fits_int64() const {
  const Number normal = Normalized();
  return normal.scale == 0 && normal.units >= kMinInt64 && normal.units <= kMaxInt64;
}

int64_t Number::ClampedInt64() const {
  const Wide whole = scale == 0 ? units : units / kPowersOfTen[scale];
  if (whole > kMaxInt64) return kMaxInt64;
  if (whole < kMinInt64) return kMinInt64;
  return static_cast<int64_t>(whole);
}

std::optional<Number> Number::Sum(const Number& a, const Number& b) {
  Number left = a;
  Number right = b;
  if (left.scale != right.scale) {
    left = left.Normalized();
    right = right.Normalized();
    Number& coarse = left.scale < right.scale ? left : right;
    const Number& fine = left.scale < right.scale ? right : left;
    if (!MultiplyByPower(coarse.units, fine.scale - coarse.scale)) return std::nullopt;
    coarse.scale = fine.scale;
  }
  Number sum{0, left.scale};
  if (__builtin_add_overflow(left.units, right.units, &sum.units)) return std::nullopt;
  // The lowest 128-bit value has no negative; keeping it out makes Negated total.
  if (sum.units == kMinUnits) return std::nullopt;
  return sum.scale == 0 ? sum : sum.Normalized();
}

Number Number::Normalized() const {
  Number number = *this;
  while (number.scale > 0 && number.units % 10 == 0) {
    number.units /= 10;
    --number.scale;
  }
  return number;
}

std::string Number::ToString() const {
  char buffer[kMaxTextLength];
  if (scale == 0 && units >= kMinInt64 && units <= kMaxInt64) {
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<int64_t>(units)).ptr;
    return std::string(buffer, end);
  }
  const Number normal = Normalized();
  const bool negative = normal.units < 0;
  const UnsignedWide magnitude = negative
                                     ? UnsignedWide{0} - static_cast<UnsignedWide>(normal.units)
                                     : static_cast<UnsignedWide>(normal.units);
  char* const end = buffer + sizeof buffer;
  char* begin = WriteDigits(magnitude, end);
  if (normal.scale > 0) {
    while (end - begin <= normal.scale) *--begin = '0';
    // Moves the whole part one place left to make room for the point.
    char* const point = end - normal.scale - 1;
    for (char* p = begin - 1; p < point; ++p) *p = p[1];
    *point = '.';
    --begin;
  }
  if (negative) *--begin = '-';
  return std::string(begin, end);
}

}  // namespace starling
