#include "server/units.h"

#include <array>
#include <cstdio>
#include <limits>

#include "node/arguments.h"
#include "storage/number.h"

namespace starling {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

constexpr Unit kByteUnits[] = {{"", 1},
                               {"b", 1},
                               {"k", 1000},
                               {"kb", 1 << 10},
                               {"m", 1000 * 1000},
                               {"mb", 1 << 20},
                               {"g", 1000 * 1000 * 1000},
                               {"gb", 1 << 30}};
constexpr Unit kTimeUnits[] = {
    {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

/// A whole number followed by one of `units`.
template <size_t n>
std::optional<int64_t> ParseQuantity(std::string_view text, const Unit (&units)[n]) {
  size_t digits = text.find_first_not_of("0123456789");
  if (digits == std::string_view::npos) digits = text.size();
  std::optional<int64_t> count = Number::ParseInt(text.substr(0, digits));
  if (!count) return std::nullopt;
  for (const Unit& unit : units) {
    if (!IsWord(text.substr(digits), unit.name)) continue;
    if (*count > std::numeric_limits<int64_t>::max() / unit.factor) return std::nullopt;
    return *count * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint64_t> ParseBytes(std::string_view text) {
  std::optional<int64_t> bytes = ParseQuantity(text, kByteUnits);
  if (!bytes) return std::nullopt;
  return static_cast<uint64_t>(*bytes);
}

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  std::optional<int64_t> millis = ParseQuantity(text, kTimeUnits);
  if (!millis) return std::nullopt;
  return std::chrono::milliseconds(*millis);
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  for (const Unit& unit : kTimeUnits) {
    if (duration.count() % unit.factor != 0 || duration.count() == 0) continue;
    return std::to_string(duration.count() / unit.factor).append(unit.name);
  }
  return "0ms";
}

std::optional<bool> ParseYesNo(std::string_view text) {
  if (IsWord(text, "yes")) return true;
  if (IsWord(text, "no")) return false;
  return std::nullopt;
}

std::string FormatBytes(uint64_t bytes) {
  constexpr std::string_view kLetters = "BKMGT";
  double value = static_cast<double>(bytes);
  size_t letter = 0;
  while (value >= 1024 && letter + 1 < kLetters.size()) {
    value /= 1024;
    ++letter;
  }
  char text[32];
  std::snprintf(text, sizeof(text), letter == 0 ? "%.0f%c" : "%.2f%c", value, kLetters[letter]);
  return text;
}

std::vector<std::string> SplitWords(std::string_view text, std::string_view separators) {
  std::vector<std::string> words;
  size_t begin = 0;
  while ((begin = text.find_first_not_of(separators, begin)) != std::string_view::npos) {
    size_t end = std::min(text.find_first_of(separators, begin), text.size());
    words.emplace_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

}  // namespace starling
