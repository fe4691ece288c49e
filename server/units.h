/// Quantities as text: the units that redis.conf knows, and durations.
///
/// Stateless. Parsers return nullopt for anything malformed or out of range.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace starling {

/// `1024`, `100k` (1000), `100kb` (1024), `m`, `mb`, `g`, `gb`, any case, with or without `b`.
std::optional<uint64_t> ParseBytes(std::string_view text);

/// `250ms`, `10s`, `5m`, `24h`, `7d`; a number alone is refused, since it does not say what it
/// counts.
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);
/// In the largest unit that divides it: `24h`, `1500ms`.
std::string FormatDuration(std::chrono::milliseconds duration);

/// `yes` or `no`, any case.
std::optional<bool> ParseYesNo(std::string_view text);

/// Bytes as INFO shows them to people: `1.50M`.
std::string FormatBytes(uint64_t bytes);

/// Splits at any of `separators`; empty words are left out.
std::vector<std::string> SplitWords(std::string_view text, std::string_view separators);

}  // namespace starling
