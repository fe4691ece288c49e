#include "storage/expiry_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace starling {
namespace {

constexpr int64_t kStart = 1'700'000'000'000;

/// An index with the naive map beside it: each hash is one key with one deadline.
class Keys {
 public:
  void Set(uint32_t key, int64_t deadline) {
    Key& entry = keys_[key];
    entry.deadline = deadline;
    if (entry.place != 0 && index_.TickFor(deadline) >= index_.TickOf(entry.place)) return;
    entry.place = index_.Add(deadline, key);
  }
  /// Moves on; returns how many wake-ups there were. What is due leaves.
  size_t Advance(int64_t now, size_t limit = SIZE_MAX) {
    return index_.Advance(now, limit, [&](uint32_t hash, uint32_t tick) {
      const auto found = keys_.find(hash);
      if (found == keys_.end() || index_.TickOf(found->second.place) != tick) return;
      if (now > found->second.deadline) {
        keys_.erase(found);
      } else {
        found->second.place = index_.Add(found->second.deadline, hash);
      }
    });
  }
  /// Keys that should have left more than a tick ago.
  size_t Late(int64_t now) const {
    return std::count_if(keys_.begin(), keys_.end(),
                         [&](const auto& key) { return key.second.deadline + 128 < now; });
  }
  size_t size() const { return keys_.size(); }

 private:
  struct Key {
    int64_t deadline = 0;
    WheelPlace place = 0;
  };
  ExpiryIndex index_{kStart};
  std::map<uint32_t, Key> keys_;
};

TEST(ExpiryIndex, FindsEveryDeadlineWithinTwoTicks) {
  std::mt19937_64 random(2);
  Keys keys;
  int64_t now = kStart;
  uint32_t next = 1;
  for (int step = 0; step < 2000; ++step) {
    for (int i = 0; i < 5; ++i) {
      // From a millisecond to months: every level of the wheel.
      keys.Set(next++, now + static_cast<int64_t>(random() % (uint64_t{1} << (random() % 34))));
    }
    if (step % 7 == 0) keys.Set(1 + random() % next, now + static_cast<int64_t>(random() % 5000));
    now += static_cast<int64_t>(random() % (step % 100 == 0 ? 10'000'000 : 300));
    keys.Advance(now);
    ASSERT_EQ(keys.Late(now), 0u) << step;
  }
  now += int64_t{400} * 24 * 3600 * 1000;
  keys.Advance(now);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(ExpiryIndex, StopsAtTheLimitAndGoesOnWhereItStopped) {
  Keys keys;
  for (uint32_t key = 1; key <= 100; ++key) keys.Set(key, kStart + 10);
  EXPECT_EQ(keys.Advance(kStart + 1000, 30), 30u);
  EXPECT_EQ(keys.size(), 70u);
  EXPECT_EQ(keys.Advance(kStart + 1000, 100), 70u);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(ExpiryIndex, RefreshingADeadlineTakesNoMemory) {
  ExpiryIndex index(kStart);
  Keys keys;
  for (int i = 0; i < 100'000; ++i) keys.Set(1, kStart + 1000 + i);
  EXPECT_EQ(keys.Advance(kStart + 900), 0u);
  EXPECT_LE(keys.Advance(kStart + 10'000'000), 20u);
  EXPECT_EQ(keys.size(), 0u);
}

TEST(ExpiryIndex, TakesDeadlinesOfThePastAndOfTheFarFuture) {
  Keys keys;
  keys.Set(1, 0);
  keys.Set(2, kStart - 1);
  keys.Set(3, (int64_t{1} << 48) - 1);
  keys.Advance(kStart + 200);
  EXPECT_EQ(keys.size(), 1u);
}

TEST(ExpiryIndex, LeapsOverLapsThatHoldNothing) {
  Keys keys;
  keys.Set(1, kStart + 1000);
  const int64_t later = kStart + int64_t{50} * 365 * 24 * 3600 * 1000;
  keys.Advance(later);
  EXPECT_EQ(keys.size(), 0u);
  keys.Set(2, later + 1000);
  keys.Advance(later + 900);
  EXPECT_EQ(keys.size(), 1u);
  keys.Advance(later + 1200);
  EXPECT_EQ(keys.size(), 0u);
  keys.Advance(kStart);  // a clock that stepped back finds nothing and breaks nothing
}

}  // namespace
}  // namespace starling
