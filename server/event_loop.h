/// Readiness of many sockets and tasks from other threads: what an I/O thread waits for.
///
/// A thin cover of epoll, level-triggered. The client sockets do not go through Asio because its
/// reactor tries each read before it waits for it: at pipeline 1 that is a second system call for
/// every command, and the batching of a turn (io_thread.h) would be at the mercy of its queue.
/// `Post` is thread-safe; all else is for the loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

namespace starling {

class EventLoop {
 public:
  struct Ready {
    void* watcher;
    bool readable;
    bool writable;
    bool broken;  ///< The peer is gone, or the socket failed: told whatever the interest.
  };
  struct Interest {
    bool read = true;
    bool write = false;
    bool hangup = false;  ///< Whether the peer has closed its side: told as `broken`.
  };

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void Watch(int descriptor, void* watcher, Interest interest);
  void Change(int descriptor, void* watcher, Interest interest);
  void Unwatch(int descriptor);

  /// Waits until something is ready, a task was posted or `timeout` has passed. Valid until the
  /// next call. Blocks.
  std::span<const Ready> Wait(std::chrono::milliseconds timeout);
  /// Runs `task` on the loop's thread at its next RunPosted.
  void Post(std::function<void()> task);
  void RunPosted();

 private:
  static constexpr size_t kMostEvents = 256;

  const int poll_;
  const int wake_;  // an eventfd
  std::vector<Ready> ready_;
  bool woken_ = false;
  std::mutex mutex_;  // guards posted_
  std::vector<std::function<void()>> posted_;
};

}  // namespace starling
