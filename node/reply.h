/// Writes replies in RESP2 or RESP3, straight into an output buffer.
///
/// Source: https://redis.io/docs/reference/protocol-spec/. Callers give the RESP3 shape; in RESP2
/// maps and sets become arrays, doubles bulk strings, booleans integers, nulls `$-1` or `*-1`. The
/// first bytes beyond the limit and all that follow are left out: a client that gets no whole reply
/// is cut off, and one request costs no more memory than its client may have (I9). Not thread-safe;
/// borrows the buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace starling {

class Reply {
 public:
  /// `limit`: bytes that `out` may have.
  Reply(std::string& out, int protocol, size_t limit = std::string::npos)
      : out_(out), protocol_(protocol), limit_(limit) {}

  int protocol() const { return protocol_; }
  void set_protocol(int protocol) { protocol_ = protocol; }

  void Ok() { Simple("OK"); }
  void Simple(std::string_view text);
  /// `text` with its code first: "ERR syntax error". Line breaks become spaces.
  void Error(std::string_view text);
  void Integer(int64_t value);
  void Bulk(std::string_view bytes);
  /// An int64 as a bulk string.
  void BulkInteger(int64_t value);
  void Null();       ///< `$-1` in RESP2, `_` in RESP3.
  void NullArray();  ///< `*-1` in RESP2, `_` in RESP3.
  void Array(size_t elements);
  void Map(size_t pairs);
  void Set(size_t elements);
  void Push(size_t elements);
  /// Redis's %.17g form; inf, -inf, nan by name.
  void Double(double value);
  void Boolean(bool value);
  void Verbatim(std::string_view bytes, std::string_view format = "txt");
  void BigNumber(std::string_view digits);

  std::string& out() { return out_; }
  /// Something was left out.
  bool cut() const { return limit_ == 0; }

 private:
  bool HasRoom(size_t bytes);

  std::string& out_;
  int protocol_;
  size_t limit_;  // 0: was passed
};

}  // namespace starling
