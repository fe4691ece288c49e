/// Gives memory that the process has freed back to the system.
///
/// glibc keeps freed memory in the arena of the thread that allocated it; after a burst (loading a
/// million keys, a checkpoint) that can be a fifth of what the keys take. In starlingd only: the
/// heap of a process that links the library is its owner's. Runs on the thread of its io_context,
/// which is not one that serves clients. Not thread-safe.
#pragma once

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

namespace starling {

class HeapTrimmer {
 public:
  /// Looks every ten seconds, from now until it is destroyed.
  explicit HeapTrimmer(asio::io_context& control) : timer_(control) { Wait(); }

 private:
  void Wait();

  asio::steady_timer timer_;
};

/// Whether trimming is worth its pause: more than 4 MiB and more than a sixteenth of what is used
/// lies free within the heap.
bool WorthTrimming(size_t used_bytes, size_t free_bytes);

}  // namespace starling
