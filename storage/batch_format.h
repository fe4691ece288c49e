/// What writer and reader of batch.capnp share beyond the schema.
#pragma once

#include <cstddef>
#include <cstdint>

namespace starling::batch_format {

/// Bits of wire::Item.flags.
inline constexpr uint8_t kRemoved = 1;
inline constexpr uint8_t kBytes = 2;
inline constexpr uint8_t kNumber = 4;
inline constexpr uint8_t kWide = 8;
inline constexpr uint8_t kAllFlags = kRemoved | kBytes | kNumber | kWide;

/// Encoded size of one item, and so the least that a message of n items must have for each.
inline constexpr size_t kItemBytes = 48;

}  // namespace starling::batch_format
