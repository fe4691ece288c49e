/// Reads requests of the Redis protocol, incrementally: arrays of bulk strings and inline commands.
///
/// Source: https://redis.io/docs/reference/protocol-spec/; error texts, and what is tolerated, are
/// those of Redis 7.0. The parser never copies an array's words: it hands out views into the input.
/// Words seen once are not looked at again, however they are cut. Memory is bounded by RespLimits
/// and by the input itself (I11). Not thread-safe: one parser per connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace starling {

struct RespLimits {
  /// Bytes of one word. Larger: larger values; smaller: less memory for one request.
  size_t max_bulk = size_t{512} << 20;
  /// Words of one request, as Redis allows; what holds them grows with what has arrived.
  int64_t max_words = std::numeric_limits<int32_t>::max();
  /// Bytes of an inline command, or of a line that gives a length.
  size_t max_line = 64 << 10;
  /// Before authentication a request may have 10 words of 16 KiB, as in Redis.
  bool authenticated = true;
};

class RespParser {
 public:
  enum class Outcome : uint8_t {
    kCommand,        ///< One request was taken.
    kIncomplete,     ///< More bytes are needed.
    kProtocolError,  ///< error() says why; the connection cannot go on.
  };

  /// Takes one request from the front of `input` and appends its words (at least one) to `words`;
  /// empty requests are passed over. After every call the first consumed() bytes are done with: the
  /// next call's input begins behind them, and holds whatever followed them before, perhaps moved,
  /// and perhaps more. Words of an array borrow from `input`; those of an inline command end with
  /// the next call. On kIncomplete and kProtocolError `words` is as it was.
  Outcome Next(std::string_view input, const RespLimits& limits,
               std::vector<std::string_view>& words);

  size_t consumed() const { return consumed_; }
  /// Whether the last request taken was an inline one.
  bool was_inline() const { return was_inline_; }
  /// After kIncomplete: bytes known to be missing (0: not known), for sizing the next read.
  size_t missing() const { return missing_; }
  /// Reply for the client without the leading `-`; after kProtocolError only.
  const std::string& error() const { return error_; }
  /// Forgets a request that was begun; the next input starts with a new one.
  void Reset();

 private:
  enum class Step : uint8_t { kDone, kIncomplete, kError };
  struct Piece {
    size_t offset;
    size_t length;
  };

  Outcome ParseArray(std::string_view input, const RespLimits& limits,
                     std::vector<std::string_view>& words);
  Outcome ParseInline(std::string_view input, const RespLimits& limits,
                      std::vector<std::string_view>& words);
  Step ReadWords(std::string_view input, const RespLimits& limits,
                 std::vector<std::string_view>& words);
  Step ReadHeader(std::string_view input, const RespLimits& limits);
  Step ReadBulkLength(std::string_view input, const RespLimits& limits);
  /// Reads the number between position_ + 1 and the line's end and moves position_ behind it.
  Step ReadLength(std::string_view input, const RespLimits& limits, const char* too_long,
                  const char* malformed, int64_t& length);
  void Suspend(std::string_view input, std::vector<std::string_view>& words, size_t first);
  Step Fail(std::string text);

  size_t position_ = 0;  // of the next byte to look at, from the input's beginning
  size_t consumed_ = 0;
  size_t missing_ = 0;
  int64_t words_left_ = -1;   // -1: the array's header is still to come
  int64_t bulk_length_ = -1;  // -1: the word's header is still to come
  bool suspended_ = false;    // a request is begun: its words so far are in pieces_
  bool was_inline_ = false;
  std::vector<Piece> pieces_;
  std::string inline_text_;  // words of an inline command that had to be unquoted
  std::string error_;
};

}  // namespace starling
