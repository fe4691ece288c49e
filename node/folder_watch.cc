#include "node/folder_watch.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <chrono>

namespace starling {
namespace {

/// One publication makes several events.
constexpr auto kSettle = std::chrono::milliseconds(3);

}  // namespace

FolderWatch::FolderWatch(asio::io_context& io, const std::string& path,
                         std::function<void()> changed)
    : descriptor_(io), settle_(io), changed_(std::move(changed)) {
  const int descriptor = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (descriptor < 0) return;
  asio::error_code error;
  const bool watched =
      inotify_add_watch(descriptor, path.c_str(), IN_CREATE | IN_DELETE | IN_CLOSE_WRITE) >= 0;
  if (watched) descriptor_.assign(descriptor, error);
  if (!watched || error) {
    close(descriptor);
    return;
  }
  Read();
}

void FolderWatch::Stop() {
  asio::error_code ignored;
  settle_.cancel();
  if (descriptor_.is_open()) descriptor_.close(ignored);
}

void FolderWatch::Read() {
  descriptor_.async_read_some(asio::buffer(buffer_), [this, alive = std::weak_ptr(alive_)](
                                                         const asio::error_code& error, size_t) {
    if (error || alive.expired()) return;
    Read();
    if (std::exchange(settling_, true)) return;
    settle_.expires_after(kSettle);
    settle_.async_wait([this, alive](const asio::error_code& waited) {
      if (alive.expired()) return;
      settling_ = false;
      if (!waited) changed_();
    });
  });
}

}  // namespace starling
