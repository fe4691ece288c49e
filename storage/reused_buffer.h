/// Emptying a buffer that is used again, without keeping what one large use of it took (I9).
#pragma once

#include <cstddef>

namespace starling {

/// Empties `buffer`, a std::string or std::vector, and gives its memory back where it is more than
/// `kept_bytes`. (Assigning an empty string does not: a short string is copied into what is there.)
template <typename Buffer>
void EmptyKeeping(Buffer& buffer, size_t kept_bytes) {
  if (buffer.capacity() * sizeof(typename Buffer::value_type) > kept_bytes) {
    Buffer().swap(buffer);
  } else {
    buffer.clear();
  }
}

}  // namespace starling
