/// Put before libfaketime (0.9.10), whose timerfd_settime takes every absolute time for one of the
/// wall clock: with a clock that is ahead, Asio's "at once", 1 ns of the monotonic clock, became a
/// negative time, was refused, and no timer went off ever again. See harness/wall_clock.py.
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

extern "C" int timerfd_settime(int fd, int flags, const itimerspec* when,
                               itimerspec* before) noexcept {
  return static_cast<int>(syscall(SYS_timerfd_settime, fd, flags, when, before));
}
