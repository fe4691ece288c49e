/// Scores of sorted sets: doubles, kept as exact numbers where their shortest text is one.
///
/// A score is base + slots like any numeric element, so increments on two nodes add up. A double
/// that no exact number stands for (inf, 1e300, 1e-20, -0) keeps its shortest text as bytes: it
/// survives, slots on it add to the double. Stateless and thread-safe.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "storage/register.h"

namespace starling {

/// Room for the shortest text of any double.
using ScoreText = std::array<char, 32>;

/// The number whose value is exactly the shortest text of `value`; nullopt where there is none
/// (infinite, -0, too many digits).
std::optional<Number> ExactNumber(double value);
/// The payload for a score that is not NaN; its bytes, where it has any, are in `text`.
Value ScoreValue(double score, ScoreText& text);
/// The double nearest to a payload's number or text; 0 for what is neither (a hostile peer's).
double ScoreOf(const Value& value);
/// The score that base and slots make together. Never NaN; the same on every node.
double ScoreOf(const Register& value);
/// The double nearest to a number.
double NearestDouble(const Number& number);

}  // namespace starling
