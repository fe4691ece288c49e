#include "storage/handle_table.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <unordered_map>

namespace starling {
namespace {

/// The table beside a naive one: handles with the hashes that they had.
class Pair {
 public:
  explicit Pair(uint64_t hash_mask = UINT64_MAX) : mask_(hash_mask) {}

  void Insert(Handle handle) {
    const uint64_t hash = Hash(handle);
    hashes_[handle] = hash;
    table_.Insert(hash, handle, HashOf());
  }
  void Erase(Handle handle) {
    table_.Erase(hashes_.at(handle), handle, HashOf());
    hashes_.erase(handle);
  }
  void Replace(Handle from, Handle to) {
    const uint64_t hash = hashes_.at(from);
    hashes_.erase(from);
    hashes_[to] = hash;
    table_.Replace(hash, from, to);
  }
  bool Holds(Handle handle) const {
    const auto found = hashes_.find(handle);
    const uint64_t hash = found == hashes_.end() ? Hash(handle) : found->second;
    return table_.Find(hash, [&](Handle other) { return other == handle; }) == handle;
  }
  void ExpectEqual() const {
    EXPECT_EQ(table_.size(), hashes_.size());
    std::set<Handle> seen;
    table_.ForEach([&](Handle handle) { EXPECT_TRUE(seen.insert(handle).second); });
    EXPECT_EQ(seen.size(), hashes_.size());
    for (const auto& [handle, hash] : hashes_) EXPECT_TRUE(Holds(handle));
  }
  Handle Any(std::mt19937_64& random) const {
    auto it = hashes_.begin();
    std::advance(it, random() % std::min<size_t>(hashes_.size(), 50));
    return it->first;
  }
  const std::unordered_map<Handle, uint64_t>& hashes() const { return hashes_; }
  HandleTable& table() { return table_; }

 private:
  uint64_t Hash(Handle handle) const {
    return (handle * 0x9E3779B97F4A7C15ull ^ uint64_t{handle} << 33) & mask_;
  }
  std::function<uint64_t(Handle)> HashOf() const {
    return [this](Handle handle) { return hashes_.at(handle); };
  }

  uint64_t mask_;
  HandleTable table_;
  std::unordered_map<Handle, uint64_t> hashes_;
};

/// With few distinct hashes buckets overflow.
class HandleTableAgainstNaive : public testing::TestWithParam<uint64_t> {};

TEST_P(HandleTableAgainstNaive, HoldsTheSameThroughGrowthAndShrinking) {
  Pair pair(GetParam());
  std::mt19937_64 random(5);
  Handle next = 1;
  for (const int growing : {9, 2, 8, 0}) {
    for (int i = 0; i < 4000; ++i) {
      if (static_cast<int>(random() % 10) < growing || pair.hashes().empty()) {
        pair.Insert(next++);
      } else if (random() % 4 == 0) {
        pair.Replace(pair.Any(random), next);
        ++next;
      } else {
        const Handle handle = pair.Any(random);
        pair.Erase(handle);
        EXPECT_FALSE(pair.Holds(handle));
      }
    }
    pair.ExpectEqual();
  }
  while (!pair.hashes().empty()) pair.Erase(pair.Any(random));
  pair.ExpectEqual();
}

INSTANTIATE_TEST_SUITE_P(Hashes, HandleTableAgainstNaive,
                         testing::Values(UINT64_MAX, 0xFF0000000000003Full, 0x7));

TEST(HandleTable, TakesMemoryInProportionToWhatItHolds) {
  Pair pair;
  const size_t empty = pair.table().memory_bytes();
  for (Handle handle = 1; handle <= 100'000; ++handle) pair.Insert(handle);
  EXPECT_LT(pair.table().memory_bytes(), 100'000u * 10);
  for (Handle handle = 1; handle <= 100'000; ++handle) pair.Erase(handle);
  EXPECT_LT(pair.table().memory_bytes(), empty + 200'000);  // overflow buckets are kept for reuse
  pair.table().Clear();
  EXPECT_EQ(pair.table().memory_bytes(), empty);
}

TEST(HandleTable, ScanVisitsEverythingOnceWhileNothingChanges) {
  Pair pair;
  for (Handle handle = 1; handle <= 3000; ++handle) pair.Insert(handle);
  std::multiset<Handle> seen;
  uint64_t cursor = 0;
  do {
    cursor = pair.table().Scan(cursor, [&](Handle handle) { seen.insert(handle); });
    ASSERT_LT(cursor, uint64_t{1} << 32);
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), 3000u);
  EXPECT_EQ(std::set<Handle>(seen.begin(), seen.end()).size(), 3000u);
}

TEST(HandleTable, ScanMeetsWhatStaysHoweverTheTableGrowsAndShrinks) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    Pair pair;
    constexpr Handle kStay = 500;
    for (Handle handle = 1; handle <= kStay; ++handle) pair.Insert(handle);
    Handle next = kStay + 1;
    std::vector<Handle> others;
    if (seed % 2 == 0) {
      for (int i = 0; i < 5000; ++i) {
        others.push_back(next);
        pair.Insert(next++);
      }
    }
    std::set<Handle> seen;
    uint64_t cursor = 0;
    do {
      cursor = pair.table().Scan(cursor, [&](Handle handle) { seen.insert(handle); });
      // Growth slow enough for a scan to overtake it.
      for (uint64_t i = random() % (seed % 2 == 0 ? 200 : 8); i > 0; --i) {
        if (random() % 10 < (seed % 2 == 0 ? 1u : 9u)) {
          others.push_back(next);
          pair.Insert(next++);
        } else if (!others.empty()) {
          pair.Erase(others.back());
          others.pop_back();
        }
      }
    } while (cursor != 0);
    for (Handle handle = 1; handle <= kStay; ++handle) EXPECT_TRUE(seen.contains(handle));
  }
}

}  // namespace
}  // namespace starling
