#include "storage/score.h"

#include <charconv>
#include <cmath>

namespace starling {
namespace {

/// Up to here every integer is a double, and a quotient of two such is rounded once.
constexpr __int128 kExactUnits = __int128{1} << 53;

constexpr std::array<double, Number::kMaxScale + 1> kPowersOfTen = {
    1e0, 1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,
    1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17};

std::string_view ShortestText(double value, ScoreText& text) {
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), static_cast<size_t>(end - text.data())};
}

double ParseScore(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc{} || parsed.ptr != end || std::isnan(value)) return 0;
  return value;
}

}  // namespace

std::optional<Number> ExactNumber(double value) {
  if (!std::isfinite(value) || (value == 0 && std::signbit(value))) return std::nullopt;
  if (std::fabs(value) < static_cast<double>(kExactUnits) && value == std::trunc(value)) {
    return Number::FromInt(static_cast<int64_t>(value));
  }
  ScoreText text;
  return Number::ParseDecimal(ShortestText(value, text));
}

Value ScoreValue(double score, ScoreText& text) {
  if (const std::optional<Number> number = ExactNumber(score)) return Value::OfNumber(*number);
  return Value::Bytes(ShortestText(score, text));
}

double NearestDouble(const Number& number) {
  if (number.units >= -kExactUnits && number.units <= kExactUnits) {
    return static_cast<double>(static_cast<int64_t>(number.units)) / kPowersOfTen[number.scale];
  }
  return ParseScore(number.ToString());
}

double ScoreOf(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNumber:
      return NearestDouble(value.number);
    case Value::Kind::kBytes:
      return ParseScore(value.bytes);
    case Value::Kind::kNone:
      break;
  }
  return 0;
}

double ScoreOf(const Register& value) {
  if (value.slots.empty()) return ScoreOf(value.base);
  if (value.base.kind != Value::Kind::kBytes) return NearestDouble(value.Sum());
  // Added as numbers first: the order in which slots arrived must not show in the rounding.
  Register slots;
  slots.slots = value.slots;
  return ParseScore(value.base.bytes) + NearestDouble(slots.Sum());
}

}  // namespace starling
