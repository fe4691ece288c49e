/// Whole numbers as bytes, the least significant first: of Redis's payloads and of epoch files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace starling {

/// Appends the lowest `bytes` <= 8 bytes of `value`.
inline void AppendLittleEndian(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

/// The number in all of `bytes`, at most 8.
inline uint64_t LittleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

/// The same as a signed number of that width, 1 to 8 bytes.
inline int64_t SignedLittleEndian(std::string_view bytes) {
  const size_t shift = 64 - 8 * bytes.size();
  return static_cast<int64_t>(LittleEndian(bytes) << shift) >> shift;
}

}  // namespace starling
