#include "storage/time_source.h"

namespace starling {

int64_t SystemTimeSource::WallMillis() {
  using std::chrono::duration_cast;
  using std::chrono::milliseconds;
  return duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::chrono::nanoseconds SystemTimeSource::Monotonic() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

}  // namespace starling
