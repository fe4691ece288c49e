#include "server/input_buffer.h"

#include <algorithm>
#include <cstring>

#include "storage/check.h"

namespace starling {

InputBuffer::Space InputBuffer::Prepare(size_t missing) {
  Rest();
  if (const size_t unused = kept_.value_or(begin_); unused > 0) {
    // What is left of a pipeline is a fraction of a command, so moving it is cheap.
    std::memmove(bytes_.get(), bytes_.get() + unused, end_ - unused);
    end_ -= unused;
    begin_ -= unused;
    if (kept_) kept_ = 0;
  }
  // Doubling at most, whatever was announced: memory follows what has come.
  const bool full = end_ == capacity_ || (filled_ && capacity_ < kIdleBytes);
  const bool short_of_known = missing > capacity_ - end_;
  if (capacity_ == 0) {
    Resize(kFirstBytes);
  } else if (short_of_known) {
    Resize(std::min(end_ + missing, 2 * capacity_));
  } else if (full) {
    Resize(2 * capacity_);
  }
  return {bytes_.get() + end_, capacity_ - end_};
}

void InputBuffer::Commit(size_t count) {
  STARLING_CHECK(count <= capacity_ - end_);
  end_ += count;
  filled_ = end_ == capacity_;
}

void InputBuffer::Rewind() {
  STARLING_CHECK(kept_ && *kept_ <= begin_);
  begin_ = *kept_;
  kept_.reset();
}

void InputBuffer::Rest() {
  if (begin_ != end_ || kept_) return;
  begin_ = end_ = 0;
  if (capacity_ > kIdleBytes) Resize(kIdleBytes);
}

void InputBuffer::Resize(size_t capacity) {
  char* bytes = static_cast<char*>(std::realloc(bytes_.release(), capacity));
  STARLING_CHECK(bytes != nullptr);
  bytes_.reset(bytes);
  capacity_ = capacity;
}

}  // namespace starling
