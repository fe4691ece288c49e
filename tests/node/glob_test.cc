#include "node/glob.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace starling {
namespace {

struct Row {
  std::string_view pattern;
  std::string_view text;
  bool matches;
};

TEST(Glob, MatchesAsRedisDoes) {
  const Row rows[] = {
      {"*", "anything", true},
      {"a*c", "abbbc", true},
      {"a*c", "abbb", false},
      {"a**c", "ac", true},
      {"?", "x", true},
      {"?", "", false},
      {"h[ae]llo", "hallo", true},
      {"h[ae]llo", "hillo", false},
      {"h[^e]llo", "hallo", true},
      {"h[^e]llo", "hello", false},
      {"h[a-c]llo", "hbllo", true},
      {"h[c-a]llo", "hbllo", true},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"a\\", "a\\", true},
      {"[\\]]", "]", true},
      {"*:*:end", "a:b:c:end", true},
      {"a", "A", false},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(GlobMatch(row.pattern, row.text), row.matches) << row.pattern << " " << row.text;
  }
}

TEST(Glob, AnUnclosedClassEndsWithThePattern) {
  EXPECT_TRUE(GlobMatch("[ab", "b"));
  EXPECT_FALSE(GlobMatch("[ab", "c"));
  EXPECT_FALSE(GlobMatch("[", "x"));
  EXPECT_TRUE(GlobMatch("[^", "x"));
}

TEST(Glob, TheEmptyTextMatchesOnlyTheEmptyPattern) {
  EXPECT_TRUE(GlobMatch("", ""));
  EXPECT_FALSE(GlobMatch("*", ""));
  EXPECT_FALSE(GlobMatch("", "a"));
}

TEST(Glob, IgnoresCaseWhereAsked) {
  EXPECT_TRUE(GlobMatch("MAX*", "maxmemory", GlobCase::kIgnore));
  EXPECT_TRUE(GlobMatch("[A-C]x", "bX", GlobCase::kIgnore));
}

/// By the definition: a star takes nothing, or one byte and is still there.
bool Naive(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return Naive(pattern.substr(1), text) || (!text.empty() && Naive(pattern, text.substr(1)));
  }
  if (text.empty()) return false;
  return (pattern[0] == '?' || pattern[0] == text[0]) && Naive(pattern.substr(1), text.substr(1));
}

TEST(Glob, AgreesWithItsDefinitionOnRandomPatterns) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::string pattern;
    std::string text;
    for (size_t j = random() % 8; j > 0; --j) pattern.push_back("ab*?"[random() % 4]);
    for (size_t j = 1 + random() % 8; j > 0; --j) text.push_back("ab"[random() % 2]);
    EXPECT_EQ(GlobMatch(pattern, text), Naive(pattern, text)) << pattern << " " << text;
  }
}

TEST(Glob, ManyStarsTakeNoExponentialTime) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  EXPECT_FALSE(GlobMatch(pattern + "b", std::string(3000, 'a')));
}

}  // namespace
}  // namespace starling
