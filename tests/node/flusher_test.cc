#include "node/flusher.h"

#include <atomic>
#include <chrono>
#include <future>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace starling {
namespace {

using std::chrono::microseconds;

TEST(Flusher, FlushesAfterEveryWriteAndNotWithoutOne) {
  std::atomic<int> written{0};
  std::atomic<int> flushed{0};
  {
    Flusher flusher(microseconds(100), [&] { flushed = written.load(); });
    EXPECT_EQ(flusher.flushes(), 0u);
    for (int i = 1; i <= 50; ++i) {
      written = i;
      flusher.FlushSoon();
      while (flushed != i) std::this_thread::yield();
    }
    EXPECT_LE(flusher.flushes(), 50u);
  }
  EXPECT_EQ(flushed, 50);
}

TEST(Flusher, GathersABurstOfManyThreads) {
  std::atomic<int> written{0};
  std::atomic<int> flushed{0};
  std::atomic<uint64_t> flushes{0};
  {
    Flusher flusher(microseconds(1000), [&] { flushed = written.load(); });
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < 10'000; ++n) {
          ++written;
          flusher.FlushSoon();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    while (flushed != written) std::this_thread::yield();
    flushes = flusher.flushes();
  }
  EXPECT_LT(flushes, 10'000u);
}

TEST(Flusher, FlushesWhatIsDueBeforeItEnds) {
  int flushed = 0;
  {
    Flusher flusher(std::chrono::seconds(1), [&] { ++flushed; });
    flusher.FlushSoon();
  }
  EXPECT_EQ(flushed, 1);
}

}  // namespace
}  // namespace starling
