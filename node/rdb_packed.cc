#include "node/rdb_packed.h"

#include <cstdint>

#include "node/little_endian.h"

namespace starling {
namespace {

constexpr uint8_t kEnd = 0xFF;

/// Takes bytes from the front; after a failure all further takes fail.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t left() const { return bytes_.size(); }

  std::string_view Take(size_t size) {
    ok_ = ok_ && size <= bytes_.size();
    if (!ok_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  uint8_t Byte() {
    const std::string_view byte = Take(1);
    return byte.empty() ? 0 : static_cast<uint8_t>(byte[0]);
  }
  uint64_t LittleEndian(size_t size) { return starling::LittleEndian(Take(size)); }
  uint64_t BigEndian(size_t size) {
    uint64_t value = 0;
    for (char c : Take(size)) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  int64_t Signed(size_t size) {
    const auto shift = static_cast<int>(64 - 8 * size);
    return static_cast<int64_t>(LittleEndian(size) << shift) >> shift;
  }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

/// Bytes of the length that a listpack keeps behind each entry, for walking backwards.
size_t BackLengthBytes(size_t entry) {
  if (entry <= 127) return 1;
  if (entry < 16383) return 2;
  if (entry < 2097151) return 3;
  return entry < 268435455 ? 4 : 5;
}

std::string ListpackEntry(Cursor& in, uint8_t first) {
  if (first < 0x80) return std::to_string(first);
  if (first < 0xC0) return std::string(in.Take(first & 0x3F));
  if (first < 0xE0) {
    const int64_t value = int64_t{first & 0x1F} << 8 | in.Byte();
    return std::to_string(value >= 1 << 12 ? value - (1 << 13) : value);
  }
  if (first < 0xF0) {
    const size_t size = size_t{first & 0x0FU} << 8 | in.Byte();
    return std::string(in.Take(size));
  }
  switch (first) {
    case 0xF0:
      return std::string(in.Take(in.LittleEndian(4)));
    case 0xF1:
      return std::to_string(in.Signed(2));
    case 0xF2:
      return std::to_string(in.Signed(3));
    case 0xF3:
      return std::to_string(in.Signed(4));
    case 0xF4:
      return std::to_string(in.Signed(8));
    default:
      in.Take(SIZE_MAX);  // fails
      return {};
  }
}

std::string ZiplistEntry(Cursor& in, uint8_t first) {
  switch (first >> 6) {
    case 0:
      return std::string(in.Take(first & 0x3F));
    case 1: {
      const size_t size = size_t{first & 0x3FU} << 8 | in.Byte();
      return std::string(in.Take(size));
    }
    case 2:
      return std::string(in.Take(in.BigEndian(4)));
    default:
      break;
  }
  switch (first) {
    case 0xC0:
      return std::to_string(in.Signed(2));
    case 0xD0:
      return std::to_string(in.Signed(4));
    case 0xE0:
      return std::to_string(in.Signed(8));
    case 0xF0:
      return std::to_string(in.Signed(3));
    case 0xFE:
      return std::to_string(in.Signed(1));
    default:
      break;
  }
  if (first >= 0xF1 && first <= 0xFD) return std::to_string((first & 0x0F) - 1);
  in.Take(SIZE_MAX);  // fails
  return {};
}

}  // namespace

bool ReadListpack(std::string_view bytes, std::vector<std::string>& elements) {
  Cursor in(bytes);
  if (in.LittleEndian(4) != bytes.size()) return false;
  in.LittleEndian(2);  // how many, or that they are too many to say
  while (in.ok() && elements.size() < kMaxRdbElements) {
    const size_t before = in.left();
    const uint8_t first = in.Byte();
    if (first == kEnd) return in.ok() && in.left() == 0;
    elements.push_back(ListpackEntry(in, first));
    if (in.ok()) in.Take(BackLengthBytes(before - in.left()));
  }
  return false;
}

bool ReadZiplist(std::string_view bytes, std::vector<std::string>& elements) {
  constexpr uint8_t kLongPrevious = 0xFE;
  Cursor in(bytes);
  if (in.LittleEndian(4) != bytes.size()) return false;
  in.LittleEndian(4);  // where the last stands
  in.LittleEndian(2);  // how many, or that they are too many to say
  while (in.ok() && elements.size() < kMaxRdbElements) {
    const uint8_t previous = in.Byte();
    if (previous == kEnd) return in.ok() && in.left() == 0;
    if (previous == kLongPrevious) in.Take(4);
    elements.push_back(ZiplistEntry(in, in.Byte()));
  }
  return false;
}

bool ReadIntset(std::string_view bytes, std::vector<std::string>& elements) {
  Cursor in(bytes);
  const uint64_t width = in.LittleEndian(4);
  const uint64_t count = in.LittleEndian(4);
  if (!in.ok() || (width != 2 && width != 4 && width != 8)) return false;
  if (in.left() != width * count || count > kMaxRdbElements) return false;
  for (uint64_t i = 0; i < count; ++i) elements.push_back(std::to_string(in.Signed(width)));
  return true;
}

}  // namespace starling
