#include "server/resp_parser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace starling {
namespace {

using Words = std::vector<std::string>;

struct Parsed {
  std::vector<Words> requests;
  std::string error;
  friend bool operator==(const Parsed&, const Parsed&) = default;
};

std::ostream& operator<<(std::ostream& out, const Parsed& parsed) {
  for (const Words& words : parsed.requests) {
    out << "[";
    for (const std::string& word : words) out << "'" << word << "' ";
    out << "] ";
  }
  return out << "error: " << parsed.error;
}

/// A copy that is exactly as large as its bytes, so that a read beyond them is caught by ASan.
std::unique_ptr<char[]> ExactCopy(std::string_view bytes) {
  auto copy = std::make_unique<char[]>(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.get(), bytes.data(), bytes.size());
  return copy;
}

/// Feeds `input` cut at the given places, each time in a buffer of its own.
Parsed Feed(std::string_view input, const std::vector<size_t>& cuts, RespLimits limits = {}) {
  Parsed parsed;
  RespParser parser;
  size_t begin = 0;  // of what is not consumed
  for (size_t end : cuts) {
    std::string_view part = input.substr(begin, end - begin);
    std::unique_ptr<char[]> bytes = ExactCopy(part);
    std::string_view rest(bytes.get(), part.size());
    while (true) {
      std::vector<std::string_view> words;
      RespParser::Outcome outcome = parser.Next(rest, limits, words);
      if (outcome == RespParser::Outcome::kProtocolError) {
        parsed.error = parser.error();
        return parsed;
      }
      rest.remove_prefix(parser.consumed());
      begin += parser.consumed();
      if (outcome == RespParser::Outcome::kIncomplete) {
        EXPECT_TRUE(words.empty());
        break;
      }
      parsed.requests.emplace_back(words.begin(), words.end());
    }
  }
  return parsed;
}

Parsed Whole(std::string_view input, RespLimits limits = {}) {
  return Feed(input, {input.size()}, limits);
}

/// Whole, cut in two at every place, and byte by byte: always the same.
void ExpectAlways(std::string_view input, const Parsed& expected, RespLimits limits = {}) {
  EXPECT_EQ(Whole(input, limits), expected);
  std::vector<size_t> every;
  for (size_t cut = 1; cut <= input.size(); ++cut) {
    EXPECT_EQ(Feed(input, {cut, input.size()}, limits), expected) << "cut at " << cut;
    every.push_back(cut);
  }
  EXPECT_EQ(Feed(input, every, limits), expected) << "byte by byte";
}

TEST(RespParser, TakesPipelinedArraysHoweverTheyAreCut) {
  ExpectAlways(
      "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nv\r\nal\r\n*1\r\n$4\r\nPING\r\n*2\r\n$0\r\n\r\n$"
      "2\r\nab\r\n",
      {{{"SET", "k", "v\r\nal"}, {"PING"}, {"", "ab"}}, ""});
}

TEST(RespParser, TakesInlineCommandsBetweenArrays) {
  ExpectAlways("PING\r\n*1\r\n$4\r\nPING\r\n  GET  a \n\r\n\nECHO \"x y\"\r\n",
               {{{"PING"}, {"PING"}, {"GET", "a"}, {"ECHO", "x y"}}, ""});
}

TEST(RespParser, PassesOverEmptyAndNullArrays) {
  ExpectAlways("*0\r\n*-1\r\n*-7\r\nPING\r\n*0\r\n", {{{"PING"}}, ""});
}

TEST(RespParser, DropsEmptyRequestsFromTheInput) {
  RespParser parser;
  std::vector<std::string_view> words;
  EXPECT_EQ(parser.Next("\r\n\r\n*0\r\n", {}, words), RespParser::Outcome::kIncomplete);
  EXPECT_EQ(parser.consumed(), 8u);
}

TEST(RespParser, IgnoresTheTwoBytesBehindAWordAsRedisDoes) {
  ExpectAlways("*1\r\n$4\r\nPINGxxPING\r\n", {{{"PING"}, {"PING"}}, ""});
}

TEST(RespParser, NamesProtocolErrorsAsRedisDoes) {
  const std::string prefix = "ERR Protocol error: ";
  const std::pair<std::string, std::string> cases[] = {
      {"*abc\r\n", "invalid multibulk length"},
      {"*+1\r\n", "invalid multibulk length"},
      {"*\r\n", "invalid multibulk length"},
      {"*99999999999999999999999\r\n", "invalid multibulk length"},
      {"*2147483648\r\n", "invalid multibulk length"},
      {"*1\r\n+PING\r\n", "expected '$', got '+'"},
      {"*1\r\n$-1\r\n", "invalid bulk length"},
      {"*1\r\n$04\r\n", "invalid bulk length"},
      {"*1\r\n$536870913\r\n", "invalid bulk length"},
      {"*1\r\n$\r\n", "invalid bulk length"},
      {"SET a \"b\r\n", "unbalanced quotes in request"},
      {"SET \"a\"b c\r\n", "unbalanced quotes in request"},
  };
  for (const auto& [input, error] : cases) ExpectAlways(input, {{}, prefix + error});
}

TEST(RespParser, AnswersWhatCameBeforeAnError) {
  ExpectAlways("*1\r\n$4\r\nPING\r\n*1\r\nfoo\r\n",
               {{{"PING"}}, "ERR Protocol error: expected '$', got 'f'"});
}

TEST(RespParser, RefusesLinesThatNeverEnd) {
  const std::string prefix = "ERR Protocol error: ";
  RespLimits limits;
  limits.max_line = 100;
  std::string digits(101, '1');
  EXPECT_EQ(Whole("*" + digits, limits).error, prefix + "too big mbulk count string");
  EXPECT_EQ(Whole("*1\r\n$" + digits, limits).error, prefix + "too big bulk count string");
  EXPECT_EQ(Whole(digits, limits).error, prefix + "too big inline request");
  EXPECT_EQ(Whole(std::string(100, 'a'), limits).error, "");
}

TEST(RespParser, TakesARequestOfMillionsOfWords) {
  constexpr size_t kCount = 2'000'000;
  std::string input = "*" + std::to_string(kCount) + "\r\n";
  for (size_t i = 0; i < kCount; ++i) input += "$1\r\nx\r\n";
  RespParser parser;
  std::vector<std::string_view> words;
  ASSERT_EQ(parser.Next(input, {}, words), RespParser::Outcome::kCommand);
  EXPECT_EQ(words.size(), kCount);
  EXPECT_EQ(words.back(), "x");
}

TEST(RespParser, LimitsWordsAndTheirNumber) {
  RespLimits limits;
  limits.max_bulk = 4;
  limits.max_words = 2;
  ExpectAlways("*2\r\n$4\r\nPING\r\n$1\r\na\r\n*3\r\n",
               {{{"PING", "a"}}, "ERR Protocol error: invalid multibulk length"}, limits);
  ExpectAlways("*1\r\n$5\r\n", {{}, "ERR Protocol error: invalid bulk length"}, limits);
}

TEST(RespParser, LimitsClientsBeforeTheyAuthenticate) {
  RespLimits limits;
  limits.authenticated = false;
  EXPECT_EQ(Whole("*11\r\n", limits).error, "ERR Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(Whole("*1\r\n$16385\r\n", limits).error,
            "ERR Protocol error: unauthenticated bulk length");
  EXPECT_EQ(Whole("*10\r\n$16384\r\n", limits).error, "");
}

TEST(RespParser, SaysHowMuchOfALargeWordIsMissing) {
  RespParser parser;
  std::vector<std::string_view> words;
  EXPECT_EQ(parser.Next("*2\r\n$3\r\nGET\r\n$1000\r\nabc", {}, words),
            RespParser::Outcome::kIncomplete);
  EXPECT_EQ(parser.missing(), 999u);
}

TEST(RespParser, BorrowsTheWordsOfAnArrayFromTheInput) {
  std::string input = "*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n";
  RespParser parser;
  std::vector<std::string_view> words;
  ASSERT_EQ(parser.Next(input, {}, words), RespParser::Outcome::kCommand);
  EXPECT_FALSE(parser.was_inline());
  EXPECT_EQ(words[1].data(), input.data() + 18);
}

TEST(RespParser, ForgetsABegunRequestOnReset) {
  RespParser parser;
  std::vector<std::string_view> words;
  ASSERT_EQ(parser.Next("*2\r\n$4\r\nECHO\r\n", {}, words), RespParser::Outcome::kIncomplete);
  parser.Reset();
  ASSERT_EQ(parser.Next("PING\r\n", {}, words), RespParser::Outcome::kCommand);
  EXPECT_EQ(words, (std::vector<std::string_view>{"PING"}));
}

TEST(InlineWords, UnquotesLikeRedis) {
  ExpectAlways("SET \"a\" \"\\x41\\n\\t\\b\\a\\q\\\"\\xZ\"\r\n",
               {{{"SET", "a", "A\n\t\b\aq\"xZ"}}, ""});
  ExpectAlways("SET a 'x\\'y\\n'\r\n", {{{"SET", "a", "x'y\\n"}}, ""});
  ExpectAlways("SET foo\"bar\" ''\r\n", {{{"SET", "foobar", ""}}, ""});
  ExpectAlways("\"\"\r\n", {{{""}}, ""});
  ExpectAlways("a\vb\tc\r\n", {{{"a\vb", "c"}}, ""});
}

}  // namespace
}  // namespace starling
