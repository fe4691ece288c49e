/// Reads and writes the pieces of Redis's RDB form: lengths, strings, doubles.
///
/// Reading is safe on any bytes (I11): nothing is allocated before the bytes that make it up are
/// there, except for what LZF expands, and of that no more than a budget. After a failure every
/// further read fails.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace starling {

class RdbReader {
 public:
  /// All strings read from one payload together are no longer than this.
  static constexpr size_t kMaxBytes = size_t{1} << 30;

  explicit RdbReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool at_end() const { return bytes_.empty(); }

  /// Each returns nothing where the bytes are not what is asked for.
  std::optional<uint8_t> Byte();
  std::optional<uint64_t> Length();
  std::optional<std::string> String();
  std::optional<double> BinaryDouble();
  /// The older form: a short text, or one byte for an infinity.
  std::optional<double> TextDouble();

 private:
  std::optional<std::string_view> Take(size_t size);
  std::optional<uint64_t> BigEndian(size_t size);
  std::optional<std::string> EncodedString(uint8_t encoding);
  std::optional<std::string> CompressedString();
  std::nullopt_t Fail() {
    ok_ = false;
    bytes_ = {};
    return std::nullopt;
  }

  std::string_view bytes_;
  size_t budget_ = kMaxBytes;
  bool ok_ = true;
};

/// Expands LZF (Marc Lehmann's format); nothing where it does not give exactly `size` bytes.
std::optional<std::string> ExpandLzf(std::string_view compressed, size_t size);

void AppendRdbLength(std::string& out, uint64_t length);
/// Integers of up to 32 bits take the short form.
void AppendRdbString(std::string& out, std::string_view text);
void AppendRdbDouble(std::string& out, double value);

/// What strtod takes whole, but no NaN.
std::optional<double> ParseRdbDouble(const std::string& text);

}  // namespace starling
