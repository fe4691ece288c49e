#include "node/rdb_payload.h"

#include <array>

#include "node/little_endian.h"

namespace starling {
namespace {

constexpr uint16_t kVersion = 10;
constexpr size_t kVersionBytes = 2;
constexpr size_t kChecksumBytes = 8;

constexpr std::array<uint64_t, 256> MakeTable() {
  constexpr uint64_t kReflectedPolynomial = 0x95ac9329ac4bc9b5;
  std::array<uint64_t, 256> table{};
  for (uint64_t i = 0; i < table.size(); ++i) {
    uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1) != 0 ? (crc >> 1) ^ kReflectedPolynomial : crc >> 1;
    }
    table[i] = crc;
  }
  return table;
}

}  // namespace

uint64_t Crc64(std::string_view bytes) {
  static constexpr std::array<uint64_t, 256> kTable = MakeTable();
  uint64_t crc = 0;
  for (char c : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return crc;
}

void SealPayload(std::string& value) {
  AppendLittleEndian(value, kVersion, kVersionBytes);
  AppendLittleEndian(value, Crc64(value), kChecksumBytes);
}

std::optional<std::string_view> OpenPayload(std::string_view payload) {
  constexpr size_t kFooterBytes = kVersionBytes + kChecksumBytes;
  if (payload.size() < kFooterBytes) return std::nullopt;
  const std::string_view value = payload.substr(0, payload.size() - kFooterBytes);
  const std::string_view checked = payload.substr(0, payload.size() - kChecksumBytes);
  if (LittleEndian(checked.substr(value.size())) > kVersion) return std::nullopt;
  if (LittleEndian(payload.substr(checked.size())) != Crc64(checked)) return std::nullopt;
  return value;
}

}  // namespace starling
