/// Reading and writing variable-length fields in memory: what entries and elements are packed from.
///
/// Bounds-checked when reading (`ok()` turns false and zeros are returned), unchecked growth when
/// writing to a vector. Not thread-safe.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "storage/register.h"

namespace starling {

/// Appends to a caller's buffer, which is large enough for kMaxFieldBytes per call.
class PackedWriter {
 public:
  explicit PackedWriter(uint8_t* at) : at_(at) {}

  uint8_t* at() const { return at_; }
  void Byte(uint8_t value) { *at_++ = value; }
  template <typename T>
  void Fixed(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  /// Base-128, least significant first.
  template <typename U>
  void Varint(U value) {
    while (value >= 0x80) {
      *at_++ = static_cast<uint8_t>(value) | 0x80;
      value >>= 7;
    }
    *at_++ = static_cast<uint8_t>(value);
  }
  void Signed(int64_t value) {
    Varint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }
  void Wide(__int128 value) {
    Varint(static_cast<unsigned __int128>(value) << 1 ^
           static_cast<unsigned __int128>(value >> 127));
  }
  void Bytes(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  /// Stamps of one entry are close: the first stands in full, the others as differences.
  void Time(Stamp stamp) {
    if (last_.none()) {
      Fixed(stamp.value);
    } else {
      Signed(static_cast<int64_t>(stamp.value - last_.value));
    }
    last_ = stamp;
  }
  void OfNumber(const Number& number) {
    Byte(number.scale);
    Wide(number.units);
  }

 private:
  uint8_t* at_;
  Stamp last_;
};

class PackedReader {
 public:
  PackedReader(const uint8_t* at, const uint8_t* end) : at_(at), end_(end) {}

  bool ok() const { return ok_; }
  /// For what the bytes say and cannot be.
  void Fail() { ok_ = false; }
  const uint8_t* at() const { return at_; }
  bool AtEnd() const { return at_ == end_; }

  uint8_t Byte() { return Need(1) ? *at_++ : 0; }
  template <typename T>
  T Fixed() {
    T value{};
    if (!Need(sizeof value)) return value;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  template <typename U = uint64_t>
  U Varint() {
    U value = 0;
    for (unsigned shift = 0; shift < sizeof(U) * 8 && Need(1); shift += 7) {
      const uint8_t byte = *at_++;
      value |= static_cast<U>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  int64_t Signed() {
    const uint64_t value = Varint();
    return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }
  __int128 Wide() {
    const auto value = Varint<unsigned __int128>();
    return static_cast<__int128>(value >> 1 ^ (~(value & 1) + 1));
  }
  std::string_view Bytes(size_t size) {
    if (!Need(size)) return {};
    const std::string_view bytes(reinterpret_cast<const char*>(at_), size);
    at_ += size;
    return bytes;
  }
  Stamp Time() {
    last_ = last_.none() ? Stamp{Fixed<uint64_t>()}
                         : Stamp{last_.value + static_cast<uint64_t>(Signed())};
    return last_;
  }
  Number OfNumber() {
    Number number;
    number.scale = Byte();
    number.units = Wide();
    if (number.scale > Number::kMaxScale || number.units == Number::kMinUnits) ok_ = false;
    return number;
  }

 private:
  bool Need(size_t size) {
    if (ok_ && static_cast<size_t>(end_ - at_) >= size) return true;
    ok_ = false;
    return false;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  Stamp last_;
  bool ok_ = true;
};

/// Payload bytes up to this length stand inside a cell; longer ones in a block of their own.
inline constexpr size_t kMaxInlinePayload = 1024;

/// Room for a packed register without its bytes.
size_t PackedRegisterBound(const Register& value);
/// Packs base and slots; a payload longer than kMaxInlinePayload is written as (length, `block`).
void PackRegister(PackedWriter& out, const Register& value, const char* block);
/// Reads the payload of a register that has no slots: kNone where it is removed. False, with
/// nothing told, where it has some.
bool UnpackPlainPayload(PackedReader& in, Value& payload);
/// The reverse. `block` receives the pointer of a long payload, else null.
void UnpackRegister(PackedReader& in, Register& value, const char** block);

}  // namespace starling
