#include "server/inline_words.h"

namespace starling {
namespace {

/// C's isspace in the "C" locale.
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// What ends a word without quotes: not quite IsSpace, as in Redis.
bool EndsWord(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char Unescaped(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

/// Reads the double-quoted part that begins behind `at`'s quote; false when it does not end well.
bool ReadDoubleQuoted(std::string_view line, size_t& at, std::string& text) {
  for (++at; at < line.size(); ++at) {
    if (line[at] == '"') {
      ++at;
      return at == line.size() || IsSpace(line[at]);
    }
    if (line[at] != '\\' || at + 1 >= line.size()) {
      text.push_back(line[at]);
      continue;
    }
    const bool hex = at + 3 < line.size() && line[at + 1] == 'x' && HexDigit(line[at + 2]) >= 0 &&
                     HexDigit(line[at + 3]) >= 0;
    if (hex) {
      text.push_back(static_cast<char>(HexDigit(line[at + 2]) * 16 + HexDigit(line[at + 3])));
      at += 3;
    } else {
      text.push_back(Unescaped(line[++at]));
    }
  }
  return false;
}

bool ReadSingleQuoted(std::string_view line, size_t& at, std::string& text) {
  for (++at; at < line.size(); ++at) {
    if (line[at] == '\'') {
      ++at;
      return at == line.size() || IsSpace(line[at]);
    }
    if (line[at] == '\\' && at + 1 < line.size() && line[at + 1] == '\'') ++at;
    text.push_back(line[at]);
  }
  return false;
}

/// A word with a quote somewhere in it, unquoted into `text`.
bool ReadQuotedWord(std::string_view line, size_t& at, std::string& text) {
  while (at < line.size() && !EndsWord(line[at])) {
    if (line[at] == '"') return ReadDoubleQuoted(line, at, text);
    if (line[at] == '\'') return ReadSingleQuoted(line, at, text);
    text.push_back(line[at++]);
  }
  return true;
}

}  // namespace

bool SplitInlineWords(std::string_view line, std::string& text,
                      std::vector<std::string_view>& words) {
  const size_t first = words.size();
  text.clear();
  text.reserve(line.size());  // unquoting only shortens: views into `text` stay valid
  size_t at = 0;
  while (true) {
    while (at < line.size() && IsSpace(line[at])) ++at;
    if (at >= line.size()) return true;
    size_t end = at;
    while (end < line.size() && !EndsWord(line[end]) && line[end] != '"' && line[end] != '\'')
      ++end;
    if (end == line.size() || EndsWord(line[end])) {
      words.push_back(line.substr(at, end - at));
      at = end;
      continue;
    }
    const size_t begin = text.size();
    if (!ReadQuotedWord(line, at, text)) {
      words.resize(first);
      return false;
    }
    words.push_back(std::string_view(text).substr(begin));
  }
}

}  // namespace starling
