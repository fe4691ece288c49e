#include "node/rdb_reader.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "node/little_endian.h"
#include "storage/number.h"

namespace starling {
namespace {

/// The two upper bits of a length's first byte.
enum LengthKind : uint8_t { k6Bits = 0, k14Bits = 1, kLong = 2, kEncoded = 3 };
constexpr uint8_t k32Bits = 0x80;
constexpr uint8_t k64Bits = 0x81;
/// The lower six bits where the upper ones say kEncoded.
enum StringEncoding : uint8_t { kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3 };

}  // namespace

std::optional<std::string_view> RdbReader::Take(size_t size) {
  if (!ok_ || size > bytes_.size()) return Fail();
  const std::string_view taken = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return taken;
}

std::optional<uint8_t> RdbReader::Byte() {
  const std::optional<std::string_view> byte = Take(1);
  if (!byte) return std::nullopt;
  return static_cast<uint8_t>((*byte)[0]);
}

std::optional<uint64_t> RdbReader::BigEndian(size_t size) {
  const std::optional<std::string_view> bytes = Take(size);
  if (!bytes) return std::nullopt;
  uint64_t value = 0;
  for (char c : *bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

std::optional<uint64_t> RdbReader::Length() {
  const std::optional<uint8_t> first = Byte();
  if (!first) return std::nullopt;
  const uint8_t low = *first & 0x3F;
  switch (*first >> 6) {
    case k6Bits:
      return low;
    case k14Bits:
      if (const std::optional<uint8_t> second = Byte()) return uint64_t{low} << 8 | *second;
      return std::nullopt;
    case kLong:
      if (*first == k32Bits) return BigEndian(4);
      if (*first == k64Bits) return BigEndian(8);
      return Fail();
    default:
      return Fail();
  }
}

std::optional<std::string> RdbReader::String() {
  if (!ok_ || bytes_.empty()) return Fail();
  const auto first = static_cast<uint8_t>(bytes_[0]);
  if (first >> 6 == kEncoded) {
    bytes_.remove_prefix(1);
    return EncodedString(first & 0x3F);
  }
  const std::optional<uint64_t> size = Length();
  if (!size) return std::nullopt;
  const std::optional<std::string_view> text = Take(*size);
  if (!text || text->size() > budget_) return Fail();
  budget_ -= text->size();
  return std::string(*text);
}

std::optional<std::string> RdbReader::EncodedString(uint8_t encoding) {
  if (encoding == kLzf) return CompressedString();
  if (encoding > kInt32) return Fail();
  const std::optional<std::string_view> bytes = Take(size_t{1} << encoding);
  if (!bytes) return std::nullopt;
  return std::to_string(SignedLittleEndian(*bytes));
}

std::optional<std::string> RdbReader::CompressedString() {
  const std::optional<uint64_t> compressed_size = Length();
  const std::optional<uint64_t> size = Length();
  if (!compressed_size || !size) return std::nullopt;
  const std::optional<std::string_view> compressed = Take(*compressed_size);
  if (!compressed || *size > budget_) return Fail();
  budget_ -= *size;
  std::optional<std::string> text = ExpandLzf(*compressed, *size);
  if (!text) return Fail();
  return text;
}

std::optional<std::string> ExpandLzf(std::string_view in, size_t size) {
  // Three bytes make at most this many.
  constexpr size_t kMostExpansion = 264;
  if (size / kMostExpansion > in.size()) return std::nullopt;
  std::string out;
  out.reserve(size);
  size_t at = 0;
  const auto next = [&] { return static_cast<uint8_t>(in[at++]); };
  while (at < in.size()) {
    const uint8_t control = next();
    if (control < 32) {
      const size_t run = size_t{control} + 1;
      if (run > in.size() - at || run > size - out.size()) return std::nullopt;
      out.append(in.substr(at, run));
      at += run;
      continue;
    }
    size_t run = control >> 5;
    if (run == 7) {
      if (at >= in.size()) return std::nullopt;
      run += next();
    }
    if (at >= in.size()) return std::nullopt;
    const size_t back = (size_t{control & 0x1FU} << 8) + next() + 1;
    run += 2;
    if (back > out.size() || run > size - out.size()) return std::nullopt;
    // Byte by byte: what is copied may overlap what is written.
    for (size_t from = out.size() - back; run > 0; --run) out.push_back(out[from++]);
  }
  if (out.size() != size) return std::nullopt;
  return out;
}

std::optional<double> RdbReader::BinaryDouble() {
  const std::optional<std::string_view> bytes = Take(sizeof(uint64_t));
  if (!bytes) return std::nullopt;
  const double value = std::bit_cast<double>(static_cast<uint64_t>(SignedLittleEndian(*bytes)));
  if (std::isnan(value)) return Fail();
  return value;
}

std::optional<double> RdbReader::TextDouble() {
  constexpr uint8_t kNotANumber = 253;
  constexpr uint8_t kInfinity = 254;
  constexpr uint8_t kNegativeInfinity = 255;
  const std::optional<uint8_t> size = Byte();
  if (!size) return std::nullopt;
  if (*size == kNotANumber) return Fail();
  if (*size == kInfinity) return std::numeric_limits<double>::infinity();
  if (*size == kNegativeInfinity) return -std::numeric_limits<double>::infinity();
  const std::optional<std::string_view> text = Take(*size);
  if (!text) return std::nullopt;
  const std::optional<double> value = ParseRdbDouble(std::string(*text));
  if (!value) return Fail();
  return value;
}

std::optional<double> ParseRdbDouble(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size() || std::isnan(value)) return std::nullopt;
  return value;
}

void AppendRdbLength(std::string& out, uint64_t length) {
  const auto big_endian = [&](size_t bytes) {
    for (size_t i = bytes; i-- > 0;) out.push_back(static_cast<char>(length >> (8 * i)));
  };
  if (length < 1 << 6) {
    out.push_back(static_cast<char>(length));
  } else if (length < 1 << 14) {
    out.push_back(static_cast<char>(k14Bits << 6 | length >> 8));
    out.push_back(static_cast<char>(length));
  } else if (length <= std::numeric_limits<uint32_t>::max()) {
    out.push_back(static_cast<char>(k32Bits));
    big_endian(4);
  } else {
    out.push_back(static_cast<char>(k64Bits));
    big_endian(8);
  }
}

void AppendRdbString(std::string& out, std::string_view text) {
  const std::optional<int64_t> number = Number::ParseInt(text);
  if (number && *number == static_cast<int32_t>(*number)) {
    uint8_t encoding = kInt32;
    if (*number == static_cast<int16_t>(*number)) encoding = kInt16;
    if (*number == static_cast<int8_t>(*number)) encoding = kInt8;
    out.push_back(static_cast<char>(kEncoded << 6 | encoding));
    return AppendLittleEndian(out, static_cast<uint64_t>(*number), size_t{1} << encoding);
  }
  AppendRdbLength(out, text.size());
  out.append(text);
}

void AppendRdbDouble(std::string& out, double value) {
  AppendLittleEndian(out, std::bit_cast<uint64_t>(value), sizeof value);
}

}  // namespace starling
