/// The request bytes of one connection: grown by what arrives, never by what is announced.
///
/// Not thread-safe. Invariant (I9): capacity is at most kIdleBytes or about twice what was received
/// and not yet consumed.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

namespace starling {

class InputBuffer {
 public:
  /// Read into at first: many commands, little memory for the many connections that are idle.
  static constexpr size_t kFirstBytes = 4 << 10;
  /// What a connection may keep while nothing is in it.
  static constexpr size_t kIdleBytes = 64 << 10;

  struct Space {
    char* data;
    size_t size;
  };

  /// Where the next read may write, at least one byte; `missing` (0: unknown) says how much of a
  /// request that has begun is still to come. Ends views from view().
  Space Prepare(size_t missing);
  /// `count` bytes were written into the space.
  void Commit(size_t count);
  /// Bytes received and not consumed; valid until the next Prepare.
  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  void Consume(size_t count) { begin_ += count; }
  /// What follows the next `count` bytes is kept from now on, consumed or not, until Release.
  void KeepAfter(size_t count) { kept_ = begin_ + count; }
  /// What was kept and consumed is there to be consumed again. Ends the keeping.
  void Rewind();
  void Release() {
    kept_.reset();
    Rest();
  }
  /// Nothing may come for a long time: keeps no more than kIdleBytes if it is empty.
  void Rest();
  size_t size() const { return end_ - begin_; }
  size_t capacity() const { return capacity_; }

 private:
  struct Free {
    void operator()(char* bytes) const { std::free(bytes); }
  };
  void Resize(size_t capacity);

  std::unique_ptr<char, Free> bytes_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  std::optional<size_t> kept_;  // from there on
  bool filled_ = false;         // the last read took all the space: there is probably more
};

}  // namespace starling
