#include "server/resp_parser.h"

#include <cstring>

#include "server/inline_words.h"
#include "storage/number.h"
#include "storage/reused_buffer.h"

namespace starling {
namespace {

constexpr size_t kKeptBytes = 16 << 10;  // of places of words, between two requests
constexpr int64_t kUnauthenticatedWords = 10;
constexpr int64_t kUnauthenticatedBulk = 16 << 10;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

constexpr size_t kLargestShort = 9999;
/// The usual line `<mark><one to four digits>\r\n`, whole and canonical: its length, and the
/// number. 0: not so, the careful way decides.
inline size_t ReadShortLine(std::string_view line, char mark, int64_t& number) {
  constexpr size_t kLongest = 7;  // mark, four digits, line's end
  if (line.size() < kLongest || line[0] != mark || !IsDigit(line[1])) return 0;
  int64_t value = line[1] - '0';
  size_t at = 2;
  for (; at < kLongest - 2 && IsDigit(line[at]); ++at) value = value * 10 + (line[at] - '0');
  if (line[at] != '\r' || (line[1] == '0' && at > 2)) return 0;
  number = value;
  return at + 2;
}

}  // namespace

void RespParser::Reset() {
  position_ = 0;
  words_left_ = -1;
  bulk_length_ = -1;
  suspended_ = false;
  EmptyKeeping(pieces_, kKeptBytes);
}

RespParser::Step RespParser::Fail(std::string text) {
  error_ = "ERR Protocol error: " + std::move(text);
  return Step::kError;
}

RespParser::Outcome RespParser::Next(std::string_view input, const RespLimits& limits,
                                     std::vector<std::string_view>& words) {
  consumed_ = 0;
  missing_ = 0;
  while (position_ < input.size()) {
    const size_t before = words.size();
    const bool array = suspended_ || input[position_] == '*';
    Outcome outcome = array ? ParseArray(input, limits, words) : ParseInline(input, limits, words);
    if (outcome != Outcome::kCommand) return outcome;
    consumed_ = position_;
    if (words.size() != before) {
      position_ = 0;
      return outcome;
    }
  }
  if (suspended_) return Outcome::kIncomplete;  // nothing new has come
  // Only empty requests so far: they can go.
  consumed_ = position_;
  position_ = 0;
  return Outcome::kIncomplete;
}

RespParser::Outcome RespParser::ParseArray(std::string_view input, const RespLimits& limits,
                                           std::vector<std::string_view>& words) {
  was_inline_ = false;
  const size_t first = words.size();
  const size_t start = position_;
  Step step = words_left_ >= 0 ? Step::kDone : ReadHeader(input, limits);
  if (step == Step::kDone) step = ReadWords(input, limits, words);
  if (step == Step::kError) {
    words.resize(first);
    Reset();
    return Outcome::kProtocolError;
  }
  if (step == Step::kIncomplete) {
    // What came before this request can go; positions count from its first byte then.
    if (!suspended_) {
      consumed_ = start;
      input.remove_prefix(start);
      position_ -= start;
    }
    Suspend(input, words, first);
    return Outcome::kIncomplete;
  }
  for (const Piece& piece : pieces_) words.push_back(input.substr(piece.offset, piece.length));
  EmptyKeeping(pieces_, kKeptBytes);
  words_left_ = -1;
  suspended_ = false;
  return Outcome::kCommand;
}

/// Keeps the words found so far by their places, since the input may move.
void RespParser::Suspend(std::string_view input, std::vector<std::string_view>& words,
                         size_t first) {
  for (size_t i = first; i < words.size(); ++i) {
    pieces_.push_back({static_cast<size_t>(words[i].data() - input.data()), words[i].size()});
  }
  words.resize(first);
  suspended_ = true;
}

RespParser::Step RespParser::ReadHeader(std::string_view input, const RespLimits& limits) {
  int64_t count = 0;
  Step step =
      ReadLength(input, limits, "too big mbulk count string", "invalid multibulk length", count);
  if (step != Step::kDone) return step;
  if (count > limits.max_words) return Fail("invalid multibulk length");
  if (count > kUnauthenticatedWords && !limits.authenticated) {
    return Fail("unauthenticated multibulk length");
  }
  words_left_ = count > 0 ? count : 0;
  return Step::kDone;
}

RespParser::Step RespParser::ReadWords(std::string_view input, const RespLimits& limits,
                                       std::vector<std::string_view>& words) {
  const bool all_short_fit = limits.authenticated && limits.max_bulk >= kLargestShort;
  while (words_left_ > 0) {
    int64_t short_length = 0;
    const size_t line = bulk_length_ < 0 && all_short_fit
                            ? ReadShortLine(input.substr(position_), '$', short_length)
                            : 0;
    if (line != 0) {
      position_ += line;
      bulk_length_ = short_length;
    } else if (bulk_length_ < 0) {
      Step step = ReadBulkLength(input, limits);
      if (step != Step::kDone) return step;
    }
    const size_t length = static_cast<size_t>(bulk_length_);
    const size_t available = input.size() - position_;
    if (available < length + 2) {
      missing_ = length + 2 - available;
      return Step::kIncomplete;
    }
    if (suspended_) {
      pieces_.push_back({position_, length});
    } else {
      words.push_back(input.substr(position_, length));
    }
    position_ += length + 2;  // like Redis, whatever the two bytes are
    bulk_length_ = -1;
    --words_left_;
  }
  return Step::kDone;
}

RespParser::Step RespParser::ReadBulkLength(std::string_view input, const RespLimits& limits) {
  if (position_ < input.size() && input[position_] != '$') {
    // Redis looks for the line's end first, so a wrong first byte is told only then.
    size_t end = input.find('\r', position_);
    bool ended = end != std::string_view::npos && end + 1 < input.size();
    if (ended) return Fail(std::string("expected '$', got '") + input[position_] + "'");
  }
  int64_t length = 0;
  Step step = ReadLength(input, limits, "too big bulk count string", "invalid bulk length", length);
  if (step != Step::kDone) return step;
  if (length < 0 || static_cast<uint64_t>(length) > limits.max_bulk) {
    return Fail("invalid bulk length");
  }
  if (length > kUnauthenticatedBulk && !limits.authenticated) {
    return Fail("unauthenticated bulk length");
  }
  bulk_length_ = length;
  return Step::kDone;
}

RespParser::Step RespParser::ReadLength(std::string_view input, const RespLimits& limits,
                                        const char* too_long, const char* malformed,
                                        int64_t& length) {
  std::string_view line = input.substr(position_);
  const size_t end = line.find('\r');
  if (end == std::string_view::npos) {
    return line.size() > limits.max_line ? Fail(too_long) : Step::kIncomplete;
  }
  if (end + 1 >= line.size()) return Step::kIncomplete;
  std::optional<int64_t> number = Number::ParseInt(line.substr(1, end > 0 ? end - 1 : 0));
  if (!number) return Fail(malformed);
  position_ += end + 2;
  length = *number;
  return Step::kDone;
}

RespParser::Outcome RespParser::ParseInline(std::string_view input, const RespLimits& limits,
                                            std::vector<std::string_view>& words) {
  was_inline_ = true;
  std::string_view line = input.substr(position_);
  const size_t end = line.find('\n');
  if (end == std::string_view::npos) {
    if (line.size() > limits.max_line) {
      Fail("too big inline request");
      Reset();
      return Outcome::kProtocolError;
    }
    consumed_ = position_;
    position_ = 0;
    return Outcome::kIncomplete;
  }
  line = line.substr(0, end > 0 && line[end - 1] == '\r' ? end - 1 : end);
  if (!SplitInlineWords(line, inline_text_, words)) {
    Fail("unbalanced quotes in request");
    Reset();
    return Outcome::kProtocolError;
  }
  position_ += end + 1;
  return Outcome::kCommand;
}

}  // namespace starling
