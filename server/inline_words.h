/// Splits an inline command into words, with the quoting rules of redis-cli and redis.conf.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace starling {

/// Appends the words of `line` to `words`. Between double quotes `\n \r \t \b \a`, `\xHH` and a
/// backslash before any other byte are understood, between single quotes only `\'`; a closing quote
/// must be followed by a space or the end. False (nothing appended) when quotes are unbalanced.
/// Words without quotes borrow from `line`, others from `text`, which is overwritten.
bool SplitInlineWords(std::string_view line, std::string& text,
                      std::vector<std::string_view>& words);

}  // namespace starling
