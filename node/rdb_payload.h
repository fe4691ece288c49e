/// What DUMP gives and RESTORE takes: a value in Redis's RDB form, its version and a checksum.
///
/// Source: Redis's RDB file format, version 10 (Redis 7.0), and CRC-64/Jones. Stateless.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace starling {

/// CRC-64 with Jones's polynomial, reflected, as Redis's files carry it.
uint64_t Crc64(std::string_view bytes);

/// Appends version and checksum to a value with its type byte.
void SealPayload(std::string& value);
/// The value with its type byte; nothing where the version is newer than ours or the checksum is
/// wrong. Borrows.
std::optional<std::string_view> OpenPayload(std::string_view payload);

}  // namespace starling
