/// CRC-32C (Castagnoli), the checksum of RocksDB's write-ahead log.
///
/// Source: RFC 3720, appendix B.4; slicing by eight, Kounavis and Berry 2005. Stateless,
/// thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

namespace starling {

/// The checksum of `bytes` after those that gave `before` (0: none).
uint32_t Crc32c(std::string_view bytes, uint32_t before = 0);

}  // namespace starling
