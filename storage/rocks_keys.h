/// Keys of the `log` family: origin and end of a batch, big-endian, so that RocksDB's byte order is
/// the order of streams.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "storage/origin.h"
#include "storage/stamp.h"

namespace starling::rocks {

inline constexpr size_t kLogKeyBytes = 24;

/// (node, incarnation, upto)
class LogKey {
 public:
  LogKey(const Origin& origin, Stamp upto) {
    Put(0, origin.node.value);
    Put(8, origin.incarnation);
    Put(16, upto.value);
  }
  std::string_view view() const { return {bytes_, kLogKeyBytes}; }
  std::string str() const { return std::string(view()); }

 private:
  void Put(size_t at, uint64_t value) {
    for (size_t i = 0; i < 8; ++i) bytes_[at + i] = static_cast<char>(value >> (56 - 8 * i));
  }
  char bytes_[kLogKeyBytes];
};

inline uint64_t ReadBigEndian(std::string_view from) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(from[i]);
  return value;
}

/// `key` must have kLogKeyBytes.
inline Origin LogKeyOrigin(std::string_view key) {
  return Origin{NodeId{ReadBigEndian(key)}, ReadBigEndian(key.substr(8))};
}
inline Stamp LogKeyUpto(std::string_view key) { return Stamp{ReadBigEndian(key.substr(16))}; }

}  // namespace starling::rocks
