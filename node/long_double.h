/// Redis's own arithmetic for floats, long double, for what exact decimals cannot hold.
///
/// Stateless and thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace starling {

/// What Redis takes as a float on INCRBYFLOAT and HINCRBYFLOAT, infinities included.
std::optional<long double> ParseLongDouble(std::string_view text);
/// 17 digits after the point, zeros at the end left out. `value` is finite.
std::string FormatLongDouble(long double value);

}  // namespace starling
