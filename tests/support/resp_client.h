/// A small blocking Redis client for tests: one connection, one command at a time.
///
/// Not thread-safe. Speaks RESP2 and, after HELLO 3, RESP3. Every wait ends after the time-out
/// given when connecting. Errors are kIo (the connection is unusable afterwards) and kCorruption
/// (what came is no reply).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "starling/result.h"

namespace starling {

/// A reply as it came, and taken apart.
struct RespReply {
  char type = 0;                    ///< The protocol's type byte, e.g. '+', '$', '*', '%'.
  bool null = false;                ///< `$-1`, `*-1` or `_`.
  std::string text;                 ///< Scalars: the bytes; numbers as text.
  std::vector<RespReply> elements;  ///< Aggregates; maps as key, value, key, value...

  bool is_error() const { return type == '-' || type == '!'; }
  bool is_aggregate() const { return type == '*' || type == '%' || type == '~' || type == '>'; }
  /// Integers: the value; else 0.
  int64_t integer() const;
  /// The bytes on the wire, escaped for people.
  std::string ToString() const;

  friend bool operator==(const RespReply&, const RespReply&) = default;
};

class RespClient {
 public:
  using Words = std::span<const std::string>;

  static Result<RespClient> Connect(uint16_t port,
                                    std::chrono::milliseconds timeout = std::chrono::seconds(60));
  RespClient(RespClient&& other) noexcept;
  RespClient& operator=(RespClient&& other) noexcept;
  RespClient(const RespClient&) = delete;
  ~RespClient();

  Status Send(Words words);
  Result<RespReply> Receive();
  Result<RespReply> Call(Words words);
  Result<RespReply> Call(std::initializer_list<std::string> words);

 private:
  explicit RespClient(int descriptor) : descriptor_(descriptor) {}
  Status Fill();
  Result<std::string_view> Line();
  Result<RespReply> Parse(int depth);

  int descriptor_ = -1;
  std::string input_;
  size_t read_ = 0;
};

/// `bytes` in double quotes, with escapes where they do not print.
std::string Quoted(std::string_view bytes);

}  // namespace starling
