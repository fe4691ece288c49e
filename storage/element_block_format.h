/// How an element stands in a packed block: what writing (element_block.cc) and reading
/// (element_block_cursor.cc) share.
#pragma once

#include <cstdint>

namespace starling::element_block_format {

// The first byte of an element. With kShort it is an ordinary one: inline bytes, whose length
// stands in the low bits, an origin like the one before, no slots, a list's id elided. With kNext
// its stamp is the one after that of the element before, and not written.
inline constexpr uint8_t kShort = 0x80;
inline constexpr uint8_t kNext = 0x40;
inline constexpr uint8_t kShortLength = 0x3F;
inline constexpr uint8_t kKindMask = 7;
inline constexpr uint8_t kHasSlots = 8;
inline constexpr uint8_t kSameOrigin = 16;
inline constexpr int kIdFormShift = 5;

enum Kind : uint8_t { kAbsent, kRemoved, kInline, kBlock, kInteger, kDecimal };
/// Where a list element's id is one step of the version's origin, that step's side and stamp say
/// all; where its stamp is also the version's, the side alone does.
enum IdForm : uint8_t { kWrittenOut, kOwnRight, kOwnLeft, kStep };

}  // namespace starling::element_block_format
