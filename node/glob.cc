#include "node/glob.h"

#include <cctype>
#include <utility>

namespace starling {
namespace {

unsigned char Fold(char c, GlobCase letter_case) {
  auto byte = static_cast<unsigned char>(c);
  if (letter_case == GlobCase::kExact) return byte;
  return static_cast<unsigned char>(std::tolower(byte));
}

/// Whether one pattern element matches one byte, and where the element ends.
struct Step {
  bool matches;
  size_t next;
};

/// `at` is behind the opening bracket.
Step MatchClass(std::string_view pattern, size_t at, char text, GlobCase letter_case) {
  const unsigned char byte = Fold(text, letter_case);
  const bool negated = at < pattern.size() && pattern[at] == '^';
  if (negated) ++at;
  bool found = false;
  while (at < pattern.size() && pattern[at] != ']') {
    size_t left = pattern.size() - at;
    if (pattern[at] == '\\' && left >= 2) {
      // An escaped byte is compared as it is, whatever the case rule.
      found |= pattern[at + 1] == text;
      at += 2;
    } else if (left >= 3 && pattern[at + 1] == '-') {
      unsigned char low = Fold(pattern[at], letter_case);
      unsigned char high = Fold(pattern[at + 2], letter_case);
      if (low > high) std::swap(low, high);
      found |= byte >= low && byte <= high;
      at += 3;
    } else {
      found |= Fold(pattern[at], letter_case) == byte;
      ++at;
    }
  }
  return {found != negated, at < pattern.size() ? at + 1 : at};
}

/// The element at `at`, which is not a star.
Step MatchOne(std::string_view pattern, size_t at, char text, GlobCase letter_case) {
  switch (pattern[at]) {
    case '?':
      return {true, at + 1};
    case '[':
      return MatchClass(pattern, at + 1, text, letter_case);
    case '\\':
      if (at + 1 < pattern.size()) ++at;
      [[fallthrough]];
    default:
      return {Fold(pattern[at], letter_case) == Fold(text, letter_case), at + 1};
  }
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text, GlobCase letter_case) {
  if (text.empty()) return pattern.empty();
  constexpr size_t kNone = std::string_view::npos;
  size_t at = 0;
  size_t read = 0;
  size_t after_star = kNone;  // where to go on in the pattern when an attempt fails,
  size_t star_read = 0;       // and how much of the text the star has taken until then
  while (read < text.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      while (at < pattern.size() && pattern[at] == '*') ++at;
      if (at == pattern.size()) return true;
      after_star = at;
      star_read = read;
      continue;
    }
    if (at < pattern.size()) {
      Step step = MatchOne(pattern, at, text[read], letter_case);
      if (step.matches) {
        at = step.next;
        ++read;
        continue;
      }
    }
    if (after_star == kNone) return false;
    at = after_star;
    read = ++star_read;
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace starling
