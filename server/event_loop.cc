#include "server/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "storage/check.h"

namespace starling {
namespace {

epoll_event Event(void* watcher, EventLoop::Interest interest) {
  epoll_event event{};
  event.events = (interest.read ? uint32_t{EPOLLIN} : 0) |
                 (interest.write ? uint32_t{EPOLLOUT} : 0) |
                 (interest.hangup ? uint32_t{EPOLLRDHUP} : 0);
  event.data.ptr = watcher;
  return event;
}

}  // namespace

EventLoop::EventLoop()
    : poll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  STARLING_CHECK(poll_ >= 0 && wake_ >= 0);
  Watch(wake_, nullptr, {});
  ready_.reserve(kMostEvents);
}

EventLoop::~EventLoop() {
  ::close(wake_);
  ::close(poll_);
}

void EventLoop::Watch(int descriptor, void* watcher, Interest interest) {
  epoll_event event = Event(watcher, interest);
  STARLING_CHECK(::epoll_ctl(poll_, EPOLL_CTL_ADD, descriptor, &event) == 0);
}

void EventLoop::Change(int descriptor, void* watcher, Interest interest) {
  epoll_event event = Event(watcher, interest);
  STARLING_CHECK(::epoll_ctl(poll_, EPOLL_CTL_MOD, descriptor, &event) == 0);
}

void EventLoop::Unwatch(int descriptor) {
  STARLING_CHECK(::epoll_ctl(poll_, EPOLL_CTL_DEL, descriptor, nullptr) == 0);
}

std::span<const EventLoop::Ready> EventLoop::Wait(std::chrono::milliseconds timeout) {
  epoll_event events[kMostEvents];
  const int count = ::epoll_wait(poll_, events, kMostEvents, static_cast<int>(timeout.count()));
  ready_.clear();
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == nullptr) {
      uint64_t wakes = 0;
      woken_ = ::read(wake_, &wakes, sizeof(wakes)) > 0 || woken_;
      continue;
    }
    const uint32_t told = events[i].events;
    ready_.push_back({events[i].data.ptr, (told & EPOLLIN) != 0, (told & EPOLLOUT) != 0,
                      (told & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0});
  }
  return ready_;
}

void EventLoop::Post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  const uint64_t one = 1;
  // Only a full counter could fail, and that is awake already.
  [[maybe_unused]] ssize_t written = ::write(wake_, &one, sizeof(one));
}

void EventLoop::RunPosted() {
  if (!std::exchange(woken_, false)) return;
  std::vector<std::function<void()>> tasks;
  {
    std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (const std::function<void()>& task : tasks) task();
}

}  // namespace starling
