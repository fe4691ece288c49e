/// Glob patterns as KEYS, SCAN and CONFIG GET take them.
///
/// `*` any run, `?` any byte, `[abc]`, `[a-z]`, `[^a]` one byte of (not of) a class, `\` the next
/// byte as it is. Redis's corner cases hold: an unclosed class ends with the pattern, a lone `\` at
/// the end is itself, a range may be given backwards, and the empty text matches only the empty
/// pattern (not
/// `*`). Time is at most pattern times text: a failed attempt goes back to the last `*` alone.
#pragma once

#include <string_view>

namespace starling {

enum class GlobCase { kExact, kIgnore };

/// Whether the whole of `text` matches. Thread-safe, allocates nothing.
bool GlobMatch(std::string_view pattern, std::string_view text,
               GlobCase letter_case = GlobCase::kExact);

}  // namespace starling
