/// Long payloads stand in blocks of their own: other parts of a key change without copying them.
#pragma once

#include <cstring>
#include <string_view>

#include "storage/packed.h"

namespace starling {

/// Gives `value`'s long payload a block and drops the one it had (`old`, may be null or the same).
/// Returns the block, null where the payload is short or no bytes. The view in `value` is renewed.
inline const char* KeepPayload(Register& value, const char* old) {
  const bool is_long =
      value.base.kind == Value::Kind::kBytes && value.base.bytes.size() > kMaxInlinePayload;
  if (is_long && value.base.bytes.data() == old) return old;
  char* block = nullptr;
  if (is_long) {
    block = new char[value.base.bytes.size()];
    std::memcpy(block, value.base.bytes.data(), value.base.bytes.size());
    value.base.bytes = {block, value.base.bytes.size()};
  }
  delete[] old;
  return block;
}

}  // namespace starling
