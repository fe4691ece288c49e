#include "node/long_double.h"

#include <cctype>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace starling {
namespace {

/// Redis takes no longer text for a float.
constexpr size_t kMaxFloatText = 5 * 1024;

}  // namespace

std::optional<long double> ParseLongDouble(std::string_view text) {
  if (text.empty() || text.size() >= kMaxFloatText) return std::nullopt;
  if (std::isspace(static_cast<unsigned char>(text.front()))) return std::nullopt;
  std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  long double value = std::strtold(terminated.c_str(), &end);
  if (end != terminated.c_str() + terminated.size() || std::isnan(value)) return std::nullopt;
  if (errno == ERANGE && (std::isinf(value) || value == 0)) return std::nullopt;
  return value;
}

std::string FormatLongDouble(long double value) {
  int length = std::snprintf(nullptr, 0, "%.17Lf", value);
  std::string text(static_cast<size_t>(length) + 1, '\0');
  std::snprintf(text.data(), text.size(), "%.17Lf", value);
  text.resize(static_cast<size_t>(length));
  if (size_t point = text.find('.'); point != std::string::npos) {
    size_t last = text.find_last_not_of('0');
    text.resize(last == point ? point : last + 1);
  }
  return text == "-0" ? "0" : text;
}

}  // namespace starling
