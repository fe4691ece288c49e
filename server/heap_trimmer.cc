#include "server/heap_trimmer.h"

#include <malloc.h>

#include <chrono>
#include <system_error>

namespace starling {
namespace {

constexpr auto kInterval = std::chrono::seconds(10);
constexpr size_t kLeastFreeBytes = size_t{1} << 20;

void Trim() {
#if defined(__GLIBC__)
  const struct mallinfo2 heap = mallinfo2();
  if (WorthTrimming(heap.uordblks, heap.fordblks)) malloc_trim(0);
#endif
}

}  // namespace

bool WorthTrimming(size_t used_bytes, size_t free_bytes) {
  return free_bytes > kLeastFreeBytes && free_bytes > used_bytes / 16;
}

void HeapTrimmer::Wait() {
  timer_.expires_after(kInterval);
  timer_.async_wait([this](std::error_code failure) {
    if (failure) return;
    Trim();
    Wait();
  });
}

}  // namespace starling
